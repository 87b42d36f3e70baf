/// A configuration as the command that reproduces it, and as YAML.

import Formats
import Platform

public enum CommandLineStyle: Sendable, Equatable, CaseIterable {
    /// `tuneboard train recipe.yaml --learning_rate 5e-05`: the recipe, and what differs from it.
    case minimal
    /// Everything that differs from the defaults, without a recipe.
    case full
}

extension Configuration {
    /// The command line, quoted for a POSIX shell. Running it gives this configuration again; secrets are left out.
    /// - Parameter isMultiline: one option per line, with backslashes.
    public func commandLine(_ command: Command = .train, style: CommandLineStyle = .minimal, isMultiline: Bool = false) -> String {
        let words = commandWords(command, style: style).map { $0.map(Self.shellQuoted).joined(separator: " ") }
        return words.joined(separator: isMultiline ? " \\\n    " : " ")
    }

    /// The same words unquoted, for starting a process.
    public func arguments(_ command: Command = .train, style: CommandLineStyle = .minimal) -> [String] {
        commandWords(command, style: style).flatMap { $0 }
    }

    private func commandWords(_ command: Command, style: CommandLineStyle) -> [[String]] {
        var base: [String: ArgumentValue] = [:]
        var words: [[String]]
        switch style {
        case .minimal:
            words = [["tuneboard", command.rawValue] + (recipePath.map { [$0] } ?? [])]
            base = recipePath == nil ? [:] : recipeValues
        case .full: words = [["tuneboard", command.rawValue]]
        }
        for argument in ArgumentTable.all where !argument.isSecret {
            let value = value(argument.name)
            guard value != base[argument.name] ?? argument.defaultValue else { continue }
            words.append(Self.option(argument.name, value))
        }
        return words
    }

    private static func option(_ name: String, _ value: ArgumentValue) -> [String] {
        let text = Self.optionText(value)
        // What begins with two dashes would be taken for the next option.
        return text.hasPrefix("--") ? ["--\(name)=\(text)"] : ["--" + name, text]
    }

    /// Null and empty lists are written out, since a recipe may have set something.
    private static func optionText(_ value: ArgumentValue) -> String {
        switch value {
        case .null, .list([]), .numbers([]): "null"
        case .mapping(let object) where object.isEmpty: "null"
        case .flag, .integer, .number, .text, .list, .numbers, .mapping: value.text
        }
    }

    /// The word as a POSIX shell reads it back.
    public static func shellQuoted(_ word: String) -> String {
        let isSafe = { (byte: UInt8) -> Bool in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
            default: "_-./,:=@%+".utf8.contains(byte)
            }
        }
        if !word.isEmpty, word.utf8.allSatisfy(isSafe) { return word }
        return "'" + word.replacing("'", with: "'\\''") + "'"
    }

    // MARK: YAML

    /// The values that were set, group by group, as a recipe. `load` reads it back to an equal configuration; secrets are left out.
    public func yaml() -> String { yaml { values[$0.name] } }

    /// Every argument of the command that has an effect, defaults included: what a run leaves behind as training_args.yaml.
    public func completeYAML(for command: Command) -> String {
        yaml { argument in
            if isChanged(argument.name) { return value(argument.name) }
            guard argument.commands.contains(command), case .full = argument.support, argument.applies(self) == nil else { return nil }
            return value(argument.name)
        }
    }

    private func yaml(_ value: (Argument) -> ArgumentValue?) -> String {
        var sections: [String] = []
        for group in ArgumentGroup.allCases {
            var lines = "### \(group.title)\n"
            var isEmpty = true
            for argument in ArgumentTable.all where argument.group == group && !argument.isSecret {
                guard let value = value(argument) else { continue }
                isEmpty = false
                lines += "\(argument.name): \(Self.yamlText(value))\n"
            }
            if !isEmpty { sections.append(lines) }
        }
        return sections.joined(separator: "\n")
    }

    private static func yamlText(_ value: ArgumentValue) -> String {
        switch value {
        case .list([]), .numbers([]): "null"
        // One number would be taken for a number either way.
        case .numbers(let values): YAML.inline(.string(values.map(ArgumentValue.short).joined(separator: ",")))
        case .mapping(let object) where object.isEmpty: "null"
        // A word such as "no" stands for itself in an argument of words.
        case .null, .flag, .integer, .number, .text, .list, .mapping: YAML.inline(value.json)
        }
    }
}
