import Platform
import Terminal

extension BoardState {
    /// A key: to the innermost context that knows it, otherwise into the text being typed.
    mutating func handle(_ key: Key) -> [Effect] {
        status = nil
        let typing = takesText
        if let command = CommandTable.command(for: key, in: contexts, whileTyping: typing) { return perform(command) }
        if case .jump = overlays.last { return typeJump(key) }
        if case .dialog(let dialog) = overlays.last { return chooseByLetter(key, in: dialog) }
        if case .function = key.code, key.modifiers.contains(.alt) {
            // Esc and a function key in quick succession arrive as one key with Alt.
            return handle(Key(.escape)) + handle(Key(key.code, key.modifiers.subtracting(.alt)))
        }
        if typing { return type(key) }
        status = StatusMessage(.note, say("\(key.label) does nothing here. ? lists the keys."))
        return []
    }

    /// Pasted text goes where typed text goes; without a place for text it is dropped with a word.
    mutating func paste(_ text: String) -> [Effect] {
        status = nil
        guard takesText else {
            status = StatusMessage(.note, say("There is no text field to paste into."))
            return []
        }
        if case .editor = overlays.last { return typeInEditor { $0.insert(text) } }
        if overlays.isEmpty, focus == .message {
            chat.input.insert(text)
            return []
        }
        let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
        let shown = line.prefix(pasteLimit)
        let effects = editText { $0.insert(String(shown)) }
        if shown.endIndex < line.endIndex { status = cutPaste(shown.count) }
        return effects
    }

    /// Characters that a line of text takes at once. What is searched for is looked up in everything there is at every frame.
    private var pasteLimit: Int {
        switch contexts.first {
        case .fieldEdit, .prompt: 8_192
        // A path may be written into the filter.
        case .picker, .markingPicker: 4_096
        default: 200
        }
    }

    func cutPaste(_ count: Int) -> StatusMessage {
        StatusMessage(.warning, say("Only the first \(NumberText.grouped(count)) characters of what was pasted are taken."))
    }

    private mutating func type(_ key: Key) -> [Effect] {
        if case .editor = overlays.last {
            let width = layout.editor.width
            return typeInEditor { _ = $0.handle(key, width: width) }
        }
        if overlays.isEmpty, focus == .message {
            if chat.input.handle(key, width: messageWidth) { chat.recall = nil }
            return []
        }
        return editText { _ = $0.handle(key) }
    }

    /// Changes the text field that has the cursor, then does what a changed text asks for.
    private mutating func editText(_ change: (inout TextField) -> Void) -> [Effect] {
        switch overlays.last {
        case .help(var list):
            search(&list, change)
            overlays[overlays.count - 1] = .help(list)
            return []
        case .palette(var list):
            search(&list, change)
            overlays[overlays.count - 1] = .palette(list)
            return []
        case .picker(var picker):
            let before = picker.filter.text
            change(&picker.filter)
            if picker.filter.text != before { picker.selection = 0 }
            overlays[overlays.count - 1] = .picker(picker)
            return []
        case .prompt(var prompt):
            change(&prompt.field)
            prompt.problem = nil
            overlays[overlays.count - 1] = .prompt(prompt)
            return []
        case .form(let tab):
            editFormText(tab, change)
            return []
        case .runs:
            changeRunFilter(change)
            return []
        case .dialog, .preview, .comparison, .queue, .editor, .jump, .dataset: return []
        case nil:
            switch focus {
            case .log: changeLogDraft(change)
            case .runs: changeRunFilter(change)
            case .form, .results, .samples, .transcript, .message, .chart: editFormText(tab, change)
            }
            return []
        }
    }

    private func search(_ list: inout CommandListState, _ change: (inout TextField) -> Void) {
        let before = list.filter.text
        change(&list.filter)
        guard list.filter.text != before else { return }
        list.selection = 0
        list.fields = list.filter.text.trimmingSpaces.isEmpty ? [] : FoundField.search(list.filter.text, from: tab)
    }

    private mutating func editFormText(_ tab: Tab, _ change: (inout TextField) -> Void) {
        if var edit = forms[tab].edit {
            change(&edit.field)
            edit.problem = forms[tab].problemWithText(edit.field.text, for: edit.argument)
            forms[tab].edit = edit
        } else if var filter = forms[tab].filter {
            change(&filter)
            forms[tab].filter = filter
            forms[tab].selectFirstField()
            lookElsewhere(than: tab)
        }
    }

    private mutating func chooseByLetter(_ key: Key, in dialog: DialogState) -> [Effect] {
        guard let letter = key.typedCharacter?.lowercased().first,
            let choice = dialog.choices.first(where: { $0.key == letter })
        else { return [] }
        overlays.removeLast()
        return carryOut(choice.intent)
    }
}
