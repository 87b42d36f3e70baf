import Configuration
import Runs
import Terminal

/// What a form shows on one line.
public enum FormRow: Sendable {
    case section(title: String, isOpen: Bool, fieldCount: Int, changedCount: Int, problemCount: Int)
    case field(FieldRow)
    /// The fields of a section that do not apply now, folded into one line.
    case inapplicable(section: String, names: [String], reason: String, isOpen: Bool)

    public var identity: FormRowIdentity {
        switch self {
        case .section(let title, _, _, _, _): .section(title)
        case .field(let row): .field(row.name)
        case .inapplicable(let section, _, _, _): .inapplicable(section)
        }
    }
}

/// A field as it stands.
public struct FieldRow: Sendable {
    public var argument: Argument
    public var value: String
    /// The value in the recipe, where it differs.
    public var was: String?
    /// Whether it differs because another field does.
    public var isFollowing = false
    public var isSet: Bool
    public var problem: Problem?
    /// Why the field has no effect now, or nil.
    public var inapplicableReason: String?

    public var name: String { argument.name }

    /// Why the field cannot be used yet, for arguments whose engine part is still to come.
    public var elsewhereReason: String? {
        if case .elsewhere(let reason) = argument.support { return say(engine: reason) }
        return nil
    }
}

extension FormState {
    /// The rows from top to bottom, as folding and filter leave them.
    public var rows: [FormRow] {
        if let filter, !filter.text.isEmpty || isFiltering { return filteredRows(filter.text) }
        var rows: [FormRow] = []
        for section in sections { appendRows(of: section, to: &rows) }
        return rows
    }

    /// Every section of the page with the arguments that the command has.
    var sections: [(title: String, arguments: [Argument])] { FormSections.sections(for: tab) }

    func fieldRow(_ argument: Argument) -> FieldRow {
        let value = configuration.text(argument.name)
        let before = baseline.text(argument.name)
        var row = FieldRow(
            argument: argument, value: value, was: value == before ? nil : before, isSet: configuration.isSet(argument.name),
            problem: problem(of: argument.name), inapplicableReason: argument.applies(configuration).map { say(engine: $0) })
        if row.was != nil, isFollowing(argument.name) { row.isFollowing = followingNames.contains(argument.name) }
        return row
    }

    /// The gravest problem of an argument.
    public func problem(of name: String) -> Problem? {
        let all = allProblems.filter { $0.argument == name }
        return all.first { $0.severity == .error } ?? all.first
    }

    /// The row that the cursor is on.
    public var selectedField: FieldRow? {
        guard case .field(let name) = selection, let argument = ArgumentTable.argument(named: name) else { return nil }
        return fieldRow(argument)
    }

    /// The fields whose values differ from the recipe's.
    public var changedNames: [String] {
        FormSections.allArguments(for: tab).map(\.name).filter { configuration.text($0) != baseline.text($0) }
    }

    /// Those of them that changed because another field did: the folder of a result, the template of a model.
    public var followingNames: [String] {
        let changed = changedNames
        let following = changed.filter { isFollowing($0) }
        // What follows follows something.
        return following.count < changed.count ? following : []
    }

    private func isFollowing(_ name: String) -> Bool {
        switch (tab, name) {
        case (.evaluate, "output_dir"): ResultFolder.isFollowedByEvaluation(configuration) && ResultFolder.isFollowedByEvaluation(baseline)
        case (.export, "export_dir"): ResultFolder.isFollowedByExport(configuration) && ResultFolder.isFollowedByExport(baseline)
        case (_, "template"):
            configuration.text("model_name_or_path") != baseline.text("model_name_or_path")
                && KnownModels.named(configuration.text("model_name_or_path"))?.template == configuration.text(name)
        default: false
        }
    }

    public var isModified: Bool { configuration != baseline }

    private func appendRows(of section: (title: String, arguments: [Argument]), to rows: inout [FormRow]) {
        let fields = section.arguments.map(fieldRow)
        let isOpen = openSections.contains(section.title)
        rows.append(
            .section(
                title: section.title, isOpen: isOpen, fieldCount: fields.count, changedCount: fields.filter { $0.was != nil }.count,
                problemCount: fields.filter { $0.problem?.severity == .error }.count))
        guard isOpen else { return }
        // A field that has an error stays visible even where it does not apply: Start must be able to go to it.
        func isFolded(_ row: FieldRow) -> Bool {
            row.inapplicableReason != nil && row.problem?.severity != .error && edit?.argument != row.name
        }
        let shown = fields.filter { !isFolded($0) }
        let folded = fields.filter(isFolded)
        rows += shown.map(FormRow.field)
        guard let reason = folded.first?.inapplicableReason else { return }
        let isUnfolded = openInapplicable.contains(section.title)
        rows.append(.inapplicable(section: section.title, names: folded.map(\.name), reason: reason, isOpen: isUnfolded))
        if isUnfolded { rows += folded.map(FormRow.field) }
    }

    private func filteredRows(_ query: String) -> [FormRow] {
        let arguments = FormSections.allArguments(for: tab)
        guard !query.isEmpty else { return arguments.map { .field(fieldRow($0)) } }
        let search = FieldSearch(query)
        let mainCount = FormLayout.layout(for: tab).sections.reduce(0) { $0 + $1.arguments.count }
        let scored = arguments.enumerated().compactMap { index, argument -> (score: Int, index: Int, argument: Argument)? in
            guard var score = search.score(argument) else { return nil }
            // Of fields that match alike, those that one meets first are meant, and those that do something now.
            if index < mainCount { score += 12 }
            if argument.applies(configuration) != nil { score -= 6 }
            if case .elsewhere = argument.support { score -= 6 }
            return (score, index, argument)
        }
        return scored.sorted { ($1.score, $0.index) < ($0.score, $1.index) }.map { .field(fieldRow($0.argument)) }
    }
}

/// The sections of each page, made once from the layout and the argument table.
enum FormSections {
    static func sections(for tab: Tab) -> [(title: String, arguments: [Argument])] { table[tab] ?? [] }

    static func allArguments(for tab: Tab) -> [Argument] { sections(for: tab).flatMap(\.arguments) }

    private static let table: [Tab: [(title: String, arguments: [Argument])]] = {
        var table: [Tab: [(title: String, arguments: [Argument])]] = [:]
        for tab in [Tab.train, .evaluate, .chat, .export] { table[tab] = make(tab) }
        table[.monitor] = table[.train]
        return table
    }()

    private static func make(_ tab: Tab) -> [(title: String, arguments: [Argument])] {
        var placed: Set<String> = []
        var sections: [(title: String, arguments: [Argument])] = []
        for section in FormLayout.layout(for: tab).sections {
            let arguments = section.arguments.compactMap(ArgumentTable.argument(named:)).filter { $0.commands.contains(tab.command) }
            placed.formUnion(arguments.map(\.name))
            if !arguments.isEmpty { sections.append((section.title, arguments)) }
        }
        for group in ArgumentGroup.allCases {
            let rest = ArgumentTable.all.filter {
                $0.group == group && $0.commands.contains(tab.command) && !placed.contains($0.name)
            }
            if !rest.isEmpty { sections.append(("More: " + group.title, rest)) }
        }
        return sections
    }
}

extension Tab {
    /// The command whose arguments the page's form holds.
    public var command: Command {
        switch self {
        case .train, .monitor: .train
        case .evaluate: .evaluate
        case .chat: .chat
        case .export: .export
        }
    }
}
