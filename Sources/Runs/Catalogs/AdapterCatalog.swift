/// Trained adapters and their checkpoints, for the pickers.

import Formats
import Platform

/// A folder with an adapter_config.json: the end of a run, or one of its checkpoints.
public struct FoundAdapter: Sendable, Equatable {
    public var path: String
    /// The path relative to the working directory.
    public var name: String
    public var baseModel: String
    public var rank: Int?
    /// The optimiser step of a `checkpoint-N`; nil for the end of a run.
    public var step: Int?
    /// The last training loss up to here, and the evaluation loss if there was one.
    public var loss: Double?
    public var evaluationLoss: Double?
    /// Seconds since 1970-01-01 UTC.
    public var modificationTime: Double
}

public enum AdapterCatalog {
    /// Every adapter under `root`: finished ones and checkpoints, newest first.
    public static func scan(_ root: String = "saves", depth: Int = 4) -> [FoundAdapter] {
        var adapters: [FoundAdapter] = []
        FolderWalk.visit(Path.absolute(Path.expandingTilde(root)), depth: depth) { path, names in
            if names.contains("adapter_config.json"), names.contains(where: CheckpointCatalog.isWeights) { adapters.append(read(path)) }
            return CheckpointCatalog.step(ofName: Path.name(path)) == nil
        }
        return adapters.sorted { ($0.modificationTime, $0.path) > ($1.modificationTime, $1.path) }
    }

    private static func read(_ path: String) -> FoundAdapter {
        let configPath = Path.join(path, "adapter_config.json")
        let text = (try? FileSystem.readText(configPath)) ?? ""
        let config = (try? JSONValue.parse(text, name: configPath))?.objectValue
        let losses = lastLosses(Path.join(path, "trainer_state.json"))
        return FoundAdapter(
            path: path, name: Path.relative(path, to: FileSystem.currentDirectory),
            baseModel: config?["base_model_name_or_path"]?.stringValue ?? "", rank: config?["r"]?.intValue,
            step: CheckpointCatalog.step(ofName: Path.name(path)), loss: losses.training, evaluationLoss: losses.evaluation,
            modificationTime: FileSystem.modificationTime(configPath) ?? 0)
    }

    private static func lastLosses(_ path: String) -> (training: Double?, evaluation: Double?) {
        guard let size = try? FileSystem.size(path), size < 4 << 20, let text = try? FileSystem.readText(path),
            let history = (try? JSONValue.parse(text, name: path))?.objectValue?["log_history"]?.arrayValue
        else { return (nil, nil) }
        let training = history.last { $0.objectValue?["loss"] != nil }?.objectValue?["loss"]?.doubleValue
        let evaluation = history.last { $0.objectValue?["eval_loss"] != nil }?.objectValue?["eval_loss"]?.doubleValue
        return (training, evaluation)
    }
}
