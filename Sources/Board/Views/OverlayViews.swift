import Configuration
import Platform
import Terminal

extension Painter {
    mutating func draw(_ overlay: Overlay, isTop: Bool) {
        switch overlay {
        case .help(let list): drawCommands(list, title: say("Help"), isTop: isTop)
        case .palette(let list): drawCommands(list, title: say("Commands"), isTop: isTop)
        case .picker(let picker): drawPicker(picker, isTop: isTop)
        case .dialog(let dialog): drawDialog(dialog)
        case .preview(let preview): drawPreview(preview)
        case .form(let tab): drawFormPopup(tab, isTop: isTop)
        case .prompt(let prompt): drawPrompt(prompt, isTop: isTop)
        case .editor(let editor): drawEditor(editor, isTop: isTop)
        case .jump: break
        case .dataset(let view): drawDataset(view)
        case .runs: drawRunsPopup()
        case .comparison(let comparison): drawComparison(comparison)
        case .queue(let selection): drawQueue(selection: selection)
        }
    }

    mutating func popup(_ rect: Rect, title: String, note: String = "") -> Rect {
        hits.append(HitRegion(rect, .overlay))
        return grid.popup(rect, title: title, note: note, theme: theme)
    }

    mutating func drawListFilter(_ filter: TextField, count: Int, noun: (Int) -> String, isTop: Bool, in row: Rect) {
        let words = noun(count)
        let width = TextWidth.width(of: words)
        let used = text("> ", in: row, "ui.key")
        drawTextField(filter, in: Rect(x: row.x + used, y: row.y, width: row.width - used - width - 1, height: 1), hasCursor: isTop)
        text(words, x: row.endX - width, y: row.y, width: width, "ui.text.dim")
    }

    // MARK: Picker

    private mutating func drawPicker(_ picker: PickerState, isTop: Bool) {
        let items = state.items(of: picker)
        // What is cut in the list stands whole under it, for the line under the cursor.
        let rowWidth = layout.listPopup.width - 4
        let remarkRows = items.prefix(300).contains { isCut($0, picker, in: rowWidth) } ? 2 : 0
        let height = max(9, min(items.count + 5 + remarkRows, layout.listPopup.height))
        let note = note(of: picker, items)
        let inside = popup(layout.popup(columns: layout.listPopup.width, rows: height), title: say(key: picker.title), note: note)
        drawListFilter(picker.filter, count: items.count, noun: { $0 == 1 ? say("1 line") : say("\($0) lines") }, isTop: isTop, in: inside.row(0))
        var area = inside.droppingFirstRows(2)
        if items.isEmpty {
            let hint = state.catalog.isScanned ? emptyHint(picker.kind) : say("Looking…")
            paragraph(hint, in: area, "ui.placeholder")
            return
        }
        if remarkRows > 0, items.indices.contains(picker.selection), case let item = items[picker.selection], isCut(item, picker, in: rowWidth) {
            let scope = item.problem == nil ? "ui.text.dim" : "ui.warning"
            paragraph(remark(on: item, picker, in: rowWidth), in: area.droppingFirstRows(area.height - remarkRows), scope)
        }
        area = area.droppingLastRows(remarkRows)
        let top = max(0, min(picker.selection - area.height / 2, items.count - area.height))
        let names = names(items, picker, in: rowWidth)
        for (index, item) in items.enumerated().dropFirst(top).prefix(area.height) {
            let row = area.row(index - top)
            drawItem(item, named: names[index], picker: picker, in: row)
            hits.append(HitRegion(row, .overlayRow(index)))
            if index == picker.selection { grid.overlay(row, style: theme.style("ui.selection")) }
        }
        grid.scrollBar(
            in: Rect(x: area.endX, y: area.y, width: 1, height: area.height), first: top, visible: area.height, total: items.count,
            theme: theme)
    }

