/// `tuneboard-bench tokenize`: loading a tokenizer and encoding a text file with it, on one thread, in processor time.

import Formats
import Glibc
import Platform
import Tokenizers

struct TokenizeBenchmark {
    private let model: String
    private let file: String
    private let rounds: Int

    static let argumentNames = ["model", "file", "rounds"]

    init(_ arguments: BenchArguments) {
        model = arguments.text("model", "")
        file = arguments.text("file", "")
        rounds = max(1, arguments.integer("rounds", 3))
    }

    func run() throws -> JSONObject {
        guard !model.isEmpty, !file.isEmpty else {
            throw TokenizerError.missingFile(path: "--model DIR and --file TEXT are needed; DIR/tokenizer.json")
        }
        let beforeLoading = TokenizeBenchmark.processorSeconds()
        let tokenizer = try Tokenizer(directory: model)
        let loading = TokenizeBenchmark.processorSeconds() - beforeLoading
        let text = try FileSystem.readText(file)
        var seconds: [Double] = []
        var count = 0
        for _ in 0..<rounds {
            let before = TokenizeBenchmark.processorSeconds()
            count = tokenizer.encode(text).count
            seconds.append(TokenizeBenchmark.processorSeconds() - before)
        }
        let first = seconds.first ?? 0
        let median = Statistics.median(seconds)
        return JSONObject([
            ("case", "tokenize"), ("bytes", .integer(text.utf8.count)), ("tokens", .integer(count)),
            ("load_milliseconds", .number(loading * 1000)),
            ("megabytes_per_second", .number(Double(text.utf8.count) / max(median, 1e-9) / 1e6)),
            ("megabytes_per_second_first", .number(Double(text.utf8.count) / max(first, 1e-9) / 1e6)),
            ("tokens_per_second", .number(Double(count) / max(median, 1e-9))),
            ("peak_rss_bytes", .integer(Int(SystemInfo.peakResidentBytes()))),
        ])
    }

    /// Time that the processors spent on this program: what others do meanwhile does not count.
    private static func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
