/// From the words on the command line to an exit code.

import Glibc

enum Program {
    static let version = "0.1.0"

    /// Runs the command that the first argument names; the board when there is none.
    static func run(_ words: [String]) -> Int32 {
        let arguments = Array(words.dropFirst())
        guard let first = arguments.first else { return BoardCommand.run([]) }
        switch first {
        case "-h", "--help": return HelpCommand.run([])
        case "-V", "--version": return VersionCommand.run()
        default: break
        }
        if first.hasPrefix("-") { return BoardCommand.run(arguments) }
        guard let entry = CommandTable.entry(first) else { return unknown(first) }
        return run(entry, Array(arguments.dropFirst()))
    }

    static func run(_ entry: CommandEntry, _ arguments: [String]) -> Int32 {
        do {
            let invocation = try Invocation(entry: entry, arguments: arguments)
            if invocation.has("help") { return HelpCommand.print(entry) }
            return try entry.run(invocation)
        } catch let error as UsageError {
            Output.message("error: \(error.description)\nSee: tuneboard help \(entry.name)")
            return ExitCode.usage
        } catch {
            report(error, isJSON: arguments.contains("--json"))
            return ExitCode.failed
        }
    }

    /// An error that ends the program, in the form the caller asked for.
    static func report(_ error: any Error, isJSON: Bool) {
        let text = String(describing: error)
        if isJSON { Output.print(EventJSON.line(text)) }
        Output.message("error: " + text)
    }

    private static func unknown(_ word: String) -> Int32 {
        var text = "error: there is no command `\(word)`."
        if word.hasSuffix(".yaml") || word.hasSuffix(".yml") || word.hasSuffix(".json") {
            text += " A recipe needs a command before it: tuneboard train \(word)"
        } else if let nearest = CommandTable.nearest(word) {
            text += " Did you mean `\(nearest)`?"
        }
        Output.message(text + "\nCommands: " + CommandTable.all.map(\.name).joined(separator: ", "))
        return ExitCode.usage
    }
}
