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
            try checkStep("model_name_or_path", folder(model))
            _ = try ModelFolder(directory: folder(model))
            if folder(model) != model { try resolved.set("model_name_or_path", text: folder(model)) }
        }
        let adapters = configuration[.adapterNameOrPath]
        // The folder of weights within each adapter's, which is part of its path from here on.
        let subfolder = configuration.text("adapter_folder")
        for adapter in adapters { try checkStep("adapter_name_or_path", folder(adapter)) }
        if configuration[.stage] == "ppo" { try checkStep("reward_model", configuration.text("reward_model")) }
        if !configuration.text("ref_model").isEmpty { try checkStep("ref_model", folder(configuration.text("ref_model"))) }
        let folders = adapters.map { subfolder.isEmpty ? folder($0) : Path.join(folder($0), subfolder) }
        if !subfolder.isEmpty { try resolved.set("adapter_folder", text: "null") }
        if folders != adapters { try resolved.set("adapter_name_or_path", text: folders.joined(separator: ",")) }
        return resolved
    }

    /// A folder that is missing because the recipe that makes it has not run is told with that recipe.
    private static func checkStep(_ argument: String, _ path: String) throws(RunError) {
        guard !path.isEmpty, !FileSystem.exists(Path.expandingTilde(path)), let command = EarlierStep.command(making: path) else { return }
        throw .missingStep(argument: argument, path: path, command: command)
    }
}
