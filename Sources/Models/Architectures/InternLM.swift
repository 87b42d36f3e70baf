extension ArchitectureDefinition {
    /// InternLM2 and 2.5: Llama with query, key and value of each group in one matrix, under names of its own.
    static let internlm2 = ArchitectureDefinition(modelTypes: ["internlm2"], names: .internlm2) { fields throws(ModelError) in
        var spec = try ArchitectureSpec(decoder: fields)
        let hasBias = try fields.flag("bias", default: true)
        spec.attention.projection = .grouped
        spec.attention.hasInputBias = hasBias
        spec.attention.hasOutputBias = hasBias
        return spec
    }

    /// InternLM3: Llama with its flags for biases under other names.
    static let internlm3 = ArchitectureDefinition(modelTypes: ["internlm3"]) { fields throws(ModelError) in
        var spec = try ArchitectureSpec(decoder: fields)
        spec.attention.hasInputBias = try fields.flag("qkv_bias", default: false)
        spec.attention.hasOutputBias = try fields.flag("bias", default: false)
        spec.feedForward.hasBias = spec.attention.hasOutputBias
        return spec
    }
}

extension WeightNames {
    static let internlm2 = WeightNames(
        [
            .embedding: "model.tok_embeddings",
            .attentionNorm: "model.layers.#.attention_norm",
            .queryKeyValue: "model.layers.#.attention.wqkv",
            .attentionOutput: "model.layers.#.attention.wo",
            .feedForwardNorm: "model.layers.#.ffn_norm",
            .gate: "model.layers.#.feed_forward.w1",
            .up: "model.layers.#.feed_forward.w3",
            .down: "model.layers.#.feed_forward.w2",
            .finalNorm: "model.norm",
            .head: "output",
        ],
        ignoredSuffixes: [".rotary_emb.inv_freq"])
}
