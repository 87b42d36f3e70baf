extension ArchitectureDefinition {
    /// Qwen1.5-MoE and Qwen2-MoE: Qwen2 with many small experts and one for all tokens behind a gate, in those layers that
    /// `decoder_sparse_step` and `mlp_only_layers` leave.
    static let qwen2Moe = ArchitectureDefinition(modelTypes: ["qwen2_moe"]) { fields throws(ModelError) in
        var spec = try ArchitectureSpec(decoder: fields)
        spec.attention.hasInputBias = try fields.flag("qkv_bias", default: true)
        if try fields.flag("use_sliding_window", default: false),
            try !spec.readLayerKinds(fields, window: fields.optionalInteger("sliding_window", atMost: 1 << 30)) {
            // As transformers fills in `layer_types` for this family: every second layer, up to `max_window_layers`.
            let end = try fields.integer("max_window_layers", default: 28, atLeast: 0)
            spec.attention.slidingWindow = try fields.integer("sliding_window", default: 4096, atMost: 1 << 30)
            spec.attention.slidingLayers = Set((0..<min(end, spec.layerCount)).filter { $0 % 2 == 0 })
        }
        try spec.readQwenMixture(fields, defaultCount: 60, defaultPerToken: 4, defaultWidth: 1408)
        spec.mixture?.sharedIntermediateSize = try fields.integer("shared_expert_intermediate_size", default: 5632, atMost: 1 << 20)
        return spec
    }
}

extension ArchitectureSpec {
    /// Qwen's mixtures: which layers they are, and the experts' own width.
    mutating func readQwenMixture(
        _ fields: ConfigurationFields, defaultCount: Int, defaultPerToken: Int, defaultWidth: Int
    ) throws(ModelError) {
        let step = try fields.integer("decoder_sparse_step", default: 1)
        let dense = Set(try fields.integers("mlp_only_layers", atMost: 1 << 12))
        let sparse = Set((0..<layerCount).filter { ($0 + 1) % step == 0 && !dense.contains($0) })
        guard !sparse.isEmpty else { return }
        mixture = try MixtureSpec(
            fields, counted: fields.value("num_experts") == nil ? "num_local_experts" : "num_experts", defaultCount: defaultCount,
            defaultPerToken: defaultPerToken,
            width: try fields.integer("moe_intermediate_size", default: defaultWidth, atMost: 1 << 20), layers: sparse)
    }
}
