import Configuration
import Platform
import Terminal

extension BoardState {
    @discardableResult
    mutating func closeOverlay() -> [Effect] {
        if !overlays.isEmpty { overlays.removeLast() }
        return []
    }

    // MARK: Help and palette

    mutating func openHelp() -> [Effect] {
        if case .help = overlays.last { return closeOverlay() }
        overlays.append(.help(CommandListState(contexts: contexts)))
        return []
    }

    mutating func openPalette() -> [Effect] {
        if case .palette = overlays.last { return closeOverlay() }
        overlays.append(.palette(CommandListState(contexts: contexts, isPalette: true)))
        return []
    }

    /// Whether something is typed into the help or the palette.
    var hasListSearch: Bool {
        switch overlays.last {
        case .help(let list), .palette(let list): !list.filter.text.isEmpty
        default: false
        }
    }

    /// Esc in the help: what is typed goes first, and with nothing typed the help.
    mutating func leaveList() -> [Effect] {
        guard hasListSearch else { return closeOverlay() }
        switch overlays.last {
        case .help(let list): overlays[overlays.count - 1] = .help(CommandListState(contexts: list.contexts))
        case .palette(let list): overlays[overlays.count - 1] = .palette(CommandListState(contexts: list.contexts, isPalette: true))
        default: break
        }
        return []
    }

    /// What the help shows before anything is typed: the keys that work here, by pane, the innermost first.
    public func helpGroups(of list: CommandListState) -> [(title: String, commands: [BoardCommand])] {
        var seen: Set<String> = []
        var groups: [(title: String, commands: [BoardCommand])] = []
        let beneath = beneathList
        for context in list.contexts {
            var own = Self.listed.filter { $0.contexts.contains(context) && $0.isListed(beneath) && seen.insert($0.title).inserted }
            guard !own.isEmpty else { continue }
            // What can be done comes before what cannot.
            own = own.filter { $0.refusal(beneath) == nil } + own.filter { $0.refusal(beneath) != nil }
            if let place = groups.firstIndex(where: { $0.title == context.title }) {
                groups[place].commands += own
            } else {
                groups.append((context.title, own))
            }
        }
        return groups
    }

    /// Commands as lists show them: twins that differ only in their key once.
    private static let listed: [BoardCommand] = CommandTable.all.filter { !$0.keys.isEmpty && !$0.contexts.contains(.commandList) }

    /// What a help or palette list shows. With something typed both search everything, the fields of all forms as well, best match
    /// first; without, the help has what works here and the palette all commands, what can be done now before what cannot.
    public func entries(of list: CommandListState) -> [CommandListEntry] {
        let query = list.filter.text.trimmingSpaces
        if query.isEmpty, !list.isPalette { return helpGroups(of: list).flatMap(\.commands).map(CommandListEntry.command) }
        var seen: Set<String> = []
        let unique = Self.listed.filter { seen.insert($0.title).inserted }
        if query.isEmpty {
            let here = unique.filter { isHere($0, list) }
            let beneath = beneathList
            let possible = here.filter { $0.refusal(beneath) == nil }
            return (possible + here.filter { $0.refusal(beneath) != nil } + unique.filter { !isHere($0, list) }).map(CommandListEntry.command)
        }
        let matcher = FuzzyMatcher(pattern: query)
        var scored = unique.enumerated().compactMap { index, command -> (score: Int, index: Int, entry: CommandListEntry)? in
            guard let score = score(command, query: query.lowercased(), matcher) else { return nil }
            return (score + (isHere(command, list) ? 5 : 0), index, .command(command))
        }
        // A command that says what is typed comes before a field of that name, a field before a command that merely has the letters.
        for (index, field) in list.fields.enumerated() { scored.append((2_000 + field.score, unique.count + index, .field(field))) }
        return scored.sorted { ($1.score, $0.index) < ($0.score, $1.index) }.map(\.entry)
    }

    private func score(_ command: BoardCommand, query: String, _ matcher: FuzzyMatcher) -> Int? {
        // One also searches by key.
        if command.boundKeys.contains(where: { $0.label.lowercased() == query || $0.name == query }) { return 10_000 }
        let titles = [say(key: command.title), command.title]
        let byTitle = titles.compactMap { matcher.match($0)?.score }.max()
        let byName = matcher.match(command.identifier)?.score
        guard let score = [byTitle, byName.map { $0 / 2 }].compactMap({ $0 }).max() else { return nil }
        // Beginnings of words; in scripts without spaces between them any place.
        let saysIt = titles.map { $0.lowercased() }.contains { title in
            title.split { !$0.isLetter && !$0.isNumber }.contains { $0.hasPrefix(query) }
                || (query.utf8.contains { $0 >= 128 || $0 == UInt8(ascii: " ") } && title.contains(query))
        }
        return score + (saysIt ? 3_800 : 0)
    }

    /// The board as it is without the list over it, where its commands are to be run.
    var beneathList: BoardState {
        var board = self
        if !board.overlays.isEmpty { board.overlays.removeLast() }
        return board
    }

