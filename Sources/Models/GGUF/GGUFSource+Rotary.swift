import Formats

/// How positions become angles, as llama.cpp reads it (`load_hparams` in llama-model.cpp).
extension GGUFSource {
    func addRotary(_ object: inout JSONObject, width: Int, context: Int) throws(GGUFError) {
        guard architecture.rotatesPositions else { return }
        if let theta = try file.number(key("rope.freq_base")) { object.set("rope_theta", .number(Self.short(theta))) }
        let rotated = try rotatedDimensions(width: width)
        object.set("partial_rotary_factor", .number(Self.share(rotated, of: width)))
        let original = try file.integer(key("rope.scaling.original_context_length"))
        if let original { object.set("original_max_position_embeddings", .integer(Int64(original))) }
        if let scaling = try scaling(pairs: rotated / 2, original: original ?? context) { object.set("rope_scaling", .object(scaling)) }
    }

    /// All of a head's dimensions where the file does not say otherwise.
    private func rotatedDimensions(width: Int) throws(GGUFError) -> Int {
        guard width > 0, let found = try file.integer(key("rope.dimension_count")) else { return width }
        guard found > 0, found <= width, found % 2 == 0 else {
            throw .wrongValue(
                path: file.path, key: key("rope.dimension_count"), expected: "an even number from 2 to the \(width) of a head", found: "\(found)")
        }
        return found
    }

    /// A share that gives the number again when it is multiplied and cut.
    private static func share(_ rotated: Int, of width: Int) -> Double {
        guard rotated < width else { return 1 }
        let share = Double(rotated) / Double(width)
        return Int(share * Double(width)) < rotated ? share.nextUp : share
    }

    private enum Kind: String, CaseIterable { case none, linear, yarn, longrope }

    /// Without a type the factor is a linear one, which may stand under the key of the first files; 0 stands for none.
    private func scaling(pairs: Int, original: Int) throws(GGUFError) -> JSONObject? {
        let text = try file.text(key("rope.scaling.type")) ?? Kind.linear.rawValue
        guard let kind = Kind(rawValue: text) else {
            throw .wrongValue(
                path: file.path, key: key("rope.scaling.type"), expected: Kind.allCases.map(\.rawValue).joined(separator: ", "), found: "\"\(text)\"")
        }
        let factor = try factor(kind)
        let temperature = try file.number(key("rope.scaling.attn_factor")) ?? 1
        if let lists = try lists(pairs: pairs) {
            guard kind != .yarn else {
                throw .wrongValue(
                    path: file.path, key: key("rope.scaling.type"), expected: "another type beside factors of frequencies", found: "yarn")
            }
            return longrope(lists.map { $0.map { factor * $0 } }, temperature: temperature, original: original)
        }
        if kind == .yarn { return try yarn(factor, original: original) }
        if temperature != 1 {
            let list = [Double](repeating: factor, count: pairs)
            return longrope([list, list], temperature: temperature, original: original)
        }
        return factor == 1 ? nil : ["rope_type": "linear", "factor": .number(factor)]
    }

    private func factor(_ kind: Kind) throws(GGUFError) -> Double {
        guard kind != .none else { return 1 }
        let name = file.value(key("rope.scaling.factor")) == nil ? "rope.scale_linear" : "rope.scaling.factor"
        guard let found = try file.number(key(name)), found != 0 else { return 1 }
        guard found > 0 else { throw .wrongValue(path: file.path, key: key(name), expected: "a number above 0", found: "\(found)") }
        return Self.short(found)
    }

    private func yarn(_ factor: Double, original: Int) throws(GGUFError) -> JSONObject {
        var scaling: JSONObject = [
            "rope_type": "yarn", "factor": .number(factor), "original_max_position_embeddings": .integer(Int64(original)),
        ]
        for (name, field) in [("yarn_beta_fast", "beta_fast"), ("yarn_beta_slow", "beta_slow")] {
            if let value = try file.number(key("rope.scaling." + name)) { scaling.set(field, .number(Self.short(value))) }
        }
        // llama.cpp multiplies its own temperature with what the file says.
        if let temperature = try file.number(key("rope.scaling.attn_factor")) {
            scaling.set("attention_factor", .number(temperature * (factor > 1 ? 0.1 * logarithm(factor) + 1 : 1)))
        }
        return scaling
    }

    /// - Parameter lists: for texts within the original length, and for longer ones.
    private func longrope(_ lists: [[Double]], temperature: Double, original: Int) -> JSONObject {
        [
            "rope_type": "longrope", "short_factor": .array(lists[0].map { .number($0) }), "long_factor": .array(lists[1].map { .number($0) }),
            "attention_factor": .number(Self.short(temperature)), "original_max_position_embeddings": .integer(Int64(original)),
        ]
    }

    /// Factors of frequencies: one list for all lengths (Llama 3.1), or one each for short and long texts.
    private func lists(pairs: Int) throws(GGUFError) -> [[Double]]? {
        if let one = try factors("rope_freqs.weight", pairs: pairs) { return [one, one] }
        guard let long = try factors("rope_factors_long.weight", pairs: pairs), let short = try factors("rope_factors_short.weight", pairs: pairs)
        else { return nil }
        return [short, long]
    }

    private func factors(_ name: String, pairs: Int) throws(GGUFError) -> [Double]? {
        guard let tensor = file.tensor(named: name) else { return nil }
        guard tensor.type == .float32, tensor.elementCount == pairs else {
            throw .badTensor(
                path: file.path, tensor: name,
                reason: "expected \(pairs) numbers as F32, one for each pair of rotated dimensions; "
                    + "found \(tensor.elementCount) as \(tensor.type.name).")
        }
        let bytes = file.bytes(tensor)
        let values = (0..<pairs).map { Double(bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self)) }
        return withExtendedLifetime(file) { values }
    }
}
