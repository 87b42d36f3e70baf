/// The part that a weight plays in the Transformer, whatever its checkpoint calls it.
public enum WeightRole: String, Sendable, Hashable, CaseIterable {
    case embedding, positionEmbedding, embeddingNorm
    case attentionNorm, query, key, value
    /// Query, key and value in one matrix.
    case queryKeyValue
    case queryNorm, keyNorm, attentionOutput, attentionOutputNorm
    case feedForwardNorm, gate, up, down
    /// Gate and up in one matrix.
    case gateUp
    case router, expertGate, expertUp, expertDown, sharedGate, sharedUp, sharedDown, sharedRouter
    case feedForwardOutputNorm
    case finalNorm, head

    /// Whether `lora_target: all` takes it: the linear layers as transformers 5 has them, where routers and experts are none.
    public var isUsualTarget: Bool {
        switch self {
        case .query, .key, .value, .queryKeyValue, .attentionOutput, .gate, .up, .down, .gateUp, .sharedGate, .sharedUp, .sharedDown,
            .sharedRouter:
            true
        case .embedding, .positionEmbedding, .embeddingNorm, .attentionNorm, .queryNorm, .keyNorm, .attentionOutputNorm, .feedForwardNorm,
            .router, .expertGate, .expertUp, .expertDown, .feedForwardOutputNorm, .finalNorm, .head:
            false
        }
    }

    /// Whether each layer has one.
    public var isPerLayer: Bool {
        switch self {
        case .embedding, .positionEmbedding, .embeddingNorm, .finalNorm, .head: false
        case .attentionNorm, .query, .key, .value, .queryKeyValue, .queryNorm, .keyNorm, .attentionOutput, .attentionOutputNorm,
            .feedForwardNorm, .gate, .up, .down, .gateUp, .router, .expertGate, .expertUp, .expertDown, .sharedGate, .sharedUp,
            .sharedDown, .sharedRouter, .feedForwardOutputNorm:
            true
        }
    }
}

/// The map from roles to the module paths of a family's checkpoints. `#` stands for the layer's number, `@` for the expert's.
public struct WeightNames: Sendable {
    private let patterns: [WeightRole: String]
    /// Tensors that old checkpoints carry along and that no model reads, by the end of their names.
    public let ignoredSuffixes: [String]
    /// What some checkpoints of the family leave out at the start of every name: `transformer.` of GPT-2.
    public let optionalPrefix: String?
    /// Matrices are stored [in, out] (GPT-2's Conv1D).
    public let storesTransposed: Bool
    /// What transformers 5 calls experts that lie in one tensor; nil for dense families.
    public let fused: FusedExpertNames?

    public init(
        _ patterns: [WeightRole: String], ignoredSuffixes: [String] = [], optionalPrefix: String? = nil, storesTransposed: Bool = false,
        fused: FusedExpertNames? = nil
    ) {
        self.patterns = patterns
        self.ignoredSuffixes = ignoredSuffixes
        self.optionalPrefix = optionalPrefix
        self.storesTransposed = storesTransposed
        self.fused = fused
    }

    /// `model.layers.3.self_attn.q_proj` for `.query` of layer 3.
    public func module(_ role: WeightRole, layer: Int = 0, expert: Int = 0) -> String {
        var path = ""
        for character in patterns[role] ?? role.rawValue {
            switch character {
            case "#": path += String(layer)
            case "@": path += String(expert)
            default: path.append(character)
            }
        }
        return path
    }

    public func isIgnored(_ tensor: String) -> Bool { ignoredSuffixes.contains { tensor.hasSuffix($0) } }

    /// The same names but for some roles.
    public func replacing(_ changes: [WeightRole: String]) -> WeightNames {
        WeightNames(
            patterns.merging(changes) { $1 }, ignoredSuffixes: ignoredSuffixes, optionalPrefix: optionalPrefix,
            storesTransposed: storesTransposed, fused: fused)
    }

    /// The names that Llama introduced and most families kept.
    public static let llama = WeightNames(
        [
            .embedding: "model.embed_tokens",
            .attentionNorm: "model.layers.#.input_layernorm",
            .query: "model.layers.#.self_attn.q_proj",
            .key: "model.layers.#.self_attn.k_proj",
            .value: "model.layers.#.self_attn.v_proj",
            .queryKeyValue: "model.layers.#.self_attn.qkv_proj",
            .queryNorm: "model.layers.#.self_attn.q_norm",
            .keyNorm: "model.layers.#.self_attn.k_norm",
            .attentionOutput: "model.layers.#.self_attn.o_proj",
            .feedForwardNorm: "model.layers.#.post_attention_layernorm",
            .gate: "model.layers.#.mlp.gate_proj",
            .up: "model.layers.#.mlp.up_proj",
            .gateUp: "model.layers.#.mlp.gate_up_proj",
            .down: "model.layers.#.mlp.down_proj",
            .router: "model.layers.#.mlp.gate",
            .expertGate: "model.layers.#.mlp.experts.@.gate_proj",
            .expertUp: "model.layers.#.mlp.experts.@.up_proj",
            .expertDown: "model.layers.#.mlp.experts.@.down_proj",
            .sharedGate: "model.layers.#.mlp.shared_expert.gate_proj",
            .sharedUp: "model.layers.#.mlp.shared_expert.up_proj",
            .sharedDown: "model.layers.#.mlp.shared_expert.down_proj",
            .sharedRouter: "model.layers.#.mlp.shared_expert_gate",
            .finalNorm: "model.norm",
            .head: "lm_head",
        ],
        ignoredSuffixes: [".rotary_emb.inv_freq", ".attn.masked_bias"],
        fused: FusedExpertNames(experts: "model.layers.#.mlp.experts", router: "model.layers.#.mlp.gate"))
}

/// The module paths of transformers 5's own layout of a mixture: `gate_up_proj` [E, 2 inner, hidden] and `down_proj`
/// [E, hidden, inner] below `experts`, and the router. `#` stands for the layer's number.
public struct FusedExpertNames: Sendable {
    let experts: String
    let router: String

    func gateUp(layer: Int) -> String { experts.replacingHash(layer) + ".gate_up_proj" }
    func down(layer: Int) -> String { experts.replacingHash(layer) + ".down_proj" }
    func router(layer: Int) -> String { router.replacingHash(layer) + ".weight" }
}

extension String {
    fileprivate func replacingHash(_ number: Int) -> String { split(separator: "#").joined(separator: String(number)) }
}
