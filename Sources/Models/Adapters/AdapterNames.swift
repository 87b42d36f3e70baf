/// How PEFT names what an adapter file holds: `base_model.model.`, the module's path, and what of the module it is.
enum AdapterNames {
    static let prefix = "base_model.model."
    static let a = ".lora_A.weight"
    static let b = ".lora_B.weight"
    static let magnitude = ".lora_magnitude_vector"
    static let embeddingA = ".lora_embedding_A"
    static let embeddingB = ".lora_embedding_B"
    static let generators = ".oft_R.weight"
    static let tokens = ".token_adapter.trainable_tokens_delta"

    /// What a tensor of a file is.
    enum Part: Hashable {
        case a, b, magnitude, embeddingA, embeddingB, generators, tokens
        /// A base weight or bias trained whole, or a base weight that PEFT stores beside an adapter on it.
        case value(isBase: Bool)
        /// The base's own copy that old versions stored along; of no use.
        case original
        /// A kind of tensor that no supported adapter has.
        case unknown
    }

    /// The module's path, or for values the base parameter's name, and what the tensor is. The adapter's name, `default`, may stand in it.
    static func part(of tensor: String) -> (place: String, part: Part)? {
        guard tensor.hasPrefix(prefix) else { return nil }
        var words = tensor.dropFirst(prefix.count).split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        let isBase = words.contains("base_layer")
        if words.contains("original_module") { return (tensor, .original) }
        words.removeAll { ["base_layer", "modules_to_save", "default"].contains($0) }
        func ends(_ parts: String...) -> Bool { words.count > parts.count && Array(words.suffix(parts.count)) == parts }
        func place(_ dropped: Int) -> String { words.dropLast(dropped).joined(separator: ".") }
        if ends("lora_A", "weight") { return (place(2), .a) }
        if ends("lora_B", "weight") { return (place(2), .b) }
        if ends("lora_embedding_A") { return (place(1), .embeddingA) }
        if ends("lora_embedding_B") { return (place(1), .embeddingB) }
        if ends("lora_magnitude_vector") { return (place(1), .magnitude) }
        if ends("lora_magnitude_vector", "weight") { return (place(2), .magnitude) }
        if ends("oft_R", "weight") { return (place(2), .generators) }
        if ends("token_adapter", "trainable_tokens_delta") { return (place(2), .tokens) }
        if words.contains(where: { $0.hasPrefix("lora_") || $0.hasPrefix("oft_") }) { return (place(0), .unknown) }
        // Biases beside an adapter are trained ones.
        return (place(0), .value(isBase: isBase && words.last == "weight"))
    }
}
