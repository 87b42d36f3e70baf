extension ArchitectureDefinition {
    /// Qwen1.5, Qwen2 and Qwen2.5: Llama with biases on query, key and value.
    static let qwen2 = ArchitectureDefinition(modelTypes: ["qwen2"]) { fields throws(ModelError) in
        var spec = try ArchitectureSpec(decoder: fields)
        spec.attention.hasInputBias = true
        if try fields.flag("use_sliding_window", default: false), let window = try fields.optionalInteger("sliding_window", atMost: 1 << 30) {
            let firstLayer = try fields.integer("max_window_layers", default: 28, atLeast: 0)
            spec.attention.slidingWindow = window
            spec.attention.slidingLayers = Set(min(firstLayer, spec.layerCount)..<spec.layerCount)
        }
        return spec
    }
}
