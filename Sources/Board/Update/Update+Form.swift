import Configuration
import Terminal

extension BoardState {
    /// The form with the keys.
    var activeForm: FormState? { activeFormTab.map { forms[$0] } }

    // MARK: Why not

    func editRefusal() -> String? {
        guard let tab = activeFormTab else { return say("There is no form here.") }
        guard let row = forms[tab].selectedField else { return nil }
        if let reason = row.elsewhereReason { return say("\(row.name) is not available here: \(reason)") }
        if let reason = lockedReason(tab) { return reason }
        return nil
    }

    func undoRefusal() -> String? { activeForm?.undoStack.isEmpty == false ? nil : say("There is nothing to undo.") }
    func redoRefusal() -> String? { activeForm?.redoStack.isEmpty == false ? nil : say("There is nothing to redo.") }
    func problemRefusal() -> String? { activeForm?.allProblems.isEmpty == false ? nil : say("There are no errors or warnings.") }

    /// The form of a running job can be edited for the next run, so nothing is locked; the chat's model cannot be changed while it
    /// answers.
    private func lockedReason(_ tab: Tab) -> String? {
        tab == .chat && chat.isStreaming ? say("The model is answering. Esc stops it.") : nil
    }

    // MARK: Editing

    mutating func editField() -> [Effect] {
        guard let tab = activeFormTab else { return [] }
        switch forms[tab].selection {
        case .section, .inapplicable: return toggleField()
        case .field(let name):
            guard let argument = ArgumentTable.argument(named: name) else { return [] }
            if argument.isFlag { return toggleField() }
            if let kind = PickerState.Kind(argument: argument) { return openPicker(kind, tab: tab, argument: argument) }
            return editFieldAsText()
        }
    }

    mutating func editFieldAsText() -> [Effect] {
        guard let tab = activeFormTab, case .field(let name) = forms[tab].selection else { return toggleField() }
        let shown = forms[tab].configuration.text(name)
        forms[tab].edit = FieldEdit(argument: name, field: TextField(shown, isSelected: true))
        return []
    }

    mutating func toggleField() -> [Effect] {
        guard let tab = activeFormTab else { return [] }
        switch forms[tab].selection {
        case .section(let title): forms[tab].openSections.formSymmetricDifference([title])
        case .inapplicable(let section): forms[tab].openInapplicable.formSymmetricDifference([section])
        case .field(let name):
            guard let argument = ArgumentTable.argument(named: name) else { return [] }
            guard argument.isFlag else { return editField() }
            let isOn = forms[tab].configuration.text(name) == "true"
            return change(tab, name, to: isOn ? "false" : "true")
        }
        return []
    }

    mutating func cycleChoice(by count: Int) -> [Effect] {
        guard let tab = activeFormTab else { return [] }
        switch forms[tab].selection {
        case .section(let title):
            if count > 0 { forms[tab].openSections.insert(title) } else { forms[tab].openSections.remove(title) }
            return []
        case .inapplicable(let section):
            if count > 0 { forms[tab].openInapplicable.insert(section) } else { forms[tab].openInapplicable.remove(section) }
            return []
        case .field(let name):
            if let reason = editRefusal() {
                status = StatusMessage(.warning, reason)
                return []
            }
            guard let argument = ArgumentTable.argument(named: name) else { return [] }
            if argument.isFlag { return toggleField() }
            let cycle = argument.cycle
            guard !cycle.isEmpty else {
                status = StatusMessage(.note, say("\(name) has no fixed choices. ⏎ edits it."))
                return []
            }
            let current = cycle.firstIndex(of: forms[tab].configuration.text(name)) ?? 0
            return change(tab, name, to: cycle[(current + count + cycle.count) % cycle.count])
        }
    }

    mutating func acceptEdit() -> [Effect] {
        guard let tab = activeFormTab, let edit = forms[tab].edit else { return [] }
        let text = edit.field.text
        if let problem = forms[tab].problemWithText(text, for: edit.argument) {
            forms[tab].edit?.problem = problem
            status = StatusMessage(.failure, problem)
            return [.bell]
        }
        forms[tab].edit = nil
        return change(tab, edit.argument, to: text)
    }

