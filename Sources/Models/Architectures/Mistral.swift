extension ArchitectureDefinition {
    /// Mistral: Llama with a sliding window over all layers, where the checkpoint asks for one.
    static let mistral = ArchitectureDefinition(modelTypes: ["mistral"]) { fields throws(ModelError) in
        var spec = try ArchitectureSpec(decoder: fields)
        if let window = try fields.optionalInteger("sliding_window", atMost: 1 << 30) {
            spec.attention.slidingWindow = window
            spec.attention.slidingLayers = Set(0..<spec.layerCount)
        }
        return spec
    }
}
