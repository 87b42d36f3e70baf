import Formats
import Tensors

/// PEFT's `adapter_config.json`. Keys that mean nothing here are kept and written back.
public struct AdapterConfiguration: Sendable, Equatable {
    /// Which biases an adapter brings along.
    public enum Biases: String, Sendable, Equatable {
        case none, all
        /// Those of the layers that it sits on.
        case adapted = "lora_only"
        case turned = "oft_only"
    }

    /// How the adapter began, where that changed the base (`init_lora_weights`).
    public enum Start: Sendable, Equatable {
        /// On the base as it is.
        case plain
        /// PiSSA: with the base's principal components, found by so many rounds or, with nil, exactly.
        case principal(iterations: Int?)
    }

    public private(set) var object: JSONObject
    public private(set) var start: Start
    public let method: AdapterSettings.Method
    public let rank: Int
    public let alpha: Double
    public let dropout: Double
    public let isRankStabilised: Bool
    /// DoRA.
    public let usesMagnitudes: Bool
    public let biases: Biases
    /// A head tied to an embedding that is trained whole stays tied (`ensure_weight_tying`).
    public let keepsTie: Bool
    /// `trainable_token_indices`: rows of an embedding, by the end of its path; an empty path is the input embedding.
    let tokenRows: [String: [Int]]
    let targets: AdapterTargets
    private let rankPattern: PathValues
    private let alphaPattern: PathValues

    /// The folder or name of the model that the adapter was made for.
    public var baseModel: String { object["base_model_name_or_path"]?.stringValue ?? "" }
    /// Modules that are trained whole.
    public var savedModules: [String] { targets.savedModules }

    /// For a new adapter.
    /// - Parameter targetNames: what `target_modules` will say.
    init(_ settings: AdapterSettings, targets: AdapterTargets, targetNames: [String], baseModel: String, storesTransposed: Bool) {
        method = settings.method
        rank = settings.rank
        alpha = settings.alpha
        dropout = settings.dropout
        isRankStabilised = settings.usesRankStabilisedScale
        usesMagnitudes = settings.usesMagnitudes
        biases = .none
        start = settings.start
        keepsTie = false
        tokenRows = [:]
        self.targets = targets
        rankPattern = PathValues()
        alphaPattern = PathValues()
        var modules = JSONValue.array(targetNames.map { .string($0) })
        if case .pattern(let pattern) = targets.modules { modules = .string(pattern.text) }
        let saved: JSONValue = settings.savedModules.isEmpty ? .null : .array(settings.savedModules.map { .string($0) })
        object = [
            "auto_mapping": nil, "base_model_name_or_path": .string(baseModel), "bias": "none", "exclude_modules": nil,
            "fan_in_fan_out": .bool(storesTransposed), "inference_mode": true, "layers_pattern": nil, "layers_to_transform": nil,
            "modules_to_save": saved, "revision": nil, "target_modules": modules, "task_type": "CAUSAL_LM",
        ]
        switch settings.method {
        case .lowRank: object.merge(Self.lowRank(settings))
        case .rotation(let rotation): object.merge(Self.rotation(rotation))
        }
    }

    private static func lowRank(_ settings: AdapterSettings) -> JSONObject {
        let alpha: JSONValue = settings.alpha == settings.alpha.rounded() ? .integer(Int64(settings.alpha)) : .number(settings.alpha)
        return [
            "alpha_pattern": [:], "init_lora_weights": startText(settings.start), "layer_replication": nil, "loftq_config": [:], "lora_alpha": alpha,
            "lora_bias": false, "lora_dropout": .number(settings.dropout), "megatron_config": nil, "megatron_core": "megatron.core",
            "peft_type": "LORA", "r": .integer(Int64(settings.rank)), "rank_pattern": [:], "target_parameters": nil,
            "trainable_token_indices": nil, "use_dora": .bool(settings.usesMagnitudes), "use_rslora": .bool(settings.usesRankStabilisedScale),
        ]
    }