    /// What Enter does: where several lines can be taken, it depends on what is marked.
    private func note(of picker: PickerState, _ items: [PickerItem]) -> String {
        guard picker.takesSeveral else { return say("⏎ takes, Esc closes") }
        let item = items.indices.contains(picker.selection) ? items[picker.selection] : nil
        guard let marks = picker.takenMarks(on: item), picker.hasOwnMarks || marks.count > 1 else { return say("space marks, ⏎ takes this line") }
        return marks.count == 1 ? say("space marks, ⏎ takes the marked one") : say("space marks, ⏎ takes \(marks.count) marked")
    }

    /// How the lines of a picker are called: paths of which some are too long go without the folders that all of them lie in.
    private func names(_ items: [PickerItem], _ picker: PickerState, in width: Int) -> [String] {
        let paths = items.indices.filter { items[$0].title == items[$0].value && items[$0].title.contains("/") && !items[$0].isTyped }
        let isTooLong = paths.contains { TextWidth.width(of: items[$0].title) > titleRoom(of: items[$0], picker, in: width) }
        var names = items.map(\.title)
        guard isTooLong else { return names }
        for (index, name) in zip(paths, RunName.withoutSharedFolders(paths.map { items[$0].title })) { names[index] = name }
        return names
    }

    private mutating func drawItem(_ item: PickerItem, named name: String, picker: PickerState, in row: Rect) {
        var x = row.x
        if picker.takesSeveral {
            let place = picker.marked.firstIndex(of: item.value)
            text(place == nil ? "[ ]" : "[x]", x: x, y: row.y, width: 3, place == nil ? "ui.text.dim" : "ui.mark")
            x += 4
        }
        let detail = item.problem ?? item.detail
        // A short name leaves its room to what there is to say.
        let left = row.endX - x - TextWidth.width(of: name) - 2
        let detailWidth = max(detailWidth(of: item, in: row.width), min(TextWidth.width(of: detail), left))
        let room = row.endX - x - (detailWidth > 0 ? detailWidth + 2 : 0)
        // The end of a path tells most, the beginning of anything else.
        let whole = TextWidth.sanitize(name)
        let title = name.contains("/") ? TextWidth.truncateStart(whole, to: room) : whole
        text(title, x: x, y: row.y, width: room, item.problem == nil ? "ui.text" : "ui.field.disabled")
        if TextWidth.width(of: whole) <= room { drawMatches(item, named: name, x: x, y: row.y) }
        text(detail, x: row.endX - detailWidth, y: row.y, width: detailWidth, item.problem == nil ? "ui.text.dim" : "ui.warning")
    }

    private func detailWidth(of item: PickerItem, in width: Int) -> Int { min(TextWidth.width(of: item.problem ?? item.detail), width / 2) }

    private func titleRoom(of item: PickerItem, _ picker: PickerState, in width: Int) -> Int {
        let detail = detailWidth(of: item, in: width)
        return width - (picker.takesSeveral ? 4 : 0) - (detail > 0 ? detail + 2 : 0)
    }

    private func isCut(_ item: PickerItem, _ picker: PickerState, in width: Int) -> Bool {
        TextWidth.width(of: item.problem ?? item.detail) > width / 2 || TextWidth.width(of: item.title) > titleRoom(of: item, picker, in: width)
    }

    /// What is not read to its end in the line itself.
    private func remark(on item: PickerItem, _ picker: PickerState, in width: Int) -> String {
        let detail = TextWidth.sanitize(item.problem ?? item.detail)
        guard TextWidth.width(of: item.title) > titleRoom(of: item, picker, in: width) else { return detail }
        return TextWidth.sanitize(item.title) + "  " + detail
    }

    private mutating func drawMatches(_ item: PickerItem, named name: String, x: Int, y: Int) {
        let characters = Array(name)
        // Folders that are not shown stand before it.
        let hidden = item.title.count - characters.count
        for position in item.matches.map({ $0 - hidden }) where characters.indices.contains(position) {
            let offset = TextWidth.width(of: String(characters[..<position]))
            grid.overlay(
                Rect(x: x + offset, y: y, width: TextWidth.width(of: characters[position]), height: 1), style: theme.style("ui.match"))
        }
    }

