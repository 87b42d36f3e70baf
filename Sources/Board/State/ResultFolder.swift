import Configuration
import Platform

/// Where the board puts what an evaluation finds: one folder for each adapter and one for the model without, so that the results
/// stand beside each other and can be compared.
enum ResultFolder {
    /// - Parameter adapter: a run's folder or one of its checkpoints; empty for the base model.
    static func evaluation(model: String, adapter: String) -> String {
        let model = Path.name(model)
        guard !model.isEmpty else { return "" }
        guard !adapter.isEmpty else { return "saves/\(model)/eval/base" }
        let name = Path.name(adapter)
        guard name.hasPrefix("checkpoint-") else { return "saves/\(model)/eval/\(name)" }
        return "saves/\(model)/eval/\(Path.name(Path.directory(adapter)))-\(name)"
    }

    private static func evaluation(of configuration: Configuration) -> String {
        evaluation(model: configuration.text("model_name_or_path"), adapter: configuration.text("adapter_name_or_path"))
    }

    /// Lets the folder follow the model and the adapter, unless the user has chosen another.
    static func follow(_ configuration: inout Configuration, before: Configuration) {
        guard before.text("output_dir") == evaluation(of: before), configuration.text("output_dir") == before.text("output_dir") else { return }
        let folder = evaluation(of: configuration)
        if !folder.isEmpty { try? configuration.set("output_dir", text: folder) }
    }
}
