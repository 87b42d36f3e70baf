/// One tensor that a spec asks for: what it is, what the checkpoint calls it, and its shape.
public struct WeightDescription: Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
        /// [vocabulary, hidden]
        case embedding
        /// [out, in] of a linear layer
        case matrix
        /// [out] of a linear layer or a norm
        case bias
        /// [width] of a norm
        case norm
    }

    public let role: WeightRole
    public let layer: Int
    /// The expert's number; 0 for weights outside of mixtures.
    public let expert: Int
    public let kind: Kind
    /// The module path: `model.layers.0.self_attn.q_proj`.
    public let module: String
    /// The tensor's name in a checkpoint: the module path and `.weight` or `.bias`.
    public let name: String
    public let shape: [Int]
    /// The checkpoint stores the matrix the other way round.
    public let isStoredTransposed: Bool

    /// The shape in a checkpoint.
    public var storedShape: [Int] { isStoredTransposed ? shape.reversed() : shape }
    public var count: Int { shape.reduce(1, *) }
    /// Whether `quantization_bit` is for it: linear layers but the head and what chooses experts.
    public var isQuantizable: Bool { kind == .matrix && role.isPerLayer && role != .router && role != .sharedRouter }
}

extension ArchitectureSpec {
    /// Every tensor of the model, in the order in which data flows through them. A tied head is not among them.
    public func weights(names: WeightNames) -> [WeightDescription] {
        var list = WeightList(spec: self, names: names)
        list.append(.embedding, .embedding, [vocabularySize, hiddenSize])
        if positions == .learned { list.append(.positionEmbedding, .embedding, [maximumPositions, hiddenSize]) }
        if hasEmbeddingNorm { list.appendNorm(.embeddingNorm) }
        for layer in 0..<layerCount {
            list.layer = layer
            list.appendAttention()
            list.appendFeedForward()
        }
        list.layer = 0
        list.appendNorm(.finalNorm)
        if !tiesEmbeddings { list.weights.append(headWeight(names: names)) }
        return list.weights
    }

    /// The head's own tensor, for checkpoints that hold one though the head is tied.
    func headWeight(names: WeightNames) -> WeightDescription {
        var list = WeightList(spec: self, names: names)
        list.append(.head, .matrix, [vocabularySize, hiddenSize])
        return list.weights[0]
    }
}

/// Collects the descriptions.
private struct WeightList {
    let spec: ArchitectureSpec
    let names: WeightNames
    var layer = 0
    var expert = 0
    var weights: [WeightDescription] = []

    mutating func appendAttention() {
        let hidden = spec.hiddenSize, queries = spec.queryWidth, keys = spec.keyValueWidth, attention = spec.attention
        appendNorm(.attentionNorm)
        switch attention.projection {
        case .separate:
            for (role, width) in [(WeightRole.query, queries), (.key, keys), (.value, keys)] {
                appendLinear(role, [width, hidden], hasBias: attention.hasInputBias)
            }
        case .stacked, .grouped: appendLinear(.queryKeyValue, [queries + 2 * keys, hidden], hasBias: attention.hasInputBias)
        }
        if attention.normalisesHeads {
            append(.queryNorm, .norm, [spec.headDimension])
            append(.keyNorm, .norm, [spec.headDimension])
        }
        appendLinear(.attentionOutput, [hidden, queries], hasBias: attention.hasOutputBias)
        if spec.hasOutputNorms { appendNorm(.attentionOutputNorm) }
    }

    mutating func appendFeedForward() {
        let hidden = spec.hiddenSize, inner = spec.intermediateSize, feedForward = spec.feedForward
        appendNorm(.feedForwardNorm)
        if let mixture = spec.mixture, mixture.layers.contains(layer) {
            appendMixture(mixture)
            return
        }
        switch feedForward.layout {
        case .gated:
            appendLinear(.gate, [inner, hidden], hasBias: feedForward.hasBias)
            appendLinear(.up, [inner, hidden], hasBias: feedForward.hasBias)
        case .fusedGated: appendLinear(.gateUp, [2 * inner, hidden], hasBias: feedForward.hasBias)
        case .plain: appendLinear(.up, [inner, hidden], hasBias: feedForward.hasBias)
        }
        appendLinear(.down, [hidden, inner], hasBias: feedForward.hasBias)
        if spec.hasOutputNorms { appendNorm(.feedForwardOutputNorm) }
    }

    mutating func appendMixture(_ mixture: MixtureSpec) {
        let hidden = spec.hiddenSize, inner = mixture.intermediateSize
        append(.router, .matrix, [mixture.expertCount, hidden])
        for number in 0..<mixture.expertCount {
            expert = number
            append(.expertGate, .matrix, [inner, hidden])
            append(.expertUp, .matrix, [inner, hidden])
            append(.expertDown, .matrix, [hidden, inner])
        }
        expert = 0
        if let shared = mixture.sharedIntermediateSize {
            append(.sharedGate, .matrix, [shared, hidden])
            append(.sharedUp, .matrix, [shared, hidden])
            append(.sharedDown, .matrix, [hidden, shared])
            append(.sharedRouter, .matrix, [1, hidden])
        }
        if spec.hasOutputNorms { appendNorm(.feedForwardOutputNorm) }
    }

    mutating func appendNorm(_ role: WeightRole) {
        append(role, .norm, [spec.hiddenSize])
        if spec.norm.kind == .layer { append(role, .bias, [spec.hiddenSize]) }
    }

    mutating func appendLinear(_ role: WeightRole, _ shape: [Int], hasBias: Bool) {
        append(role, .matrix, shape)
        if hasBias { append(role, .bias, [shape[0]]) }
    }

    mutating func append(_ role: WeightRole, _ kind: WeightDescription.Kind, _ shape: [Int]) {
        let module = names.module(role, layer: layer, expert: expert)
        weights.append(
            WeightDescription(
                role: role, layer: layer, expert: expert, kind: kind, module: module, name: module + (kind == .bias ? ".bias" : ".weight"),
                shape: shape,
                isStoredTransposed: names.storesTransposed && kind == .matrix && role.isPerLayer))
    }
}
