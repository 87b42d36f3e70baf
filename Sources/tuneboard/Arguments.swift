/// The configuration of a job from a recipe and what was typed behind it.

import Configuration
import Platform

enum Arguments {
    /// Reads and checks everything, prints every problem at once, and gives nil when a job cannot start with it.
    static func load(_ invocation: Invocation, for command: Command) -> Configuration? {
        let configuration: Configuration
        do {
            configuration = try Configuration.load(file: invocation.recipe, overrides: invocation.overrides)
        } catch {
            complain(error.failures.map(\.description), invocation)
            return nil
        }
        let problems = configuration.validate(for: command)
        for problem in problems where problem.severity != .error {
            Output.message((problem.severity == .notice ? "note: " : "warning: ") + problem.description)
        }
        let errors = problems.filter { $0.severity == .error }
        guard errors.isEmpty else {
            complain(errors.map(\.description), invocation)
            return nil
        }
        return configuration
    }

    private static func complain(_ problems: [String], _ invocation: Invocation) {
        if invocation.isJSON { Output.print(EventJSON.line(problems.joined(separator: "\n"))) }
        for problem in problems { Output.message("error: " + problem) }
        if problems.count > 1 { Output.message("\(problems.count) problems; nothing was started.") }
        guard invocation.recipe == nil, invocation.overrides.isEmpty else { return }
        let example = invocation.entry.name == "train" ? "; `tuneboard train recipes/quickstart.yaml` is a run to begin with" : ""
        Output.message("`tuneboard help \(invocation.entry.name)` lists every argument\(example).")
    }
}
