/// Where a model or an adapter lies: a folder, or a name of the Hugging Face hub that its cache holds.

import Configuration
import Models
import Platform

public enum ModelLocation {
    /// The folder that a `model_name_or_path` stands for. A folder stands for itself; `org/name` for its newest snapshot in the
    /// Hugging Face cache. What is neither is given back as it is, for the reader of the folder to complain about.
    public static func folder(_ name: String) -> String {
        let path = Path.expandingTilde(name)
        if FileSystem.exists(path) || Path.isAbsolute(path) { return path }
        return ModelCatalog.hubSnapshot(name) ?? path
    }

    /// The configuration with folders in place of hub names. A wrong model folder is told here, before anything in it is missed.
    static func resolved(_ configuration: Configuration) throws -> Configuration {
        var resolved = configuration
        let model = configuration.text("model_name_or_path")
        if !model.isEmpty {
            _ = try ModelFolder(directory: folder(model))
            if folder(model) != model { try resolved.set("model_name_or_path", text: folder(model)) }
        }
        let adapters = configuration[.adapterNameOrPath]
        let folders = adapters.map(folder)
        if folders != adapters { try resolved.set("adapter_name_or_path", text: folders.joined(separator: ",")) }
        return resolved
    }
}
