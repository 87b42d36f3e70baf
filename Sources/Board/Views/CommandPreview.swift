import Configuration
import Terminal

/// The preview of a form as text to show, to copy and to write.
enum CommandPreview {
    static func launch(_ form: FormState, _ style: LaunchStyle, _ shape: LaunchShape = LaunchShape()) -> LaunchText {
        form.configuration.launch(style, for: form.tab.command, shape: shape)
    }

    /// The text in lines: a single command is broken between its options, by backslashes, to be no wider than `width`.
    static func wrapped(_ form: FormState, style: LaunchStyle, shape: LaunchShape = LaunchShape(), width: Int) -> [String] {
        guard style.isSingleCommand else {
            return launch(form, style, shape).text.split(separator: "\n", omittingEmptySubsequences: false).flatMap { comment(String($0), width) }
        }
        var lines: [String] = []
        var line = ""
        for unit in units(form.configuration.launchWords(style, for: form.tab.command)) {
            let candidate = line.isEmpty ? unit : line + " " + unit
            if TextWidth.width(of: candidate) + 2 > width, !line.isEmpty {
                lines.append(line + " \\")
                line = "  " + unit
            } else {
                line = candidate
            }
        }
        lines.append(line)
        return lines
    }

    /// A comment that is too long goes on in the next line, as a comment; anything else stays a line.
    private static func comment(_ line: String, _ width: Int) -> [String] {
        guard line.hasPrefix("# "), TextWidth.width(of: line) > width else { return [line] }
        return TextWidth.wrap(String(line.dropFirst(2)), to: max(8, width - 2)).map { "# " + $0 }
    }

    /// The command and each option with its value, quoted.
    private static func units(_ words: [String]) -> [String] {
        var units: [String] = []
        for word in words {
            let quoted = Configuration.shellQuoted(word)
            if let last = units.last, last.hasPrefix("--"), !last.contains(" "), !word.hasPrefix("--") {
                units[units.count - 1] = last + " " + quoted
            } else {
                units.append(quoted)
            }
        }
        // The program, the command and the recipe belong on one line.
        let head = units.prefix { !$0.hasPrefix("--") }
        return [head.joined(separator: " ")] + units.dropFirst(head.count)
    }
}
