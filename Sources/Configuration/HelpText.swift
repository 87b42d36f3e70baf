/// `--help`: the arguments of a command, grouped and wrapped, from the same table as everything else.

import Platform

public enum HelpText {
    /// One line for each command.
    public static func summary(of command: Command) -> String {
        switch command {
        case .train: "Train a model from a recipe, and evaluate or predict when the recipe says so."
        case .evaluate: "Measure loss and accuracy, or generate answers and score them."
        case .chat: "Talk to a model with its adapters."
        case .export: "Merge adapters into their base and write a model folder."
        case .api: "Serve a model with an OpenAI-style interface."
        case .data: "Look at datasets: rows, prompts, tokens and which of them carry loss."
        case .tokenizer: "Encode and decode text, compare templates."
        case .runs: "List the runs on this machine, follow, pause or stop them."
        case .env: "Say what this machine has."
        case .version: "Say which version this is."
        case .help: "Explain a command, or one argument."
        }
    }

    /// Every argument of the command. Those without effect here are named at the end, so that nothing that is accepted is hidden.
    public static func arguments(of command: Command, width: Int) -> String {
        let arguments = ArgumentTable.arguments(of: command)
        var sections: [String] = []
        for group in ArgumentGroup.allCases {
            let rows = arguments.filter { $0.group == group && !hasNoEffect($0) }
            if rows.isEmpty { continue }
            sections.append(group.title + ":\n" + rows.map { row($0, width: width) }.joined())
        }
        let silent = arguments.filter(hasNoEffect).map(\.name)
        if !silent.isEmpty {
            let lines = wrap(silent.joined(separator: ", "), width: max(20, width - 2))
            sections.append("Accepted, without effect here:\n" + lines.map { "  " + $0 + "\n" }.joined())
        }
        return sections.joined(separator: "\n")
    }

    /// All that is known about one argument.
    public static func explanation(of argument: Argument, width: Int) -> String {
        var lines = wrap("\(argument.name): \(argument.help)", width: width)
        lines += wrap("Allowed: \(argument.allowed).", width: width)
        lines += wrap("Default: \(argument.defaultText.isEmpty ? "none" : argument.defaultText).", width: width)
        switch argument.support {
        case .full: break
        case .notice(let reason): lines += wrap("Accepted, without effect here: \(reason)", width: width)
        case .elsewhere(let reason): lines += wrap("Not usable here: \(reason)", width: width)
        }
        // Values with the same remark stand together.
        var remarks: [(reason: String, choices: [String])] = []
        for choice in argument.choices {
            switch argument.valueSupport[choice] {
            case .elsewhere(let reason), .notice(let reason):
                if let index = remarks.firstIndex(where: { $0.reason == reason }) {
                    remarks[index].choices.append(choice)
                } else {
                    remarks.append((reason, [choice]))
                }
            case .full, nil: break
            }
        }
        for remark in remarks { lines += wrap("\(remark.choices.joined(separator: ", ")): \(remark.reason)", width: width) }
        return lines.map { $0 + "\n" }.joined()
    }

    private static func hasNoEffect(_ argument: Argument) -> Bool { if case .notice = argument.support { true } else { false } }

    private static func row(_ argument: Argument, width: Int) -> String {
        let column = min(38, max(16, width / 3))
        let head = "  --\(argument.name) \(placeholder(argument))"
        var text = argument.help
        if !argument.choices.isEmpty, argument.choices.count <= 8 { text += " One of: \(argument.choices.joined(separator: ", "))." }
        if !argument.defaultText.isEmpty { text += " Default \(argument.defaultText)." }
        if case .elsewhere = argument.support { text += " (Not here.)" }
        let lines = wrap(text, width: max(20, width - column))
        let margin = String(repeating: " ", count: column)
        // The head stands on the first line when it fits beside the text.
        if head.utf8.count + 2 <= column, let first = lines.first {
            let gap = String(repeating: " ", count: column - head.utf8.count)
            return ([head + gap + first] + lines.dropFirst().map { margin + $0 }).map { $0 + "\n" }.joined()
        }
        return ([head] + lines.map { margin + $0 }).map { $0 + "\n" }.joined()
    }

    static func placeholder(_ argument: Argument) -> String {
        switch argument.kind {
        case .flag: "BOOL"
        case .integer: "INT"
        case .number: "NUMBER"
        case .text: "TEXT"
        case .choice: "CHOICE"
        case .list: "A,B"
        case .numbers: "X,Y"
        case .mapping: "JSON"
        }
    }

    /// Breaks at spaces; a word longer than the line stands alone.
    static func wrap(_ text: String, width: Int) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, line.count + 1 + word.count > width {
                lines.append(line)
                line = ""
            }
            line += line.isEmpty ? String(word) : " " + word
        }
        if !line.isEmpty { lines.append(line) }
        return lines
    }
}
