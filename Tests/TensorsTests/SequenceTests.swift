import Platform
import Testing

@testable import Tensors

/// What must hold between whole passes: sequences don't see each other, caches change nothing, recomputation changes nothing, and
/// neither does the number of threads.
@Suite struct SequenceTests {
    @Test("several sequences in one stream give what each gives alone", arguments: [1, 3])
    func sequencesAreSeparate(threads: Int) {
        let backend = CPUBackend(threadCount: threads)
        let model = TinyModel(seed: 5)
        let tokens: [[Int32]] = [model.randomTokens(70, seed: 1), model.randomTokens(3, seed: 2), model.randomTokens(129, seed: 3)]
        let together = model.logits(backend, tokens.flatMap { $0 }, SequenceLayout(lengths: tokens.map(\.count)))
        var row = 0
        for sequence in tokens {
            let alone = model.logits(backend, sequence, SequenceLayout(lengths: [sequence.count]))
            let part = together.slice(rows: row..<row + sequence.count)
            #expect(largestDifference(alone, part) < 1e-4)
            row += sequence.count
        }
    }

    @Test("decoding with a cache gives the logits of a full forward pass", arguments: [DType.float32, .bfloat16])
    func cacheChangesNothing(dtype: DType) {
        let backend = CPUBackend(threadCount: 2)
        let model = TinyModel(seed: 6)
        let tokens = model.randomTokens(90, seed: 4)
        let full = model.logits(backend, tokens, SequenceLayout(lengths: [tokens.count]))
        let cache = model.cache(capacity: 100, dtype: dtype)
        let largest = full.floats().reduce(0) { max($0, abs($1)) }
        let tolerance = dtype == .float32 ? 1e-4 : 0.1 * largest
        var done = 0
        for count in [70, 1, 1, 5, 1, 12] {
            let part = model.logits(backend, Array(tokens[done..<done + count]), SequenceLayout(appending: count, to: cache))
            let difference = largestDifference(part, full.slice(rows: done..<done + count))
            #expect(difference < tolerance, "after \(done) tokens")
            done += count
            #expect(cache.length == done)
        }
        cache.truncate(to: 70)
        let again = model.logits(backend, [tokens[70]], SequenceLayout(appending: 1, to: cache))
        #expect(largestDifference(again, full.slice(rows: 70..<71)) < tolerance)
    }

    @Test("two conversations decode side by side")
    func batchedDecoding() {
        let backend = CPUBackend(threadCount: 2)
        let model = TinyModel(seed: 6)
        let first = model.randomTokens(9, seed: 4), second = model.randomTokens(5, seed: 8)
        let caches = [model.cache(capacity: 20), model.cache(capacity: 20)]
        _ = model.logits(backend, Array(first.dropLast()), SequenceLayout(appending: 8, to: caches[0]))
        _ = model.logits(backend, Array(second.dropLast()), SequenceLayout(appending: 4, to: caches[1]))
        let layout = SequenceLayout(cumulativeLengths: [0, 1, 2], positions: [8, 4], caches: caches)
        let both = model.logits(backend, [first[8], second[4]], layout)
        let one = model.logits(backend, first, SequenceLayout(lengths: [9])).slice(rows: 8..<9)
        let two = model.logits(backend, second, SequenceLayout(lengths: [5])).slice(rows: 4..<5)
        #expect(largestDifference(both.slice(rows: 0..<1), one) < 1e-4)
        #expect(largestDifference(both.slice(rows: 1..<2), two) < 1e-4)
    }

    @Test("recomputed blocks give the gradients of recorded ones, bit for bit", arguments: [Float(0), 0.2])
    func checkpointsChangeNothing(dropout: Float) {
        let backend = CPUBackend(threadCount: 2)
        let recorded = TinyModel(seed: 9, dropout: dropout), recomputed = TinyModel(seed: 9, dropout: dropout)
        let tokens = recorded.randomTokens(40, seed: 1)
        let loss = recorded.step(backend, tokens, [25, 15], isCheckpointing: false)
        let other = recomputed.step(backend, tokens, [25, 15], isCheckpointing: true)
        #expect(loss == other)
        expectEqualGradients(recorded, recomputed)
    }

    @Test("results do not depend on the number of threads")
    func threadsChangeNothing() {
        let one = TinyModel(seed: 9, dropout: 0.1), five = TinyModel(seed: 9, dropout: 0.1)
        let tokens = one.randomTokens(200, seed: 1)
        let loss = one.step(CPUBackend(threadCount: 1), tokens, [131, 69])
        let other = five.step(CPUBackend(threadCount: 5), tokens, [131, 69])
        #expect(loss == other)
        expectEqualGradients(one, five)
    }

    @Test("gradients of two micro-batches add up to those of both together")
    func accumulation() {
        let backend = CPUBackend(threadCount: 2)
        let whole = TinyModel(seed: 9), parts = TinyModel(seed: 9)
        let tokens = whole.randomTokens(40, seed: 1)
        _ = whole.step(backend, tokens, [25, 15], normalizer: 30)
        _ = parts.step(backend, Array(tokens[..<25]), [25], normalizer: 30)
        _ = parts.step(backend, Array(tokens[25...]), [15], normalizer: 30)
        for (a, b) in zip(whole.trained, parts.trained) {
            guard let left = a.gradient, let right = b.gradient else { continue }
            #expect(largestDifference(left, right) < 1e-4, "\(a.name)")
        }
    }

