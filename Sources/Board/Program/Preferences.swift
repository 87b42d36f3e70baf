import Configuration
import Platform
import Terminal

/// The user's settings, from `$XDG_CONFIG_HOME/tuneboard/board.conf`:
///
/// ```
/// theme     = harbour        # a file in themes/ or ~/.config/tuneboard/themes, dark, light, mono, auto
/// language  = zh             # en, zh, ru, ko, ja
/// start_tab = last           # train, evaluate, chat, export, monitor, last
/// mouse     = on
/// remember  = on             # what was in the forms, per folder
/// [keys]
/// board.quit   = ctrl+q      # the command's name as help shows it, then its keys
/// chart.zoomIn = + ctrl+up
/// chart.follow = none        # no key; the palette still has it
/// ```
/// A line that cannot be read is told and left out; the rest holds.
public struct Preferences: Sendable, Equatable {
    public struct Problem: Sendable, Equatable, CustomStringConvertible {
        public let file: String
        public let line: Int
        public let message: String

        public var description: String { line > 0 ? "\(file):\(line): \(message)" : "\(file): \(message)" }
    }

    public enum StartTab: Sendable, Equatable {
        case last
        case tab(Tab)
    }

    public var theme: String?
    public var language: Language?
    public var startTab: StartTab?
    public var usesMouse: Bool?
    public var remembers = true
    public var keys: [String: [Key]] = [:]
    public private(set) var problems: [Problem] = []

    public init() {}

    /// Reads the file; without one everything is as it comes.
    public static func load(file path: String = UserFolders.configuration("board.conf")) -> Preferences {
        guard FileSystem.exists(path) else { return Preferences() }
        do {
            return parse(try FileSystem.readText(path), file: path)
        } catch {
            var preferences = Preferences()
            preferences.problems = [Problem(file: path, line: 0, message: "cannot be read: \(error)")]
            return preferences
        }
    }

    public static func parse(_ text: String, file: String) -> Preferences {
        var preferences = Preferences()
        var isInKeys = false
        for (index, raw) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            func report(_ message: String) {
                preferences.problems.append(Problem(file: file, line: index + 1, message: message))
            }
            let line = withoutComment(raw)
            if line.isEmpty { continue }
            if line.hasPrefix("[") {
                isInKeys = line == "[keys]"
                if !isInKeys, line != "[board]" { report("unknown section \(line); expected [board] or [keys]") }
                continue
            }
            guard let equals = line.firstIndex(of: "=") else {
                report("expected `name = value`, found `\(line)`")
                continue
            }
            let name = String(line[..<equals]).trimmingSpaces
            let value = String(line[line.index(after: equals)...]).trimmingSpaces
            let problem = isInKeys ? preferences.bind(name, value) : preferences.take(name, unquoted(value))
            if let problem { report(problem) }
        }
        return preferences
    }

    /// - Returns: what is wrong, or nil.
    private mutating func take(_ name: String, _ value: String) -> String? {
        switch name {
        case "theme":
            guard !value.isEmpty else { return "theme needs a name" }
            theme = value
        case "language":
            guard let found = Language(rawValue: value) else {
                return "there is no language `\(value)`; expected \(Language.allCases.map(\.rawValue).joined(separator: ", "))"
            }
            language = found
        case "start_tab":
            if value == "last" {
                startTab = .last
            } else if let tab = Tab.allCases.first(where: { $0.title.lowercased() == value }) {
                startTab = .tab(tab)
            } else {
                return "there is no page `\(value)`; expected train, evaluate, chat, export, monitor or last"
            }
        case "mouse", "remember":
            guard let isOn = ["on": true, "true": true, "yes": true, "off": false, "false": false, "no": false][value] else {
                return "\(name) is on or off, found `\(value)`"
            }
            if name == "mouse" { usesMouse = isOn } else { remembers = isOn }
        default: return "unknown setting `\(name)`; expected theme, language, start_tab, mouse or remember"
        }
        return nil
    }

    private mutating func bind(_ name: String, _ value: String) -> String? {
        guard CommandTable.command(name) != nil else {
            let near = Spelling.nearest(name, among: CommandTable.all.map(\.identifier))
            return "there is no command `\(name)`" + (near.map { "; did you mean `\($0)`?" } ?? "; help shows their names")
        }
        if value == "none" {
            keys[name] = []
            return nil
        }
        var bound: [Key] = []
        for word in value.split(separator: " ") {
            guard let key = Key(name: String(word)) else { return "`\(word)` is no key; keys are written a, F5, ctrl+r, alt+enter, shift+tab, space, plus" }
            bound.append(key)
        }
        guard !bound.isEmpty else { return "`\(name)` needs a key, or none" }
        keys[name] = bound
        return nil
    }

    /// A `#` begins a comment at the start of a line and after a space; `#` alone is a key.
    private static func withoutComment(_ line: Substring) -> String {
        var text = ""
        var previous: Character = " "
        for (index, character) in line.enumerated() {
            if character == "#", previous == " " || previous == "\t", index == 0 || !text.trimmingSpaces.hasSuffix("=") { break }
            text.append(character == "\t" || character == "\r" ? " " : character)
            previous = character
        }
        return text.trimmingSpaces
    }

    private static func unquoted(_ value: String) -> String {
        value.count >= 2 && value.hasPrefix("\"") && value.hasSuffix("\"") ? String(value.dropFirst().dropLast()) : value
    }
}
