/// `tuneboard completion`: what a shell can fill in.

import Configuration

enum CompletionCommand {
    static func run(_ invocation: Invocation) throws -> Int32 {
        let names = Completion.Shell.allCases.map(\.rawValue).joined(separator: "|")
        guard let word = invocation.words.first, invocation.words.count == 1 else {
            throw UsageError("for which shell? tuneboard completion \(names)")
        }
        guard let shell = Completion.Shell(rawValue: word) else { throw UsageError("`\(word)` is not one of \(names).") }
        Output.print(Completion.script(for: shell), terminator: "")
        return ExitCode.done
    }
}