    @Test("frozen layers below the first trained one are not passed on the way back")
    func frozenLayersAreSkipped() {
        let model = TinyModel(seed: 9)
        for block in model.blocks.prefix(1) { block.query.adapter = nil }
        let tape = Tape(backend: CPUBackend(threadCount: 1), isRecording: true)
        _ = model.hidden(tape, model.randomTokens(8, seed: 1), SequenceLayout(lengths: [8]))
        // Only the second block has an adapter, on its query: the tape starts there.
        #expect(tape.operationNames.prefix(2) == ["linear", "rotary"])
    }

    private func expectEqualGradients(_ a: TinyModel, _ b: TinyModel) {
        for (left, right) in zip(a.trained, b.trained) {
            #expect(left.gradient != nil && left.gradient?.floats() == right.gradient?.floats(), "\(left.name)")
        }
    }
}

func largestDifference(_ a: Tensor, _ b: Tensor) -> Float {
    zip(a.floats(), b.floats()).reduce(0) { max($0, abs($1.0 - $1.1)) }
}

/// Two blocks of a Llama with an adapter on each query projection: enough to have every operation meet every other.
final class TinyModel {
    struct Block {
        let norm, secondNorm: Parameter
        let query, key, value, output, gate, up, down: Linear
    }

    let vocabulary = 50, width = 24
    let shape = AttentionShape(headCount: 4, keyValueHeadCount: 2, headDimension: 6)
    let embedding, lastNorm: Parameter
    let head: Linear
    let blocks: [Block]
    let table = RotaryTable(inverseFrequencies: [1, 0.3, 0.1], positionCount: 1024)

    init(seed: UInt64, dropout: Float = 0) {
        var random = RandomGenerator(seed: seed)
        let width = width
        embedding = Parameter(name: "embedding", value: randomTensor([vocabulary, width], &random))
        lastNorm = Parameter(name: "norm", value: randomTensor([width], &random))
        func layer(_ name: String, _ inputs: Int, _ outputs: Int, rank: Int = 0) -> Linear {
            randomLinear(name, inputs, outputs, &random, isTrained: false, rank: rank, dropout: dropout)
        }
        func norm() -> Parameter { Parameter(name: "norm", value: Tensor([Float](repeating: 1, count: width), shape: [width])) }
        blocks = (0..<2).map { _ in
            Block(
                norm: norm(), secondNorm: norm(), query: layer("query", 24, 24, rank: 3), key: layer("key", 24, 12),
                value: layer("value", 24, 12), output: layer("output", 24, 24), gate: layer("gate", 24, 40), up: layer("up", 24, 40),
                down: layer("down", 40, 24))
        }
        head = layer("head", 24, 50)
    }

    var trained: [Parameter] { blocks.flatMap { block in block.query.adapter.map { [$0.a, $0.b] } ?? [] } }

    func randomTokens(_ count: Int, seed: UInt64) -> [Int32] {
        var random = RandomGenerator(seed: seed)
        return (0..<count).map { _ in Int32(random.index(below: vocabulary)) }
    }

    func cache(capacity: Int, dtype: DType = .float32) -> KeyValueCache {
        KeyValueCache(layerCount: blocks.count, keyValueHeadCount: 2, headDimension: 6, capacity: capacity, dtype: dtype)
    }

    func hidden(_ tape: Tape, _ tokens: [Int32], _ layout: SequenceLayout, isCheckpointing: Bool = false) -> Value {
        var x = tape.embedding(embedding, tokens: tokens)
        for (index, block) in blocks.enumerated() {
            if isCheckpointing {
                x = tape.checkpoint([x]) { [self] tape, values in [forward(tape, values[0], block, index, layout)] }[0]
            } else {
                x = forward(tape, x, block, index, layout)
            }
        }
        return tape.rmsNorm(x, weight: lastNorm, epsilon: 1e-5)
    }

    private func forward(_ tape: Tape, _ x: Value, _ block: Block, _ index: Int, _ layout: SequenceLayout) -> Value {
        let read = tape.linear(tape.rmsNorm(x, weight: block.norm, epsilon: 1e-5), [block.query, block.key, block.value])
        let query = tape.rotary(read[0], headDimension: 6, table: table, positions: layout.positions)
        let key = tape.rotary(read[1], headDimension: 6, table: table, positions: layout.positions)
        let attended = tape.attention(query: query, key: key, value: read[2], shape: shape, layout: layout, layer: index)
        let middle = tape.add(x, tape.linear(attended, block.output))
        let wide = tape.linear(tape.rmsNorm(middle, weight: block.secondNorm, epsilon: 1e-5), [block.gate, block.up])
        let active = tape.gatedActivation(gate: wide[0], up: wide[1], kind: .silu)
        return tape.add(middle, tape.linear(active, block.down))
    }

    func logits(_ backend: any Backend, _ tokens: [Int32], _ layout: SequenceLayout) -> Tensor {
        let tape = Tape(backend: backend, isRecording: false)
        return tape.linear(hidden(tape, tokens, layout), head).tensor
    }

    /// One forward and backward pass; the targets are the tokens themselves.
    @discardableResult
    func step(
        _ backend: any Backend, _ tokens: [Int32], _ lengths: [Int], isCheckpointing: Bool = false, normalizer: Float = 40
    ) -> Double {
        let tape = Tape(backend: backend, isRecording: true, random: RandomGenerator(seed: 2))
        let hidden = hidden(tape, tokens, SequenceLayout(lengths: lengths), isCheckpointing: isCheckpointing)
        let loss = tape.linearCrossEntropy(hidden, head: head, targets: tokens, normalizer: normalizer)
        tape.backward(loss.loss)
        return loss.lossSum
    }
}
