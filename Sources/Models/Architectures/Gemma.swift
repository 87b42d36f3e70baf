import Formats

extension ArchitectureDefinition {
    /// Gemma 1: the embedding scaled by the root of the width, norms stored less one, GELU by its tanh formula. Early checkpoints
    /// say `gelu` and mean that.
    static let gemma = ArchitectureDefinition(modelTypes: ["gemma"]) { fields throws(ModelError) in
        try ArchitectureSpec(gemma: fields, defaultDimension: 256)
    }

    /// Gemma 2: a window in every second layer, soft caps on scores and logits, norms on both sides of each part.
    static let gemma2 = ArchitectureDefinition(modelTypes: ["gemma2"], names: .gemma2) { fields throws(ModelError) in
        var spec = try ArchitectureSpec(gemma: fields, defaultDimension: 256)
        try spec.readScoreScale(fields)
        spec.hasOutputNorms = true
        spec.attention.softCap = try fields.positiveNumber("attn_logit_softcapping").map { Float($0) }
        spec.logits = try fields.positiveNumber("final_logit_softcapping").map { .softCap(Float($0)) }
        try spec.readSlidingPattern(fields, defaultWindow: 4096, defaultPattern: 2)
        return spec
    }

    /// Gemma 3, text: norms over the heads instead of caps, five layers with a window to one without, and a rotation of their own
    /// in those with one.
    static let gemma3 = ArchitectureDefinition(modelTypes: ["gemma3_text"], names: .gemma2) { fields throws(ModelError) in
        var spec = try ArchitectureSpec(gemma: fields, defaultDimension: 256)
        try spec.readScoreScale(fields)
        spec.hasOutputNorms = true
        spec.attention.normalisesHeads = true
        spec.attention.softCap = try fields.positiveNumber("attn_logit_softcapping").map { Float($0) }
        spec.logits = try fields.positiveNumber("final_logit_softcapping").map { .softCap(Float($0)) }
        try spec.readSlidingPattern(fields, defaultWindow: 4096, defaultPattern: 6)
        spec.rotary = try fields.rotary(defaultTheta: 1_000_000, maximumPositions: spec.maximumPositions)
        if try fields.fields("rope_parameters")?.fields("sliding_attention") != nil {
            spec.slidingRotary = try fields.rotary(maximumPositions: spec.maximumPositions, layerType: "sliding_attention")
        } else {
            spec.slidingRotary = RotarySpec(theta: try fields.positiveNumber("rope_local_base_freq") ?? 10000)
        }
        return spec
    }
}

extension ArchitectureSpec {
    fileprivate init(gemma fields: ConfigurationFields, defaultDimension: Int) throws(ModelError) {
        let size = JSONValue.integer(Int64(defaultDimension))
        try self.init(decoder: fields.filling([("head_dim", size), ("tie_word_embeddings", true), ("hidden_act", "gelu_pytorch_tanh")]))
        let hasBias = try fields.flag("attention_bias", default: false)
        attention.hasInputBias = hasBias
        attention.hasOutputBias = hasBias
        feedForward.activation = .geluTanh
        norm.weightOffset = 1
        embeddingScale = Float(hiddenSize).squareRoot()
    }

    /// Scores are divided by the root of a number of the configuration's, not of the head's width.
    fileprivate mutating func readScoreScale(_ fields: ConfigurationFields) throws(ModelError) {
        attention.scale = 1 / Float(try fields.positiveNumber("query_pre_attn_scalar") ?? 256).squareRoot()
    }

    /// Which layers have a window: as `layer_types` lists them, or all but every `sliding_window_pattern`-th.
    fileprivate mutating func readSlidingPattern(
        _ fields: ConfigurationFields, defaultWindow: Int, defaultPattern: Int
    ) throws(ModelError) {
        attention.slidingWindow = try fields.integer("sliding_window", default: defaultWindow, atMost: 1 << 30)
        if try readLayerKinds(fields, window: attention.slidingWindow) { return }
        let pattern = try fields.integer("sliding_window_pattern", default: defaultPattern)
        attention.slidingLayers = Set((0..<layerCount).filter { ($0 + 1) % pattern != 0 })
    }
}

extension WeightNames {
    static let gemma2 = WeightNames.llama.replacing([
        .attentionOutputNorm: "model.layers.#.post_attention_layernorm",
        .feedForwardNorm: "model.layers.#.pre_feedforward_layernorm",
        .feedForwardOutputNorm: "model.layers.#.post_feedforward_layernorm",
    ])
}
