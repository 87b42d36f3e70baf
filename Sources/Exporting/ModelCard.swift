import Platform

/// The README.md of an exported model.
struct ModelCard {
    static let fileName = "README.md"
    /// The line by which an export is known again.
    static let mark = "- tuneboard"
    /// The line of a model that was trained as a whole: its card has the other one too, and it cannot simply be made again.
    static let trainingMark = "- generated_from_trainer"

    let plan: ExportPlan
    let templateName: String?
    /// Of the weight files.
    let bytes: Int64
    let verification: Verification

    func text() -> String {
        let name = Path.name(plan.exportDirectory)
        var lines = ["---", plan.ggufName == nil ? "library_name: transformers" : "library_name: gguf", "pipeline_tag: text-generation"]
        lines += ["base_model: \(quoted(Path.name(plan.modelDirectory)))", "tags:", Self.mark, "- \(plan.architecture)"]
        if plan.isAdapter { lines.append("- lora") }
        lines += ["---", "", "# \(name)", ""]
        let model = "`\(Path.name(plan.modelDirectory))`"
        if plan.isAdapter {
            lines.append("The LoRA adapter \(plan.adapterDirectories.map { "`\(Path.name($0))`" }.joined()) for \(model), written by Tuneboard.")
            lines.append("It works beside that model only: with llama.cpp's `--lora`, or in Ollama by the Modelfile.")
        } else if plan.adapterDirectories.isEmpty {
            lines.append("A copy of \(model), written by Tuneboard.")
        } else {
            lines.append("\(model) with these LoRA adapters merged into it by Tuneboard, in this order:")
            lines.append("")
            lines += plan.adapterDirectories.map { "- `\(Path.name($0))`" }
        }
        lines += ["", "| | |", "| --- | --- |", "| architecture | \(plan.architecture) |"]
        lines.append("| parameters | \(NumberText.grouped(plan.parameterCount)) |")
        lines.append("| weights | \(plan.dtypeName), \(NumberText.bytes(bytes)) |")
        if let templateName { lines.append("| chat template | \(templateName) |") }
        if verification.tokenCount > 0 { lines += rows(verification) }
        return lines.joined(separator: "\n") + "\n"
    }

    private func rows(_ verification: Verification) -> [String] {
        [
            "| compared with base and adapter over | \(verification.tokenCount) tokens |",
            "| largest logit difference | \(NumberText.significant(Double(verification.largestDifference), digits: 3)) |",
            "| same next token | \(NumberText.fixed(100 * verification.agreement, digits: 1)) % |",
            "| KL divergence | \(NumberText.significant(verification.divergence, digits: 3)) nats |",
        ]
    }

    /// YAML needs quotes around most things that are not plain words.
    private func quoted(_ text: String) -> String {
        "\"" + text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "'") + "\""
    }
}
