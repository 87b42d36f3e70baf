/// `tuneboard-bench prefill`: how fast a prompt is read, on weights of noise, beside the machine's speed at plain matrix products.

import Formats
import Models
import Platform
import Tensors

struct PrefillBenchmark {
    private let shape: BenchModel
    private let tokens: Int
    private let threads: Int
    private let format: String
    private let rounds: Int

    static let argumentNames = BenchModel.argumentNames + ["tokens", "threads", "format", "rounds"]

    init(_ arguments: BenchArguments) {
        shape = BenchModel(arguments)
        tokens = max(1, arguments.integer("tokens", 512))
        threads = arguments.integer("threads", 0)
        format = arguments.text("format", "bf16")
        rounds = max(1, arguments.integer("rounds", 3))
    }

    func run() throws -> JSONObject {
        let backend = CPUBackend(threadCount: threads)
        guard let model = try shape.make(backend: backend, format: format) else { throw BenchModel.unknown(format) }
        let cache = model.makeCache(capacity: tokens)
        var random = RandomGenerator(seed: 4)
        let prompt = (0..<tokens).map { _ in Int32(random.index(below: shape.vocabulary)) }
        var seconds: [Double] = []
        for round in 0...rounds {
            cache.truncate(to: 0)
            let start = Clock.monotonicSeconds()
            Self.feed(model, prompt, cache)
            if round > 0 { seconds.append(Clock.monotonicSeconds() - start) }
        }
        let peak = SystemInfo.peakResidentBytes()
        let best = seconds.min() ?? 0
        let layers = Double(model.linears.reduce(0) { $0 + $1.inputCount * $1.outputCount })
        let attention = Double(tokens) * Double(model.spec.queryWidth * model.spec.layerCount)
        let flops = 2 * Double(tokens) * (layers + attention) + 2 * Double(model.head.inputCount * model.head.outputCount)
        let limit = ProductLimit.measure(threads: backend.threadCount)
        return JSONObject([
            ("case", "prefill"), ("device", .string(backend.summary)), ("format", .string(format)), ("prompt_tokens", .integer(tokens)),
            ("tokens_per_second", .number(Double(tokens) / best)), ("seconds", .array(seconds.map { .number($0) })),
            ("gflops", .number(flops / best / 1e9)), ("sgemm_gflops", .number(limit)), ("share_of_sgemm", .number(flops / best / 1e9 / limit)),
            ("peak_rss_bytes", .integer(Int(peak))),
        ])
    }

    /// Reads a prompt and computes the logits after its last token.
    static func feed(_ model: Transformer, _ tokens: [Int32], _ cache: KeyValueCache) {
        let tape = Tape(backend: model.backend, isRecording: false)
        tape.isAnswering = true
        let hidden = model.hidden(tape, tokens: tokens, layout: SequenceLayout(appending: tokens.count, to: cache))
        _ = model.logits(tape, hidden, rows: [Int32(tokens.count - 1)])
    }
}
