import Configuration
import Terminal

extension Painter {
    mutating func drawTrain() {
        let page = layout.train
        drawForm(.train, in: page.form)
        drawFieldHelp(.train, in: page.help, withPlan: page.plan.isEmpty)
        drawPlan(.train, in: page.plan)
        if !page.runs.isEmpty { drawRuns(in: page.runs, pane: .runs) }
        drawCommand(.train, in: page.command)
    }

    /// The command that the form stands for, wrapped, with the state of the form under it.
    mutating func drawCommand(_ tab: Tab, in rect: Rect) {
        guard rect.height > 2 else { return }
        let inside = box(rect, title: say("Command"), note: say("y copies, v shows all"))
        let lines = CommandPreview.wrapped(state.forms[tab], style: .command, width: inside.width)
        let (verdict, scope) = formVerdict(tab)
        let words = TextWidth.wrap(verdict, to: inside.width)
        // What is wrong is read to its end where the command leaves rows.
        let verdictRows = min(words.count, max(1, inside.height - lines.count))
        let room = inside.height - verdictRows
        for (index, line) in lines.prefix(room).enumerated() {
            let isCut = index == room - 1 && lines.count > room
            text(isCut ? TextWidth.fit(line, to: max(0, inside.width - 1)) + "…" : line, in: inside.row(index), "ui.code")
        }
        paragraph(verdict, in: inside.droppingFirstRows(room), scope)
    }

    /// How the form stands, in a sentence.
    private func formVerdict(_ tab: Tab) -> (String, String) {
        let form = state.forms[tab]
        let problems = form.problems
        let errors = problems.filter { $0.severity == .error }
        let warnings = problems.filter { $0.severity == .warning }
        if let first = errors.first {
            let count = errors.count == 1 ? say("1 error") : say("\(errors.count) errors")
            return ("✗ \(count): \(first.words)", "ui.error")
        } else if let refusal = form.refusal {
            return ("✗ " + refusal, "ui.error")
        } else if case .failed(let reason, _) = form.plan {
            return ("✗ " + say(engine: reason), "ui.error")
        } else if form.plan == .computing {
            return (say("estimating…"), "ui.text.dim")
        } else if let first = warnings.first {
            let count = warnings.count == 1 ? say("1 warning") : say("\(warnings.count) warnings")
            return (say("! 0 errors, \(count): \(first.words)"), "ui.warning")
        } else if state.startRefusal() != nil {
            return (say("✓ ready when the job at work ends; A queues it"), "ui.success")
        } else {
            return (say("✓ ready: F5 starts"), "ui.success")
        }
    }
}
