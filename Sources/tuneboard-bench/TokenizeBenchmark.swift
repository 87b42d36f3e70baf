/// `tuneboard-bench tokenize`: loading a tokenizer and encoding a text file with it, on one thread in processor time, on several by the
/// clock.

import Formats
import Glibc
import Platform
import Synchronization
import Tokenizers

struct TokenizeBenchmark {
    private let model: String
    private let file: String
    private let rounds: Int
    private let threads: Int

    /// A piece of text that one thread encodes at a time, in bytes.
    private static let pieceSize = 100_000

    static let argumentNames = ["model", "file", "rounds", "threads"]

    init(_ arguments: BenchArguments) {
        model = arguments.text("model", "")
        file = arguments.text("file", "")
        rounds = max(1, arguments.integer("rounds", 3))
        threads = min(64, max(1, arguments.integer("threads", 1)))
    }

    func run() throws -> JSONObject {
        guard !model.isEmpty, !file.isEmpty else {
            throw TokenizerError.missingFile(path: "--model DIR and --file TEXT are needed; DIR/tokenizer.json")
        }
        let beforeLoading = TokenizeBenchmark.processorSeconds()
        let tokenizer = try Tokenizer(directory: model)
        let loading = TokenizeBenchmark.processorSeconds() - beforeLoading
        let text = try FileSystem.readText(file)
        let pieces = threads > 1 ? TokenizeBenchmark.pieces(of: text) : []
        var seconds: [Double] = []
        var count = 0
        for _ in 0..<rounds {
            let clock = threads > 1 ? Clock.monotonicSeconds : TokenizeBenchmark.processorSeconds
            let before = clock()
            count = threads > 1 ? encode(pieces, tokenizer) : tokenizer.encode(text).count
            seconds.append(clock() - before)
        }
        let first = seconds.first ?? 0
        let median = Statistics.median(seconds)
        return JSONObject([
            ("case", "tokenize"), ("threads", .integer(threads)), ("bytes", .integer(text.utf8.count)), ("tokens", .integer(count)),
            ("load_milliseconds", .number(loading * 1000)),
            ("megabytes_per_second", .number(Double(text.utf8.count) / max(median, 1e-9) / 1e6)),
            ("megabytes_per_second_first", .number(Double(text.utf8.count) / max(first, 1e-9) / 1e6)),
            ("tokens_per_second", .number(Double(count) / max(median, 1e-9))),
            ("peak_rss_bytes", .integer(Int(SystemInfo.peakResidentBytes()))),
        ])
    }

    /// The number of tokens of all pieces, each encoded by the next thread that is free.
    private func encode(_ pieces: [String], _ tokenizer: Tokenizer) -> Int {
        let progress = Mutex((next: 0, tokens: 0))
        let workers = (0..<threads).map { worker in
            EngineThread(name: "encode-\(worker)") {
                var tokens = 0
                while true {
                    let index = progress.withLock { progress in
                        defer { progress.next += 1 }
                        return progress.next
                    }
                    guard index < pieces.count else { break }
                    tokens += tokenizer.encode(pieces[index]).count
                }
                progress.withLock { $0.tokens += tokens }
            }
        }
        for worker in workers { worker.join() }
        return progress.withLock { $0.tokens }
    }

    /// The text in pieces of whole lines.
    private static func pieces(of text: String) -> [String] {
        let bytes = Array(text.utf8)
        var pieces: [String] = []
        var start = 0
        while start < bytes.count {
            let wanted = min(bytes.count, start + pieceSize)
            let end = bytes[wanted...].firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? bytes.count
            pieces.append(String(decoding: bytes[start..<end], as: UTF8.self))
            start = end
        }
        return pieces
    }

    /// Time that the processors spent on this program: what others do meanwhile does not count.
    private static func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
