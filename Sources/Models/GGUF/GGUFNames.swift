/// What GGUF files call the weights: one set of names for all families. `#` stands for the layer's number.
enum GGUFNames {
    static func stem(_ role: WeightRole, layer: Int = 0) -> String {
        role.isPerLayer ? "blk.\(layer).\(part(role))" : part(role)
    }

    /// The name without the layer, as llama.cpp's `LLM_TENSOR_NAMES` has it.
    private static func part(_ role: WeightRole) -> String {
        switch role {
        case .embedding: "token_embd"
        case .positionEmbedding: "position_embd"
        case .embeddingNorm: "token_embd_norm"
        case .attentionNorm: "attn_norm"
        case .query: "attn_q"
        case .key: "attn_k"
        case .value: "attn_v"
        case .queryKeyValue: "attn_qkv"
        case .queryNorm: "attn_q_norm"
        case .keyNorm: "attn_k_norm"
        case .attentionOutput: "attn_output"
        case .attentionOutputNorm: "post_attention_norm"
        case .feedForwardNorm: "ffn_norm"
        case .gate: "ffn_gate"
        // A fused gate and up stand where the up alone would.
        case .up, .gateUp: "ffn_up"
        case .down: "ffn_down"
        case .router: "ffn_gate_inp"
        case .expertGate: "ffn_gate_exps"
        case .expertUp: "ffn_up_exps"
        case .expertDown: "ffn_down_exps"
        case .sharedGate: "ffn_gate_shexp"
        case .sharedUp: "ffn_up_shexp"
        case .sharedDown: "ffn_down_shexp"
        case .sharedRouter: "ffn_gate_inp_shexp"
        case .feedForwardOutputNorm: "post_ffw_norm"
        case .finalNorm: "output_norm"
        case .head: "output"
        }
    }
}
