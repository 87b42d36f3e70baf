import Configuration
import Platform
import Terminal

extension BoardState {
    /// Hands the selected field to the editor, or the whole form when the cursor is on a heading.
    mutating func editFieldInEditor() -> [Effect] {
        guard let tab = activeFormTab, case .field(let name) = forms[tab].selection else { return editFormInEditor() }
        if let argument = ArgumentTable.argument(named: name), argument.isSecret {
            status = StatusMessage(.warning, say("A secret does not go through a file. ⏎ edits it here."))
            return []
        }
        return [.editText(.field(tab, name), text: forms[tab].configuration.text(name))]
    }

    mutating func editFormInEditor() -> [Effect] {
        let tab = activeFormTab ?? pageForm
        return [.editText(.form(tab), text: Self.editorHead(tab) + forms[tab].configuration.yaml())]
    }

    private static func editorHead(_ tab: Tab) -> String {
        """
        # \(tab.title) settings. Save and leave the editor to take them; an empty file changes nothing.
        # A line that is taken out sets its argument back to the default.

        """
    }

    mutating func editMessageInEditor() -> [Effect] { [.editText(.message, text: chat.input.text)] }

    /// What came back from the editor is validated before it counts.
    mutating func takeEditedText(_ purpose: EditorPurpose, before: String, after: String?) -> [Effect] {
        guard let after, after != before, after != before + "\n" else {
            if status == nil { status = StatusMessage(.note, say("Nothing was changed.")) }
            return [.repaint]
        }
        switch purpose {
        case .message:
            chat.input = TextArea(after.hasSuffix("\n") ? String(after.dropLast()) : after)
            return [.repaint]
        case .field(let tab, let name):
            let line = after.split(whereSeparator: \.isNewline).map(String.init).joined(separator: " ").trimmingSpaces
            if let problem = forms[tab].problemWithText(line, for: name) {
                // It stays open with what was typed, so that nothing is lost.
                forms[tab].reveal(name)
                forms[tab].edit = FieldEdit(argument: name, field: TextField(line))
                forms[tab].edit?.problem = problem
                status = StatusMessage(.failure, problem)
                return [.repaint, .bell]
            }
            return [.repaint] + change(tab, name, to: line)
        case .form(let tab): return [.repaint] + takeEditedForm(tab, after)
        }
    }

    private mutating func takeEditedForm(_ tab: Tab, _ yaml: String) -> [Effect] {
        guard yaml.split(separator: "\n").contains(where: { !$0.hasPrefix("#") && !$0.allSatisfy(\.isWhitespace) }) else {
            status = StatusMessage(.note, say("The file was empty: nothing was changed."))
            return []
        }
        do {
            let edited = try Configuration.parse(yaml, name: say("the edited form"))
            return adoptEditedForm(tab, edited)
        } catch {
            return ask(
                DialogState(
                    title: say("The edited form has mistakes"), text: error.description,
                    choices: [
                        .init(say("Edit again"), key: "e", .editAgain(.form(tab), text: yaml)),
                        .init(say("Drop the changes"), key: "d", .dismiss),
                    ]))
        }
    }

    /// Takes over an edited configuration; u brings the old one back.
    mutating func adoptEditedForm(_ tab: Tab, _ edited: Configuration) -> [Effect] {
        var changed = forms[tab].configuration
        var first: String?
        for argument in ArgumentTable.all where !argument.isSecret {
            let name = argument.name
            guard edited.value(name) != changed.value(name) else { continue }
            if first == nil { first = name }
            if edited.isSet(name) {
                try? changed.set(name, text: edited.text(name))
            } else {
                changed.reset(name)
            }
        }
        guard let first else {
            status = StatusMessage(.note, say("Nothing was changed."))
            return []
        }
        forms[tab].undoStack.append(FormState.Change(argument: first, configuration: forms[tab].configuration))
        forms[tab].redoStack.removeAll()
        forms[tab].configuration = changed
        forms[tab].reveal(first)
        let effects = formChanged(tab)
        if let problem = forms[tab].firstError {
            if let name = problem.argument { forms[tab].reveal(name) }
            status = StatusMessage(.failure, problem.words)
        } else {
            status = StatusMessage(.success, say("Took the edited settings. u brings the old ones back."))
        }
        return effects
    }
}
