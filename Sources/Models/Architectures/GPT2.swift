import Formats

extension ArchitectureDefinition {
    /// GPT-2: layer norms, learned positions, biases everywhere, and matrices stored the other way round.
    static let gpt2 = ArchitectureDefinition(modelTypes: ["gpt2"], names: .gpt2) { fields throws(ModelError) in
        for key in ["scale_attn_by_inverse_layer_idx", "reorder_and_upcast_attn"] where try fields.flag(key, default: false) {
            throw .unsupported(file: fields.file, what: "\"\(key)\": true", whatToDo: "GPT-2 checkpoints without it can be used.")
        }
        let spelled = fields.spelling([
            "hidden_size": "n_embd", "num_hidden_layers": "n_layer", "num_attention_heads": "n_head", "intermediate_size": "n_inner",
            "max_position_embeddings": "n_positions", "rms_norm_eps": "layer_norm_epsilon", "hidden_act": "activation_function",
        ])
        let width = JSONValue.integer(Int64(4 * (try spelled.integer("hidden_size", atMost: 1 << 17))))
        var spec = try ArchitectureSpec(
            decoder: spelled.filling([
                ("intermediate_size", width), ("max_position_embeddings", 1024), ("rms_norm_eps", 1e-5), ("hidden_act", "gelu_new"),
                ("tie_word_embeddings", true),
            ]))
        if try !fields.flag("scale_attn_weights", default: true) { spec.attention.scale = 1 }
        spec.norm.kind = .layer
        spec.positions = .learned
        spec.attention.projection = .stacked
        spec.attention.hasInputBias = true
        spec.attention.hasOutputBias = true
        spec.feedForward.layout = .plain
        spec.feedForward.hasBias = true
        return spec
    }
}

extension WeightNames {
    static let gpt2 = WeightNames(
        [
            .embedding: "transformer.wte",
            .positionEmbedding: "transformer.wpe",
            .attentionNorm: "transformer.h.#.ln_1",
            .queryKeyValue: "transformer.h.#.attn.c_attn",
            .attentionOutput: "transformer.h.#.attn.c_proj",
            .feedForwardNorm: "transformer.h.#.ln_2",
            .up: "transformer.h.#.mlp.c_fc",
            .down: "transformer.h.#.mlp.c_proj",
            .finalNorm: "transformer.ln_f",
            .head: "lm_head",
        ],
        ignoredSuffixes: [".attn.bias", ".attn.masked_bias"], optionalPrefix: "transformer.", storesTransposed: true)
}
