/// One tensor that a spec asks for: what it is, what the checkpoint calls it, and its shape.
public struct WeightDescription: Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
        /// [vocabulary, hidden]
        case embedding
        /// [out, in] of a linear layer
        case matrix
        /// [out] of a linear layer
        case bias
        /// [width] of a norm
        case norm
    }

    public let role: WeightRole
    public let layer: Int
    public let kind: Kind
    /// The module path: `model.layers.0.self_attn.q_proj`.
    public let module: String
    /// The tensor's name in a checkpoint: the module path and `.weight` or `.bias`.
    public let name: String
    public let shape: [Int]

    public var count: Int { shape.reduce(1, *) }
}

extension ArchitectureSpec {
    /// Every tensor of the model, in the order in which data flows through them. A tied head is not among them.
    public func weights(names: WeightNames) -> [WeightDescription] {
        var weights = [describe(.embedding, 0, .embedding, [vocabularySize, hiddenSize], names)]
        for layer in 0..<layerCount {
            weights.append(describe(.attentionNorm, layer, .norm, [hiddenSize], names))
            for (role, width) in [(WeightRole.query, queryWidth), (.key, keyValueWidth), (.value, keyValueWidth)] {
                appendLinear(role, layer, [width, hiddenSize], attention.hasInputBias, names, to: &weights)
            }
            appendLinear(.attentionOutput, layer, [hiddenSize, queryWidth], attention.hasOutputBias, names, to: &weights)
            weights.append(describe(.feedForwardNorm, layer, .norm, [hiddenSize], names))
            appendLinear(.gate, layer, [intermediateSize, hiddenSize], feedForward.hasBias, names, to: &weights)
            appendLinear(.up, layer, [intermediateSize, hiddenSize], feedForward.hasBias, names, to: &weights)
            appendLinear(.down, layer, [hiddenSize, intermediateSize], feedForward.hasBias, names, to: &weights)
        }
        weights.append(describe(.finalNorm, 0, .norm, [hiddenSize], names))
        if !tiesEmbeddings { weights.append(headWeight(names: names)) }
        return weights
    }

    /// The head's own tensor, for checkpoints that hold one though the head is tied.
    func headWeight(names: WeightNames) -> WeightDescription {
        describe(.head, 0, .matrix, [vocabularySize, hiddenSize], names)
    }

    private func appendLinear(
        _ role: WeightRole, _ layer: Int, _ shape: [Int], _ hasBias: Bool, _ names: WeightNames, to weights: inout [WeightDescription]
    ) {
        weights.append(describe(role, layer, .matrix, shape, names))
        if hasBias { weights.append(describe(role, layer, .bias, [shape[0]], names)) }
    }

    private func describe(
        _ role: WeightRole, _ layer: Int, _ kind: WeightDescription.Kind, _ shape: [Int], _ names: WeightNames
    ) -> WeightDescription {
        let module = names.module(role, layer: layer)
        return WeightDescription(
            role: role, layer: layer, kind: kind, module: module, name: module + (kind == .bias ? ".bias" : ".weight"), shape: shape)
    }
}
