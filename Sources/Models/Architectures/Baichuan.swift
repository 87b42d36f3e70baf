extension ArchitectureDefinition {
    /// Baichuan 1 and 2: Llama with query, key and value in one matrix. The 13B models, which name no `max_position_embeddings`,
    /// know order by ALiBi; Baichuan 2, told by its `z_loss_weight` or its vocabulary, has a head whose rows count with length one.
    static let baichuan = ArchitectureDefinition(modelTypes: ["baichuan"], names: .baichuan) { fields throws(ModelError) in
        var spec = try ArchitectureSpec(decoder: fields)
        spec.attention.projection = .stacked
        if fields.value("max_position_embeddings") == nil {
            spec.maximumPositions = try fields.integer("model_max_length", default: 4096, atMost: 1 << 30)
            spec.positions = .slopes
        }
        if fields.value("z_loss_weight") != nil || spec.vocabularySize == 125_696 { spec.logits = .unitRows }
        return spec
    }
}

extension WeightNames {
    static let baichuan = WeightNames.llama.replacing([.queryKeyValue: "model.layers.#.self_attn.W_pack"])
}
