/// `--preview STYLE`: the run as another program, several machines or a batch system would start it.

import Configuration
import Formats

enum PreviewCommand {
    static let options: [OptionRow] = [
        OptionRow("preview", "STYLE", "print the run as \(LaunchStyle.allCases.map(\.rawValue).joined(separator: ", ")), and do not start it"),
        OptionRow("machines", "N", "machines of a torchrun or slurm preview (2)"),
        OptionRow("gpus", "N", "GPUs on each machine (8)"),
    ]

    static func run(_ invocation: Invocation, _ command: Command) throws -> Int32 {
        let word = invocation.value("preview") ?? ""
        guard let style = LaunchStyle(rawValue: word) else {
            throw UsageError("--preview takes one of \(LaunchStyle.allCases.map(\.rawValue).joined(separator: ", ")), not `\(word)`.")
        }
        guard style.suits(command) else { throw UsageError("--preview \(word) is for training and evaluation, not \(command.rawValue).") }
        // Others can do things that this engine does not: the values are read, but not held against what works here.
        let configuration = try Configuration.load(file: invocation.recipe, overrides: invocation.overrides)
        let shape = LaunchShape(
            machines: try invocation.integer("machines", default: 2), devicesPerMachine: try invocation.integer("gpus", default: 8))
        let launch = configuration.launch(style, for: command, shape: shape)
        if invocation.isJSON {
            let notes = launch.notes.map(JSONValue.string)
            Output.print(
                JSONValue.object(JSONObject([
                    ("style", .string(style.rawValue)), ("text", .string(launch.text)), ("file", .string(launch.fileName)), ("notes", .array(notes)),
                ])).text(style: .compact))
            return ExitCode.done
        }
        Output.print(launch.text.hasSuffix("\n") ? String(launch.text.dropLast()) : launch.text)
        for note in launch.notes where style.isSingleCommand { Output.message("note: " + note) }
        return ExitCode.done
    }
}
