/// `help`, `--help` and `version`.

import Configuration
import Platform

enum HelpCommand {
    private static let nameWidth = 12

    static func run(_ words: [String]) -> Int32 {
        guard let word = words.first else {
            overview()
            return ExitCode.done
        }
        if let entry = CommandTable.entry(word) { return print(entry, withAllArguments: words.contains("all")) }
        if let argument = ArgumentTable.argument(named: argumentName(word)) {
            explain(argument)
            return ExitCode.done
        }
        var text = "error: there is neither a command nor an argument named `\(word)`."
        if let nearest = CommandTable.nearest(word) ?? ArgumentTable.nearest(argumentName(word)) { text += " Did you mean `\(nearest)`?" }
        Output.message(text)
        return ExitCode.usage
    }

    /// What `tuneboard` says without a terminal to draw on.
    static func overview() {
        Output.print("tuneboard \(Program.version): fine-tunes language models from a terminal\n")
        Output.print("usage: tuneboard                      opens the board")
        Output.print("       tuneboard COMMAND [RECIPE] [KEY=VALUE | --KEY VALUE]...\n")
        for entry in CommandTable.all { Output.print("  " + padded(entry.name) + entry.summary) }
        Output.print("\nRECIPE is a YAML or JSON file with LLaMA-Factory's arguments, for example:")
        Output.print("  tuneboard train recipes/quickstart.yaml learning_rate=1e-4")
        Output.print("More: tuneboard help COMMAND, tuneboard help ARGUMENT")
    }

    static func print(_ entry: CommandEntry, withAllArguments: Bool) -> Int32 {
        Output.print("tuneboard \(entry.name): \(entry.summary)\n")
        for (index, usage) in entry.usage.enumerated() {
            Output.print((index == 0 ? "usage: " : "       ") + ["tuneboard", entry.name, usage].filter { !$0.isEmpty }.joined(separator: " "))
        }
        if !entry.details.isEmpty { Output.print("\n" + entry.details) }
        if !entry.options.isEmpty { Output.print("\noptions:") }
        for option in entry.options {
            describe("--" + option.name + (option.value.map { " " + $0 } ?? ""), option.help)
        }
        if let command = entry.arguments { listArguments(command, withAll: withAllArguments) }
        return ExitCode.done
    }

    private static func listArguments(_ command: Command, withAll: Bool) {
        var hidden = 0
        for group in ArgumentGroup.allCases {
            let arguments = ArgumentTable.all.filter { $0.group == group && $0.commands.contains(command) }
            let shown = arguments.filter { withAll || $0.support == .full }
            hidden += arguments.count - shown.count
            guard !shown.isEmpty else { continue }
            Output.print("\n\(group.title.lowercased()):")
            for argument in shown { describe("--" + argument.name, summary(argument)) }
        }
        if hidden > 0 {
            Output.print("\n\(hidden) more arguments are accepted that do nothing here yet: tuneboard help \(command.rawValue) all")
        }
    }

    private static func summary(_ argument: Argument) -> String {
        var text = argument.help
        if argument.kind == .choice { text += " One of " + argument.choices.joined(separator: ", ") + "." }
        if !argument.defaultText.isEmpty { text += " [\(argument.defaultText)]" }
        return text
    }

    private static func explain(_ argument: Argument) {
        Output.print("\(argument.name): \(argument.help)")
        var rows = [["allowed", argument.allowed]]
        rows.append(["default", argument.defaultText.isEmpty ? "none" : argument.defaultText])
        rows.append(["group", argument.group.title])
        rows.append(["commands", argument.commands.map(\.rawValue).sorted().joined(separator: ", ")])
        switch argument.support {
        case .full: break
        case .notice(let reason): rows.append(["note", "accepted without effect: " + reason])
        case .later(let reason): rows.append(["note", "not supported yet: " + reason])
        }
        for line in Columns.lines(rows) { Output.print("  " + line) }
    }

    private static func describe(_ name: String, _ help: String) {
        let indent = String(repeating: " ", count: 34)
        let lines = Columns.wrap(help, width: 86)
        let head = "  " + name
        guard let first = lines.first else { return Output.print(head) }
        if head.count < indent.count - 1 {
            Output.print(head + String(repeating: " ", count: indent.count - head.count) + first)
        } else {
            Output.print(head + "\n" + indent + first)
        }
        for line in lines.dropFirst() { Output.print(indent + line) }
    }

    private static func argumentName(_ word: String) -> String {
        String(word.drop { $0 == "-" }).replacing("-", with: "_")
    }

    private static func padded(_ name: String) -> String { name + String(repeating: " ", count: max(1, nameWidth - name.count)) }
}

enum VersionCommand {
    static func run() -> Int32 {
        Output.print("tuneboard \(Program.version)")
        return ExitCode.done
    }
}
