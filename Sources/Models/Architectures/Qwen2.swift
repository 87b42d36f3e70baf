extension ArchitectureDefinition {
    /// Qwen1.5, Qwen2 and Qwen2.5: Llama with biases on query, key and value.
    static let qwen2 = ArchitectureDefinition(modelTypes: ["qwen2"]) { fields throws(ModelError) in
        var spec = try ArchitectureSpec(decoder: fields)
        spec.attention.hasInputBias = true
        try spec.readQwenWindow(fields)
        return spec
    }
}

extension ArchitectureSpec {
    /// Qwen's window: on where `use_sliding_window` says so, from layer `max_window_layers` on.
    mutating func readQwenWindow(_ fields: ConfigurationFields) throws(ModelError) {
        guard try fields.flag("use_sliding_window", default: false) else { return }
        guard let window = try fields.optionalInteger("sliding_window", atMost: 1 << 30) else { return }
        let firstLayer = try fields.integer("max_window_layers", default: 28, atLeast: 0)
        attention.slidingWindow = window
        attention.slidingLayers = Set(min(firstLayer, layerCount)..<layerCount)
    }
}
