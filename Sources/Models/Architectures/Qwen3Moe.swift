extension ArchitectureDefinition {
    /// Qwen3-MoE: Qwen3 with experts and without one for all tokens.
    static let qwen3Moe = ArchitectureDefinition(modelTypes: ["qwen3_moe"]) { fields throws(ModelError) in
        var spec = try ArchitectureSpec(decoder: fields)
        let hasBias = try fields.flag("attention_bias", default: false)
        spec.attention.hasInputBias = hasBias
        spec.attention.hasOutputBias = hasBias
        spec.attention.normalisesHeads = true
        if try fields.flag("use_sliding_window", default: false) {
            spec.attention.slidingWindow = try fields.integer("sliding_window", default: 4096, atMost: 1 << 30)
            spec.attention.slidingLayers = Set(0..<spec.layerCount)
        }
        try spec.readQwenMixture(fields, defaultCount: 128, defaultPerToken: 8, defaultWidth: 768)
        return spec
    }
}
