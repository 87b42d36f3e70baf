import CUDAKernels
import Platform

/// Steps of decoding on a card. All that changes between steps lies on the card, so a step is the same work every time: the first of a
/// kind is sent kernel by kernel, the second recorded, and from then on it is one launch. A kind is the number of rows (a power of
/// two; idle ones compute on a page of their own) and how many parts long caches are split into.
final class CUDATokenLoop: TokenLoop {
    private struct Slot {
        let cache: KeyValueCache
        let rules: TokenRules
        var random: RandomGenerator
        /// Numbers drawn that the card has got.
        var drawn = 0
        /// Steps so far.
        var steps = 0
        /// Pages that the card's table has.
        var pages = 0
    }

    private struct Kind: Hashable {
        let rows, longest: Int
    }

    /// Random numbers that the card has in advance.
    private static let uniformCount = 256

    let slotCount: Int
    private let backend: CUDABackend
    private let forward: (Tape, SequenceLayout) -> Tensor
    private let vocabularySize, mostPages: Int
    private var slots: [Slot?]
    private var geometry: CachePages.Geometry?
    /// What idle rows write to.
    private var idlePages: CachePages?
    private let tokens, positions, lengths, cumulative, pages, rules, uniforms, draws, seen, results: Tensor
    /// Where steps take their memory.
    private let pool: DevicePool
    private var graphs: [Int: (kind: Kind, graph: StepGraph)] = [:]
    /// Kinds that have been sent once.
    private var known: Set<Kind> = []
    private var isRecordable = true

    /// Steps that were one launch.
    private(set) var replayCount = 0

    init(
        backend: CUDABackend, slotCount: Int, vocabularySize: Int, mostTokens: Int, forward: @escaping (Tape, SequenceLayout) -> Tensor
    ) {
        self.backend = backend
        self.forward = forward
        self.vocabularySize = vocabularySize
        let slotCount = max(1, min(slotCount, LateReadings.slotBytes / 4)), mostPages = max(1, CachePages.count(mostTokens + 1))
        self.slotCount = slotCount
        self.mostPages = mostPages
        slots = [Slot?](repeating: nil, count: slotCount)
        pool = DevicePool(within: backend.pool, for: .recordings)
        func integers(_ count: Int) -> Tensor { backend.standing([count], .int32) }
        tokens = integers(slotCount)
        positions = integers(slotCount)
        lengths = integers(slotCount)
        draws = integers(slotCount)
        results = integers(slotCount)
        cumulative = integers(slotCount + 1)
        pages = backend.standing([slotCount, mostPages], .int64)
        rules = backend.standing([slotCount, MemoryLayout<tb_cuda_sampling>.stride], .uint8)
        uniforms = backend.standing([slotCount, Self.uniformCount], .float32)
        seen = backend.standing([slotCount, vocabularySize], .uint8)
        backend.put((0...Int32(slotCount)).map { $0 }, into: cumulative, at: 0)
        for slot in 0..<slotCount { backend.put([Self.rule(TokenRules(temperature: 0), isLive: false)], into: rules, at: slot) }
    }

    // MARK: Conversations

    func join(_ conversation: LoopedConversation) -> Int? {
        let cache = conversation.cache
        guard let slot = slots.firstIndex(where: { $0 == nil }), let pages = cache.pages, pages.geometry == geometry ?? pages.geometry
        else { return nil }
        if geometry == nil { prepare(pages.geometry) }
        slots[slot] = Slot(cache: cache, rules: conversation.rules, random: conversation.random)
        backend.put([conversation.nextToken], into: tokens, at: slot)
        backend.put([Int32(cache.length)], into: positions, at: slot)
        backend.put([Int32(cache.length)], into: lengths, at: slot)
        backend.put([Int32(0)], into: draws, at: slot)
        backend.put([Self.rule(conversation.rules, isLive: true)], into: rules, at: slot)
        if conversation.rules.repetitionPenalty != 1 {
            let line = seen.slice(rows: slot..<slot + 1), history = backend.upload(conversation.history + [conversation.nextToken])
            backend.fill(line, with: 0)
            backend.run(
                "mark_seen", .float32, backend.anyGrid(history.count),
                [.address(backend.read(history)), .count(history.count), .address(backend.update(line)), .count(vocabularySize)])
        }
        return slot
    }

    func leave(_ slot: Int) {
        guard slots.indices.contains(slot), slots[slot] != nil else { return }
        slots[slot] = nil
        rest(slot)
    }

    /// The first conversation says what pages look like.
    private func prepare(_ geometry: CachePages.Geometry) {
        self.geometry = geometry
        let idle = CachePages(pool: backend.pool, device: backend.device, geometry: geometry)
        idle.reserve(tokens: 1)
        idlePages = idle
        for slot in 0..<slotCount { rest(slot) }
    }

    /// An idle row feeds token 0 to an empty cache over and over.
    private func rest(_ slot: Int) {
        backend.put([Self.rule(TokenRules(temperature: 0), isLive: false)], into: rules, at: slot)
        for tensor in [tokens, positions, lengths] { backend.put([Int32(0)], into: tensor, at: slot) }
        let address = Int64(bitPattern: idlePages?.addresses.first ?? 0)
        backend.put([Int64](repeating: address, count: mostPages), into: pages, at: slot * mostPages)
    }

    private static func rule(_ rules: TokenRules, isLive: Bool) -> tb_cuda_sampling {
        tb_cuda_sampling(
            temperature: rules.temperature, top_p: rules.topP, min_p: rules.minP, top_k: Int32(clamping: rules.topK),
            penalty: rules.repetitionPenalty, is_live: isLive ? 1 : 0)
    }

