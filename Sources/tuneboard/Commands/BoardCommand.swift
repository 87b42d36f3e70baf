/// `tuneboard` alone: the board.

import Platform

enum BoardCommand {
    static func run() -> Int32 {
        guard Output.isInputTerminal, Output.isOutputTerminal, Environment.value("TERM") ?? "dumb" != "dumb" else {
            HelpCommand.overview()
            Output.message("error: the board needs a terminal (TERM is \(Environment.value("TERM") ?? "not set")); use a command instead.")
            return ExitCode.usage
        }
        Output.message("error: the board is not part of this build.")
        return ExitCode.usage
    }
}