    /// Whether a command works where the list was opened.
    public func isHere(_ command: BoardCommand, _ list: CommandListState) -> Bool {
        CommandTable.all.contains { twin in twin.title == command.title && twin.contexts.contains { list.contexts.contains($0) } }
    }

    mutating func runSelectedCommand() -> [Effect] {
        let list: CommandListState
        switch overlays.last {
        case .help(let state), .palette(let state): list = state
        default: return []
        }
        let entries = entries(of: list)
        guard entries.indices.contains(list.selection) else { return [] }
        let command: BoardCommand
        switch entries[list.selection] {
        case .field(let field): return go(to: field)
        case .command(let found): command = found
        }
        guard isHere(command, list) else {
            let place = say(key: command.contexts.first?.title ?? "")
            status = StatusMessage(.warning, say("“\(say(key: command.title))” works in \(place): go there first, then press \(command.keyText)."))
            return []
        }
        overlays.removeLast()
        return perform(command)
    }

    // MARK: Pickers

    mutating func openPicker(_ kind: PickerState.Kind) -> [Effect] {
        openPicker(kind, tab: activeFormTab ?? pageForm, argument: nil)
    }

    mutating func openPicker(_ kind: PickerState.Kind, tab: Tab, argument: Argument?) -> [Effect] {
        let takesSeveral = argument?.kind == .list && (kind == .datasets || kind == .adapters)
        let current = argument.map { forms[tab].configuration.text($0.name) } ?? ""
        let marked = takesSeveral ? current.split(separator: ",").map { String($0).trimmingSpaces } : []
        var picker = PickerState(
            kind: kind, title: argument?.name ?? kind.title, tab: tab, argument: argument?.name ?? "", marked: marked,
            takesSeveral: takesSeveral)
        let items = items(of: picker)
        picker.selection = items.firstIndex { $0.value == current } ?? items.firstIndex { marked.contains($0.value) } ?? 0
        overlays.append(.picker(picker))
        return kind.isFromDisk ? rescan() : []
    }

    mutating func markPick() -> [Effect] {
        guard case .picker(var picker) = overlays.last else { return [] }
        let items = items(of: picker)
        guard items.indices.contains(picker.selection) else { return [] }
        let value = items[picker.selection].value
        if let index = picker.marked.firstIndex(of: value) {
            picker.marked.remove(at: index)
        } else if !value.isEmpty {
            picker.marked.append(value)
        }
        picker.hasOwnMarks = true
        overlays[overlays.count - 1] = .picker(picker)
        return []
    }

    mutating func acceptPick() -> [Effect] {
        guard case .picker(let picker) = overlays.last else { return [] }
        let items = items(of: picker)
        let picked = items.indices.contains(picker.selection) ? items[picker.selection] : nil
        let marks = picker.takenMarks(on: picked)
        if let problem = picked?.problem, marks == nil {
            status = StatusMessage(.warning, problem)
            return []
        }
        if picker.takesSeveral {
            overlays.removeLast()
            let values = marks ?? [picked?.value].compactMap { $0 }
            return change(picker.tab, picker.argument, to: values.joined(separator: ","))
        }
        guard let picked else { return [] }
        overlays.removeLast()
        switch picker.kind {
        case .recipes: return loadRecipe(picked.value, tab: picker.tab)
        case .overlayRun: return toggleOverlay(picked.value)
        case .conversations: return loadConversation(picked.value)
        case .themes: return chooseTheme(picked.value)
        case .models: return changeModel(picker.tab, picker.argument, to: picked.value, template: picked.template)
        case .datasets, .adapters, .outputDirectories, .checkpoints, .templates, .choices, .history:
            return change(picker.tab, picker.argument, to: picked.value)
        }
    }

    func editPickedRefusal() -> String? {
        guard case .picker(let picker) = overlays.last, !picker.argument.isEmpty else { return say("There is no field to edit here.") }
        return nil
    }

    /// Closes the picker and edits what the field holds, letter by letter.
    mutating func editPickedAsText() -> [Effect] {
        guard case .picker(let picker) = overlays.last else { return [] }
        overlays.removeLast()
        forms[picker.tab].reveal(picker.argument)
        let text = forms[picker.tab].configuration.text(picker.argument)
        forms[picker.tab].edit = FieldEdit(argument: picker.argument, field: TextField(text))
        return []
    }

    mutating func acceptPickAndStart() -> [Effect] {
        guard case .picker(let picker) = overlays.last else { return [] }
        let effects = acceptPick()
        // What cannot be taken stays open, with its reason.
        if case .picker = overlays.last { return effects }
        return effects + startAfterChange(picker.tab)
    }

    // MARK: Dialogs

    mutating func ask(_ dialog: DialogState) -> [Effect] {
        overlays.append(.dialog(dialog))
        return []
    }

