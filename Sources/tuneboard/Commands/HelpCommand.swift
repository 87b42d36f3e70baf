/// `help`, `--help` and `version`.

import Board
import Configuration
import Platform
import Terminal

enum HelpCommand {
    private static let nameWidth = 12
    /// Help is wrapped to the terminal, but stays readable in a wide one.
    private static var width: Int { Output.isOutputTerminal ? max(60, min(120, Output.columns)) : 100 }

    static func run(_ words: [String]) -> Int32 {
        guard let word = words.first else {
            overview()
            return ExitCode.done
        }
        if let entry = CommandTable.entry(word) { return print(entry) }
        if word == "keys" {
            Output.print(Board.CommandTable.markdown(), terminator: "")
            return ExitCode.done
        }
        let name = String(word.drop { $0 == "-" }).replacing("-", with: "_")
        if let argument = ArgumentTable.argument(named: name) {
            Output.print(HelpText.explanation(of: argument, width: width), terminator: "")
            return ExitCode.done
        }
        var text = "error: there is neither a command nor an argument named `\(word)`."
        if let nearest = CommandTable.nearest(word) ?? ArgumentTable.nearest(name) { text += " Did you mean `\(nearest)`?" }
        Output.message(text)
        return ExitCode.usage
    }

    /// What `tuneboard` says without a terminal to draw on.
    static func overview() {
        Output.print("tuneboard \(Program.version): fine-tunes language models from a terminal\n")
        Output.print("usage: tuneboard [--recipe FILE] [--theme NAME] [--language CODE]")
        Output.print("                 [--no-mouse] [--plain]                        opens the board")
        Output.print("       tuneboard COMMAND [RECIPE] [KEY=VALUE | --KEY VALUE]...\n")
        // `api` has an answer, but nothing to run yet.
        for entry in CommandTable.all where entry.name != "api" { Output.print(hanging("  " + padded(entry.name), entry.summary)) }
        Output.print(hanging("\n", "RECIPE is a YAML or JSON file with LLaMA-Factory's arguments, for example:"))
        Output.print("  tuneboard train recipes/quickstart.yaml learning_rate=1e-4")
        Output.print("More: tuneboard help COMMAND, tuneboard help ARGUMENT, tuneboard help keys")
    }

    static func print(_ entry: CommandEntry) -> Int32 {
        Output.print(hanging("", "tuneboard \(entry.name): \(entry.summary)") + "\n")
        for (index, usage) in entry.usage.enumerated() {
            Output.print(hanging(index == 0 ? "usage: " : "       ", ["tuneboard", entry.name, usage].filter { !$0.isEmpty }.joined(separator: " ")))
        }
        if !entry.details.isEmpty {
            Output.print("")
            for line in entry.details.split(separator: "\n", omittingEmptySubsequences: false) { Output.print(hanging("", String(line))) }
        }
        if !entry.options.isEmpty { Output.print("\nOptions:") }
        let heads = entry.options.map { "--" + $0.name + ($0.value.map { " " + $0 } ?? "") }
        let headWidth = (heads.map(\.count).max() ?? 0) + 4
        for (head, option) in zip(heads, entry.options) {
            Output.print(hanging("  " + head + String(repeating: " ", count: headWidth - 2 - head.count), option.help))
        }
        if let command = entry.arguments { Output.print("\n" + HelpText.arguments(of: command, width: width), terminator: "") }
        return ExitCode.done
    }

    /// Words behind a head, broken between words where the terminal ends; further lines stand under the first.
    private static func hanging(_ head: String, _ words: String) -> String {
        let indent = head.count { !$0.isNewline }
        // What is indented in the words themselves stays so.
        let inner = words.prefix { $0 == " " }.count
        guard Output.isOutputTerminal, indent + TextWidth.width(of: words) > width else { return head + words }
        let lines = TextWidth.wrap(String(words.dropFirst(inner)), to: max(20, width - indent - inner))
        return lines.enumerated().map { ($0 == 0 ? head : String(repeating: " ", count: indent)) + String(repeating: " ", count: inner) + $1 }
            .joined(separator: "\n")
    }

    private static func padded(_ name: String) -> String { name + String(repeating: " ", count: max(1, nameWidth - name.count)) }
}

enum VersionCommand {
    static func run() -> Int32 {
        Output.print("tuneboard \(Program.version)")
        return ExitCode.done
    }
}
