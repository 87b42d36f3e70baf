import Configuration
import Generation
import Models
import Platform
import Tensors
import Tokenizers

/// The arguments of an export, checked.
struct ExportSettings {
    let modelDirectory: String
    /// Merged in this order.
    let adapterDirectories: [String]
    let exportDirectory: String
    /// The type asked for; nil keeps the stored one.
    let requestedType: DType?
    let maximumShardBytes: Int64
    /// Write a GGUF file of this type instead of safetensors.
    let ggufType: GGUFFileType?
    /// Of which only the adapter is written.
    let writesAdapterAlone: Bool
    /// Name of the template to write into the tokenizer; nil keeps the tokenizer's own.
    let templateName: String?
    let threadCount: Int
    /// Tokens that the model is to get besides those of its folder.
    let vocabulary: VocabularyChange

    init(_ configuration: Configuration) throws {
        guard let model = configuration[.modelNameOrPath], !model.isEmpty else { throw ExportError.missingArgument("model_name_or_path") }
        guard let export = configuration[.exportDir], !export.isEmpty else { throw ExportError.missingArgument("export_dir") }
        modelDirectory = Path.expandingTilde(model)
        adapterDirectories = configuration[.adapterNameOrPath].map { Path.expandingTilde($0) }
        exportDirectory = Path.absolute(Path.expandingTilde(export))
        switch configuration[.inferDtype] {
        case "float32": requestedType = .float32
        case "bfloat16": requestedType = .bfloat16
        case "float16": requestedType = .float16
        default: requestedType = nil
        }
        maximumShardBytes = Int64(max(1, configuration[.exportSize])) * 1_000_000_000
        ggufType = configuration[.exportGGUF].flatMap { GGUFFileType(rawValue: $0) }
        writesAdapterAlone = configuration[.exportGGUFAdapter]
        templateName = configuration[.template]
        threadCount = configuration[.threads]
        vocabulary = try VocabularyChange(configuration)
        try Self.checkSupport(configuration)
        if writesAdapterAlone, adapterDirectories.count != 1 || ggufType == nil || ggufType?.isQuantized == true {
            throw ExportError.unsupported(
                argument: "export_gguf_adapter", value: "true",
                whatToDo: "Name one adapter in adapter_name_or_path, and f32, f16 or bf16 in export_gguf.")
        }
        for source in [modelDirectory] + adapterDirectories where Self.holds(exportDirectory, source) {
            throw ExportError.folderIsSource(path: exportDirectory)
        }
    }

    private static func checkSupport(_ configuration: Configuration) throws(ExportError) {
        if let bits = configuration[.exportQuantizationBit] {
            throw .unsupported(
                argument: "export_quantization_bit", value: "\(bits)", whatToDo: "Leave it out; the model is written in infer_dtype.")
        }
        if configuration[.exportLegacyFormat] {
            throw .unsupported(argument: "export_legacy_format", value: "true", whatToDo: "Models are written as safetensors.")
        }
        if let name = configuration[.exportHubModelId] {
            throw .unsupported(argument: "export_hub_model_id", value: name, whatToDo: "Export to a folder and upload it with the hub's own client.")
        }
    }

    /// Whether a folder that is going to be replaced is the source, or the source lies in it.
    private static func holds(_ directory: String, _ source: String) -> Bool {
        let outer = FileSystem.realPath(directory) ?? Path.absolute(directory)
        let inner = FileSystem.realPath(source) ?? Path.absolute(source)
        return inner == outer || inner.hasPrefix(outer.hasSuffix("/") ? outer : outer + "/")
    }
}
