extension ArchitectureDefinition {
    /// Qwen3: Qwen2 without biases, with a norm over each head of query and key.
    static let qwen3 = ArchitectureDefinition(modelTypes: ["qwen3"]) { fields throws(ModelError) in
        var spec = try ArchitectureSpec(decoder: fields.filling([("head_dim", 128)]))
        let hasBias = try fields.flag("attention_bias", default: false)
        spec.attention.hasInputBias = hasBias
        spec.attention.hasOutputBias = hasBias
        spec.attention.normalisesHeads = true
        try spec.readQwenWindow(fields)
        return spec
    }
}
