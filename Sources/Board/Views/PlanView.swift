import Events
import Platform
import Terminal

extension Painter {
    /// Memory, steps and warnings of the configuration in a few lines, under the field's help.
    mutating func drawShortPlan(_ form: FormState, in area: Rect) {
        switch form.plan {
        case .none: text(withoutPlan(form), in: area.row(0), "ui.text.dim")
        case .computing: text(say("estimating…"), in: area.row(0), "ui.text.dim")
        case .failed(let reason, _): paragraph(say(engine: reason), in: area, "ui.warning")
        case .ready(let plan):
            let isTight = plan.availableBytes > 0 && plan.peakBytes > plan.availableBytes
            let lines: [(String, String, String)] = [
                (say("memory"), memory(plan, width: area.width - 9), isTight ? "ui.error" : "ui.text"),
                (say("steps"), NumberText.grouped(plan.totalSteps), "ui.text"),
                (say("samples"), samples(plan), "ui.text"),
                (say("trains"), trained(plan, width: area.width - 9), "ui.text"),
                (say("tokens"), NumberText.count(plan.tokens), "ui.text"),
            ]
            for (index, line) in lines.prefix(area.height).enumerated() {
                pair(line.0, line.1, in: area.row(index), nameWidth: 8, scope: line.2)
            }
            if area.height > lines.count, let warning = plan.warnings.first {
                paragraph("! " + say(engine: warning), in: area.droppingFirstRows(lines.count), "ui.warning")
            }
        }
    }

    /// The whole plan, for wide terminals.
    mutating func drawPlan(_ tab: Tab, in rect: Rect) {
        guard !rect.isEmpty else { return }
        let form = state.forms[tab]
        let inside = box(rect, title: say("Plan"))
        switch form.plan {
        case .none: paragraph(withoutPlan(form), in: inside, "ui.text.dim")
        case .computing: text(say("estimating…"), in: inside.row(0), "ui.text.dim")
        case .failed(let reason, _): paragraph(say(engine: reason), in: inside, "ui.warning")
        case .ready(let plan): drawLines(planLines(plan, form), in: inside)
        }
    }

    /// What stands in place of an estimate.
    func withoutPlan(_ form: FormState) -> String { form.firstError == nil ? say("not estimated yet") : say("no estimate while there are errors") }

    private mutating func drawLines(_ lines: [PlanLine], in area: Rect) {
        var y = area.y
        for line in lines {
            guard y < area.endY else { return }
            if line.name.isEmpty {
                y += paragraph(line.value, in: Rect(x: area.x, y: y, width: area.width, height: min(3, area.endY - y)), line.scope)
            } else {
                pair(line.name, line.value, in: Rect(x: area.x, y: y, width: area.width, height: 1), nameWidth: 13, scope: line.scope)
                y += 1
            }
        }
    }

    private struct PlanLine {
        var name: String
        var value: String
        var scope = "ui.text"
    }

    private func planLines(_ plan: RunPlan, _ form: FormState) -> [PlanLine] {
        let share = plan.parameterCount > 0 ? Double(plan.trainableCount) / Double(plan.parameterCount) : 0
        let isTight = plan.availableBytes > 0 && plan.peakBytes > plan.availableBytes
        var lines = [
            PlanLine(name: say("model"), value: plan.modelName + (plan.architecture.isEmpty ? "" : "  " + plan.architecture)),
            PlanLine(
                name: say("trainable"),
                value: say("\(NumberText.count(plan.trainableCount)) of \(NumberText.count(plan.parameterCount))  (\(Words.percent(share)))")),
            PlanLine(name: say("samples"), value: samples(plan)),
            PlanLine(name: say("tokens"), value: say("\(NumberText.count(plan.tokens)), \(NumberText.count(plan.lossTokens)) carry loss")),
            PlanLine(name: say("longest"), value: say("\(NumberText.grouped(plan.longestSample)) tokens")),
            PlanLine(name: say("steps"), value: say("\(NumberText.grouped(plan.totalSteps))  (\(NumberText.grouped(plan.stepsPerEpoch)) per epoch)")),
            PlanLine(name: say("batch"), value: say("\(plan.effectiveBatch) samples per step")),
            PlanLine(name: say("memory"), value: memory(plan), scope: isTight ? "ui.error" : "ui.text"),
        ]
        if let seconds = plan.trainingSeconds {
            let time = NumberText.duration(seconds)
            lines.append(
                PlanLine(
                    name: say("duration"),
                    value: plan.measuredBy.isEmpty ? say("about \(time)") : say("about \(time), going by \(plan.measuredBy)")))
        }
        for part in plan.memory where part.bytes > 0 {
            lines.append(PlanLine(name: "  " + say(key: part.part), value: NumberText.bytes(part.bytes), scope: "ui.text.dim"))
        }
        if plan.checkpointBytes > 0 {
            lines.append(
                PlanLine(
                    name: say("checkpoint"),
                    value: say("\(NumberText.bytes(plan.checkpointBytes)), disk has \(NumberText.bytes(plan.freeDiskBytes))")))
        }
        for (name, count) in [
            (say("truncated"), plan.truncatedSamples), (say("dropped"), plan.droppedSamples), (say("no loss"), plan.fullyMaskedSamples),
        ] where count > 0 {
            lines.append(PlanLine(name: name, value: say("\(NumberText.grouped(count)) samples"), scope: "ui.warning"))
        }
        let said = Set(form.problems.map(\.message))
        lines += plan.warnings.filter { !said.contains($0) }.map { PlanLine(name: "", value: "! " + say(engine: $0), scope: "ui.warning") }
        lines += form.problems.filter { $0.severity != .error }.map { PlanLine(name: "", value: "! " + $0.words, scope: "ui.warning") }
        return lines
    }

    /// Without the word between where there is no room for it, then without what there is.
    private func memory(_ plan: RunPlan, width: Int) -> String {
        let need = NumberText.bytes(plan.peakBytes)
        let choices = [memory(plan), plan.availableBytes > 0 ? need + "/" + NumberText.bytes(plan.availableBytes) : need]
        return choices.first { TextWidth.width(of: $0) <= width } ?? need
    }

    private func memory(_ plan: RunPlan) -> String {
        plan.availableBytes > 0
            ? say("\(NumberText.bytes(plan.peakBytes)) of \(NumberText.bytes(plan.availableBytes))") : NumberText.bytes(plan.peakBytes)
    }

    private func trained(_ plan: RunPlan, width: Int) -> String {
        let (part, whole) = (NumberText.count(plan.trainableCount), NumberText.count(plan.parameterCount))
        let long = say("\(part) of \(whole)")
        return TextWidth.width(of: long) <= width ? long : part + "/" + whole
    }

    private func samples(_ plan: RunPlan) -> String {
        let train = NumberText.grouped(plan.samples)
        return plan.evalSamples > 0 ? say("\(train) + \(NumberText.grouped(plan.evalSamples)) eval") : train
    }
}
