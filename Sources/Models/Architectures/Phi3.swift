extension ArchitectureDefinition {
    /// Phi-3 and Phi-4: Llama with query, key and value in one matrix, gate and up in another, part of each head rotated in the
    /// smaller ones, and LongRoPE in those with a long context.
    static let phi3 = ArchitectureDefinition(modelTypes: ["phi3"]) { fields throws(ModelError) in
        var spec = try ArchitectureSpec(decoder: fields.filling([("rms_norm_eps", 1e-5)]))
        spec.attention.projection = .stacked
        spec.feedForward.layout = .fusedGated
        if let window = try fields.optionalInteger("sliding_window", atMost: 1 << 30) {
            spec.attention.slidingWindow = window
            spec.attention.slidingLayers = Set(0..<spec.layerCount)
        }
        return spec
    }
}
