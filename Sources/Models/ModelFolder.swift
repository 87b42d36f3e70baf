import Formats
import Platform
import Tensors

/// A Hugging Face model folder, as far as `config.json` tells; or a GGUF file, whose metadata are read as one.
public struct ModelFolder: Sendable {
    public let directory: String
    public private(set) var fields: ConfigurationFields
    public let definition: ArchitectureDefinition
    public var spec: ArchitectureSpec
    /// The checkpoint keeps the experts of a layer in one tensor, as transformers 5 has them in memory; it is written back so.
    public var storesExpertsFused = false
    /// Where the model lies in a GGUF file.
    let gguf: GGUFSource?
    /// The weights are used in the order of the GGUF file, which is not the family's: adapters do not fit.
    var usesFileLayout = false
    /// Whether the model is a GGUF file.
    public var isGGUF: Bool { gguf != nil }

    /// The files beside the weights that belong to a model and are copied with it.
    public static let companionFiles = [
        "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
        "merges.txt", "tokenizer.model", "chat_template.jinja",
    ]

    /// Keys of config.json that neither the architecture nor anything else here asks for.
    public let unreadKeys: [String]

    /// Reads and checks `config.json`; the weights are not looked at.
    public init(directory: String) throws(ModelError) {
        let gguf = try GGUFSource.open(directory)
        try self.init(directory: directory, fields: try Self.configuration(directory, gguf), gguf: gguf)
    }

    /// `config.json`, whatever it says.
    static func configuration(_ directory: String) throws(ModelError) -> ConfigurationFields {
        try configuration(directory, try GGUFSource.open(directory))
    }

    private static func configuration(_ directory: String, _ gguf: GGUFSource?) throws(ModelError) -> ConfigurationFields {
        if let gguf { return ConfigurationFields(try gguf.configuration(), file: gguf.file.path, record: KeyRecord()) }
        guard FileSystem.isDirectory(directory) else {
            throw .notAModelFolder(
                path: directory, reason: FileSystem.exists(directory) ? "it is a file, and no GGUF file" : "there is no such folder")
        }
        let file = Path.join(directory, "config.json")
        guard FileSystem.exists(file) else { throw .notAModelFolder(path: directory, reason: "there is no config.json in it") }
        return ConfigurationFields(try object(file), file: file, record: KeyRecord())
    }

    /// A model that exists as a configuration only.
    public init(configuration: JSONObject, file: String = "config.json") throws(ModelError) {
        try self.init(directory: "", fields: ConfigurationFields(configuration, file: file, record: KeyRecord()))
    }

    private init(directory: String, fields: ConfigurationFields, gguf: GGUFSource? = nil) throws(ModelError) {
        self.directory = directory
        self.gguf = gguf
        self.fields = fields
        definition = try ArchitectureRegistry.definition(for: fields)
        spec = try definition.spec(fields)
        try fields.checkFactors(spec)
        unreadKeys = fields.unreadKeys
        matchFile()
    }

    /// The type that `config.json` says the weights have: `dtype`, or `torch_dtype` before transformers 5.
    public var declaredType: DType? {
        switch (fields.value("dtype") ?? fields.value("torch_dtype"))?.stringValue {
        case "float32": .float32
        case "bfloat16": .bfloat16
        case "float16": .float16
        case nil, _?: nil
        }
    }

    /// The configuration for weights written in another type, in the spelling that was found.
    public func configuration(dtype: DType, tiesEmbeddings: Bool) -> JSONObject {
        var object = fields.object
        let name: JSONValue =
            switch dtype {
            case .bfloat16: "bfloat16"
            case .float16: "float16"
            case .float32, .int32, .int64, .uint8: "float32"
            }
        // Weights are written in full, whatever they were.
        object.remove("quantization_config")
        object.set(object.contains("torch_dtype") && !object.contains("dtype") ? "torch_dtype" : "dtype", name)
        if tiesEmbeddings != spec.tiesEmbeddings || object.contains("tie_word_embeddings") {
            object.set("tie_word_embeddings", .bool(tiesEmbeddings))
        }
        return object
    }

    /// Gives the model another scaling of positions, in the spec and in the configuration that is written with it.
    public mutating func stretch(_ scaling: RotaryScaling) {
        spec.rotary.scaling = scaling
        var parameters = scaling.parameters
        var object = fields.object
        if object.contains("rope_parameters") {
            parameters.set("rope_theta", .number(spec.rotary.theta))
            object.set("rope_parameters", .object(parameters))
        } else {
            object.set("rope_scaling", .object(parameters))
        }
        if let reached = scaling.reachedPositions(from: spec.maximumPositions) {
            spec.maximumPositions = reached
            object.set("max_position_embeddings", .integer(Int64(reached)))
        }
        fields = ConfigurationFields(object, file: fields.file)
    }

    /// Every tensor of a checkpoint of this configuration, under the family's names.
    public func weightEntries(dtype: DType) -> [TensorFile.Entry] {
        spec.weights(names: definition.names).map { TensorFile.Entry(name: $0.name, shape: $0.storedShape, dtype: dtype) }
    }

    mutating func replace(fields object: JSONObject) { fields = ConfigurationFields(object, file: fields.file) }

    /// A small JSON file that must hold an object.
    static func object(_ file: String) throws(ModelError) -> JSONObject {
        let value: JSONValue
        do {
            value = try JSONValue.parse(try FileSystem.readText(file, limit: FileSystem.largestSettingsFile), name: file)
        } catch {
            throw .unreadable(reason: String(describing: error))
        }
        guard let object = value.objectValue else {
            throw .unreadable(reason: "\(file): expected a JSON object, found \(value.kindName).")
        }
        return object
    }
}
