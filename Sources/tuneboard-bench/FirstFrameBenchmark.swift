/// `tuneboard-bench first-frame --program PATH`: from exec to the first screenful of the board, in a pseudo-terminal.

import Formats
import Platform
import Terminal

struct FirstFrameBenchmark {
    private let program: String
    private let size: Size
    private let repetitions: Int

    static let argumentNames = ["program", "columns", "rows", "repetitions"]

    init(_ arguments: BenchArguments) {
        program = arguments.text("program", ".build/release/tuneboard")
        size = Size(columns: max(60, arguments.integer("columns", 80)), rows: max(16, arguments.integer("rows", 24)))
        repetitions = max(1, arguments.integer("repetitions", 20))
    }

    func run() throws -> JSONObject {
        var seconds: [Double] = []
        for _ in 0..<repetitions { seconds.append(try firstFrame()) }
        return JSONObject([
            ("case", "first-frame"), ("columns", .integer(size.columns)), ("rows", .integer(size.rows)),
            ("repetitions", .integer(repetitions)),
            ("first_frame_milliseconds", .number(Statistics.median(seconds) * 1_000)),
            ("slowest_milliseconds", .number((seconds.max() ?? 0) * 1_000)),
        ])
    }

    /// The footer's last word is drawn last, after every page's name.
    private func firstFrame() throws -> Double {
        let terminal = try PseudoTerminal(size: size)
        defer { terminal.close() }
        let start = Clock.monotonicSeconds()
        let process = try terminal.spawn(program)
        defer { terminal.end(process) }
        let isSeen = terminal.await(["5 Monitor", "quit"], seconds: 10)
        let end = Clock.monotonicSeconds()
        guard isSeen else { throw BenchError.neverShown(program, "the board") }
        return end - start
    }
}
