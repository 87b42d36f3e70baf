/// README.md of a finished run: front matter that hubs read, the arguments that shaped the run, and how its evaluations went.

import Formats
import Platform

struct ModelCard {
    var name: String
    var baseModel: String
    var datasets: [String]
    var method: String
    var isAdapter: Bool
    /// Name and value of every argument worth telling, in order.
    var hyperparameters: [(name: String, value: String)]
    var logHistory: [JSONObject]
    /// A sentence on how to talk to the model, a command included.
    var usage: String

    func text() -> String {
        let front = JSONObject([
            ("library_name", .string(isAdapter ? "peft" : "transformers")), ("license", "other"), ("base_model", .string(baseModel)),
            ("tags", .array(["tuneboard", "llama-factory", .string(method), "generated_from_trainer"])),
            ("model-index", .array([.object(JSONObject([("name", .string(name)), ("results", .array([]))]))])),
        ])
        var parts = ["---\n" + YAML.text(front) + "---\n"]
        parts.append("# \(name)\n\n\(introduction)\n")
        if let results = lastEvaluation { parts.append("It reaches on the evaluation data:\n\n" + results) }
        parts.append("## Use\n\n\(usage)\n")
        parts.append("## Training\n\n" + hyperparameters.map { "- \($0.name): \($0.value)\n" }.joined())
        if let table = evaluationTable { parts.append("### Results\n\n" + table) }
        parts.append("Trained with Tuneboard.\n")
        return parts.joined(separator: "\n")
    }

    private var introduction: String {
        let kind = isAdapter ? "A LoRA adapter for" : "A fine-tuned version of"
        let data: String
        switch datasets.count {
        case 0: data = "data of its own"
        case 1: data = "the dataset \(datasets[0])"
        default: data = "the datasets " + datasets.dropLast().joined(separator: ", ") + " and \(datasets[datasets.count - 1])"
        }
        return "\(kind) `\(baseModel)`, trained on \(data)."
    }

    private var lastEvaluation: String? {
        guard let entry = logHistory.last(where: { $0.contains("eval_loss") }) else { return nil }
        let shown = entry.pairs.filter { pair in
            pair.key.hasPrefix("eval_") && !["eval_runtime", "eval_samples_per_second", "eval_steps_per_second"].contains(pair.key)
        }
        return shown.map { "- \($0.key.dropFirst(5)): \(rounded($0.value))\n" }.joined()
    }

    /// One row per evaluation: training loss so far, epoch, step, validation loss.
    private var evaluationTable: String? {
        var trainingLoss = "-"
        var rows: [[String]] = []
        for entry in logHistory {
            if let loss = entry["loss"] { trainingLoss = rounded(loss) }
            guard let loss = entry["eval_loss"] else { continue }
            let row = [trainingLoss, rounded(entry["epoch"] ?? .null), entry["step"].map { $0.text() } ?? "-", rounded(loss)]
            if row != rows.last { rows.append(row) }
        }
        if rows.isEmpty { return nil }
        let lines = [["Training loss", "Epoch", "Step", "Validation loss"], ["---:", "---:", "---:", "---:"]] + rows
        return lines.map { "| " + $0.joined(separator: " | ") + " |\n" }.joined()
    }

    private func rounded(_ value: JSONValue) -> String {
        guard case .number(let number) = value else { return value.text() }
        return NumberText.fixed(number, digits: 4)
    }
}
