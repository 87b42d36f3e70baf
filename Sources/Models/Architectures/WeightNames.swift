/// The part that a weight plays in the Transformer, whatever its checkpoint calls it.
public enum WeightRole: String, Sendable, Hashable, CaseIterable {
    case embedding, attentionNorm, query, key, value, attentionOutput, feedForwardNorm, gate, up, down, finalNorm, head

    /// Whether each layer has one.
    public var isPerLayer: Bool {
        switch self {
        case .embedding, .finalNorm, .head: false
        case .attentionNorm, .query, .key, .value, .attentionOutput, .feedForwardNorm, .gate, .up, .down: true
        }
    }
}

/// The two-way map between roles and the module paths of a family's checkpoints. `#` stands for the layer's number.
public struct WeightNames: Sendable {
    private let patterns: [WeightRole: String]
    /// Tensors that old checkpoints carry along and that no model reads, by the end of their names.
    public let ignoredSuffixes: [String]

    public init(_ patterns: [WeightRole: String], ignoredSuffixes: [String] = []) {
        self.patterns = patterns
        self.ignoredSuffixes = ignoredSuffixes
    }

    /// `model.layers.3.self_attn.q_proj` for `.query` of layer 3.
    public func module(_ role: WeightRole, layer: Int = 0) -> String {
        let pattern = patterns[role] ?? role.rawValue
        guard let mark = pattern.firstIndex(of: "#") else { return pattern }
        return pattern[..<mark] + String(layer) + pattern[pattern.index(after: mark)...]
    }

    /// The role and layer of a module path, or nil where the family has no such module.
    public func locate(_ module: String) -> (role: WeightRole, layer: Int)? {
        for (role, pattern) in patterns {
            guard let mark = pattern.firstIndex(of: "#") else {
                if pattern == module { return (role, 0) }
                continue
            }
            let before = pattern[..<mark]
            let after = pattern[pattern.index(after: mark)...]
            guard module.count > before.count + after.count, module.hasPrefix(before), module.hasSuffix(after) else { continue }
            if let layer = Int(module.dropFirst(before.count).dropLast(after.count)), layer >= 0 { return (role, layer) }
        }
        return nil
    }

    public func isIgnored(_ tensor: String) -> Bool { ignoredSuffixes.contains { tensor.hasSuffix($0) } }

    /// The names that Llama introduced and most families kept.
    public static let llama = WeightNames(
        [
            .embedding: "model.embed_tokens",
            .attentionNorm: "model.layers.#.input_layernorm",
            .query: "model.layers.#.self_attn.q_proj",
            .key: "model.layers.#.self_attn.k_proj",
            .value: "model.layers.#.self_attn.v_proj",
            .attentionOutput: "model.layers.#.self_attn.o_proj",
            .feedForwardNorm: "model.layers.#.post_attention_layernorm",
            .gate: "model.layers.#.mlp.gate_proj",
            .up: "model.layers.#.mlp.up_proj",
            .down: "model.layers.#.mlp.down_proj",
            .finalNorm: "model.norm",
            .head: "lm_head",
        ],
        ignoredSuffixes: [".rotary_emb.inv_freq", ".attn.masked_bias"])
}