    private func emptyHint(_ kind: PickerState.Kind) -> String {
        switch kind {
        case .models: say("No model folders were found. Type the path of one that holds config.json and press ⏎.")
        case .datasets: say("No datasets are registered in \(state.catalog.datasetDirectory)/dataset_info.json. Type a name or a file and press ⏎.")
        case .adapters: say("No adapters under saves/ yet: train one first.")
        case .checkpoints: say("No checkpoints under saves/ yet.")
        case .recipes: say("No recipes were found. Type the path of a YAML file and press ⏎.")
        case .outputDirectories: say("Type a folder and press ⏎.")
        case .templates: say("Type the name of a template and press ⏎.")
        case .choices: say("There is nothing to choose from.")
        case .themes: say("No theme matches.")
        case .conversations: say("No conversation has been saved yet: Ctrl+S in the chat saves one.")
        case .overlayRun: say("There is no other run with a loss to draw.")
        case .history: say("The field had no other value yet.")
        }
    }

    // MARK: Dialog, preview, prompt, form, runs

    private mutating func drawDialog(_ dialog: DialogState) {
        let labels = dialog.choices.map { choice in
            // In other scripts the letter that picks a choice stands beside it.
            choice.label.lowercased().contains(choice.key) ? "[ \(choice.label) ]" : "[ \(choice.label) (\(choice.key)) ]"
        }
        let widest = state.size.columns - 4
        let rows = Self.buttonRows(labels, width: widest - 4)
        let buttonWidth = rows.map { Self.width(of: $0, labels) }.max() ?? 0
        let width = min(max(buttonWidth, 46) + 6, widest)
        let lines = TextWidth.wrap(dialog.text, to: width - 4)
        let inside = popup(layout.popup(columns: width, rows: min(lines.count + 3 + rows.count, state.size.rows - 2)), title: dialog.title,
            // Colours alone do not tell which answer Enter takes.
            note: dialog.choices.indices.contains(dialog.selection) ? "⏎ " + dialog.choices[dialog.selection].label : "")
        paragraph(dialog.text, in: inside.droppingLastRows(1 + rows.count), "ui.text")
        for (number, row) in rows.enumerated() {
            var x = inside.x + max(0, (inside.width - Self.width(of: row, labels)) / 2)
            let y = inside.endY - rows.count + number
            for index in row {
                let used = text(labels[index], x: x, y: y, width: inside.endX - x, index == dialog.selection ? "ui.text.strong" : "ui.text")
                let rect = Rect(x: x, y: y, width: used, height: 1)
                underlineKey(dialog.choices[index], label: labels[index], at: rect)
                if index == dialog.selection { grid.overlay(rect, style: theme.style("ui.selection")) }
                hits.append(HitRegion(rect, .choice(index)))
                x += used + 2
            }
        }
    }

    /// The answers beside each other, in as many rows as they need.
    private static func buttonRows(_ labels: [String], width: Int) -> [[Int]] {
        var rows: [[Int]] = []
        for index in labels.indices {
            if let last = rows.last, Self.width(of: last + [index], labels) <= width { rows[rows.count - 1].append(index) } else { rows.append([index]) }
        }
        return rows
    }

    private static func width(of row: [Int], _ labels: [String]) -> Int {
        row.reduce(0) { $0 + TextWidth.width(of: labels[$1]) } + 2 * max(0, row.count - 1)
    }

    /// The letter that picks a choice, as it stands in its label.
    private mutating func underlineKey(_ choice: DialogState.Choice, label: String, at rect: Rect) {
        guard let index = label.firstIndex(where: { $0.lowercased() == String(choice.key) }) else { return }
        let offset = TextWidth.width(of: String(label[..<index]))
        grid.overlay(Rect(x: rect.x + offset, y: rect.y, width: 1, height: 1), style: theme.style("ui.key"))
    }

