/// The cases of the benchmark program.

import Formats
import Glibc

enum BenchCommand {
    private struct Case: Sendable {
        let name: String
        let arguments: [String]
        let run: @Sendable (BenchArguments) throws -> JSONObject
    }

    private static let cases = [
        Case(name: "train", arguments: TrainBenchmark.argumentNames) { try TrainBenchmark($0).run() },
        Case(name: "decode", arguments: DecodeBenchmark.argumentNames) { try DecodeBenchmark($0).run() },
        Case(name: "prefill", arguments: PrefillBenchmark.argumentNames) { try PrefillBenchmark($0).run() },
        Case(name: "load", arguments: LoadBenchmark.argumentNames) { try LoadBenchmark($0).run() },
        Case(name: "load-once", arguments: LoadOnce.argumentNames) { try LoadOnce($0).run() },
        Case(name: "tokenize", arguments: TokenizeBenchmark.argumentNames) { try TokenizeBenchmark($0).run() },
        Case(name: "frame", arguments: FrameBenchmark.argumentNames) { try FrameBenchmark($0).run() },
        Case(name: "open-run", arguments: OpenRunBenchmark.argumentNames) { try OpenRunBenchmark($0).run() },
        Case(name: "keys", arguments: KeyBenchmark.argumentNames) { try KeyBenchmark($0).run() },
        Case(name: "first-frame", arguments: FirstFrameBenchmark.argumentNames) { try FirstFrameBenchmark($0).run() },
    ]

    /// - Returns: the exit code: 0 done, 1 failed, 2 wrong usage.
    static func run(_ words: [String]) -> Int32 {
        guard let name = words.first, let chosen = cases.first(where: { $0.name == name }) else {
            complain("usage: tuneboard-bench " + cases.map(\.name).joined(separator: "|") + " [--name value]...")
            return 2
        }
        let arguments = BenchArguments(Array(words.dropFirst()), known: chosen.arguments)
        if let problem = arguments.problem {
            complain(problem)
            return 2
        }
        do {
            print(try chosen.run(arguments).text(style: .python))
            return 0
        } catch {
            complain("\(name): \(error)")
            return 1
        }
    }

    private static func complain(_ text: String) {
        let line = Array((text + "\n").utf8)
        _ = write(STDERR_FILENO, line, line.count)
    }
}
