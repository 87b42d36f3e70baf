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
    /// For tests of what happens where memory is short.
    var availableBytes: Int64?

    public init(configuration: Configuration, sink: any EventSink, control: JobControl) {
        self.configuration = configuration
        self.sink = sink
        self.control = control
    }

    /// Runs to the end, or until it is asked to stop. Throws what went wrong, and after an abort.
    public func run() throws -> JobSummary {
        var settings = try TrainingSettings(configuration)
        do { return try train(&settings) } catch Interruption.stopped {
            sink.emit(.state(.stopped))
            return JobSummary(outputDirectory: settings.outputDirectory, text: "Stopped before the first step; nothing was trained.")
        }
    }

    private func train(_ settings: inout TrainingSettings) throws -> JobSummary {
        let reporter = JobReporter(sink)
        let output = try OutputDirectory(settings)
        try output.prepare()
        let backend = try EngineSetup.backend(configuration, products: settings.products, isTraining: true) { reporter.log(.warning, $0) }
        reporter.log(.info, "Computing on \(backend.summary).")
        if let notice = configuration.offloadNotice(isOnProcessor: backend.availableBytes == nil) { reporter.log(.warning, notice) }

        reporter.phase("tokenising")
        let text = try TextSetup(configuration, directory: settings.modelDirectory, reporter: reporter)
        var data = try TrainingData.load(configuration, settings, text: text)
        for warning in text.tokenizer.warnings { reporter.log(.warning, warning) }
        try control.heed(sink)

        reporter.phase("planning")
        let (steps, plan) = try Self.fitted(
            configuration, &settings, &data, resumed: output.resumed, availableBytes: availableBytes, backend: backend,
            note: { reporter.log(.info, $0) })
        let schedule = try settings.schedule(totalSteps: steps.totalSteps)
        sink.emit(.planned(plan))
        announce(plan, output, reporter)
        if let done = output.finishedRun(ofSteps: steps.totalSteps) {
            reporter.log(.info, done.text)
            sink.emit(.state(.finished))
            return done
        }
        try control.heed(sink)

        reporter.phase("loading the model")
        let model = try TrainableModel.load(configuration, settings: settings, backend: backend, checkpoint: output.resumed)
        for note in model.adapterNotes { reporter.log(.warning, note) }
        try data.check(for: model.spec)
        try control.heed(sink)
        let work = try StageMaker.work(
            configuration, settings, model: model, tokenizer: text.tokenizer, stopTokens: text.template.stopTokenIDs(text.tokenizer),
            checkpoint: output.resumed, control: control)
        let session = try TrainingSession(
            configuration: configuration, settings: settings, output: output, data: data, tokenizer: text.tokenizer, model: model, work: work,
            steps: steps, schedule: schedule, reporter: reporter, control: control)
        return try session.run()
    }

    /// What the run would do and need. Reads the data and the model's headers; writes nothing but the tokenised cache.
    /// - Parameter measuresStep: loads the model and takes two steps, to tell how long a step is.
    public static func plan(_ configuration: Configuration, measuresStep: Bool = false) throws -> RunPlan {
        var settings = try TrainingSettings(configuration)
        let output = try OutputDirectory(settings)
        let text = try TextSetup(configuration, directory: settings.modelDirectory, reporter: JobReporter(SilentSink()))
        var data = try TrainingData.load(configuration, settings, text: text)
        var (steps, plan) = try fitted(configuration, &settings, &data, resumed: output.resumed)
        _ = try settings.schedule(totalSteps: steps.totalSteps)
        if measuresStep {
            plan.stepSeconds = try MeasuredSpeed.measure(configuration, settings, data, text: text, resumed: output.resumed)
            plan.measuredBy = ""
        }
        return plan
    }

    /// The plan of the run; with `auto_find_batch_size` of the largest batch that fits into memory: as accelerate's
    /// `find_executable_batch_size` does it, the batch is halved until it does, but by the plan and not by running out of memory.
    /// A resumed run keeps the size that its checkpoint was made with.
    private static func fitted(
        _ configuration: Configuration, _ settings: inout TrainingSettings, _ data: inout TrainingData, resumed: CheckpointFolder?,
        availableBytes: Int64? = nil, backend: (any Backend)? = nil, note: (String) -> Void = { _ in }
    ) throws -> (steps: StepPlan, plan: RunPlan) {
        if settings.findsBatchSize, let resumed {
            let kept = try TrainerState.read(from: resumed.path).trainBatchSize
            if kept > 0, kept != settings.batchSize {
                settings.batchSize = kept
                data = try data.rebatched(configuration, settings)
            }
        }
        while true {
            let steps = settings.stepPlan(batchesPerEpoch: data.training.batchesPerEpoch)
            let planner = RunPlanner(
                configuration: configuration, settings: settings, data: data, steps: steps, resumed: resumed,
                availableBytes: availableBytes ?? backend?.availableBytes.map(Int64.init) ?? SystemInfo.availableMemoryBytes, backend: backend)
            let plan = try planner.plan()
            guard plan.peakBytes > plan.availableBytes else { return (steps, plan) }
            let canShrink = settings.findsBatchSize && resumed == nil
            if !canShrink || settings.batchSize == 1, let (offload, smaller) = try planner.offloaded(plan) {
                settings.offload = offload
                note(
                    "\(NumberText.bytes(plan.peakBytes)) of the card's memory would be needed and \(NumberText.bytes(plan.availableBytes)) are free: "
                        + "\(offload.text) in the host's memory, which leaves \(NumberText.bytes(smaller.peakBytes)).")
                return (steps, smaller)
            }
            guard canShrink else { return (steps, plan) }
            guard settings.batchSize > 1 else {
                throw TrainingError.unsuitable(
                    argument: "auto_find_batch_size", value: "true",
                    reason: "even one sample at a time needs \(NumberText.bytes(plan.peakBytes)), and \(NumberText.bytes(plan.availableBytes)) "
                        + "are free. Lower cutoff_len, set gradient_checkpointing: true, or quantise the base with quantization_bit: 4.")
            }
            note(
                "\(settings.batchSize) samples at a time need \(NumberText.bytes(plan.peakBytes)), \(NumberText.bytes(plan.availableBytes)) are "
                    + "free: per_device_train_batch_size is \(settings.batchSize / 2) now.")
            settings.batchSize /= 2
            data = try data.rebatched(configuration, settings)
        }
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
            "Tokens = \(NumberText.grouped(plan.tokens)), \(NumberText.grouped(plan.lossTokens)) of them learnt, longest sample "
                + NumberText.grouped(plan.longestSample),
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
        StepPlan(batchesPerEpoch: batchesPerEpoch, accumulation: batchesPerStep, epochs: epochs, maximumSteps: maximumSteps)
    }

    /// Micro-batches of a step; one of stage ppo takes as many as its buffer holds.
    var batchesPerStep: Int { accumulation * (stage == .policyOptimisation ? stageSettings.policy.bufferSize : 1) }
}
