import Tensors

/// Steps of decoding: the next token of up to `DecodeProgram.maximumRows` conversations at once, each with a cache of its own.
///
/// Takes the model as it is when it is made: make another one after weights, adapters or their switch have changed.
public final class Decoder {
    public static let maximumConversations = DecodeProgram.maximumRows
    /// The same of a card, which reads the weights once for all of them.
    public static let conversationsOfLoop = 32

    private let model: Transformer
    /// Nil where the model has parts that only the tape knows: mixtures, turned inputs, magnitudes.
    private let program: DecodeProgram?
    private var logits: [Float] = []

    public init(_ model: Transformer) {
        self.model = model
        program = model.decodeDescription.flatMap { DecodeProgram($0, backend: model.backend) }
    }

    /// Whether steps run without a tape.
    public var isCompiled: Bool { program != nil }

    /// Feeds one token to each conversation.
    /// - Parameters:
    ///   - tokens: within the vocabulary, one for each cache
    ///   - reach: the length that the longest sequence has afterwards or is known to get, for rotations that depend on it
    ///   - body: gets the logits [conversations, vocabulary], which are good until it returns
    public func step<Result>(
        tokens: [Int32], caches: [KeyValueCache], reach: Int = 0, _ body: (UnsafeMutableBufferPointer<Float>) throws -> Result
    ) rethrows -> Result {
        // As many at a time as leave each one's numbers what they are alone: beyond the original positions, rotations of some
        // models go by the length of the one sequence.
        let longest = max(reach, (caches.map(\.length).max() ?? 0) + 1)
        let atOnce = model.stretchesRotations(at: longest) ? 1 : program == nil ? 4 : Self.maximumConversations
        if program != nil, tokens.count <= atOnce { return try body(compiled(tokens, caches, reach)) }
        logits.removeAll(keepingCapacity: true)
        for first in stride(from: 0, to: tokens.count, by: atOnce) {
            let range = first..<min(tokens.count, first + atOnce)
            if program == nil {
                logits += onTape(Array(tokens[range]), Array(caches[range]), reach)
            } else {
                logits += compiled(Array(tokens[range]), Array(caches[range]), reach)
            }
        }
        return try logits.withUnsafeMutableBufferPointer { try body($0) }
    }

    /// Steps whose tokens stay on the card that samples them.
    /// - Parameter mostTokens: of the longest conversation, prompt and answer
    /// - Returns: nil where the backend has no such thing, and where rotations go by the length that a conversation has come to.
    public func tokenLoop(slotCount: Int, mostTokens: Int) -> (any TokenLoop)? {
        guard !model.stretchesRotations(at: mostTokens) else { return nil }
        return model.backend.makeTokenLoop(
            slotCount: slotCount, vocabularySize: model.head.outputCount, mostTokens: mostTokens
        ) { [model] tape, layout in
            // Positions stand for tokens: both are the card's.
            let hidden = model.hidden(tape, tokens: layout.positions, layout: layout, reach: mostTokens)
            return tape.tensor(model.logits(tape, hidden))
        }
    }

    private func compiled(_ tokens: [Int32], _ caches: [KeyValueCache], _ reach: Int) -> UnsafeMutableBufferPointer<Float> {
        let longest = (caches.map(\.length).max() ?? 0) + 1
        guard let program else { return UnsafeMutableBufferPointer(start: nil, count: 0) }
        let tables = model.rotaryTables(length: max(reach, longest))
        return program.step(tokens: tokens, caches: caches, tables: tables.map { ($0.full, $0.sliding) })
    }

    private func onTape(_ tokens: [Int32], _ caches: [KeyValueCache], _ reach: Int) -> [Float] {
        let tape = Tape(backend: model.backend, isRecording: false)
        let layout = SequenceLayout(
            cumulativeLengths: (0...Int32(tokens.count)).map { $0 }, positions: caches.map { Int32($0.length) }, caches: caches)
        let hidden = model.hidden(tape, tokens: tokens, layout: layout, reach: reach)
        return tape.tensor(model.logits(tape, hidden)).floats()
    }
}

extension Transformer {
    /// The model as `DecodeProgram` wants it; nil for mixtures of experts and adapted embeddings.
    var decodeDescription: DecodeDescription? {
        guard embeddingAdapters.isEmpty else { return nil }
        var blocks: [DecodeDescription.Block] = []
        for layer in layers {
            guard let block = decodeBlock(layer) else { return nil }
            blocks.append(block)
        }
        return DecodeDescription(
            embedding: embedding, embeddingScale: spec.embeddingScale, positionEmbedding: positionEmbedding,
            embeddingNorm: embeddingNorm.map(decodeNorm), blocks: blocks, finalNorm: decodeNorm(finalNorm), head: head)
    }

    private func decodeBlock(_ layer: TransformerLayer) -> DecodeDescription.Block? {
        let feedForward: DecodeDescription.FeedForward
        switch layer.feedForward {
        case .gated(let gate, let up, let down): feedForward = .gated(gate: gate, up: up, down: down)
        case .fusedGated(let gateUp, let down): feedForward = .fusedGated(gateUp: gateUp, down: down)
        case .plain(let up, let down): feedForward = .plain(up: up, down: down)
        case .mixture: return nil
        }
        let parts: [[Range<Int>]]
        switch layer.projection {
        case .fused(_, let columns): parts = columns
        case .separate(let query, let key, let value):
            let keys = query.outputCount + key.outputCount
            parts = [[0..<query.outputCount], [query.outputCount..<keys], [keys..<keys + value.outputCount]]
        }
        return DecodeDescription.Block(
            attentionNorm: decodeNorm(layer.attentionNorm), projections: layer.projection.linears, parts: parts,
            queryNorm: layer.queryNorm.map(headNorm), keyNorm: layer.keyNorm.map(headNorm), shape: layer.attentionShape,
            isSliding: layer.isSliding, output: layer.attentionOutput, outputNorm: layer.attentionOutputNorm.map(decodeNorm),
            feedForwardNorm: decodeNorm(layer.feedForwardNorm), feedForward: feedForward, activation: spec.feedForward.activation,
            feedForwardOutputNorm: layer.feedForwardOutputNorm.map(decodeNorm))
    }

    /// As `hidden` has it: a bias makes it a layer norm.
    private func decodeNorm(_ norm: Norm) -> DecodeDescription.Norm {
        DecodeDescription.Norm(
            kind: norm.bias == nil ? .rootMeanSquare : .layer, weight: norm.weight, bias: norm.bias, epsilon: spec.norm.epsilon,
            weightOffset: spec.norm.weightOffset)
    }

    private func headNorm(_ weight: Parameter) -> DecodeDescription.Norm {
        DecodeDescription.Norm(
            kind: .rootMeanSquare, weight: weight, bias: nil, epsilon: spec.norm.epsilon, weightOffset: spec.norm.weightOffset)
    }
}
