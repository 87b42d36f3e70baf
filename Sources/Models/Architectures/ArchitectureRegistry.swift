import Formats

/// One family: which `model_type`s it reads, how its configuration becomes a spec, and what its checkpoints call each weight.
public struct ArchitectureDefinition: Sendable {
    public let modelTypes: [String]
    public let names: WeightNames
    public let spec: @Sendable (ConfigurationFields) throws(ModelError) -> ArchitectureSpec

    public init(
        modelTypes: [String], names: WeightNames = .llama,
        spec: @escaping @Sendable (ConfigurationFields) throws(ModelError) -> ArchitectureSpec
    ) {
        self.modelTypes = modelTypes
        self.names = names
        self.spec = spec
    }
}

/// All families that can be read. A new one is a file beside `Llama.swift` and a line here.
public enum ArchitectureRegistry {
    public static let all: [ArchitectureDefinition] = [
        .llama,
        .qwen2,
        .qwen3,
        .mistral,
        .mixtral,
        .qwen2Moe,
        .qwen3Moe,
        .gemma,
        .gemma2,
        .gemma3,
        .phi3,
        .glm,
        .chatglm,
        .internlm2,
        .internlm3,
        .baichuan,
        .gpt2,
        .bloom,
        .starcoder2,
    ]

    public static var modelTypes: [String] { all.flatMap(\.modelTypes) }

    /// The definition for a configuration, by its `model_type`.
    public static func definition(for fields: ConfigurationFields) throws(ModelError) -> ArchitectureDefinition {
        let found = try fields.text("model_type")
        if let found, let definition = all.first(where: { $0.modelTypes.contains(found) }) { return definition }
        throw .unknownArchitecture(file: fields.file, found: found.map { "\"\($0)\"" } ?? "without a model_type", known: modelTypes)
    }
}
