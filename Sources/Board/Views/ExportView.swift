import Configuration
import Events
import Platform
import Terminal

extension Painter {
    mutating func drawExport() {
        let page = layout.export(isRunning: state.jobs[.export] != nil)
        drawForm(.export, in: page.form)
        if !page.help.isEmpty { drawFieldHelp(.export, in: page.help, withPlan: false) }
        if !page.plan.isEmpty { drawExportPlan(in: page.plan) }
        if !page.progress.isEmpty { drawExportProgress(in: page.progress) }
        if !page.command.isEmpty { drawCommand(.export, in: page.command) }
    }

    private mutating func drawExportPlan(in rect: Rect) {
        let inside = box(rect, title: say("Plan"))
        switch state.forms[.export].plan {
        case .none: paragraph(withoutPlan(state.forms[.export]), in: inside, "ui.text.dim")
        case .computing: text(say("looking at the model…"), in: inside.row(0), "ui.text.dim")
        case .failed(let reason, _): paragraph(say(engine: reason), in: inside, "ui.warning")
        case .ready(let plan): drawExportPlan(plan, in: inside)
        }
    }

    private mutating func drawExportPlan(_ plan: RunPlan, in inside: Rect) {
        // What comes of it first: where there is no room for all, the last lines go.
        var lines: [(String, String, String)] = []
        if plan.checkpointBytes > 0 {
            lines.append((say("writes"), [NumberText.bytes(plan.checkpointBytes), plan.outputFormat].filter { !$0.isEmpty }.joined(separator: "  "), "ui.text"))
            if let file = plan.outputs.first {
                lines.append((say("files"), plan.outputs.count == 1 ? file.part : say("\(plan.outputs.count) shards"), "ui.text"))
            }
        }
        for part in plan.memory where part.bytes > 0 { lines.append((say(key: part.part), NumberText.bytes(part.bytes), "ui.text")) }
        let isTight = plan.freeDiskBytes > 0 && plan.freeDiskBytes < plan.checkpointBytes
        if plan.freeDiskBytes > 0 { lines.append((say("disk free"), NumberText.bytes(plan.freeDiskBytes), isTight ? "ui.error" : "ui.text")) }
        if plan.peakBytes > 0 { lines.append((say("memory"), NumberText.bytes(plan.peakBytes), "ui.text")) }
        if plan.parameterCount > 0 { lines.append((say("model"), "\(plan.modelName)  \(NumberText.count(plan.parameterCount))", "ui.text")) }
        let nameWidth = min(12, lines.map { TextWidth.width(of: $0.0) }.max() ?? 10)
        for (index, line) in lines.prefix(inside.height).enumerated() {
            if TextWidth.width(of: line.1) > inside.width - nameWidth - 1 {
                // A file's name is read whole, without a heading where there is no room for both.
                text(TextWidth.truncateStart(line.1, to: inside.width), in: inside.row(index), line.2)
            } else {
                pair(line.0, line.1, in: inside.row(index), nameWidth: nameWidth, scope: line.2)
            }
        }
    }

    /// What is to be known before the export begins. It has the whole width: beside the sizes it would push them out of view.
    private var exportWarnings: [String] {
        guard case .ready(let plan) = state.forms[.export].plan else { return [] }
        return plan.warnings.map { "! " + TextWidth.sanitize(say(engine: $0)) }
    }

    /// Every phase that was seen, the last one with its bar, then the outcome with what verification found.
    private mutating func drawExportProgress(in rect: Rect) {
        let inside = box(rect, title: say("Progress"))
        guard let run = state.jobs[.export] else {
            drawExportSteps(in: inside)
            return
        }
        let outcome = exportOutcome(run)
        let steps = run.phases.isEmpty ? run.progress.map(\.phase) : run.phases
        let room = max(1, inside.height - outcome.reduce(0) { $0 + TextWidth.wrap($1.text, to: inside.width).count })
        var y = inside.y
        for (index, step) in steps.enumerated().suffix(room) {
            let isLast = index == steps.count - 1
            drawExportStep(step, run, isDone: !isLast || run.state == .finished, in: Rect(x: inside.x, y: y, width: inside.width, height: 1))
            y += 1
        }
        for line in outcome where y < inside.endY {
            let width = Self.evenWidth(line.text, inside.width)
            y += paragraph(line.text, in: Rect(x: inside.x, y: y, width: width, height: inside.endY - y), line.scope)
        }
    }