    // MARK: Steps

    func step() -> [Int32] {
        let live = slots.indices.filter { slots[$0] != nil }
        var tokens = [Int32](repeating: -1, count: slotCount)
        guard let last = live.last, let geometry else { return tokens }
        for slot in live { refill(slot) }
        var rows = 1
        while rows <= last { rows *= 2 }
        let reach = live.reduce(0) { max($0, (slots[$1]?.cache.length ?? 0) + 1) }
        var longest = 256
        while longest < reach { longest *= 2 }
        compute(Kind(rows: min(rows, slotCount), longest: longest), geometry)
        // A replay writes without being seen to.
        guard let reading = backend.readings.read(backend.update(results), byteCount: 4 * slotCount) else {
            return finish(live, results.integers(), &tokens)
        }
        let found = UnsafeRawBufferPointer(start: reading.bytes(), count: 4 * slotCount)
        return finish(live, (0..<slotCount).map { found.load(fromByteOffset: 4 * $0, as: Int32.self) }, &tokens)
    }

    private func finish(_ live: [Int], _ found: [Int32], _ tokens: inout [Int32]) -> [Int32] {
        for slot in live {
            tokens[slot] = found[slot]
            slots[slot]?.steps += 1
            slots[slot]?.cache.advance(by: 1)
        }
        return tokens
    }

    private func compute(_ kind: Kind, _ geometry: CachePages.Geometry) {
        if let (made, graph) = graphs[kind.rows], made == kind {
            replayCount += 1
            return graph.launch()
        }
        let layout = SequenceLayout(
            standing: StandingRows(
                rowCount: kind.rows, tokens: tokens, positions: positions, lengths: lengths, cumulative: cumulative, pages: pages,
                geometry: geometry, longest: kind.longest))
        if known.contains(kind), isRecordable, backend.usesGraphs {
            if let graph = backend.record(pool: pool, earlier: graphs[kind.rows]?.graph, { send(layout) }) {
                graphs[kind.rows] = (kind, graph)
                replayCount += 1
                return graph.launch()
            }
            isRecordable = false
        }
        known.insert(kind)
        backend.withPool(pool) { send(layout) }
    }

    private func send(_ layout: SequenceLayout) {
        let tape = Tape(backend: backend, isRecording: false)
        tape.isAnswering = true
        let logits = forward(tape, layout), rows = layout.tokenCount
        precondition(logits.shape == [rows, vocabularySize], "logits \(logits.shape) of \(rows) rows")
        var state = tb_cuda_decoding()
        state.tokens = place(tokens)
        state.positions = place(positions)
        state.lengths = place(lengths)
        state.uniforms = UnsafePointer(bitPattern: UInt(backend.read(uniforms)))
        state.draws = place(draws)
        state.seen = UnsafeMutablePointer(bitPattern: UInt(backend.update(seen)))
        state.results = place(results)
        state.uniform_count = Int32(Self.uniformCount)
        backend.run(
            "sample", logits.dtype, LaunchShape(grid: rows, threads: 1024),
            [
                .address(backend.read(logits)), .count(rows), .count(vocabularySize), .address(backend.read(rules)), .structure(state),
            ])
    }

    private func place(_ tensor: Tensor) -> UnsafeMutablePointer<Int32>? { UnsafeMutablePointer(bitPattern: UInt(backend.update(tensor))) }

    /// The card's tables: pages that the next token needs, and random numbers.
    private func refill(_ index: Int) {
        guard var slot = slots[index], let own = slot.cache.pages else { return }
        precondition(slot.cache.length < slot.cache.capacity, "a cache of \(slot.cache.capacity) tokens is full")
        own.reserve(tokens: slot.cache.length + 1)
        let addresses = own.addresses
        precondition(addresses.count <= mostPages, "a conversation of more than \(mostPages * CachePages.pageTokens) tokens")
        if addresses.count != slot.pages {
            backend.put(addresses.map { Int64(bitPattern: $0) }, into: pages, at: index * mostPages)
            slot.pages = addresses.count
        }
        if slot.rules.temperature > 0, slot.steps == slot.drawn {
            backend.put((0..<Self.uniformCount).map { _ in Float(slot.random.uniform()) }, into: uniforms, at: index * Self.uniformCount)
            slot.drawn += Self.uniformCount
        }
        slots[index] = slot
    }
}

extension CUDABackend {
    public func makeTokenLoop(
        slotCount: Int, vocabularySize: Int, mostTokens: Int, forward: @escaping (Tape, SequenceLayout) -> Tensor
    ) -> (any TokenLoop)? {
        guard !device.hasFailed else { return nil }
        return CUDATokenLoop(backend: self, slotCount: slotCount, vocabularySize: vocabularySize, mostTokens: mostTokens, forward: forward)
    }

    /// Zeros at an address that stays.
    func standing(_ shape: [Int], _ dtype: DType) -> Tensor {
        let tensor = empty(shape, dtype, for: .workspace)
        device.zero(write(tensor), byteCount: tensor.byteCount)
        return tensor
    }

    /// Writes elements of a standing tensor of the same stride.
    func put<Element>(_ values: [Element], into tensor: Tensor, at index: Int) {
        let stride = MemoryLayout<Element>.stride, address = update(tensor) + UInt64(index * stride)
        precondition((index + values.count) * stride <= tensor.byteCount, "elements beyond \(tensor.shape)")
        values.withUnsafeBytes { if let from = $0.baseAddress { staging.upload(from, to: address, byteCount: $0.count) } }
    }
}
