import Configuration
import Platform
import Terminal

extension Painter {
    /// A form in its box, with the recipe in the title.
    mutating func drawForm(_ tab: Tab, in rect: Rect) {
        guard !rect.isEmpty else { return }
        let form = state.forms[tab]
        let inside = box(rect, title: formTitle(form, width: rect.width - 6), note: formNote(form), pane: .form)
        drawFormRows(tab, in: inside, isFocused: state.overlays.isEmpty && state.focus == .form)
    }

    private func formTitle(_ form: FormState, width: Int) -> String {
        let name = form.recipePath ?? say("\(say(key: form.tab.title)) settings")
        let following = form.followingNames
        let changes = form.changedNames.count - following.count
        guard changes > 0 else { return name }
        let words = changes == 1 ? say("1 change") : say("\(changes) changes")
        guard !following.isEmpty else { return "\(name)  ● \(words)" }
        let long = "● " + say("\(words) (\(following.map(FieldLabel.short).joined(separator: ", ")) follows)")
        // What has changed tells more than the name of the page that one is on.
        return TextWidth.width(of: name + long) + 2 <= width || form.recipePath != nil ? "\(name)  \(long)" : long
    }

    private func formNote(_ form: FormState) -> String {
        let errors = form.allProblems.filter { $0.severity == .error }.count
        guard errors > 0 else { return layout.isCompact ? planNote(form) : "" }
        return errors == 1 ? say("1 error") : say("\(errors) errors")
    }

    /// The plan in a few words, where it has no panel of its own.
    private func planNote(_ form: FormState) -> String {
        guard case .ready(let plan) = form.plan else { return "" }
        switch form.tab {
        case .train, .monitor: return say("\(NumberText.grouped(plan.totalSteps)) steps, \(NumberText.bytes(plan.peakBytes))")
        case .export: return plan.checkpointBytes > 0 ? say("writes \(NumberText.bytes(plan.checkpointBytes))") : ""
        case .evaluate, .chat: return ""
        }
    }

    mutating func drawFormRows(_ tab: Tab, in area: Rect, isFocused: Bool) {
        let form = state.forms[tab]
        let rows = form.rows
        var list = area
        if let filter = form.filter {
            drawFilter(filter, isTyping: form.isFiltering && isFocused, count: rows.count, in: area.row(0))
            list = area.droppingFirstRows(1)
        }
        if rows.isEmpty {
            drawNothingFound(tab, in: list)
            return
        }
        var y = list.y
        var index = form.top
        while y < list.endY, index < rows.count {
            let line = Rect(x: list.x, y: y, width: list.width, height: 1)
            drawFormRow(rows[index], form: form, in: line, isFocused: isFocused)
            hits.append(HitRegion(line, .formRow(tab, rows[index].identity)))
            y += 1
            if case .field(let row) = rows[index], y < list.endY, let note = noteBelow(row, form) {
                text("  " + note.text, in: Rect(x: list.x + 2, y: y, width: list.width - 2, height: 1), note.scope)
                y += 1
            }
            index += 1
        }
        grid.scrollBar(
            in: Rect(x: list.endX, y: list.y, width: 1, height: list.height), first: form.top, visible: list.height, total: rows.count,
            theme: theme)
    }

    /// The form has no such field; perhaps another page has.
    private mutating func drawNothingFound(_ tab: Tab, in area: Rect) {
        text(say("No argument of \(say(key: tab.title)) matches. Esc clears the filter."), in: area.row(0), "ui.placeholder")
        guard let field = state.forms[tab].elsewhere, area.height > 1 else { return }
        text(say("⏎ goes to \(field.argument.name) in \(say(key: field.tab.title))"), in: area.row(1), "ui.info")
    }

    private mutating func drawFilter(_ filter: TextField, isTyping: Bool, count: Int, in rect: Rect) {
        let label = text("/", in: rect, "ui.key")
        let countText = count == 1 ? say("1 field") : say("\(count) fields")
        let countWidth = TextWidth.width(of: countText)
        let field = Rect(x: rect.x + label, y: rect.y, width: rect.width - label - countWidth - 1, height: 1)
        drawTextField(filter, in: field, hasCursor: isTyping)
        text(countText, x: rect.endX - countWidth, y: rect.y, width: countWidth, "ui.text.dim")
    }

