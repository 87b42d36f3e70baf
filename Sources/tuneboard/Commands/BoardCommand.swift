/// `tuneboard` alone: the board.

import Board
import Platform
import Runs
import Terminal

enum BoardCommand {
    static func run(_ words: [String]) -> Int32 {
        do {
            return try open(try options(words))
        } catch {
            Output.message("error: \(error)")
            return ExitCode.usage
        }
    }

    /// `--theme NAME`, `--language CODE`, `--recipe FILE`, `--no-mouse`, `--plain`; what is not given comes from the environment.
    private static func options(_ words: [String]) throws -> BoardLauncher.Options {
        var options = BoardLauncher.Options.fromEnvironment()
        var rest = words[...]
        while let word = rest.popFirst() {
            switch word {
            case "--plain":
                options.isPlain = true
            case "--no-mouse", "--no_mouse":
                options.usesMouse = false
            case "--theme":
                guard let name = rest.popFirst() else { throw UsageError("--theme needs a name, such as dark or light.") }
                options.theme = name
            case "--language":
                guard let name = rest.popFirst(), let language = Language(rawValue: name) else {
                    throw UsageError("--language needs one of \(Language.allCases.map(\.rawValue).joined(separator: ", ")).")
                }
                options.language = language
            case "--recipe":
                guard let path = rest.popFirst() else { throw UsageError("--recipe needs a YAML or JSON file.") }
                options.recipe = path
            default:
                throw UsageError("`\(word)` is not an option of the board: --recipe FILE, --theme NAME, --language CODE, --no-mouse, --plain.")
            }
        }
        return options
    }

    private static func open(_ options: BoardLauncher.Options) throws -> Int32 {
        let isDumb = Environment.value("TERM") ?? "dumb" == "dumb"
        if options.isPlain || (isDumb && Output.isInputTerminal && Output.isOutputTerminal) {
            return BoardLauncher.speaking(options) { PlainBoard(options).run() }
        }
        guard Output.isInputTerminal, Output.isOutputTerminal, !isDumb else {
            HelpCommand.overview()
            throw UsageError("the board needs a terminal (TERM is \(Environment.value("TERM") ?? "not set")); use a command, or --plain.")
        }
        // The fork comes first: a process with threads cannot be copied.
        let detachment = Detachment.begin()
        NcursesBackend.blockSignals()
        return try BoardLauncher.run(options, detachment: detachment) { runner in
            // No screen reads signals any more: SIGTERM still means stop and save.
            SignalListener().onInterruption { count in runner.current?.request(count > 1 ? .abort : .stopAndSave) }
        }
    }
}
