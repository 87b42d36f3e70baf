import Formats

/// PEFT's `adapter_config.json`. Keys that mean nothing here are kept and written back.
public struct AdapterConfiguration: Sendable, Equatable {
    public private(set) var object: JSONObject
    public let rank: Int
    public let alpha: Double
    public let dropout: Double
    public let isRankStabilised: Bool
    /// Last parts of module paths with a rank, or an alpha, of their own.
    public let rankPattern: [String: Int]
    public let alphaPattern: [String: Double]

    /// The folder or name of the model that the adapter was made for.
    public var baseModel: String { object["base_model_name_or_path"]?.stringValue ?? "" }

    /// For a new adapter.
    public init(_ settings: AdapterSettings, targetNames: [String], baseModel: String, storesTransposed: Bool = false) {
        rank = settings.rank
        alpha = settings.alpha
        dropout = settings.dropout
        isRankStabilised = settings.usesRankStabilisedScale
        rankPattern = [:]
        alphaPattern = [:]
        let alphaValue: JSONValue = settings.alpha == settings.alpha.rounded() ? .integer(Int64(settings.alpha)) : .number(settings.alpha)
        object = [
            "alpha_pattern": [:], "auto_mapping": nil, "base_model_name_or_path": .string(baseModel), "bias": "none",
            "exclude_modules": nil, "fan_in_fan_out": .bool(storesTransposed), "inference_mode": true, "init_lora_weights": true,
            "layer_replication": nil, "layers_pattern": nil, "layers_to_transform": nil, "loftq_config": [:], "lora_alpha": alphaValue,
            "lora_bias": false, "lora_dropout": .number(settings.dropout), "megatron_config": nil, "megatron_core": "megatron.core",
            "modules_to_save": nil, "peft_type": "LORA", "r": .integer(Int64(settings.rank)), "rank_pattern": [:], "revision": nil,
            "target_modules": .array(targetNames.map { .string($0) }), "target_parameters": nil, "task_type": "CAUSAL_LM",
            "trainable_token_indices": nil, "use_dora": false, "use_rslora": .bool(settings.usesRankStabilisedScale),
        ]
    }

    /// Reads and checks a file's contents.
    public init(_ object: JSONObject, file: String) throws(ModelError) {
        let fields = ConfigurationFields(object, file: file)
        let kind = try fields.text("peft_type") ?? "LORA"
        guard kind == "LORA" else {
            throw .unsupported(file: file, what: "an adapter of type \(kind)", whatToDo: "LoRA adapters can be used.")
        }
        for key in ["use_dora", "lora_bias", "use_qalora"] where try fields.flag(key, default: false) {
            throw .unsupported(file: file, what: "\"\(key)\": true", whatToDo: "Merge this adapter with PEFT first and use the merged model.")
        }
        if let bias = try fields.text("bias"), bias != "none" {
            throw .unsupported(file: file, what: "\"bias\": \"\(bias)\"", whatToDo: "Adapters with \"bias\": \"none\" can be used.")
        }
        for key in ["modules_to_save", "layer_replication", "trainable_token_indices", "target_parameters"] {
            guard let value = fields.value(key), value.arrayValue?.isEmpty != true, value.objectValue?.isEmpty != true else { continue }
            throw .unsupported(file: file, what: "\"\(key)\"", whatToDo: "Merge this adapter with PEFT first and use the merged model.")
        }
        self.object = object
        rank = try fields.integer("r", atMost: 1 << 16)
        alpha = try fields.number("lora_alpha") ?? Double(rank)
        dropout = try fields.number("lora_dropout") ?? 0
        isRankStabilised = try fields.flag("use_rslora", default: false)
        rankPattern = try Self.pattern(fields, "rank_pattern").mapValues { Int($0) }
        alphaPattern = try Self.pattern(fields, "alpha_pattern")
    }

    /// The factor on B A x for a module, whose A has `rank` rows.
    func scale(module: String, rank: Int) -> Float {
        let own = alphaPattern.first { Transformer.matches(module, $0.key) }?.value
        return AdapterSettings.scale(alpha: own ?? alpha, rank: rank, isRankStabilised: isRankStabilised)
    }

    /// The rank that the file promises for a module.
    func rank(module: String) -> Int { rankPattern.first { Transformer.matches(module, $0.key) }?.value ?? rank }

    public func text() -> String { JSONValue.object(object).text(style: .indented(2), sortedKeys: true) + "\n" }

    /// The same adapter for a base that has moved.
    public func withBaseModel(_ path: String) -> AdapterConfiguration {
        var copy = self
        copy.object.set("base_model_name_or_path", .string(path))
        return copy
    }

    /// Keys are regular expressions matched against the end of a module's path; what people and PEFT write are plain paths, with
    /// the dots escaped or not.
    private static func pattern(_ fields: ConfigurationFields, _ key: String) throws(ModelError) -> [String: Double] {
        guard let entries = try fields.fields(key) else { return [:] }
        var found: [String: Double] = [:]
        for (name, value) in entries.object {
            guard let number = value.doubleValue, number > 0, number < 16_777_216 else { throw entries.invalid(name, "a number above 0", value) }
            var path = ""
            for character in name where character != "\\" && character != "^" && character != "$" { path.append(character) }
            guard path.utf8.allSatisfy(isPathByte) else {
                throw .unsupported(file: fields.file, what: "the regular expression \"\(name)\" in \(key)", whatToDo: "Plain module paths can be used.")
            }
            found[path] = number
        }
        return found
    }

    private static func isPathByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): true
        default: false
        }
    }
}