    /// A text field with the terminal's cursor in it when it is the one being typed in.
    mutating func drawTextField(_ field: TextField, in rect: Rect, hasCursor: Bool) {
        let place = field.draw(into: &grid, rect, style: theme.style("ui.field.edit"))
        if hasCursor { cursor = place }
    }

    /// What stands under a field: what is wrong while it is typed in, and for the field under the cursor.
    private func noteBelow(_ row: FieldRow, _ form: FormState) -> (text: String, scope: String)? {
        if let edit = form.edit, edit.argument == row.name {
            if let problem = edit.problem { return ("✗ " + withoutName(problem, row.name), "ui.error") }
            return (row.argument.allowedWords, "ui.text.dim")
        }
        return nil
    }

    /// `learning_rate is "abc"; it must be a number.` under the field itself: only what is asked for.
    private func withoutName(_ problem: String, _ name: String) -> String {
        guard problem.hasPrefix(name + " "), let mark = problem.firstRange(of: "; ") ?? problem.firstRange(of: "；") else { return problem }
        return String(problem[mark.upperBound...])
    }

    private mutating func drawFormRow(_ row: FormRow, form: FormState, in line: Rect, isFocused: Bool) {
        let isSelected = row.identity == form.selection
        switch row {
        case .section(let title, let isOpen, let fieldCount, let changedCount, let problemCount):
            drawSection(
                title, isOpen: isOpen, fieldCount: fieldCount, changedCount: changedCount, problemCount: problemCount, in: line)
        case .inapplicable(_, let names, let reason, let isOpen):
            let mark = "    \(isOpen ? "▾" : "▸") "
            let long = mark + (names.count == 1 ? say("1 field does not apply: \(reason)") : say("\(names.count) fields do not apply: \(reason)"))
            let words = TextWidth.width(of: long) <= line.width ? long : mark + say("\(names.count) off: \(reason.withoutFullStop)")
            text(words, in: line, "ui.field.disabled")
        case .field(let field): drawField(field, form: form, in: line, isSelected: isSelected)
        }
        guard isSelected else { return }
        if isFocused {
            if form.edit == nil { grid.overlay(line, style: theme.style("ui.selection")) }
        } else {
            grid.overlay(line, style: theme.style("ui.selection.unfocused"))
        }
    }

    private mutating func drawSection(
        _ title: String, isOpen: Bool, fieldCount: Int, changedCount: Int, problemCount: Int, in line: Rect
    ) {
        let used = text("  \(isOpen ? "▾" : "▸") \(sectionTitle(title))", in: line, "ui.field.group")
        var note = isOpen ? "" : fieldCount == 1 ? say("1 field") : say("\(fieldCount) fields")
        if changedCount > 0, !isOpen { note += ", " + say("\(changedCount) changed") }
        var scope = "ui.text.dim"
        if problemCount > 0, !isOpen {
            note += ", " + (problemCount == 1 ? say("1 error") : say("\(problemCount) errors"))
            scope = "ui.error"
        }
        text(note, x: line.x + used + 2, y: line.y, width: line.width - used - 2, scope)
    }

    /// Groups of the argument table that the page's own sections leave are called `More: …`.
    private func sectionTitle(_ title: String) -> String {
        title.hasPrefix("More: ") ? say("More: \(say(key: String(title.dropFirst(6))))") : say(key: title)
    }

