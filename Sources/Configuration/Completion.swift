/// What a shell can complete, and scripts that tell it so.

public enum Completion {
    public enum Shell: String, Sendable, CaseIterable {
        case bash, zsh, fish
    }

    /// One option of a command.
    public struct Option: Sendable, Equatable {
        /// With its dashes.
        public let name: String
        public let help: String
        /// What may follow it; empty for anything.
        public let values: [String]
        /// True when a path may follow.
        public let takesPath: Bool
    }

    /// The options of a command, in the table's order.
    public static func options(of command: Command) -> [Option] {
        ArgumentTable.arguments(of: command).map { argument in
            Option(
                name: "--" + argument.name, help: argument.help,
                values: argument.kind == .flag ? ["true", "false"] : argument.choices, takesPath: takesPath(argument))
        }
    }

    /// A script to be sourced by the shell.
    public static func script(for shell: Shell) -> String {
        switch shell {
        case .bash: bash()
        case .zsh: "autoload -U +X bashcompinit && bashcompinit\n" + bash()
        case .fish: fish()
        }
    }

    private static func takesPath(_ argument: Argument) -> Bool {
        guard argument.kind == .text || argument.kind == .list else { return false }
        return ["path", "dir", "folder", "checkpoint", "dataset"].contains { argument.name.contains($0) }
    }

    private static func bash() -> String {
        var cases = ""
        var values = ""
        var seen: Set<String> = []
        for command in Command.allCases {
            let options = options(of: command)
            if options.isEmpty { continue }
            cases += "        \(command.rawValue)) words=\"\(options.map(\.name).joined(separator: " "))\" ;;\n"
            for option in options where !option.values.isEmpty && seen.insert(option.name).inserted {
                values += "        \(option.name)) words=\"\(option.values.joined(separator: " "))\" ;;\n"
            }
        }
        return """
            _tuneboard() {
                local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}" words=""
                if [ "$COMP_CWORD" -eq 1 ]; then
                    COMPREPLY=($(compgen -W "\(Command.allCases.map(\.rawValue).joined(separator: " "))" -- "$current"))
                    return
                fi
                case "$previous" in
            \(values)    esac
                if [ -z "$words" ] && [[ "$current" == -* ]]; then
                    case "${COMP_WORDS[1]}" in
            \(cases)        esac
                fi
                if [ -n "$words" ]; then COMPREPLY=($(compgen -W "$words" -- "$current")); else COMPREPLY=($(compgen -f -- "$current")); fi
            }
            complete -o filenames -F _tuneboard tuneboard

            """
    }

    private static func fish() -> String {
        var lines: [String] = []
        let commands = Command.allCases.map(\.rawValue).joined(separator: " ")
        for command in Command.allCases {
            lines.append(
                "complete -c tuneboard -n \"not __fish_seen_subcommand_from \(commands)\" -f -a \(command.rawValue) -d "
                    + Configuration.shellQuoted(HelpText.summary(of: command)))
            for option in options(of: command) {
                var line = "complete -c tuneboard -n \"__fish_seen_subcommand_from \(command.rawValue)\" -l \(option.name.dropFirst(2))"
                if !option.values.isEmpty { line += " -x -a \"\(option.values.joined(separator: " "))\"" } else { line += option.takesPath ? " -r" : " -x" }
                lines.append(line + " -d " + Configuration.shellQuoted(option.help))
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
