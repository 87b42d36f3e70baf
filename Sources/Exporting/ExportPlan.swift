import Configuration
import Models
import Platform
import Tensors

/// What an export will do, known before any weight is read.
public struct ExportPlan: Sendable, Equatable {
    public struct File: Sendable, Equatable {
        public let name: String
        public let bytes: Int64
    }

    public let modelDirectory: String
    public let architecture: String
    public let adapterDirectories: [String]
    public let exportDirectory: String
    /// Of the model, or of the adapter where that is written alone.
    public let parameterCount: Int
    /// "bfloat16"
    public let dtypeName: String
    /// Weight files with the bytes of their tensors.
    public let files: [File]
    public let totalBytes: Int64
    public let freeDiskBytes: Int64
    /// Weights in memory while merging, and the copy that is loaded to verify.
    public let peakBytes: Int64
    public let availableBytes: Int64
    /// Whether a finished export is there already and will be replaced.
    public let replacesExport: Bool
    public let warnings: [String]

    /// Only the adapter is written.
    public let isAdapter: Bool
    let dtype: DType
    /// For a GGUF export; nil for safetensors.
    let ggufName: String?

    public init(_ configuration: Configuration) throws {
        try self.init(ExportSettings(configuration))
    }

    init(_ settings: ExportSettings) throws {
        var folder = try ModelFolder(directory: settings.modelDirectory)
        if folder.isGGUF, settings.ggufType == nil {
            throw ExportError.unsupported(
                argument: "model_name_or_path", value: settings.modelDirectory,
                whatToDo: "A GGUF file is written as GGUF only: set export_gguf, or take the model's safetensors.")
        }
        if let growth = settings.vocabulary.growth(try settings.vocabulary.tokenizer(settings.modelDirectory)) {
            folder.setVocabulary(growth.rows(stored: folder.spec.vocabularySize))
        }
        let summary = try ModelSummary(folder: folder)
        let type = settings.requestedType ?? summary.dtype
        let weights = folder.spec.weights(names: folder.definition.names)
        let shards = CheckpointWriter.shards(
            of: weights.map { ($0.name, Int64($0.count * type.byteCount)) }, maximum: settings.maximumShardBytes)
        for adapter in settings.adapterDirectories { _ = try AdapterFile.configuration(adapter) }
        modelDirectory = settings.modelDirectory
        architecture = summary.spec.modelType
        adapterDirectories = settings.adapterDirectories
        exportDirectory = settings.exportDirectory
        isAdapter = settings.writesAdapterAlone
        parameterCount = try isAdapter ? Self.adapterCount(settings) : summary.parameterCount
        dtype = type
        var notices: [String] = []
        if let ggufType = settings.ggufType {
            let layout = try GGUFLayout(folder: folder, fileType: ggufType)
            let name = Self.ggufName(settings, ggufType)
            ggufName = name
            dtypeName = "GGUF " + ggufType.label
            let bytes = isAdapter ? Int64(parameterCount * ggufType.bytesPerNumber) : layout.byteCount
            files = [File(name: name, bytes: bytes)]
            notices = layout.notices + Self.exceptionNotice(layout)
        } else {
            ggufName = nil
            dtypeName = Self.name(of: type)
            files = shards.map { File(name: $0.name, bytes: $0.bytes) }
        }
        totalBytes = files.reduce(0) { $0 + $1.bytes }
        freeDiskBytes = FileSystem.freeBytes(at: Self.existingAncestor(of: settings.exportDirectory))
        let widened = settings.adapterDirectories.count > 1 ? Int64(summary.parameterCount * 4) : summary.weightBytes
        peakBytes = widened + totalBytes
        availableBytes = SystemInfo.availableMemoryBytes
        let state = try ExportTarget.look(at: settings.exportDirectory)
        replacesExport = state == .earlierExport
        warnings = try Self.warnings(settings, summary: summary, state: state) + notices
    }

    static func name(of type: DType) -> String {
        switch type {
        case .float32: "float32"
        case .bfloat16: "bfloat16"
        case .float16: "float16"
        case .int32: "int32"
        case .int64: "int64"
        case .uint8: "uint8"
        }
    }

    private static func warnings(_ settings: ExportSettings, summary: ModelSummary, state: ExportTarget) throws -> [String] {
        var warnings: [String] = []
        if settings.adapterDirectories.isEmpty { warnings.append("No adapter is given: the model itself is written again.") }
        if state == .earlierExport { warnings.append("\(settings.exportDirectory) holds an earlier export, which will be replaced.") }
        if (settings.requestedType == .float16 || settings.ggufType == .f16) && summary.dtype == .bfloat16 {
            warnings.append("bfloat16 weights above 65504 do not fit float16.")
        }
        return warnings
    }

    /// `qwen2.5-0.5b-Q4_K_M.gguf`, or `qwen2.5-0.5b-adapter-F16.gguf`.
    private static func ggufName(_ settings: ExportSettings, _ type: GGUFFileType) -> String {
        var name = Path.name(settings.modelDirectory)
        if name.hasSuffix(".gguf") { name = String(name.dropLast(5)) }
        return name + (settings.writesAdapterAlone ? "-adapter-" : "-") + type.label + ".gguf"
    }

    /// Numbers of all adapters' tensors.
    private static func adapterCount(_ settings: ExportSettings) throws -> Int {
        try settings.adapterDirectories.reduce(0) { $0 + (try AdapterFile.elementCount($1)) }
    }

    private static func exceptionNotice(_ layout: GGUFLayout) -> [String] {
        let exceptions = layout.exceptions
        guard let first = exceptions.first else { return [] }
        return [
            "\(exceptions.count) tensors have rows that are no whole number of blocks and take another type (\(first.name): \(first.type.name))."
        ]
    }

    private static func existingAncestor(of path: String) -> String {
        var path = path
        while !FileSystem.exists(path) && path != "/" && !path.isEmpty { path = Path.directory(path) }
        return path.isEmpty ? "." : path
    }
}
