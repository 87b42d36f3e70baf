extension ArchitectureDefinition {
    /// GLM-4 in transformers' layout, model types glm and glm4: half of each head rotated in pairs, gate and up in one matrix; the
    /// 0414 models (glm4) have norms on what each part adds.
    static let glm = ArchitectureDefinition(modelTypes: ["glm", "glm4"], names: .glm) { fields throws(ModelError) in
        var spec = try ArchitectureSpec(decoder: fields.filling([("rms_norm_eps", 1.5625e-7), ("head_dim", 128)]))
        spec.attention.hasInputBias = try fields.flag("attention_bias", default: false)
        spec.feedForward.layout = .fusedGated
        spec.rotary = try fields.rotary(defaultShare: 0.5, maximumPositions: spec.maximumPositions)
        spec.rotary.isInterleaved = true
        spec.hasOutputNorms = spec.modelType == "glm4"
        return spec
    }

    /// ChatGLM2, ChatGLM3 and GLM-4-9B in the layout they were published in: query, key and value in one matrix with few key heads.
    static let chatglm = ArchitectureDefinition(modelTypes: ["chatglm"], names: .chatglm) { fields throws(ModelError) in
        let spelled = fields.spelling([
            "num_hidden_layers": "num_layers", "vocab_size": "padded_vocab_size", "intermediate_size": "ffn_hidden_size",
            "head_dim": "kv_channels", "rms_norm_eps": "layernorm_epsilon", "max_position_embeddings": "seq_length",
            "num_key_value_heads": "multi_query_group_num",
        ])
        var spec = try ArchitectureSpec(decoder: spelled.filling([("head_dim", 128), ("rms_norm_eps", 1e-5)]))
        for key in ["post_layer_norm", "rmsnorm"] where try !fields.flag(key, default: true) {
            throw .unsupported(file: fields.file, what: "\"\(key)\": false", whatToDo: "ChatGLM2, ChatGLM3 and GLM-4-9B checkpoints can be used.")
        }
        if try !fields.flag("multi_query_attention", default: false) { spec.keyValueHeadCount = spec.headCount }
        spec.attention.projection = .stacked
        let hasQueryBias = try fields.flag("add_qkv_bias", default: false)
        spec.attention.hasOutputBias = try fields.flag("add_bias_linear", default: false)
        spec.attention.hasInputBias = hasQueryBias || spec.attention.hasOutputBias
        spec.feedForward = FeedForwardSpec(activation: .silu, hasBias: spec.attention.hasOutputBias)
        spec.feedForward.layout = .fusedGated
        spec.rotary = RotarySpec(
            theta: 10000 * (try fields.positiveNumber("rope_ratio") ?? 1), rotatedShare: 0.5, isInterleaved: true)
        return spec
    }
}

extension WeightNames {
    static let glm = WeightNames.llama.replacing([
        .attentionOutputNorm: "model.layers.#.post_self_attn_layernorm",
        .feedForwardOutputNorm: "model.layers.#.post_mlp_layernorm",
    ])

    static let chatglm = WeightNames(
        [
            .embedding: "transformer.embedding.word_embeddings",
            .attentionNorm: "transformer.encoder.layers.#.input_layernorm",
            .queryKeyValue: "transformer.encoder.layers.#.self_attention.query_key_value",
            .attentionOutput: "transformer.encoder.layers.#.self_attention.dense",
            .feedForwardNorm: "transformer.encoder.layers.#.post_attention_layernorm",
            .gateUp: "transformer.encoder.layers.#.mlp.dense_h_to_4h",
            .down: "transformer.encoder.layers.#.mlp.dense_4h_to_h",
            .finalNorm: "transformer.encoder.final_layernorm",
            .head: "transformer.output_layer",
        ],
        ignoredSuffixes: ["rotary_pos_emb.inv_freq"])
}
