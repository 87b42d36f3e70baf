import Configuration
import Events
import Exporting
import Platform

/// What an export will read and write, for a form: from the headers of the model's files, without its weights.
public struct ExportForecast: Sendable, Equatable {
    /// `memory` holds what is read, `outputs` the files with weights that are written.
    public var plan: RunPlan
    /// The folder that will be written, and whether an export that is there already will be replaced.
    public var directory: String
    public var replacesExport: Bool

    /// Throws what would keep the export from starting.
    public init(_ configuration: Configuration) throws {
        let resolved = try ModelLocation.resolved(configuration)
        let export = try ExportJob.plan(resolved)
        var plan = RunPlan(
            modelName: Path.name(export.modelDirectory), architecture: export.architecture, parameterCount: export.parameterCount,
            peakBytes: export.peakBytes, availableBytes: export.availableBytes, checkpointBytes: export.totalBytes,
            freeDiskBytes: export.freeDiskBytes, warnings: export.warnings)
        plan.memory = [
            MemoryPart(part: "base", bytes: Self.weightBytes(in: export.modelDirectory)),
            MemoryPart(part: "adapter", bytes: export.adapterDirectories.reduce(0) { $0 + Self.weightBytes(in: $1) }),
        ]
        plan.outputs = export.files.map { MemoryPart(part: $0.name, bytes: $0.bytes) }
        plan.outputFormat = export.dtypeName
        self.plan = plan
        directory = export.exportDirectory
        replacesExport = export.replacesExport
    }

    private static func weightBytes(in path: String) -> Int64 {
        if FileSystem.isFile(path) { return (try? FileSystem.size(path)) ?? 0 }
        let names = (try? FileSystem.list(path)) ?? []
        return names.filter { [".safetensors", ".gguf", ".bin"].contains(where: $0.hasSuffix) }
            .reduce(0) { $0 + ((try? FileSystem.size(Path.join(path, $1))) ?? 0) }
    }
}
