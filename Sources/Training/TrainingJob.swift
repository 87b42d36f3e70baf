/// A training run from its arguments to its files: plan, data, model, loop, outputs.

import Configuration
import Events
import Evaluation
import Models
import Platform
import Tensors

public struct TrainingJob {
    private let configuration: Configuration
    private let sink: any EventSink
    private let control: JobControl

    public init(configuration: Configuration, sink: any EventSink, control: JobControl) {
        self.configuration = configuration
        self.sink = sink
        self.control = control
    }

    /// Runs to the end, or until it is asked to stop. Throws what went wrong, and after an abort.
    public func run() throws -> JobSummary {
        let settings = try TrainingSettings(configuration)
        do { return try train(settings) } catch Interruption.stopped {
            sink.emit(.state(.stopped))
            return JobSummary(outputDirectory: settings.outputDirectory, text: "Stopped before the first step; nothing was trained.")
        }
    }

    private func train(_ settings: TrainingSettings) throws -> JobSummary {
        let reporter = JobReporter(sink)
        let output = try OutputDirectory(settings)
        try output.prepare()
        let backend = try EngineSetup.backend(configuration)
        reporter.log(.info, "Computing on \(backend.summary).")

        reporter.phase("tokenising")
        let text = try TextSetup(configuration, directory: settings.modelDirectory, reporter: reporter)
        let data = try TrainingData.load(configuration, settings, text: text)
        let steps = settings.stepPlan(batchesPerEpoch: data.training.batchesPerEpoch)
        let schedule = try settings.schedule(totalSteps: steps.totalSteps)
        try control.heed(sink)

        reporter.phase("planning")
        let plan = try RunPlanner(
            configuration: configuration, settings: settings, data: data, steps: steps, resumed: output.resumed
        ).plan()
        sink.emit(.planned(plan))
        announce(plan, output, reporter)
        try control.heed(sink)

        reporter.phase("loading the model")
        let model = try TrainableModel.load(configuration, settings: settings, backend: backend, checkpoint: output.resumed)
        for note in model.adapterNotes { reporter.log(.warning, note) }
        try data.check(for: model.spec)
        try control.heed(sink)
        let work = try StageMaker.work(
            configuration, settings, model: model, tokenizer: text.tokenizer, stopTokens: text.template.stopTokenIDs(text.tokenizer),
            checkpoint: output.resumed)
        let session = try TrainingSession(
            configuration: configuration, settings: settings, output: output, data: data, tokenizer: text.tokenizer, model: model, work: work,
            steps: steps, schedule: schedule, reporter: reporter, control: control)
        return try session.run()
    }

    /// What the run would do and need. Reads the data and the model's headers; writes nothing but the tokenised cache.
    public static func plan(_ configuration: Configuration) throws -> RunPlan {
        let settings = try TrainingSettings(configuration)
        let output = try OutputDirectory(settings)
        let text = try TextSetup(configuration, directory: settings.modelDirectory, reporter: JobReporter(SilentSink()))
        let data = try TrainingData.load(configuration, settings, text: text)
        let steps = settings.stepPlan(batchesPerEpoch: data.training.batchesPerEpoch)
        _ = try settings.schedule(totalSteps: steps.totalSteps)
        return try RunPlanner(
            configuration: configuration, settings: settings, data: data, steps: steps, resumed: output.resumed
        ).plan()
    }

    private func announce(_ plan: RunPlan, _ output: OutputDirectory, _ reporter: JobReporter) {
        if let resumed = output.resumed {
            let hint = output.resumesByItself ? " Set overwrite_output_dir: true or another output_dir to start afresh." : ""
            reporter.log(.info, "Resuming from \(resumed.path) at step \(resumed.step).\(hint)")
        }
        let lines = [
            "***** Running training *****",
            "Num examples = \(NumberText.grouped(plan.samples)), evaluation \(NumberText.grouped(plan.evalSamples))",
            "Total train batch size (with accumulation) = \(plan.effectiveBatch)",
            "Optimization steps = \(NumberText.grouped(plan.totalSteps)), \(NumberText.grouped(plan.stepsPerEpoch)) per epoch",
            "Trainable parameters = \(NumberText.grouped(plan.trainableCount)) of \(NumberText.grouped(plan.parameterCount))",
            "Memory = \(NumberText.bytes(plan.peakBytes)) (" + plan.memory.map { "\($0.part) \(NumberText.bytes($0.bytes))" }
                .joined(separator: ", ") + "), \(NumberText.bytes(plan.availableBytes)) free",
        ]
        for line in lines { reporter.log(.info, line) }
        for warning in plan.warnings { reporter.log(.warning, warning) }
    }
}

private final class SilentSink: EventSink {
    func emit(_ event: JobEvent) {}
}

extension TrainingSettings {
    func stepPlan(batchesPerEpoch: Int) -> StepPlan {
        // A step of stage ppo takes as many micro-batches as its buffer holds.
        let buffers = stage == .policyOptimisation ? stageSettings.policy.bufferSize : 1
        return StepPlan(batchesPerEpoch: batchesPerEpoch, accumulation: accumulation * buffers, epochs: epochs, maximumSteps: maximumSteps)
    }
}
