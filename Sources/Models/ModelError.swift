import Platform

/// What can be wrong with a model folder, an adapter or a request about them. Each case carries the facts; `description` makes
/// the sentence for people: where, what was expected, what was found, what to do.
public enum ModelError: Error, Equatable, Sendable {
    /// A folder without a `config.json`, or no folder at all.
    case notAModelFolder(path: String, reason: String)
    /// A file that the operating system or its format refuses: missing, truncated, broken JSON. The reason is a whole sentence.
    case unreadable(reason: String)
    /// `config.json` without `hidden_size`.
    case missingKey(file: String, key: String)
    /// `"num_hidden_layers": "many"`.
    case invalidKey(file: String, key: String, expected: String, found: String)
    /// `"model_type": "mamba"`.
    case unknownArchitecture(file: String, found: String, known: [String])
    /// An architecture that is known, with a setting that is not supported.
    case unsupported(file: String, what: String, whatToDo: String)
    /// A weight that the configuration asks for and no file holds.
    case missingTensor(file: String, tensor: String, expected: [Int], also: Int)
    /// A weight that the configuration has no place for.
    case unexpectedTensor(file: String, tensor: String, also: Int)
    case wrongShape(file: String, tensor: String, expected: [Int], found: [Int])
    /// A weight stored as integers or in an eight-bit format.
    case unsupportedType(file: String, tensor: String, found: String)
    /// The index names a tensor that its shard does not hold.
    case indexMismatch(file: String, tensor: String, shard: String)
    /// The index names a file that is not there.
    case missingShard(file: String, shard: String, tensor: String, also: Int)
    /// `lora_target: q_prj`.
    case unknownTarget(target: String, available: [String])
    /// `additional_target: embed_token`.
    case unknownModule(name: String, available: [String])
    /// An adapter that was made for another model.
    case adapterMismatch(file: String, module: String, reason: String)
    /// A run asks for more tokens than positions, a cache of the wrong model, and the like.
    case cannotWrite(reason: String)
}

extension ModelError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notAModelFolder(let path, let reason):
            "\(path): this is not a model folder (\(reason)). Give a folder with config.json, the weights and the tokenizer."
        case .unreadable(let reason): reason
        case .missingKey(let file, let key):
            "\(file): the key \"\(key)\" is missing. Compare with the model's original config.json."
        case .invalidKey(let file, let key, let expected, let found):
            "\(file): \"\(key)\" must be \(expected), found \(found.excerpt())."
        case .unknownArchitecture(let file, let found, let known):
            "\(file): the architecture \(found.excerpt()) is not supported. Supported: \(known.joined(separator: ", "))."
        case .unsupported(let file, let what, let whatToDo):
            "\(file): \(what.excerpt()) is not supported. \(whatToDo)"
        case .missingTensor(let file, let tensor, let expected, let also):
            "\(file): the tensor \(tensor) of shape \(Self.text(expected)) is missing\(Self.others(also)). "
                + "The download may be incomplete, or config.json belongs to another model."
        case .unexpectedTensor(let file, let tensor, let also):
            "\(file): the tensor \(tensor) has no place in this architecture\(Self.others(also)). Is config.json the one of this checkpoint?"
        case .wrongShape(let file, let tensor, let expected, let found):
            "\(file): the tensor \(tensor) must have shape \(Self.text(expected)), found \(Self.text(found)). "
                + "Is config.json the one of this checkpoint?"
        case .unsupportedType(let file, let tensor, let found):
            "\(file): the tensor \(tensor) is stored as \(found); only F32, F16 and BF16 weights can be read."
        case .indexMismatch(let file, let tensor, let shard):
            "\(file): the index puts the tensor \(tensor) into \(shard), which does not hold it. The download may be incomplete."
        case .missingShard(let file, let shard, let tensor, let also):
            "\(file): the index puts the tensor \(tensor)\(Self.others(also)) into \(shard), but there is no such file. "
                + "The download may be incomplete."
        case .unknownTarget(let target, let available):
            "lora_target: no linear layer is named \(target.excerpt()). This model has \(available.joined(separator: ", ")); \"all\" takes them all."
        case .unknownModule(let name, let available):
            "No module's path ends with \(name). This model has \(available.joined(separator: ", "))."
        case .adapterMismatch(let file, let module, let reason):
            "\(file): the adapter does not fit this base model: \(module) \(reason). Load it with the base named in its adapter_config.json."
        case .cannotWrite(let reason): reason
        }
    }

    private static func text(_ shape: [Int]) -> String {
        "[" + shape.map(String.init).joined(separator: ", ") + "]"
    }

    private static func others(_ count: Int) -> String {
        count == 0 ? "" : " (and \(count) more)"
    }
}