    mutating func acceptEditAndAdvance() -> [Effect] {
        let effects = acceptEdit()
        guard let tab = activeFormTab, forms[tab].edit == nil else { return effects }
        forms[tab].moveSelection(by: 1)
        while forms[tab].selectedField == nil, forms[tab].moveSelection(by: 1) {}
        guard let row = forms[tab].selectedField, row.elsewhereReason == nil, !row.argument.isFlag, row.argument.choices.isEmpty else {
            return effects
        }
        return effects + editFieldAsText()
    }

    mutating func acceptEditAndStart() -> [Effect] {
        let effects = acceptEdit()
        guard let tab = activeFormTab, forms[tab].edit == nil else { return effects }
        return effects + startAfterChange(tab)
    }

    /// Starts what the form describes, or loads the chat's model, right behind a change.
    mutating func startAfterChange(_ tab: Tab) -> [Effect] {
        if let reason = tab == .chat ? reloadRefusal() : startRefusal() {
            status = StatusMessage(.warning, reason)
            return []
        }
        return tab == .chat ? loadChat() : requestStart(tab)
    }

    /// A key of the text under edit that the help names.
    mutating func editFieldText(_ code: Key.Code, _ modifiers: Key.Modifiers = []) -> [Effect] {
        guard let tab = activeFormTab, var edit = forms[tab].edit else { return [] }
        _ = edit.field.handle(Key(code, modifiers))
        edit.problem = forms[tab].problemWithText(edit.field.text, for: edit.argument)
        forms[tab].edit = edit
        return []
    }

    mutating func cancelEdit() -> [Effect] {
        if let tab = activeFormTab { forms[tab].edit = nil }
        return []
    }

    mutating func resetField() -> [Effect] {
        guard let tab = activeFormTab, case .field(let name) = forms[tab].selection else { return [] }
        var changed = forms[tab].configuration
        changed.reset(name)
        return adopt(tab, changed, argument: name)
    }

    /// Sets an argument, remembering the old configuration.
    mutating func change(_ tab: Tab, _ name: String, to text: String) -> [Effect] {
        var changed = forms[tab].configuration
        do {
            try changed.set(name, text: text)
        } catch {
            status = StatusMessage(.failure, say(engine: error.message, about: ArgumentTable.argument(named: name)))
            return [.bell]
        }
        return adopt(tab, changed, argument: name)
    }

    private mutating func adopt(_ tab: Tab, _ changed: Configuration, argument: String) -> [Effect] {
        var changed = changed
        if tab == .evaluate { ResultFolder.follow(&changed, before: forms[tab].configuration) }
        if tab == .export { ResultFolder.followExport(&changed, before: forms[tab].configuration) }
        guard changed != forms[tab].configuration else { return [] }
        forms[tab].undoStack.append(FormState.Change(argument: argument, configuration: forms[tab].configuration))
        forms[tab].redoStack.removeAll()
        let before = forms[tab].configuration.text(argument)
        forms[tab].configuration = changed
        return remember(argument, [before, changed.text(argument)]) + formChanged(tab)
    }

    mutating func undo() -> [Effect] {
        guard let tab = activeFormTab, let last = forms[tab].undoStack.popLast() else { return [] }
        forms[tab].redoStack.append(forms[tab].restore(last))
        status = StatusMessage(.note, say("Undid the change of \(last.argument)"))
        return formChanged(tab)
    }

    mutating func redo() -> [Effect] {
        guard let tab = activeFormTab, let last = forms[tab].redoStack.popLast() else { return [] }
        forms[tab].undoStack.append(forms[tab].restore(last))
        status = StatusMessage(.note, say("Redid the change of \(last.argument)"))
        return formChanged(tab)
    }

    /// Validates anew and asks for an estimate.
    mutating func formChanged(_ tab: Tab) -> [Effect] {
        forms[tab].problems = problems(of: tab)
        forms[tab].refusal = nil
        // Why another model could not be loaded says nothing of this one.
        if tab == .chat, case .failed = chat.engine { chat.engine = .empty }
        forms[tab].generation += 1
        var effects: [Effect] = []
        if tab == .train || tab == .export {
            let hasErrors = forms[tab].firstError != nil
            forms[tab].plan = hasErrors ? .none : .computing
            if !hasErrors { effects.append(.plan(tab, forms[tab].configuration, generation: forms[tab].generation)) }
        }
        let hasNewOutput = catalog.isScanned && !outputsElsewhere.allSatisfy(catalog.outputs.contains)
        if tab == .train || tab == .evaluate, hasNewOutput || forms[tab].configuration.text("dataset_dir") != catalog.datasetDirectory {
            effects.append(.scanCatalog(datasetDirectory: forms[tab].configuration.text("dataset_dir"), outputs: outputsElsewhere))
        }
        return effects
    }

