/// `tuneboard` alone: the board.

import Board
import Platform
import Runs
import Terminal

enum BoardCommand {
    static func run() -> Int32 {
        guard Output.isInputTerminal, Output.isOutputTerminal, Environment.value("TERM") ?? "dumb" != "dumb" else {
            HelpCommand.overview()
            Output.message("error: the board needs a terminal (TERM is \(Environment.value("TERM") ?? "not set")); use a command instead.")
            return ExitCode.usage
        }
        // The fork comes first: a process with threads cannot be copied.
        let detachment = Detachment.begin()
        NcursesBackend.blockSignals()
        do {
            return try BoardLauncher.run(.fromEnvironment(), detachment: detachment)
        } catch {
            Output.message("error: \(error.description)")
            return ExitCode.usage
        }
    }
}
