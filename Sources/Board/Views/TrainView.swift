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
        let lines = CommandPreview.wrapped(state.forms[tab], style: .minimal, width: inside.width)
        let room = inside.height - 1
        for (index, line) in lines.prefix(room).enumerated() {
            let isCut = index == room - 1 && lines.count > room
            text(isCut ? TextWidth.fit(line, to: max(0, inside.width - 1)) + "…" : line, in: inside.row(index), "ui.code")
        }
        drawFormVerdict(tab, in: inside.row(inside.height - 1))
    }

    private mutating func drawFormVerdict(_ tab: Tab, in row: Rect) {
        let problems = state.forms[tab].problems
        let errors = problems.filter { $0.severity == .error }
        let warnings = problems.filter { $0.severity == .warning }
        if let first = errors.first {
            let count = errors.count == 1 ? say("1 error") : say("\(errors.count) errors")
            text("✗ \(count): \(first.message)", in: row, "ui.error")
        } else if let first = warnings.first {
            let count = warnings.count == 1 ? say("1 warning") : say("\(warnings.count) warnings")
            text(say("! 0 errors, \(count): \(first.message)"), in: row, "ui.warning")
        } else {
            text(say("✓ ready: F5 starts"), in: row, "ui.success")
        }
    }
}

/// The preview of a form as text to copy.
enum CommandPreview {
    static func text(of form: FormState, style: PreviewState.Style) -> String {
        let configuration = form.configuration
        switch style {
        case .minimal: return configuration.commandLine(form.tab.command, style: .minimal)
        case .full: return configuration.commandLine(form.tab.command, style: .full)
        case .factory: return configuration.commandLine(form.tab.command, style: .llamaFactory)
        case .yaml: return configuration.yaml()
        }
    }

    /// The command in lines no wider than `width`, continued by backslashes.
    static func wrapped(_ form: FormState, style: PreviewState.Style, width: Int) -> [String] {
        let text = text(of: form, style: style)
        guard style != .yaml else { return text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) }
        let units = units(of: form, style: style)
        var lines: [String] = []
        var line = ""
        for unit in units {
            let candidate = line.isEmpty ? unit : line + " " + unit
            if TextWidth.width(of: candidate) + 2 > width, !line.isEmpty {
                lines.append(line + " \\")
                line = "  " + unit
            } else {
                line = candidate
            }
        }
        lines.append(line)
        return lines
    }

    /// The command and each option with its value, quoted.
    private static func units(of form: FormState, style: PreviewState.Style) -> [String] {
        let command: CommandLineStyle = style == .full ? .full : style == .factory ? .llamaFactory : .minimal
        var units: [String] = []
        for word in form.configuration.arguments(form.tab.command, style: command) {
            let quoted = Configuration.shellQuoted(word)
            if let last = units.last, last.hasPrefix("--"), !last.contains(" "), !word.hasPrefix("--") {
                units[units.count - 1] = last + " " + quoted
            } else {
                units.append(quoted)
            }
        }
        // The program, the command and the recipe belong on one line.
        let head = units.prefix { !$0.hasPrefix("--") }
        return [head.joined(separator: " ")] + units.dropFirst(head.count)
    }
}
