import Configuration
import Formats
import Platform

/// What the board remembers from one time to the next, in `$XDG_STATE_HOME/tuneboard/board.json`: its looks for all folders, and for
/// each folder the page, the forms and the smoothing. Secrets are not kept. A file that cannot be read counts as none.
struct Remembered: Equatable {
    var theme: String?
    var language: Language?
    var tab: Tab?
    var smoothing: Double?
    var splits: [String: Double] = [:]
    /// The forms as YAML, with the recipes that they came from.
    var forms: [Tab: (yaml: String, recipe: String?)] = [:]

    /// Folders whose forms are kept; the one that was left longest ago goes first.
    private static let folderLimit = 40

    static func == (left: Remembered, right: Remembered) -> Bool {
        left.theme == right.theme && left.language == right.language && left.tab == right.tab && left.smoothing == right.smoothing
            && left.splits == right.splits && left.forms.keys == right.forms.keys
            && left.forms.allSatisfy { right.forms[$0.key]?.yaml == $0.value.yaml && right.forms[$0.key]?.recipe == $0.value.recipe }
    }

    static var file: String { UserFolders.state("board.json") }

    static func load(file: String = Remembered.file, folder: String) -> Remembered {
        var result = Remembered()
        guard let text = try? FileSystem.readText(file), let object = (try? JSONValue.parse(text, name: file))?.objectValue else { return result }
        result.theme = object["theme"]?.stringValue
        result.language = object["language"]?.stringValue.flatMap { Language(rawValue: $0) }
        guard let own = object["folders"]?[folder] else { return result }
        result.tab = own["tab"]?.intValue.flatMap { Tab(rawValue: $0) }
        result.smoothing = own["smoothing"]?.doubleValue.flatMap { (0..<1).contains($0) ? $0 : nil }
        for (name, value) in own["splits"]?.objectValue?.pairs ?? [] {
            if let share = value.doubleValue, share > 0.05, share < 0.95 { result.splits[name] = share }
        }
        for tab in Tab.allCases {
            guard let form = own["forms"]?[tab.title.lowercased()], let yaml = form["yaml"]?.stringValue else { continue }
            result.forms[tab] = (yaml, form["recipe"]?.stringValue)
        }
        return result
    }

    /// Puts this folder's part beside those of the others.
    func save(file: String = Remembered.file, folder: String) throws {
        var object = (try? JSONValue.parse((try? FileSystem.readText(file)) ?? "{}", name: file))?.objectValue ?? JSONObject()
        object["theme"] = theme.map { .string($0) }
        object["language"] = language.map { .string($0.rawValue) }
        var folders = object["folders"]?.objectValue ?? JSONObject()
        folders[folder] = nil
        while folders.count >= Self.folderLimit, let oldest = folders.keys.first { folders[oldest] = nil }
        var own = JSONObject()
        own["tab"] = tab.map { .integer(Int64($0.rawValue)) }
        own["smoothing"] = smoothing.map { .number($0) }
        if !splits.isEmpty { own["splits"] = .object(JSONObject(splits.sorted { $0.key < $1.key }.map { ($0.key, .number($0.value)) })) }
        var kept = JSONObject()
        for (tab, form) in forms.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            var entry = JSONObject([("yaml", .string(form.yaml))])
            entry["recipe"] = form.recipe.map { .string($0) }
            kept.set(tab.title.lowercased(), .object(entry))
        }
        if !kept.isEmpty { own.set("forms", .object(kept)) }
        folders.set(folder, .object(own))
        object.set("folders", .object(folders))
        try FileSystem.createDirectory(Path.directory(file))
        try FileSystem.writeAtomically(file, text: object.text(style: .indented(2)) + "\n")
    }

    /// What there is to remember of a board.
    init(_ state: BoardState) {
        theme = state.themeName
        language = state.wording.language
        tab = state.tab
        smoothing = state.chart.smoothing
        splits = state.splits
        for tab in [Tab.train, .evaluate, .chat, .export] {
            var configuration = state.forms[tab].configuration
            for argument in ArgumentTable.all where argument.isSecret { configuration.reset(argument.name) }
            forms[tab] = (configuration.yaml(), state.forms[tab].recipePath)
        }
    }

    init() {}

    /// Puts the remembered forms, page and smoothing into a fresh board. A form that no longer reads stays as it comes.
    func restore(_ state: inout BoardState) {
        if let smoothing { state.chart.smoothing = smoothing }
        state.splits = splits
        for (tab, kept) in forms {
            guard let configuration = try? Configuration.parse(kept.yaml, name: "the remembered form") else { continue }
            if let recipe = kept.recipe, let loaded = try? Configuration.load(file: recipe, overrides: []) {
                state.forms[tab] = FormState(tab: tab, configuration: loaded, recipePath: recipe)
            }
            guard configuration != state.forms[tab].configuration else { continue }
            var form = state.forms[tab]
            var changed = form.configuration
            for argument in ArgumentTable.all where !argument.isSecret && configuration.text(argument.name) != changed.text(argument.name) {
                if configuration.isSet(argument.name) {
                    try? changed.set(argument.name, text: configuration.text(argument.name))
                } else {
                    changed.reset(argument.name)
                }
            }
            form.configuration = changed
            form.problems = changed.validate(for: tab.command)
            state.forms[tab] = form
        }
    }
}