    // MARK: Problems

    mutating func selectProblem(by count: Int) -> [Effect] {
        guard let tab = activeFormTab else { return [] }
        let names = FormSections.allArguments(for: tab).map(\.name).filter { forms[tab].problem(of: $0) != nil }
        guard !names.isEmpty else {
            status = forms[tab].allProblems.first.map { StatusMessage(.failure, $0.words) }
            return []
        }
        var index = count > 0 ? 0 : names.count - 1
        if case .field(let name) = forms[tab].selection, let current = names.firstIndex(of: name) {
            index = (current + count + names.count) % names.count
        }
        forms[tab].reveal(names[index])
        if let problem = forms[tab].problem(of: names[index]) {
            status = StatusMessage(problem.severity == .error ? .failure : .warning, problem.words)
        }
        return []
    }

    // MARK: Filter

    mutating func startFilter() -> [Effect] {
        guard let tab = activeFormTab else { return [] }
        // As in every other field: what is typed takes the place of what stands there.
        forms[tab].filter = TextField(forms[tab].filter?.text ?? "", isSelected: true)
        forms[tab].isFiltering = true
        forms[tab].selectFirstField()
        return []
    }

    mutating func acceptFilter() -> [Effect] {
        guard let tab = activeFormTab else { return [] }
        if forms[tab].rows.isEmpty, let field = forms[tab].elsewhere {
            _ = clearFilter()
            return go(to: field)
        }
        // The cursor would be on a field that nobody sees.
        guard !forms[tab].rows.isEmpty else {
            status = StatusMessage(.warning, say("No argument of \(say(key: tab.title)) matches. Esc clears the filter."))
            return [.bell]
        }
        forms[tab].isFiltering = false
        if forms[tab].filter?.text.isEmpty != false { forms[tab].filter = nil }
        return []
    }

    /// Shows all sections again, with the field that was found still selected.
    mutating func clearFilter() -> [Effect] {
        guard let tab = activeFormTab else { return [] }
        forms[tab].isFiltering = false
        forms[tab].filter = nil
        if case .field(let name) = forms[tab].selection { forms[tab].reveal(name) }
        return []
    }

    /// Esc in a form: first the filter goes, then the overlay that the form is in.
    mutating func leaveForm() -> [Effect] {
        if let tab = activeFormTab, forms[tab].filter != nil { return clearFilter() }
        return closeOverlay()
    }
}

extension FormState {
    /// The first error that keeps the command from starting.
    public var firstError: Problem? { problems.first { $0.severity == .error } }

    /// What is wrong with `text` as the value of an argument, or nil.
    func problemWithText(_ text: String, for name: String) -> String? {
        var trial = configuration
        do {
            try trial.set(name, text: text)
            return nil
        } catch {
            return say(engine: error.message, about: ArgumentTable.argument(named: name))
        }
    }

    mutating func selectFirstField() {
        top = 0
        if let first = rows.first(where: { if case .field = $0 { true } else { false } }) { selection = first.identity }
    }

    /// Opens whatever hides a field and puts the cursor on it.
    mutating func reveal(_ name: String) {
        if filter != nil, !rows.contains(where: { $0.identity == .field(name) }) {
            filter = nil
            isFiltering = false
        }
        if let section = sections.first(where: { $0.arguments.contains { $0.name == name } }) {
            openSections.insert(section.title)
            if !rows.contains(where: { $0.identity == .field(name) }) { openInapplicable.insert(section.title) }
        }
        selection = .field(name)
    }

    /// - Returns: false when the cursor was at that end already.
    @discardableResult
    mutating func moveSelection(by count: Int) -> Bool {
        let rows = rows
        guard !rows.isEmpty else { return false }
        let current = rows.firstIndex { $0.identity == selection } ?? 0
        let next = min(max(current + count, 0), rows.count - 1)
        selection = rows[next].identity
        return next != current
    }
}

extension Argument {
    /// True for arguments that are on or off.
    var isFlag: Bool { kind == .flag }

    /// What Left and Right walk through: the choices, and "not set" where that is allowed.
    var cycle: [String] {
        guard !choices.isEmpty, kind == .choice else { return [] }
        return isNullable ? [""] + choices : choices
    }
}
