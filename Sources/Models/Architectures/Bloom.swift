import Formats

extension ArchitectureDefinition {
    /// BLOOM: layer norms, also after the embedding, ALiBi instead of positions, and query, key and value of each head together.
    static let bloom = ArchitectureDefinition(modelTypes: ["bloom"], names: .bloom) { fields throws(ModelError) in
        if try fields.flag("apply_residual_connection_post_layernorm", default: false) {
            throw .unsupported(
                file: fields.file, what: "\"apply_residual_connection_post_layernorm\": true",
                whatToDo: "BLOOM and BLOOMZ checkpoints without it can be used.")
        }
        let hasOldName = fields.value("hidden_size") == nil
        let spelled = fields.spelling([
            "hidden_size": hasOldName ? "n_embed" : "hidden_size", "num_hidden_layers": "n_layer",
            "num_attention_heads": fields.value("n_head") == nil ? "num_attention_heads" : "n_head", "rms_norm_eps": "layer_norm_epsilon",
            "max_position_embeddings": "seq_length",
        ])
        let width = JSONValue.integer(Int64(4 * (try spelled.integer("hidden_size", atMost: 1 << 17))))
        var spec = try ArchitectureSpec(
            decoder: spelled.filling([
                ("intermediate_size", width), ("rms_norm_eps", 1e-5), ("hidden_act", "gelu_new"), ("tie_word_embeddings", true),
            ]))
        spec.norm.kind = .layer
        spec.positions = .slopes
        spec.hasEmbeddingNorm = true
        spec.attention.projection = .grouped
        spec.attention.hasInputBias = true
        spec.attention.hasOutputBias = true
        spec.feedForward.layout = .plain
        spec.feedForward.hasBias = true
        return spec
    }
}

extension WeightNames {
    static let bloom = WeightNames(
        [
            .embedding: "transformer.word_embeddings",
            .embeddingNorm: "transformer.word_embeddings_layernorm",
            .attentionNorm: "transformer.h.#.input_layernorm",
            .queryKeyValue: "transformer.h.#.self_attention.query_key_value",
            .attentionOutput: "transformer.h.#.self_attention.dense",
            .feedForwardNorm: "transformer.h.#.post_attention_layernorm",
            .up: "transformer.h.#.mlp.dense_h_to_4h",
            .down: "transformer.h.#.mlp.dense_4h_to_h",
            .finalNorm: "transformer.ln_f",
            .head: "lm_head",
        ],
        optionalPrefix: "transformer.")
}
