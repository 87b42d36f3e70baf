import Configuration
import Terminal

/// Help and palette.
extension Painter {
    private enum CommandRow {
        case heading(String)
        case entry(Int)
    }

    mutating func drawCommands(_ list: CommandListState, title: String, isTop: Bool) {
        let inside = popup(layout.listPopup, title: title, note: list.filter.text.isEmpty ? say("⏎ runs, Esc closes") : say("⏎ runs, Esc clears"))
        let entries = state.entries(of: list)
        let isGrouped = list.filter.text.isEmpty && !list.isPalette
        let noun: (Int) -> String = { count in
            if isGrouped { return say("\(count) work here; type to search all") }
            if !list.filter.text.isEmpty { return say("\(count) found") }
            return count == 1 ? say("1 command") : say("\(count) commands")
        }
        drawListFilter(list.filter, count: entries.count, noun: noun, isTop: isTop, in: inside.row(0))
        let beneath = state.beneathList
        // Under the list: at its top a reason would read as if it were about all of it.
        let told = entries.indices.contains(list.selection) ? remark(on: entries[list.selection], list, beneath, isGrouped: isGrouped, in: inside.width) : nil
        let remarkRows = told.map { min(2, TextWidth.wrap($0.words, to: inside.width).count) } ?? 1
        let area = inside.droppingFirstRows(2).droppingLastRows(remarkRows)
        if let told { paragraph(told.words, in: inside.droppingFirstRows(inside.height - remarkRows), told.scope) }
        if entries.isEmpty {
            text(say("No command and no field matches."), in: area.row(0), "ui.placeholder")
            return
        }
        var rows: [CommandRow] = []
        if isGrouped {
            var index = 0
            for group in state.helpGroups(of: list) {
                rows.append(.heading(group.title))
                for _ in group.commands {
                    rows.append(.entry(index))
                    index += 1
                }
            }
        } else {
            rows = entries.indices.map { .entry($0) }
        }
        let selected = rows.firstIndex { if case .entry(list.selection) = $0 { true } else { false } } ?? 0
        let top = max(0, min(selected - area.height / 2, rows.count - area.height))
        for (line, row) in rows.dropFirst(top).prefix(area.height).enumerated() {
            let place = area.row(line)
            switch row {
            case .heading(let title): text(say(key: title), in: place, "ui.title")
            case .entry(let index):
                switch entries[index] {
                case .command(let command): drawCommand(command, list, beneath, withPlace: !isGrouped, in: place)
                case .field(let field): drawField(field, in: place)
                }
                hits.append(HitRegion(place, .overlayRow(index)))
                if index == list.selection { grid.overlay(place, style: theme.style("ui.selection")) }
            }
        }
        grid.scrollBar(
            in: Rect(x: area.endX, y: area.y, width: 1, height: area.height), first: top, visible: area.height, total: rows.count,
            theme: theme)
    }

    private func titleRoom(_ command: BoardCommand, isGrouped: Bool, in width: Int) -> Int {
        isGrouped ? width - 19 : width - 22 - min(18, TextWidth.width(of: say(key: command.contexts.first?.title ?? "")))
    }

    /// Why what the cursor is on cannot be done now, or all of its words where the list cuts them; what Enter does with a field.
    private func remark(
        on entry: CommandListEntry, _ list: CommandListState, _ beneath: BoardState, isGrouped: Bool, in width: Int
    ) -> (words: String, scope: String)? {
        switch entry {
        case .command(let command):
            if state.isHere(command, list), let reason = command.refusal(beneath) {
                return (say("Not now: \(reason)"), "ui.warning")
            }
            let title = say(key: command.title)
            return TextWidth.width(of: title) > titleRoom(command, isGrouped: isGrouped, in: width) ? (title, "ui.text.dim") : nil
        case .field(let field):
            return (say("⏎ goes to \(field.argument.name) in \(say(key: field.tab.title))"), "ui.info")
        }
    }

    private mutating func drawCommand(_ command: BoardCommand, _ list: CommandListState, _ beneath: BoardState, withPlace: Bool, in row: Rect) {
        let keyWidth = withPlace ? 20 : 16
        let indent = withPlace ? 0 : 2
        let isHere = state.isHere(command, list)
        let isDim = !isHere || command.refusal(beneath) != nil
        text(command.keyText, x: row.x + indent, y: row.y, width: keyWidth, isHere ? "ui.key" : "ui.key.disabled")
        let place = withPlace ? say(key: command.contexts.first?.title ?? "") : ""
        let x = row.x + indent + keyWidth + 1
        drawTitle(say(key: command.title), place: place, x: x, in: row, isDim ? "ui.text.dim" : "ui.text")
    }

    /// A field by its name, with what it is for and the page that has it.
    private mutating func drawField(_ field: FoundField, in row: Rect) {
        let nameWidth = 20
        text(FieldLabel.short(field.argument.name), x: row.x, y: row.y, width: nameWidth, "ui.field.name")
        drawTitle(FieldLabel.help(field.argument), place: say(key: field.tab.title), x: row.x + nameWidth + 1, in: row, "ui.text")
    }

    private mutating func drawTitle(_ title: String, place: String, x: Int, in row: Rect, _ scope: String) {
        let placeWidth = min(18, TextWidth.width(of: place))
        text(title, x: x, y: row.y, width: row.endX - placeWidth - (place.isEmpty ? 0 : 1) - x, scope)
        text(place, x: row.endX - placeWidth, y: row.y, width: placeWidth, "ui.text.dim")
    }
}
