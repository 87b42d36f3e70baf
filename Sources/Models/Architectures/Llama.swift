extension ArchitectureDefinition {
    /// Llama 1 to 3.x and those that are Llama in all but name (Yi, DeepSeek-LLM, Vicuna, TinyLlama, ...).
    static let llama = ArchitectureDefinition(modelTypes: ["llama"]) { fields throws(ModelError) in
        var spec = try ArchitectureSpec(decoder: fields)
        let hasBias = try fields.flag("attention_bias", default: false)
        spec.attention.hasInputBias = hasBias
        spec.attention.hasOutputBias = hasBias
        spec.feedForward.hasBias = try fields.flag("mlp_bias", default: false)
        return spec
    }
}