    mutating func moveChoice(by count: Int) -> [Effect] {
        guard case .dialog(var dialog) = overlays.last else { return [] }
        dialog.selection = (dialog.selection + count + dialog.choices.count) % dialog.choices.count
        overlays[overlays.count - 1] = .dialog(dialog)
        return []
    }

    mutating func acceptChoice() -> [Effect] {
        guard case .dialog(let dialog) = overlays.last, dialog.choices.indices.contains(dialog.selection) else { return [] }
        overlays.removeLast()
        return carryOut(dialog.choices[dialog.selection].intent)
    }

    mutating func carryOut(_ intent: Intent) -> [Effect] {
        switch intent {
        case .dismiss: return []
        case .quit:
            isQuitting = true
            return [.quit]
        case .stopAndQuit:
            afterStop = .quit
            status = StatusMessage(.note, say("Stopping and saving, then leaving."))
            return requestOfOwnJob(.stopAndSave)
        case .detachAndQuit: return [.detach]
        case .abortAndQuit:
            afterStop = .quit
            return requestOfOwnJob(.abort)
        case .abort: return request(.abort)
        case .suspend: return [.suspend]
        case .deleteRun(let directory): return [.deleteRun(directory: directory)]
        case .clearChat: return clearChat()
        case .start(let tab): return start(tab)
        case .discardChangesAndLoad(let path, let tab): return [.loadRecipe(tab, path: path)]
        case .saveRecipe(let path, let tab): return [.saveRecipe(tab, path: path, forms[tab].configuration, overwrites: true)]
        case .replaceFile(let path, let text): return [.writeText(path: path, text: text, overwrites: true)]
        case .adoptEditedForm(let tab, let configuration): return adoptEditedForm(tab, configuration)
        case .editAgain(let purpose, let text): return [.editText(purpose, text: text)]
        case .dequeue(let identifier): return dequeue(identifier)
        case .loadConversation(let path): return [.loadConversation(path: path)]
        case .takeOver(let tab, let configuration, let way, let isQueued): return takeOver(tab, configuration, way, isQueued: isQueued)
        }
    }

    mutating func promptForRecipe() -> [Effect] {
        let tab = activeFormTab ?? pageForm
        // The arguments that a run left behind stay what they are.
        let loaded = forms[tab].recipePath.flatMap { Path.name($0) == "training_args.yaml" ? nil : $0 }
        let path = loaded ?? "recipes/\(tab == .train ? "mine" : tab.title.lowercased()).yaml"
        overlays.append(.prompt(PromptState(title: say("Save the form as"), text: path, purpose: .saveRecipe(tab))))
        return []
    }

    mutating func askToReplaceRecipe(_ tab: Tab, _ path: String) -> [Effect] {
        ask(
            DialogState(
                title: say("Replace \(Path.name(path))?"), text: say("The file exists. Its values are replaced; comments in it are not kept."),
                choices: [.init(say("Replace"), key: "r", .saveRecipe(path: path, tab: tab)), .init(say("Cancel"), key: "c", .dismiss)],
                selection: 1))
    }

    mutating func acceptPrompt() -> [Effect] {
        guard case .prompt(var prompt) = overlays.last else { return [] }
        let path = prompt.field.text.trimmingSpaces
        guard !path.isEmpty else {
            prompt.problem = say("A file name is needed.")
            overlays[overlays.count - 1] = .prompt(prompt)
            return [.bell]
        }
        overlays.removeLast()
        switch prompt.purpose {
        case .saveRecipe(let tab):
            return [.saveRecipe(tab, path: path, forms[tab].configuration, overwrites: false)]
        case .saveConversation: return [.writeText(path: path, text: conversation.json, overwrites: false)]
        case .writePreview(let tab, let style, let shape): return writePreview(tab, style, shape, to: path)
        case .renameRun(let directory): return renameRun(directory, to: path)
        case .extendRun(let directory): return extendRun(directory, by: path, prompt)
        case .exportChart: return [.exportChart(path: path, chartPlot.series, axis: chart.axis.title)]
        }
    }
}

/// A line of the help or the palette.
public enum CommandListEntry: Sendable {
    case command(BoardCommand)
    case field(FoundField)
}

extension PickerState.Kind {
    var title: String {
        switch self {
        case .models: say("Models")
        case .datasets: say("Datasets")
        case .adapters: say("Adapters")
        case .recipes: say("Load a configuration")
        case .outputDirectories: say("Output folders")
        case .checkpoints: say("Checkpoints")
        case .templates: say("Templates")
        case .choices: say("Choices")
        case .history: say("Earlier values")
        case .overlayRun: say("Draw another run over this one")
        case .conversations: say("Conversations")
        case .themes: say("Themes")
        }
    }

    /// What it lists is found on disk, so it is looked up again when the picker opens.
    var isFromDisk: Bool {
        switch self {
        case .models, .datasets, .adapters, .recipes, .outputDirectories, .checkpoints, .overlayRun: true
        case .choices, .templates, .conversations, .history, .themes: false
        }
    }
}