    /// The width at which a sentence takes as few lines as it can and ends in no stub: a number alone in a line reads as if it were
    /// something of its own.
    static func evenWidth(_ text: String, _ width: Int) -> Int {
        let count = TextWidth.wrap(text, to: width).count
        guard count > 1 else { return width }
        for narrower in stride(from: width, to: width / 2, by: -1) {
            let lines = TextWidth.wrap(text, to: narrower)
            guard lines.count == count else { return width }
            if let last = lines.last, TextWidth.width(of: last) * 4 >= narrower { return narrower }
        }
        return width
    }

    private mutating func drawExportStep(_ step: String, _ run: RunDigest, isDone: Bool, in row: Rect) {
        let isActive = !isDone && run.isActive
        text(isDone ? "✓" : isActive ? "▶" : "·", x: row.x, y: row.y, width: 1, isDone ? "ui.success" : "ui.mark")
        let line = Rect(x: row.x + 2, y: row.y, width: row.width - 2, height: 1)
        let record = run.progress.last { $0.phase == step }
        guard isActive, let record, record.total > 0 else {
            let used = text(say(key: step), in: line, "ui.text")
            let x = line.x + max(24, used + 2)
            text(record?.detail ?? "", x: x, y: row.y, width: line.endX - x, "ui.text.dim")
            return
        }
        drawProgressLine(run, in: line)
    }

    /// How the export ended, and what the comparison of the written model with the original found.
    private func exportOutcome(_ run: RunDigest) -> [(text: String, scope: String)] {
        guard let outcome = outcomeWords(run) else { return [] }
        guard run.state == .finished, let summary = run.summary else { return [outcome] }
        var lines = [("✓ " + (summary.text.isEmpty ? say("exported") : say(engine: summary.text)), "ui.success")]
        func value(_ name: String) -> Double? { summary.values.first { $0.name == name }?.value }
        if let difference = value("largest_logit_difference"), let agreement = value("top1_agreement") {
            let tokens = value("verified_tokens").map { " " + say("on \(Int($0)) tokens") } ?? ""
            lines.append((
                say("✓ verified\(tokens): largest logit difference \(Words.metric(difference)), same best token \(Words.percent(agreement))"),
                "ui.success"))
        }
        return lines
    }

    private mutating func drawExportSteps(in rect: Rect) {
        var area = rect
        for warning in exportWarnings where area.height > 0 { area = area.droppingFirstRows(paragraph(warning, in: area, "ui.warning")) }
        let configuration = state.forms[.export].configuration
        let type = configuration.text("export_gguf")
        if configuration.isOn("export_gguf_adapter") {
            text(say("F5 writes the adapter alone as GGUF, for llama.cpp's --lora."), in: area.row(0), "ui.placeholder")
            return
        }
        let hasAdapter = !configuration.text("adapter_name_or_path").isEmpty
        let first =
            !type.isEmpty
            ? say("F5 writes one GGUF file (\(type)) for llama.cpp and Ollama:")
            : hasAdapter ? say("F5 merges the adapter into the base model, in fp32 arithmetic:") : say("F5 writes the model anew:")
        var steps = [first, "  " + (hasAdapter ? say("load base and adapter") : say("load the model"))]
        if hasAdapter { steps.append("  " + say("merge layer by layer")) }
        steps.append("  " + (type.isEmpty ? say("write shards, tokenizer, template and model card") : say("write the file with tokenizer and template, a Modelfile beside it")))
        steps.append("  " + say("verify: reload, compare logits with base plus adapter"))
        for (index, step) in steps.prefix(area.height).enumerated() { text(step, in: area.row(index), "ui.placeholder") }
    }
}
