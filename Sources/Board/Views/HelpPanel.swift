import Configuration
import Platform
import Terminal

extension Painter {
    /// Everything there is to know about the field under the cursor.
    mutating func drawFieldHelp(_ tab: Tab, in rect: Rect, withPlan: Bool) {
        guard rect.height > 2 else { return }
        let form = state.forms[tab]
        guard let row = form.selectedField else {
            let inside = box(rect, title: say("Help"))
            if let words = inapplicableWords(form) {
                paragraph(words, in: inside, "ui.text.dim")
                return
            }
            paragraph(say("⏎ opens or folds a section. / finds any field by name or by what it does."), in: inside, "ui.text.dim")
            return
        }
        var area = box(rect, title: row.name)
        if withPlan, area.height >= 14 {
            let planRows = min(6, area.height / 3)
            drawShortPlan(form, in: Rect(x: area.x, y: area.endY - planRows, width: area.width, height: planRows))
            area = area.droppingLastRows(planRows + 1)
        }
        let remark = fieldRemark(row, tab)?.long
        var help = row.argument.help.isEmpty ? say("No description.") : FieldLabel.help(row.argument)
        // Where there is no room for all, what is special about the value goes before what the field is.
        if let remark, area.height > 2, area.height < 9 { help = remark }
        if area.height <= 2 {
            // Compact: the sentence, then what may be written.
            let isPlain = row.problem == nil && row.elsewhereReason == nil && row.inapplicableReason == nil
            // What a field is for goes before what may be written, which is said while it is typed.
            if isPlain, TextWidth.width(of: help) > area.width {
                paragraph(help, in: area, "ui.text")
                return
            }
            paragraph(help, in: area.row(0), "ui.text")
            text(problemOrFacts(row, form), in: area.row(1), row.problem == nil ? "ui.text.dim" : "ui.error")
            return
        }
        // What a field is for is read to its end; where there is little room its default and the like give way.
        let helpRows = area.height > 8 ? area.height * 2 / 3 : area.height
        var y = area.y + paragraph(help, in: Rect(x: area.x, y: area.y, width: area.width, height: max(1, helpRows)), "ui.text")
        if area.endY - y > 3 { y += 1 }
        let facts = facts(row, form, remark: area.height < 9 ? nil : remark)
        let nameWidth = min(8, facts.map { TextWidth.width(of: $0.name) }.max() ?? 8)
        let valueWidth = area.width - nameWidth - 1
        for fact in facts {
            guard y < area.endY else { return }
            if !fact.mayWrap {
                // A flag is copied by hand: never broken, and without its name where there is no room for both.
                let isLong = TextWidth.width(of: fact.value) > valueWidth
                if !isLong { text(fact.name, x: area.x, y: y, width: nameWidth, "ui.text.dim") }
                let x = isLong ? area.x : area.x + nameWidth + 1
                text(fact.value, x: x, y: y, width: area.endX - x, fact.scope)
                y += 1
                continue
            }
            let wrapped = TextWidth.wrap(fact.value, to: max(8, valueWidth))
            for (index, line) in wrapped.enumerated() where y < area.endY {
                if index == 0 { text(fact.name, x: area.x, y: y, width: nameWidth, "ui.text.dim") }
                let isCut = y == area.endY - 1 && index < wrapped.count - 1
                let shown = isCut ? TextWidth.prefix(of: line, cells: valueWidth - 1) + "…" : line
                text(shown, x: area.x + nameWidth + 1, y: y, width: valueWidth, fact.scope)
                y += 1
            }
        }
        guard area.height > 12, y + 1 < area.endY else { return }
        drawHistory(row.name, form, in: Rect(x: area.x, y: y + 1, width: area.width, height: area.endY - y - 1))
    }

    /// Why the fields of a folded line do not apply, and which they are; nil for any other line.
    private func inapplicableWords(_ form: FormState) -> String? {
        guard case .inapplicable(let section, let names, let reason, _)? = form.rows.first(where: { $0.identity == form.selection }),
            form.selection == .inapplicable(section)
        else { return nil }
        return reason + Wording.current.language.sentenceSpace + names.map(FieldLabel.short).joined(separator: ", ")
    }

    private func problemOrFacts(_ row: FieldRow, _ form: FormState) -> String {
        if let problem = row.problem { return "✗ " + problem.words }
        if let reason = row.elsewhereReason { return say("not here: \(reason)") }
        if let reason = row.inapplicableReason { return say("does not apply: \(reason)") }
        if let remark = fieldRemark(row, form.tab) { return remark.long }
        return say("default \(row.argument.defaultText.isEmpty ? say("none") : row.argument.defaultText) · \(row.argument.allowedWords)")
    }

    private struct Fact {
        var name: String
        var value: String
        var scope: String
        var mayWrap = true
    }

    private func facts(_ row: FieldRow, _ form: FormState, remark: String?) -> [Fact] {
        let argument = row.argument
        var facts: [Fact] = []
        if let problem = row.problem {
            let isError = problem.severity == .error
            facts.append(Fact(name: isError ? say("✗ error") : say("! note"), value: problem.words, scope: isError ? "ui.error" : "ui.warning"))
        } else if let reason = row.elsewhereReason {
            facts.append(Fact(name: say("not here"), value: reason, scope: "ui.warning"))
        } else if let reason = row.inapplicableReason {
            facts.append(Fact(name: say("off"), value: reason, scope: "ui.warning"))
        } else if case .notice(let reason) = argument.support, row.isSet {
            facts.append(Fact(name: say("note"), value: reason, scope: "ui.warning"))
        } else if let remark {
            facts.append(Fact(name: say("note"), value: remark, scope: "ui.text.dim"))
        }
        facts.append(Fact(name: say("default"), value: argument.defaultText.isEmpty ? say("none") : argument.defaultText, scope: "ui.text"))
        facts.append(Fact(name: say("takes"), value: argument.allowedWords, scope: "ui.text"))
        facts.append(Fact(name: say("flag"), value: "--" + argument.name, scope: "ui.code", mayWrap: false))
        facts.append(Fact(name: say("set by"), value: source(row, form), scope: "ui.text"))
        return facts
    }

    private func source(_ row: FieldRow, _ form: FormState) -> String {
        if row.isFollowing { return say("the board: it follows another field") }
        if let was = row.was { return say("you (was \(was.isEmpty ? say("none") : was))") }
        guard row.isSet else { return say("the default") }
        return form.recipePath.map { Path.name($0) } ?? say("the board")
    }

    private mutating func drawHistory(_ name: String, _ form: FormState, in area: Rect) {
        var values: [String] = [form.configuration.text(name)]
        for change in form.undoStack.reversed() {
            let value = change.configuration.text(name)
            if values.last != value { values.append(value) }
        }
        guard values.count > 1, area.height > 1 else { return }
        text(say("History of this field"), in: area.row(0), "ui.text.dim")
        for (index, value) in values.prefix(area.height - 1).enumerated() {
            text("  \(value.isEmpty ? say("none") : value)\(index == 0 ? "   " + say("now") : "")", in: area.row(index + 1), "ui.text")
        }
    }
}