    private static func rotation(_ rotation: RotationSettings) -> JSONObject {
        var terms = 5, usesSeries = false
        if case .neumann(let count) = rotation.series { (terms, usesSeries) = (count, true) }
        return [
            "block_share": .bool(rotation.isShared), "coft": .bool(rotation.limit != nil), "eps": .number(rotation.limit ?? 6e-5),
            "init_weights": true, "module_dropout": .number(rotation.dropout), "num_cayley_neumann_terms": .integer(Int64(terms)),
            "oft_block_size": .integer(Int64(rotation.blockSize)), "peft_type": "OFT", "peft_version": "0.18.1",
            "r": .integer(Int64(rotation.blockCount)), "use_cayley_neumann": .bool(usesSeries),
        ]
    }

    /// Reads and checks a file's contents.
    public init(_ object: JSONObject, file: String) throws(ModelError) {
        let fields = ConfigurationFields(object, file: file)
        let kind = try fields.text("peft_type") ?? "LORA"
        guard kind == "LORA" || kind == "OFT" else {
            throw .unsupported(file: file, what: "an adapter of type \(kind)", whatToDo: "LoRA and OFT adapters can be used.")
        }
        try Self.refuseUnsupported(fields)
        self.object = object
        let isLowRank = kind == "LORA"
        method = isLowRank ? .lowRank : .rotation(try Self.rotation(fields))
        rank = isLowRank ? try fields.integer("r", atMost: 1 << 16) : 0
        alpha = try fields.number("lora_alpha") ?? Double(rank)
        dropout = try fields.number("lora_dropout") ?? 0
        guard dropout >= 0, dropout < 1 else { throw fields.invalid("lora_dropout", "a number from 0 to below 1", .number(dropout)) }
        isRankStabilised = try fields.flag("use_rslora", default: false)
        start = isLowRank ? try Self.start(fields) : .plain
        usesMagnitudes = isLowRank ? try fields.flag("use_dora", default: false) : false
        keepsTie = try fields.flag("ensure_weight_tying", default: false)
        guard let biases = Biases(rawValue: try fields.text("bias") ?? "none") else {
            throw fields.invalid("bias", "none, all or lora_only", fields.value("bias") ?? .null)
        }
        self.biases = biases
        targets = try AdapterTargets(fields)
        tokenRows = try Self.tokenRows(fields)
        rankPattern = try PathValues(fields, "rank_pattern", allowsZero: false)
        alphaPattern = try PathValues(fields, "alpha_pattern", allowsZero: true)
    }

    /// What changes the arithmetic in a way that is not known here.
    private static func refuseUnsupported(_ fields: ConfigurationFields) throws(ModelError) {
        let merge = "Merge this adapter with PEFT first and use the merged model."
        for key in ["lora_bias", "use_qalora"] where try fields.flag(key, default: false) {
            throw .unsupported(file: fields.file, what: "\"\(key)\": true", whatToDo: merge)
        }
        for key in ["layer_replication", "target_parameters", "alora_invocation_tokens", "arrow_config"] {
            guard let value = fields.value(key), value.arrayValue?.isEmpty != true, value.objectValue?.isEmpty != true else { continue }
            throw .unsupported(
                file: fields.file, what: "\"\(key)\"",
                whatToDo: key == "target_parameters"
                    ? "Adapters on whole modules can be used; those on bare parameters of expert layers cannot." : merge)
        }
    }

    private static func startText(_ start: Start) -> JSONValue {
        switch start {
        case .plain: true
        case .principal(nil): "pissa"
        case .principal(let rounds?): .string("pissa_niter_\(rounds)")
        }
    }

    /// PEFT repeats what an adapter did to its base in the beginning when it loads the adapter.
    private static func start(_ fields: ConfigurationFields) throws(ModelError) -> Start {
        guard let text = fields.value("init_lora_weights")?.stringValue?.lowercased() else { return .plain }
        if text == "pissa" { return .principal(iterations: nil) }
        if text.hasPrefix("pissa_niter_") {
            guard let rounds = Int(text.dropFirst("pissa_niter_".count)), (0...1000).contains(rounds) else {
                throw fields.invalid("init_lora_weights", "pissa_niter_ and a number from 0 to 1000", .string(text))
            }
            return .principal(iterations: rounds)
        }
        guard ["corda", "olora", "loftq"].contains(text) else { return .plain }
        throw .unsupported(
            file: fields.file, what: "\"init_lora_weights\": \"\(text)\"",
            whatToDo: "Convert the adapter with PEFT's path_initial_model_for_weight_conversion, or merge it there.")
    }

