extension ArchitectureDefinition {
    /// Mixtral: Mistral with experts in every layer, whose weights add up to one for each token.
    static let mixtral = ArchitectureDefinition(modelTypes: ["mixtral"], names: .mixtral) { fields throws(ModelError) in
        var spec = try ArchitectureSpec(decoder: fields.filling([("rms_norm_eps", 1e-5), ("num_local_experts", 8), ("num_experts_per_tok", 2)]))
        if let window = try fields.optionalInteger("sliding_window", atMost: 1 << 30) {
            spec.attention.slidingWindow = window
            spec.attention.slidingLayers = Set(0..<spec.layerCount)
        }
        spec.mixture = try MixtureSpec(
            fields, counted: "num_local_experts", defaultCount: 8, defaultPerToken: 2, width: spec.intermediateSize, layers: Set(0..<spec.layerCount))
        spec.mixture?.normalisesWeights = true
        return spec
    }
}

extension MixtureSpec {
    /// The keys that the mixtures share.
    /// - Parameters:
    ///   - counted: the key of the number of experts.
    ///   - width: inner width of an expert.
    init(
        _ fields: ConfigurationFields, counted: String, defaultCount: Int, defaultPerToken: Int, width: Int, layers: Set<Int>
    ) throws(ModelError) {
        expertCount = try fields.integer(counted, default: defaultCount, atMost: 1 << 12)
        // Far above every model that exists, and low enough for lists of all weights.
        guard expertCount * layers.count <= 1 << 17 else {
            throw fields.invalid(counted, "at most \((1 << 17) / layers.count) for \(layers.count) layers", .integer(Int64(expertCount)))
        }
        expertsPerToken = try fields.integer("num_experts_per_tok", default: defaultPerToken, atMost: expertCount)
        intermediateSize = width
        normalisesWeights = try fields.flag("norm_topk_prob", default: false)
        self.layers = layers
        balanceWeight = try fields.number("router_aux_loss_coef") ?? 0.001
        isBalanced = try fields.flag("output_router_logits", default: false)
    }
}

extension WeightNames {
    static let mixtral = WeightNames.llama.replacing([
        .router: "model.layers.#.block_sparse_moe.gate",
        .expertGate: "model.layers.#.block_sparse_moe.experts.@.w1",
        .expertUp: "model.layers.#.block_sparse_moe.experts.@.w3",
        .expertDown: "model.layers.#.block_sparse_moe.experts.@.w2",
    ])
}
