import Configuration
import Platform

/// Where the board puts what an evaluation finds: one folder for each adapter and one for the model without, so that the results
/// stand beside each other and can be compared. And where it puts exports: one folder for each form of the model, so that none
/// replaces another.
enum ResultFolder {
    /// - Parameter adapter: a run's folder or one of its checkpoints, or several with commas between them; empty for the base model.
    static func evaluation(model: String, adapter: String) -> String {
        let model = Path.name(model)
        guard !model.isEmpty else { return "" }
        let names = adapter.split(separator: ",").map { name(ofAdapter: String($0).trimmingSpaces) }
        guard let first = names.first else { return "saves/\(model)/eval/base" }
        // Adapters on top of each other are all named, as long as a folder may be called so.
        let all = names.joined(separator: "+")
        return "saves/\(model)/eval/" + (all.utf8.count <= longestName ? all : "\(first)+\(names.count - 1)")
    }

    /// Bytes; file systems take 255.
    private static let longestName = 200

    /// `run`, or `run-checkpoint-20` of one of its checkpoints.
    private static func name(ofAdapter adapter: String) -> String {
        let name = Path.name(adapter)
        return name.hasPrefix("checkpoint-") ? "\(Path.name(Path.directory(adapter)))-\(name)" : name
    }

    private static func evaluation(of configuration: Configuration) -> String {
        evaluation(model: configuration.text("model_name_or_path"), adapter: configuration.text("adapter_name_or_path"))
    }

    /// `saves/MODEL/merged`, `saves/MODEL/gguf-q4_k_m`, `saves/MODEL/gguf-adapter-f16`.
    static func export(of configuration: Configuration) -> String {
        var model = Path.name(configuration.text("model_name_or_path"))
        if model.hasSuffix(".gguf") { model = String(model.dropLast(5)) }
        guard !model.isEmpty else { return "" }
        let type = configuration.text("export_gguf")
        guard !type.isEmpty else { return "saves/\(model)/merged" }
        return "saves/\(model)/gguf-" + (configuration.isOn("export_gguf_adapter") ? "adapter-" : "") + type
    }

    /// Whether the folder is the one that goes with the model, rather than one of the user's choice.
    static func isFollowedByExport(_ configuration: Configuration) -> Bool { configuration.text("export_dir") == export(of: configuration) }
    static func isFollowedByEvaluation(_ configuration: Configuration) -> Bool { configuration.text("output_dir") == evaluation(of: configuration) }

    /// Lets the folder of an export follow the model and the form it is written in, unless the user has chosen another.
    static func followExport(_ configuration: inout Configuration, before: Configuration) {
        guard isFollowedByExport(before), configuration.text("export_dir") == before.text("export_dir") else { return }
        let folder = export(of: configuration)
        if !folder.isEmpty { try? configuration.set("export_dir", text: folder) }
    }

    /// Lets the folder follow the model and the adapter, unless the user has chosen another.
    static func follow(_ configuration: inout Configuration, before: Configuration) {
        guard isFollowedByEvaluation(before), configuration.text("output_dir") == before.text("output_dir") else { return }
        let folder = evaluation(of: configuration)
        if !folder.isEmpty { try? configuration.set("output_dir", text: folder) }
    }
}
