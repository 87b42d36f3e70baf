extension ArchitectureDefinition {
    /// StarCoder2: layer norms and biases everywhere, a plain feed-forward part, and a sliding window.
    static let starcoder2 = ArchitectureDefinition(modelTypes: ["starcoder2"], names: .starcoder2) { fields throws(ModelError) in
        let spelled = fields.spelling(["rms_norm_eps": "norm_epsilon"])
        var spec = try ArchitectureSpec(
            decoder: spelled.filling([("rms_norm_eps", 1e-5), ("hidden_act", "gelu_pytorch_tanh"), ("tie_word_embeddings", true)]))
        let hasBias = try fields.flag("use_bias", default: true)
        spec.norm.kind = .layer
        spec.attention.hasInputBias = hasBias
        spec.attention.hasOutputBias = hasBias
        spec.feedForward.layout = .plain
        spec.feedForward.hasBias = hasBias
        if let window = try fields.optionalInteger("sliding_window", atMost: 1 << 30) {
            spec.attention.slidingWindow = window
            spec.attention.slidingLayers = Set(0..<spec.layerCount)
        }
        return spec
    }
}

extension WeightNames {
    static let starcoder2 = WeightNames.llama.replacing([.up: "model.layers.#.mlp.c_fc", .down: "model.layers.#.mlp.c_proj"])
}
