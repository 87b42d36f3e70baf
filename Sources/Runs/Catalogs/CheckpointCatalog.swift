/// The checkpoints in a run directory.

import Events
import Platform

public enum CheckpointCatalog {
    /// Complete checkpoints, by step. A checkpoint folder appears under its name only once it is complete; what another program
    /// left half-written lacks its weights and is passed over.
    public static func checkpoints(in directory: String) -> [CheckpointRecord] {
        guard let names = try? FileSystem.list(directory) else { return [] }
        return names.compactMap { name -> CheckpointRecord? in
            guard let step = step(ofName: name) else { return nil }
            let path = Path.join(directory, name)
            guard let files = try? FileSystem.list(path), files.contains(where: isWeights) else { return nil }
            let bytes = files.reduce(Int64(0)) { $0 + ((try? FileSystem.size(Path.join(path, $1))) ?? 0) }
            return CheckpointRecord(step: step, path: path, bytes: bytes)
        }.sorted { $0.step < $1.step }
    }

    /// 120 for `checkpoint-120`.
    static func step(ofName name: String) -> Int? {
        name.hasPrefix("checkpoint-") ? Int(name.dropFirst("checkpoint-".count)) : nil
    }

    static func isWeights(_ name: String) -> Bool {
        name.hasSuffix(".safetensors") && name.hasPrefix("adapter_model")
            || name.hasSuffix(".safetensors") && name.hasPrefix("model") || name == "adapter_model.bin"
            || name.hasSuffix(".bin") && name.hasPrefix("pytorch_model")
    }
}
