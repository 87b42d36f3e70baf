/// `train`, `eval` and `export`: a configuration, a job, and its reader.

import Configuration
import Events
import Platform
import Runs

enum JobCommand {
    static func train(_ invocation: Invocation) throws -> Int32 {
        try invocation.expectNoWords()
        if invocation.has("preview") { return try PreviewCommand.run(invocation, .train) }
        if invocation.has("plan") || invocation.has("measure") { return try plan(invocation) }
        let detachment = invocation.has("detach") ? Detachment.begin() : .none()
        return try run(invocation, .train, JobSequence.train, detachment: detachment)
    }

    static func evaluate(_ invocation: Invocation) throws -> Int32 {
        try invocation.expectNoWords()
        if invocation.has("preview") { return try PreviewCommand.run(invocation, .evaluate) }
        return try run(invocation, .evaluate, JobSequence.evaluate)
    }

    static func export(_ invocation: Invocation) throws -> Int32 {
        try invocation.expectNoWords()
        if invocation.has("preview") { return try PreviewCommand.run(invocation, .export) }
        return try run(invocation, .export) { [PlannedJob(kind: .export, configuration: $0)] }
    }

    /// Runs the jobs of a command one after the other; the first that does not finish ends the row.
    private static func run(
        _ invocation: Invocation, _ command: Command, _ jobs: (Configuration) -> [PlannedJob], detachment: Detachment = .none()
    ) throws -> Int32 {
        guard let configuration = Arguments.load(invocation, for: command) else { return ExitCode.usage }
        let signals = SignalListener()
        let runner = JobRunner()
        for job in jobs(configuration) {
            // Told while there is a terminal to tell it on.
            let mustDetach = detachment.canDetach && !detachment.isDetached
            if mustDetach, let problem = StartProblem.find([job]) { throw problem }
            let printer = JobPrinter(isJSON: invocation.isJSON)
            let code = try printer.follow(signals) { wake throws(RunError) in
                let handle = try runner.start(job.kind, job.configuration, keepsTrace: mustDetach, wake: wake)
                // One that has failed already is told here.
                if mustDetach, !handle.hasEnded { letGo(detachment, handle) }
                return handle
            }
            if code != ExitCode.done { return code }
        }
        return ExitCode.done
    }

    private static func letGo(_ detachment: Detachment, _ handle: JobHandle) {
        let directory = handle.runDirectory.map { Path.relative($0.path, to: FileSystem.currentDirectory) } ?? ""
        detachment.detach(farewell: "Training goes on in process \(ProcessRunner.ownIdentifier). Follow it: tuneboard runs follow \(directory)")
    }

    private static func plan(_ invocation: Invocation) throws -> Int32 {
        guard let configuration = Arguments.load(invocation, for: .train) else { return ExitCode.usage }
        let plan = try (invocation.has("measure") ? EngineJobs.measuredPlan : EngineJobs.plan)(configuration, JobControl())
        if invocation.isJSON {
            Output.print(EventJSON.line(.planned(plan)))
            return ExitCode.done
        }
        for line in EventText.lines(plan) { Output.print(line) }
        for warning in plan.warnings { Output.print("warning    " + warning) }
        return ExitCode.done
    }
}
