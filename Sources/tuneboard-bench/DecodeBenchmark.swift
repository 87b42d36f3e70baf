/// `tuneboard-bench decode`: the speed of one or several streams of tokens, greedy, on weights of noise, beside the speed at which
/// this machine reads memory in the same run.

import Formats
import Models
import Platform
import Tensors

struct DecodeBenchmark {
    private let shape: BenchModel
    private let prompt: Int
    private let tokens: Int
    private let threads: Int
    private let format: String
    private let streams: Int
    private let device: String
    /// On a card: whether steps that repeat are one launch.
    private let usesGraphs: Bool

    static let argumentNames = BenchModel.argumentNames + ["prompt", "tokens", "threads", "format", "streams", "device", "graphs"]

    init(_ arguments: BenchArguments) {
        shape = BenchModel(arguments)
        prompt = max(1, arguments.integer("prompt", 64))
        tokens = max(2, arguments.integer("tokens", 128))
        threads = arguments.integer("threads", 0)
        format = arguments.text("format", "bf16")
        device = arguments.text("device", "cpu")
        let most = device == "cpu" ? Decoder.maximumConversations : Decoder.conversationsOfLoop
        streams = max(1, min(most, arguments.integer("streams", 1)))
        usesGraphs = arguments.integer("graphs", 1) != 0
    }

    func run() throws -> JSONObject {
        let backend = try BenchDevice.backend(device, threads: threads, activationType: format == "f32" ? .float32 : .bfloat16)
        guard let model = try shape.make(backend: backend, format: format) else { throw BenchModel.unknown(format) }
        let caches = (0..<streams).map { _ in model.makeCache(capacity: prompt + tokens) }
        var random = RandomGenerator(seed: 4)
        let first = (0..<prompt).map { _ in Int32(random.index(below: shape.vocabulary)) }
        for cache in caches { PrefillBenchmark.feed(model, first, cache) }
        let decoder = Decoder(model)
        var next = [Int32](repeating: first[0], count: streams)
        var seconds: [Double] = []
        let card = backend as? CUDABackend
        card?.usesGraphs = usesGraphs
        let loop = card == nil ? nil : decoder.tokenLoop(slotCount: streams, mostTokens: prompt + tokens)
        for cache in caches {
            _ = loop?.join(
                LoopedConversation(
                    cache: cache, nextToken: first[0], history: [], rules: TokenRules(temperature: 0), random: RandomGenerator(seed: 0)))
        }
        let downloads = card?.transfers.downloadedBytes ?? 0
        for _ in 0..<tokens {
            let before = Clock.monotonicSeconds()
            if let loop {
                next = loop.step()
                seconds.append(Clock.monotonicSeconds() - before)
                continue
            }
            next = decoder.step(tokens: next, caches: caches) { logits in
                (0..<streams).map { row in
                    Int32(LogitScan.largest(UnsafeBufferPointer(rebasing: logits[row * shape.vocabulary..<(row + 1) * shape.vocabulary])))
                }
            }
            seconds.append(Clock.monotonicSeconds() - before)
        }
        try backend.throwIfFailed()
        let peak = SystemInfo.peakResidentBytes()
        let bytes = Double(model.parameters.reduce(0) { $0 + ($1 === model.embedding && !shape.isTied ? 0 : $1.byteCount) })
        let perStep = Statistics.median(seconds), rate = bytes / perStep / 1e9
        let cacheBytes = caches.reduce(0.0) { $0 + Double($1.byteCount) * Double($1.length) / Double($1.capacity) }
        return JSONObject([
            ("case", "decode"), ("device", .string(backend.summary)), ("format", .string(format)), ("streams", .integer(streams)),
            ("prompt_tokens", .integer(prompt)), ("tokens_per_second", .number(Double(streams) / perStep)),
            ("tokens_per_second_each", .number(1 / perStep)), ("weight_bytes", .integer(Int(bytes))), ("cache_bytes", .integer(Int(cacheBytes))),
            ("gigabytes_per_second", .number(rate)), ("peak_rss_bytes", .integer(Int(peak))),
            ("last_tokens", .array(next.map { .integer(Int($0)) })),
        ] + processorLimit(backend, rate) + cardFacts(card, since: downloads) + BenchDevice.facts(backend))
    }

    /// What came home for each token, and the share of the bandwidth that the card's memory has by its clock and width.
    private func cardFacts(_ card: CUDABackend?, since downloads: Int) -> [(String, JSONValue)] {
        guard let card else { return [] }
        let bytes = Double(card.transfers.downloadedBytes - downloads) / Double(tokens * streams)
        return [("graphs", .bool(usesGraphs)), ("downloaded_bytes_per_token", .number(bytes)), ("memory_bandwidth", .number(card.properties.memoryBandwidth / 1e9))]
    }

    /// What the processor's threads can read at most, and how much of that the weights took.
    private func processorLimit(_ backend: any Backend, _ rate: Double) -> [(String, JSONValue)] {
        guard let processor = backend as? CPUBackend else { return [] }
        let limit = ReadBandwidth.measure(threads: processor.threadCount)
        return [("read_gigabytes_per_second", .number(limit)), ("share_of_bandwidth", .number(rate / limit))]
    }
}
