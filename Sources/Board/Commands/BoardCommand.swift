import Terminal

/// One thing the board can do on request. The table of these is the only place that knows keys: dispatch, footer, help,
/// palette and the printed key list all read it.
public struct BoardCommand: Sendable {
    /// A stable name such as `form.undo`.
    public let identifier: String
    /// What it does, for help and palette: "Undo the last change".
    public let title: String
    /// The word in the footer, or nil for commands that are not shown there.
    public let label: String?
    /// Another word where the same key does something else now; itself the label of some command.
    private let otherLabel: @Sendable (BoardState) -> String?
    public let keys: [Key]
    public let contexts: [Context]
    /// Which come first in the footer when there is not room for all; small is first.
    public let footerRank: Int
    /// Another rank where it is what one is likely to want now.
    private let otherRank: @Sendable (BoardState) -> Int?
    /// Whether the footer leaves it out while it cannot be done, instead of showing it dimmed.
    public let isShownOnlyWhenPossible: Bool
    /// Whether the help names it now; a key for something that is not there is left out.
    public let isListed: @Sendable (BoardState) -> Bool
    /// Whether its plain letters work although text is being typed.
    public let worksWhileTyping: Bool
    /// Whether the footer names it now: what one is likely to want next.
    public let isHinted: @Sendable (BoardState) -> Bool
    /// Why it cannot be done now, or nil.
    public let refusal: @Sendable (BoardState) -> String?
    public let perform: @Sendable (inout BoardState) -> [Effect]

    init(
        _ identifier: String, _ title: String, label: String? = nil, keys: [Key], in contexts: [Context], rank: Int = 50,
        onlyWhenPossible: Bool = false, worksWhileTyping: Bool = false, listed: @escaping @Sendable (BoardState) -> Bool = { _ in true },
        relabelled otherLabel: @escaping @Sendable (BoardState) -> String? = { _ in nil },
        ranked otherRank: @escaping @Sendable (BoardState) -> Int? = { _ in nil },
        hinted: @escaping @Sendable (BoardState) -> Bool = { _ in true },
        refusal: @escaping @Sendable (BoardState) -> String? = { _ in nil },
        perform: @escaping @Sendable (inout BoardState) -> [Effect]
    ) {
        self.identifier = identifier
        self.title = title
        self.label = label
        self.otherLabel = otherLabel
        self.keys = keys
        self.contexts = contexts
        self.footerRank = rank
        self.otherRank = otherRank
        isShownOnlyWhenPossible = onlyWhenPossible
        self.worksWhileTyping = worksWhileTyping
        isListed = listed
        isHinted = hinted
        self.refusal = refusal
        self.perform = perform
    }

    /// The word in the footer now, in the board's language.
    func footerLabel(_ state: BoardState) -> String { say(key: otherLabel(state) ?? label ?? "") }

    /// Its place in the footer now; small is first.
    func rank(_ state: BoardState) -> Int { otherRank(state) ?? footerRank }

    /// The keys as people read them, those of its twins included: `F1 ?`.
    public var keyText: String { CommandTable.keys(of: self).map(\.label).joined(separator: " ") }
}

/// Every command of the board.
public enum CommandTable {
    public static let all: [BoardCommand] =
        global + jobs + pages + lists + forms + fieldEditing + chart + log + runs + queue + evaluate + chat + datasetView + popups

    public static func command(_ identifier: String) -> BoardCommand? { byIdentifier[identifier] }

    /// The command that `key` means in the given contexts, innermost first.
    public static func command(for key: Key, in contexts: [Context], whileTyping: Bool) -> BoardCommand? {
        guard let candidates = KeyBindings.current.candidates(for: key) ?? byKey[key] else { return nil }
        let isText = whileTyping && key.isText
        for context in contexts {
            for command in candidates where command.contexts.contains(context) && (!isText || command.worksWhileTyping) {
                return command
            }
        }
        return nil
    }

    /// What the footer shows, most important first.
    public static func footer(in contexts: [Context]) -> [BoardCommand] {
        let shown = all.enumerated().filter { _, command in
            command.label != nil && command.contexts.contains { contexts.contains($0) }
        }
        return shown.sorted { ($0.element.footerRank, $0.offset) < ($1.element.footerRank, $1.offset) }.map(\.element)
    }

    /// The key list as Markdown, by the place where the keys work.
    public static func markdown() -> String {
        var text = "# Keys\n"
        for title in titles {
            text += "\n## \(title)\n\n| Key | What it does | Command |\n| --- | --- | --- |\n"
            for command in all where command.contexts.first?.title == title {
                let keys = command.keys.map { $0.label == "|" ? "`\\|`" : "`\($0.label)`" }.joined(separator: " ")
                text += "| \(keys) | \(command.title) | `\(command.identifier)` |\n"
            }
        }
        return text
    }

    /// The headings of the help, in order.
    public static let titles: [String] = {
        var titles: [String] = []
        for command in all {
            guard let title = command.contexts.first?.title, !titles.contains(title) else { continue }
            titles.append(title)
        }
        return titles
    }()

    /// Every key that does the same: a command may have a twin whose letter works only where no text is typed.
    static func keys(of command: BoardCommand) -> [Key] {
        guard !KeyBindings.current.isEmpty else { return byTitle[command.title] ?? command.keys }
        var keys: [Key] = []
        for twin in all where twin.title == command.title { for key in twin.boundKeys where !keys.contains(key) { keys.append(key) } }
        return keys
    }

    private static let byTitle: [String: [Key]] = {
        var table: [String: [Key]] = [:]
        for command in all {
            for key in command.keys where table[command.title]?.contains(key) != true { table[command.title, default: []].append(key) }
        }
        return table
    }()

    private static let byIdentifier = Dictionary(all.map { ($0.identifier, $0) }, uniquingKeysWith: { first, _ in first })

    private static let byKey: [Key: [BoardCommand]] = {
        var table: [Key: [BoardCommand]] = [:]
        for command in all {
            for key in command.keys { table[key, default: []].append(command) }
        }
        return table
    }()
}

extension Key {
    /// A printable character without Ctrl or Alt: text, where text is being typed.
    var isText: Bool {
        guard case .character = code else { return false }
        return !modifiers.contains(.control) && !modifiers.contains(.alt)
    }
}
