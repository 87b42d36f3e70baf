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
        if try readLayerKinds(fields, window: window) { return }
        let firstLayer = try fields.integer("max_window_layers", default: 28, atLeast: 0)
        attention.slidingWindow = window
        attention.slidingLayers = Set(min(firstLayer, layerCount)..<layerCount)
    }

    /// `layer_types`, which newer configurations list: which layers have the window.
    /// - Returns: whether the key is there.
    mutating func readLayerKinds(_ fields: ConfigurationFields, window: Int?) throws(ModelError) -> Bool {
        guard let types = fields.value("layer_types") else { return false }
        guard let list = types.arrayValue, list.count == layerCount else {
            throw fields.invalid("layer_types", "a list of \(layerCount) kinds of layers", types)
        }
        if let stranger = list.first(where: { $0.stringValue != "sliding_attention" && $0.stringValue != "full_attention" }) {
            throw fields.invalid("layer_types", "full_attention or sliding_attention for each layer", stranger)
        }
        attention.slidingWindow = window
        attention.slidingLayers = window == nil ? [] : Set(list.indices.filter { list[$0].stringValue == "sliding_attention" })
        return true
    }
}
