/// `tuneboard-bench decode`: prompt and answer speed of one sequence, greedy, on random weights.

import Formats
import Models
import Platform
import Tensors

struct DecodeBenchmark {
    private let shape: BenchModel
    private let prompt: Int
    private let tokens: Int
    private let threads: Int
    private let dtype: DType

    static let argumentNames = BenchModel.argumentNames + ["prompt", "tokens", "threads", "dtype"]

    init(_ arguments: BenchArguments) {
        shape = BenchModel(arguments)
        prompt = max(1, arguments.integer("prompt", 256))
        tokens = max(1, arguments.integer("tokens", 64))
        threads = arguments.integer("threads", 0)
        dtype = arguments.text("dtype", "bfloat16") == "float32" ? .float32 : .bfloat16
    }

    func run() throws -> JSONObject {
        let backend = CPUBackend(threadCount: threads)
        let model = try shape.make(backend: backend, dtype: dtype)
        let cache = model.makeCache(capacity: prompt + tokens)
        var random = RandomGenerator(seed: 4)
        let first = (0..<prompt).map { _ in Int32(random.index(below: shape.vocabulary)) }
        let start = Clock.monotonicSeconds()
        var next = likeliest(model, first, cache)
        let afterPrompt = Clock.monotonicSeconds()
        var seconds: [Double] = []
        for _ in 0..<tokens - 1 {
            let before = Clock.monotonicSeconds()
            next = likeliest(model, [next], cache)
            seconds.append(Clock.monotonicSeconds() - before)
        }
        let bytes = Double(model.parameters.reduce(0) { $0 + ($1 === model.embedding ? 0 : $1.byteCount) })
        let perToken = Statistics.median(seconds)
        return JSONObject([
            ("case", "decode"), ("device", .string(backend.summary)), ("prompt_tokens", .integer(prompt)),
            ("prompt_tokens_per_second", .number(Double(prompt) / (afterPrompt - start))),
            ("tokens_per_second", .number(perToken > 0 ? 1 / perToken : 0)),
            ("weight_gigabytes_per_second", .number(perToken > 0 ? bytes / perToken / 1e9 : 0)),
            ("peak_rss_bytes", .integer(Int(SystemInfo.peakResidentBytes()))),
        ])
    }

    private func likeliest(_ model: Transformer, _ tokens: [Int32], _ cache: KeyValueCache) -> Int32 {
        let tape = Tape(backend: model.backend, isRecording: false)
        let hidden = model.hidden(tape, tokens: tokens, layout: SequenceLayout(appending: tokens.count, to: cache))
        let logits = tape.tensor(model.logits(tape, hidden, rows: [Int32(tokens.count - 1)])).floats()
        return Int32(logits.indices.max { logits[$0] < logits[$1] } ?? 0)
    }
}
