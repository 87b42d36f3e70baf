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
        let inside = box(rect, title: "Plan")
        switch state.forms[.export].plan {
        case .none: paragraph(withoutPlan(state.forms[.export]), in: inside, "ui.text.dim")
        case .computing: text("looking at the model…", in: inside.row(0), "ui.text.dim")
        case .failed(let reason): paragraph(reason, in: inside, "ui.warning")
        case .ready(let plan): drawExportPlan(plan, in: inside)
        }
    }

    private mutating func drawExportPlan(_ plan: RunPlan, in inside: Rect) {
        var lines: [(String, String, String)] = []
        if plan.parameterCount > 0 { lines.append(("model", "\(plan.modelName)  \(NumberText.count(plan.parameterCount))", "ui.text")) }
        for part in plan.memory where part.bytes > 0 { lines.append((part.part, NumberText.bytes(part.bytes), "ui.text")) }
        if plan.checkpointBytes > 0 { lines.append(("writes", NumberText.bytes(plan.checkpointBytes), "ui.text")) }
        if plan.freeDiskBytes > 0 {
            let isTight = plan.freeDiskBytes < plan.checkpointBytes
            lines.append(("disk free", NumberText.bytes(plan.freeDiskBytes), isTight ? "ui.error" : "ui.text"))
        }
        if plan.peakBytes > 0 { lines.append(("memory", NumberText.bytes(plan.peakBytes), "ui.text")) }
        for (index, line) in lines.prefix(inside.height).enumerated() {
            pair(line.0, line.1, in: inside.row(index), nameWidth: 10, scope: line.2)
        }
        let rest = inside.droppingFirstRows(lines.count)
        if let warning = plan.warnings.first, !rest.isEmpty { paragraph("! " + warning, in: rest, "ui.warning") }
    }

    /// Every phase that was seen, the last one with its bar, then the outcome with what verification found.
    private mutating func drawExportProgress(in rect: Rect) {
        let inside = box(rect, title: "Progress")
        guard let run = state.jobs[.export] else {
            drawExportSteps(in: inside)
            return
        }
        var rows: [ProgressRecord] = run.progress
        let outcome = outcomeWords(run)
        let room = inside.height - (outcome == nil ? 0 : 2)
        if rows.count > room { rows.removeFirst(rows.count - max(1, room)) }
        var y = inside.y
        for (index, record) in rows.enumerated() {
            let isDone = index < rows.count - 1 || (record.total > 0 && record.completed >= record.total) || run.state == .finished
            let line = Rect(x: inside.x + 2, y: y, width: inside.width - 2, height: 1)
            text(isDone ? "✓" : "▶", x: inside.x, y: y, width: 1, isDone ? "ui.success" : "ui.mark")
            if isDone {
                let used = text(record.phase, in: line, "ui.text")
                text(record.detail, x: line.x + max(24, used + 2), y: y, width: line.width - max(24, used + 2), "ui.text.dim")
            } else {
                drawProgressLine(run, in: line)
            }
            y += 1
        }
        guard let outcome else { return }
        let area = Rect(x: inside.x, y: y, width: inside.width, height: inside.endY - y)
        paragraph(run.summary.map { $0.text.isEmpty ? outcome.0 : "✓ " + $0.text } ?? outcome.0, in: area, outcome.1)
    }

    private mutating func drawExportSteps(in area: Rect) {
        let steps = [
            "F5 merges the adapter into the base model, in fp32 arithmetic:", "  load base and adapter",
            "  merge layer by layer", "  write shards, tokenizer, template and model card",
            "  verify: reload, compare logits with base plus adapter",
        ]
        for (index, step) in steps.prefix(area.height).enumerated() { text(step, in: area.row(index), "ui.placeholder") }
    }
}