    private mutating func drawField(_ row: FieldRow, form: FormState, in line: Rect, isSelected: Bool) {
        let isOff = row.elsewhereReason != nil || row.inapplicableReason != nil
        let isEditing = form.edit?.argument == row.name
        text(isSelected ? "▶" : " ", x: line.x, y: line.y, width: 1, "ui.mark")
        let nameWidth = line.width >= 54 ? 20 : line.width >= 42 ? 17 : 15
        let nameX = line.x + 4
        text(FieldLabel.short(row.name), x: nameX, y: line.y, width: nameWidth, isOff ? "ui.field.disabled" : "ui.field.name")
        let valueX = nameX + nameWidth + 1
        let valueRoom = line.endX - valueX
        if isEditing, let edit = form.edit {
            drawTextField(edit.field, in: Rect(x: valueX, y: line.y, width: valueRoom, height: 1), hasCursor: true)
            return
        }
        var value = FieldValue.shown(row)
        if FieldValue.isPath(row.argument) { value = TextWidth.truncateStart(value, to: valueRoom) }
        let used = text(value, x: valueX, y: line.y, width: valueRoom, valueScope(row, isOff: isOff))
        let left = valueRoom - used - 1
        let note = fieldNote(row, form, room: left)
        // What is wrong may be cut; a mere hint is shown whole or not at all.
        guard left > 3, !note.text.isEmpty, row.problem != nil || TextWidth.width(of: note.text) <= left else { return }
        let shown = TextWidth.truncate(note.text, to: left)
        text(shown, x: line.endX - TextWidth.width(of: shown), y: line.y, width: left, note.scope)
    }

    private func valueScope(_ row: FieldRow, isOff: Bool) -> String {
        if row.problem?.severity == .error { return "ui.field.invalid" }
        if isOff { return "ui.field.disabled" }
        if row.was != nil { return "ui.field.changed" }
        return row.value.isEmpty ? "ui.placeholder" : "ui.field.value"
    }

    /// What stands at the right of a field: what is wrong with it, why it is off, what it was, or that it has a picker.
    private func fieldNote(_ row: FieldRow, _ form: FormState, room: Int) -> (text: String, scope: String) {
        if let problem = row.problem {
            switch problem.severity {
            case .error: return ("✗ " + problem.words, "ui.error")
            case .warning: return ("! " + problem.words, "ui.warning")
            case .notice: return ("! " + problem.words, "ui.info")
            }
        }
        if row.elsewhereReason != nil { return (say("not here"), "ui.field.disabled") }
        if row.inapplicableReason != nil { return (say("does not apply"), "ui.field.disabled") }
        if let remark = fieldRemark(row, form.tab) {
            return (TextWidth.width(of: remark.long) <= room ? remark.long : remark.short, "ui.text.dim")
        }
        if row.isFollowing { return (say("● follows"), "ui.field.changed") }
        if let was = row.was {
            if row.argument.isFlag || row.argument.isSecret { return (say("● changed"), "ui.field.changed") }
            return (say("● was \(was.isEmpty ? say("not set") : was)"), "ui.field.changed")
        }
        if case .choices = PickerState.Kind(argument: row.argument) { return ("", "ui.text.dim") }
        return PickerState.Kind(argument: row.argument) == nil ? ("", "ui.text.dim") : (say("[pick]"), "ui.text.dim")
    }
}

extension Painter {
    /// What is worth knowing about a value that is not wrong.
    func fieldRemark(_ row: FieldRow, _ tab: Tab) -> (long: String, short: String)? {
        guard tab == .evaluate, row.name == "eval_dataset", state.evaluatesTrainingData else { return nil }
        return (say("the training set: shows memory, not skill"), say("training set"))
    }
}

/// How values look in a form.
enum FieldValue {
    /// Paths are cut at the front: their last parts tell most.
    static func isPath(_ argument: Argument) -> Bool {
        argument.name.hasSuffix("_path") || argument.name.hasSuffix("_dir") || argument.name.hasSuffix("_checkpoint")
    }

    static func shown(_ row: FieldRow) -> String {
        if row.argument.isSecret, !row.value.isEmpty { return "••••••" }
        switch row.argument.kind {
        case .flag: return row.value == "true" ? "[x]" : row.value == "false" ? "[ ]" : "[ ] " + say("not set")
        case .choice: return "‹ \(row.value.isEmpty ? say("not set") : row.value) ›"
        case .list:
            let parts = row.value.split(separator: ",")
            return parts.count > 1 ? "\(parts.joined(separator: ", "))  (\(parts.count))" : row.value.isEmpty ? say("none") : row.value
        case .integer, .number, .text, .numbers, .mapping: return row.value.isEmpty ? say("none") : row.value
        }
    }
}