    private static func rotation(_ fields: ConfigurationFields) throws(ModelError) -> RotationSettings {
        // Before PEFT 0.14 OFT was another method under the same name.
        guard fields.value("oft_block_size") != nil else { throw .missingKey(file: fields.file, key: "oft_block_size") }
        let count = try fields.integer("r", default: 0, atLeast: 0), size = try fields.integer("oft_block_size", default: 0, atLeast: 0)
        guard (count == 0) != (size == 0) else {
            throw fields.invalid("oft_block_size", "0, or r 0: one of them decides", .integer(Int64(size)))
        }
        let terms = try fields.integer("num_cayley_neumann_terms", default: 5, atMost: 64)
        return RotationSettings(
            blockCount: count, blockSize: size, dropout: try fields.number("module_dropout") ?? 0,
            series: try fields.flag("use_cayley_neumann", default: false) ? .neumann(terms: terms) : .exact,
            isShared: try fields.flag("block_share", default: false),
            limit: try fields.flag("coft", default: false) ? try fields.positiveNumber("eps") ?? 6e-5 : nil)
    }

    /// A list for the input embedding, or lists by module.
    private static func tokenRows(_ fields: ConfigurationFields) throws(ModelError) -> [String: [Int]] {
        guard let value = fields.value("trainable_token_indices") else { return [:] }
        var found: [String: [Int]] = [:]
        for (module, list) in value.objectValue?.pairs ?? [(key: "", value: value)] {
            let rows = (list.arrayValue ?? []).compactMap(\.intValue)
            guard !rows.isEmpty, rows.count == list.arrayValue?.count, rows.allSatisfy({ $0 >= 0 }), Set(rows).count == rows.count else {
                throw fields.invalid("trainable_token_indices", "lists of different token ids", value)
            }
            found[module] = rows
        }
        return found
    }

    /// The factor on B A x for a module, whose A has `rank` rows.
    func scale(module: String, rank: Int) -> Float {
        AdapterSettings.scale(alpha: alphaPattern.value(module) ?? alpha, rank: rank, isRankStabilised: isRankStabilised)
    }

    /// The rank that the file promises for a module.
    func rank(module: String) -> Int { rankPattern.value(module).map { Int($0) } ?? rank }

    public func text() -> String { JSONValue.object(object).text(style: .indented(2), sortedKeys: true) + "\n" }

    /// The same for a file whose adapter belongs on the base as it lies there.
    var withPlainStart: AdapterConfiguration {
        var copy = self
        copy.start = .plain
        copy.object.set("init_lora_weights", true)
        return copy
    }

    /// The same for an adapter of twice the rank with the same scale.
    var withDoubledRank: AdapterConfiguration {
        var copy = withPlainStart
        copy.object.set("r", .integer(Int64(2 * rank)))
        copy.object.set("lora_alpha", .number(isRankStabilised ? alpha * 2.0.squareRoot() : 2 * alpha))
        for (key, factor) in [("rank_pattern", 2.0), ("alpha_pattern", isRankStabilised ? 2.0.squareRoot() : 2)] {
            guard let object = copy.object[key]?.objectValue else { continue }
            let isRank = key == "rank_pattern"
            copy.object.set(key, .object(JSONObject(object.pairs.map { pair in
                let value = (pair.value.doubleValue ?? 0) * factor
                return (pair.key, isRank ? .integer(Int64(value)) : .number(value))
            })))
        }
        return copy
    }

    /// The same adapter for a base that has moved.
    public func withBaseModel(_ path: String) -> AdapterConfiguration {
        var copy = self
        copy.object.set("base_model_name_or_path", .string(path))
        return copy
    }
}
