/// Completion scripts, made from the command table and the argument table.

import Configuration

enum CompletionCommand {
    static func run(_ invocation: Invocation) throws -> Int32 {
        guard let shell = invocation.words.first, invocation.words.count == 1 else { throw UsageError("which shell? tuneboard completion bash|zsh") }
        switch shell {
        case "bash": Output.print(bash())
        case "zsh": Output.print("#compdef tuneboard\nautoload -U +X bashcompinit && bashcompinit\n" + bash())
        default: throw UsageError("`\(shell)` is neither bash nor zsh.")
        }
        return ExitCode.done
    }

    private static func bash() -> String {
        let names = CommandTable.all.map(\.name).joined(separator: " ")
        let cases = CommandTable.all.map { entry in
            "    \(entry.name)) words=\"\(words(entry).joined(separator: " "))\" ;;"
        }.joined(separator: "\n")
        let choices = ArgumentTable.all.filter { !$0.choices.isEmpty && $0.kind == .choice }.map { argument in
            "    --\(argument.name)) COMPREPLY=($(compgen -W \"\(argument.choices.joined(separator: " "))\" -- \"$current\")); return ;;"
        }.joined(separator: "\n")
        return """
            _tuneboard() {
              local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}" words=""
              if [ "$COMP_CWORD" -eq 1 ]; then COMPREPLY=($(compgen -W "\(names)" -- "$current")); return; fi
              case "$previous" in
            \(choices)
              esac
              case "${COMP_WORDS[1]}" in
            \(cases)
              esac
              case "$current" in
                -*) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
                *) COMPREPLY=($(compgen -f -- "$current")) ;;
              esac
            }
            complete -o filenames -F _tuneboard tuneboard
            """
    }

    private static func words(_ entry: CommandEntry) -> [String] {
        let options = entry.options.map { "--" + $0.name } + ["--help"]
        guard let command = entry.arguments else { return options }
        return options + ArgumentTable.all.filter { $0.commands.contains(command) }.map { "--" + $0.name }
    }
}