    private mutating func drawPreview(_ preview: PreviewState) {
        var title = say(key: preview.style.title)
        if preview.style.isDistributed { title += "  " + say("\(preview.shape.machines) x \(preview.shape.devicesPerMachine) GPUs") }
        var inside = popup(layout.listPopup, title: title, note: say("a style, y copy, Y write, Esc closes"))
        let form = state.forms[preview.tab]
        let notes = CommandPreview.launch(form, preview.style, preview.shape).notes
        if preview.style.isSingleCommand, let note = notes.first {
            text("! " + note, in: inside.row(inside.height - 1), "ui.warning")
            inside = inside.droppingLastRows(1)
        }
        let lines = CommandPreview.wrapped(form, style: preview.style, shape: preview.shape, width: inside.width)
        let top = min(preview.scroll, max(0, lines.count - inside.height))
        for (index, line) in lines.dropFirst(top).prefix(inside.height).enumerated() {
            text(TextWidth.sanitize(line), in: inside.row(index), line.hasPrefix("#") && !line.hasPrefix("#!") && !line.hasPrefix("#SB") ? "ui.text.dim" : "ui.code")
        }
        grid.scrollBar(
            in: Rect(x: inside.endX, y: inside.y, width: 1, height: inside.height), first: top, visible: inside.height,
            total: lines.count, theme: theme)
    }

    private mutating func drawPrompt(_ prompt: PromptState, isTop: Bool) {
        let inside = popup(layout.popup(columns: 64, rows: 5), title: prompt.title, note: say("⏎ accepts"))
        drawTextField(prompt.field, in: inside.row(0), hasCursor: isTop)
        if let problem = prompt.problem { text(problem, in: inside.row(2), "ui.error") }
    }

    private mutating func drawEditor(_ editor: EditorState, isTop: Bool) {
        let inside = popup(layout.listPopup, title: editor.title, note: say("^S takes, Esc leaves it as it was"))
        let hint =
            switch editor.purpose {
            case .systemPrompt: say("What the model is told before the conversation. Empty for the template's own.")
            case .tools: "[{\"name\": \"get_weather\", \"description\": \"…\", \"parameters\": {\"type\": \"object\", \"properties\": {…}}}]"
            }
        let place = editor.area.draw(
            into: &grid, inside.droppingLastRows(2), style: theme.style("chat.text"), placeholder: hint,
            placeholderStyle: theme.style("ui.placeholder"))
        if isTop { cursor = place }
        let last = inside.row(inside.height - 1)
        if let problem = editor.problem {
            text("✗ " + problem, in: last, "ui.error")
        } else if editor.purpose == .tools, !editor.area.isEmpty {
            text("✓ " + say("Tools offered: \(ToolList.count(in: editor.area.text))"), in: last, "ui.success")
        }
    }

    private mutating func drawFormPopup(_ tab: Tab, isTop: Bool) {
        let inside = popup(layout.formPopup, title: say("Model, system prompt and sampling"), note: say("Esc closes, F5 loads the model"))
        drawFormRows(tab, in: inside.droppingLastRows(3), isFocused: isTop)
        let help = inside.droppingFirstRows(inside.height - 2)
        guard let row = state.forms[tab].selectedField else { return }
        text(FieldLabel.help(row.argument), in: help.row(0), "ui.text.dim")
        let facts = say("default \(row.argument.defaultText.isEmpty ? say("none") : row.argument.defaultText) · \(row.argument.allowedWords)")
        text(row.problem?.words ?? facts, in: help.row(1), row.problem == nil ? "ui.text.dim" : "ui.error")
    }

    private mutating func drawRunsPopup() {
        hits.append(HitRegion(layout.listPopup, .overlay))
        drawRuns(in: layout.listPopup, pane: nil)
    }
}
