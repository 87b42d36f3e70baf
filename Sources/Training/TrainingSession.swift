/// A run at work: the loop, and everything it leaves on disk and tells its readers.

import Configuration
import Events
import Evaluation
import Formats
import Models
import Platform
import Tensors
import Tokenizers

final class TrainingSession {
    let configuration: Configuration
    let settings: TrainingSettings
    let output: OutputDirectory
    let data: TrainingData
    let tokenizer: Tokenizer
    let model: Transformer
    let optimizer: Optimizer
    let schedule: LearningRateSchedule
    let loop: TrainingLoop
    let reporter: JobReporter
    let control: JobControl
    private let log: TrainerLog
    private let board: TensorBoardWriter?
    private let firstStep: Int

    init(
        configuration: Configuration, settings: TrainingSettings, output: OutputDirectory, data: TrainingData, tokenizer: Tokenizer,
        model: Transformer, work: StageWork? = nil, steps: StepPlan, schedule: LearningRateSchedule, reporter: JobReporter,
        control: JobControl
    ) throws {
        self.configuration = configuration
        self.settings = settings
        self.output = output
        self.data = data
        self.tokenizer = tokenizer
        self.model = model
        self.schedule = schedule
        self.reporter = reporter
        self.control = control
        let work = try work ?? StageMaker.work(
            configuration, settings, model: model, tokenizer: tokenizer, stopTokens: [], checkpoint: output.resumed)
        model.backend.offloadsCheckpoints = settings.offload.checkpoints
        optimizer = try settings.optimizer.optimizer(
            for: model.trainableParameters + work.parameters, of: model, directory: output.path, isOffloaded: settings.offload.optimizer)
        var state = try output.resumed.map { try TrainerState.read(from: $0.path) } ?? TrainerState()
        let kept = state.logHistory.count
        if let resumed = output.resumed { try Self.restore(optimizer, from: resumed, reporter) }
        state.prepare(settings, steps)
        firstStep = state.globalStep
        try output.clear()
        loop = try TrainingLoop(
            model: model, work: work, optimizer: optimizer, schedule: schedule, steps: steps, batches: data.training,
            settings: settings, state: state, control: control)
        log = try TrainerLog(directory: output.path, keptLines: kept, totalSteps: steps.totalSteps, meter: loop.meter)
        board = settings.reportsToTensorBoard
            ? try TensorBoardWriter(directory: settings.tensorBoardDirectory ?? Path.join(output.path, "runs")) : nil
        try FileSystem.writeAtomically(Path.join(output.path, "training_args.yaml"), text: configuration.yaml())
        connect()
    }

    private static func restore(_ optimizer: Optimizer, from checkpoint: CheckpointFolder, _ reporter: JobReporter) throws {
        guard FileSystem.exists(Path.join(checkpoint.path, Optimizer.fileName)) else {
            reporter.log(
                .warning,
                "\(checkpoint.path) holds no \(Optimizer.fileName): the weights go on from there, the optimizer starts afresh.")
            return
        }
        try optimizer.read(from: checkpoint.path)
        // The run needs neither of them, but who reads them should know that they are damaged.
        for name in [positionName, schedulerName] {
            let path = Path.join(checkpoint.path, name)
            guard FileSystem.exists(path) else { continue }
            var problem: String?
            do { if try JSONValue.read(file: path).objectValue == nil { problem = "\(path): expected a JSON object." } } catch { problem = "\(error)" }
            if let problem {
                reporter.log(.warning, "\(problem) The run goes on without it: schedule, data and random numbers follow from step and seeds.")
            }
        }
    }

    private static let positionName = "rng_state.json"
    private static let schedulerName = "scheduler.json"

    private func connect() {
        loop.hooks = TrainingLoop.Hooks(
            evaluate: data.evaluations.isEmpty ? nil : { [unowned self] in try evaluate() },
            save: { [unowned self] in try saveCheckpoint() },
            logged: { [unowned self] in try write($0) },
            stepped: { [unowned self] in reporter.sink.emit(.step($0)) },
            changedState: { [unowned self] in reporter.sink.emit(.state($0)) },
            note: { [unowned self] in reporter.log($0, $1) })
        loop.hooks.held = { [unowned self] in
            HeldTraining(model: model, tokenizer: tokenizer, configuration: configuration, step: loop.state.globalStep)
        }
    }

    /// Trains, then writes what a finished run leaves behind.
    func run() throws -> JobSummary {
        defer { log.close() }
        reporter.sink.emit(.state(.running))
        reporter.phase("training")
        let ending = try loop.run()
        let summary = try finish(ending)
        reporter.sink.emit(.state(ending == .stopped ? .stopped : .finished))
        return summary
    }

    // MARK: Records

    /// An entry of the history goes to trainer_log.jsonl, TensorBoard and the log.
    private func write(_ entry: JSONObject) throws {
        let step = loop.state.globalStep
        try log.write(entry, step: step, tokens: loop.state.inputTokensSeen)
        for (key, value) in entry where key != "step" {
            guard let number = value.doubleValue else { continue }
            let tag = key.hasPrefix("eval_") ? "eval/" + key.dropFirst(5) : "train/" + key
            try board?.add(tag: tag, value: number, step: step)
        }
        reporter.log(.info, Self.line(entry))
    }

    /// `{'loss': 1.2345, 'learning_rate': 5.0000e-05, 'epoch': 0.25}`
    private static func line(_ entry: JSONObject) -> String {
        let parts = entry.pairs.compactMap { pair -> String? in
            guard pair.key != "step", let value = pair.value.doubleValue else { return nil }
            switch pair.key {
            case "learning_rate": return "'\(pair.key)': \(NumberText.scientific(value, digits: 4))"
            case "epoch": return "'\(pair.key)': \(NumberText.fixed(value, digits: 2))"
            default: return "'\(pair.key)': \(NumberText.significant(value, digits: 6))"
            }
        }
        return "{" + parts.joined(separator: ", ") + "}"
    }

    // MARK: Evaluation

    /// Metrics over all evaluation data, named `eval_loss` or, one by one, `eval_<dataset>_loss`.
    func evaluate(nextPhase: String = "training") throws -> JSONObject {
        reporter.phase("evaluating")
        defer { reporter.phase(nextPhase) }
        var metrics = JSONObject()
        for evaluation in data.evaluations {
            let (entry, shown) = try measure(evaluation)
            metrics.merge(entry)
            reporter.sink.emit(
                .evaluation(
                    EvaluationMetrics(
                        step: loop.state.globalStep, epoch: loop.state.epoch, loss: entry[evaluation.prefix + "loss"]?.doubleValue,
                        values: Dictionary(
                            shown.pairs.compactMap { pair in pair.value.doubleValue.map { (pair.key, $0) } }, uniquingKeysWith: { $1 }))))
        }
        return metrics
    }

    /// What goes into the history, and what readers are shown beside.
    private func measure(_ set: EvaluatedSet) throws -> (entry: JSONObject, shown: JSONObject) {
        let progress: (Int, Int) -> Void = { [reporter] in reporter.progress("evaluating", $0, $1, detail: set.name ?? "") }
        guard let objective = loop.work.objective as? CrossEntropyObjective else {
            guard let objective = loop.work.objective else { return (JSONObject(), JSONObject()) }
            let entry = try ObjectiveEvaluator(objective: objective, batchSize: settings.evaluationBatchSize)
                .evaluate(set, heed: heedWhileEvaluating, progress: progress)
            return (entry, entry)
        }
        let measured = try objective.evaluator(batchSize: settings.evaluationBatchSize)
            .evaluate(count: set.count, batch: set.batch, heed: heedWhileEvaluating, progress: progress)
        return (
            measured.entry(prefix: set.prefix, withAccuracy: settings.measuresAccuracy),
            measured.entry(prefix: set.prefix, withAccuracy: true)
        )
    }

    private func heedWhileEvaluating() throws { try control.heed(reporter.sink) }

    // MARK: Checkpoints

    private func saveCheckpoint() throws {
        reporter.phase("saving")
        defer { reporter.phase("training") }
        let state = loop.state
        let checkpoint = try CheckpointFolder.write(step: state.globalStep, in: output.path) { folder in
            try writeModel(to: folder, isFinal: false)
            try tokenizer.save(to: folder)
            try FileSystem.writeAtomically(Path.join(folder, "training_args.yaml"), text: configuration.yaml())
            if settings.savesOptimizer {
                try optimizer.write(to: folder)
                try writePosition(to: folder)
            }
            try loop.noteCheckpoint(at: Path.join(output.path, CheckpointFolder.prefix + String(state.globalStep)))
                .write(to: folder)
        }
        reporter.sink.emit(
            .checkpoint(CheckpointRecord(step: checkpoint.step, path: checkpoint.path, bytes: FileSystem.treeSize(checkpoint.path))))
        reporter.log(.info, "Saved checkpoint \(checkpoint.path).")
        CheckpointFolder.thin(in: output.path, limit: settings.saveTotalLimit, best: loop.state.bestCheckpoint, newest: state.globalStep)
    }

    /// Where schedule, data and random numbers stand. All three follow from the step and the seeds, so these files only record
    /// them for people and other programs.
    private func writePosition(to folder: String) throws {
        let step = loop.state.globalStep
        let scheduler = JSONObject([
            ("name", .string(schedule.name)), ("base_lrs", .array([.number(schedule.baseRate)])), ("last_epoch", .integer(step)),
            ("_last_lr", .array([.number(loop.learningRate)])), ("num_warmup_steps", .integer(schedule.warmupSteps)),
            ("num_training_steps", .integer(schedule.totalSteps)),
        ])
        try FileSystem.writeAtomically(Path.join(folder, Self.schedulerName), text: scheduler.text(style: .indented(2)) + "\n")
        let position = JSONObject([
            ("seed", .integer(configuration[.seed])), ("data_seed", configuration[.dataSeed].map { .integer($0) } ?? .null),
            ("epoch", .integer(step / loop.steps.stepsPerEpoch)), ("step_in_epoch", .integer(step % loop.steps.stepsPerEpoch)),
            ("steps_per_epoch", .integer(loop.steps.stepsPerEpoch)),
        ])
        try FileSystem.writeAtomically(Path.join(folder, Self.positionName), text: position.text(style: .indented(2)) + "\n")
    }

    func writeModel(to folder: String, isFinal: Bool) throws {
        switch settings.method {
        case .lora, .oft:
            try AdapterFile.save(model, to: folder)
        case .freeze, .full:
            // Frozen weights stay as they came until the run is over.
            let type = isFinal ? settings.savedType : settings.method == .full ? settings.storedType : nil
            try CheckpointWriter(model, options: CheckpointWriter.Options(dtype: type)).write(to: folder)
        }
        try loop.work.valueHead?.save(to: folder)
    }

    // MARK: The end

    private func finish(_ ending: TrainingLoop.Ending) throws -> JobSummary {
        let metrics = try recordTotals()
        if ending != .stopped { try loadBest() }
        reporter.phase("writing results")
        try writeModel(to: output.path, isFinal: true)
        if configuration[.pissaConvert], settings.method == .lora {
            for folder in try TrainableModel.writeConverted(model, configuration, to: output.path) { reporter.log(.info, "Wrote \(folder).") }
        }
        try tokenizer.save(to: output.path)
        try ResultsFile.write(metrics, split: "train", to: output.path)
        try loop.state.write(to: output.path)
        if settings.plotsLoss { try LossPlots.write(history: loop.state.logHistory, keys: plottedKeys, to: output.path) }
        var values = metrics
        if settings.evaluatesAtEnd, ending != .stopped, !data.evaluations.isEmpty { values.merge(try evaluateAtEnd()) }
        try writeModelCard()
        return summary(ending, values)
    }

    /// The last entry of the history, as the Trainer writes it, and the content of train_results.json.
    private func recordTotals() throws -> JSONObject {
        let state = loop.state
        let seconds = loop.meter.elapsedSeconds
        let share = Double(state.globalStep - firstStep) / Double(max(1, loop.steps.totalSteps))
        let allSamples = settings.maximumSteps > 0
            ? Double(settings.maximumSteps) * Double(settings.batchSize * settings.accumulation) : Double(data.sampleCount) * settings.epochs
        var metrics = JSONObject(
            ResultsFile.speed(split: "train", seconds: seconds, samples: allSamples * share, steps: state.globalStep - firstStep))
        metrics.set("total_flos", .number(state.totalFlops))
        metrics.set("train_loss", .number(state.running.mean(overSteps: state.globalStep)))
        metrics.set("epoch", .number(state.epoch))
        try loop.record(metrics)
        if let skipped = state.scaler?.skippedSteps, skipped > 0 { metrics.set("skipped_steps", .integer(skipped)) }
        metrics.set("num_input_tokens_seen", .integer(state.inputTokensSeen))
        if settings.reportsEffectiveSpeed, seconds > 0 {
            metrics.set("effective_tokens_per_sec", .number(Double(data.tokenCount) * state.epoch / seconds))
        }
        return metrics
    }

    private func loadBest() throws {
        guard settings.loadsBestAtEnd, let best = loop.state.bestCheckpoint, FileSystem.exists(best) else { return }
        switch settings.method {
        case .lora, .oft:
            try AdapterFile.load(best, into: model)
        case .freeze, .full:
            let loaded = try Transformer.load(
                directory: best, backend: model.backend,
                options: LoadOptions(dtype: settings.method == .full ? settings.storedType : nil, trainsBase: false))
            for (mine, other) in zip(model.parameters, loaded.parameters) { mine.value = other.value }
        }
        reporter.log(.info, "Took the weights of \(best), the best by \(settings.bestMetric ?? "loss").")
    }

    private var plottedKeys: [String] {
        let own = switch settings.stage {
        case .pretraining, .supervised, .rewardModelling: ["loss"]
        case .preference: ["loss", "rewards/accuracies"]
        case .feedback: ["loss", "rewards/chosen"]
        case .policyOptimisation: ["loss", "reward"]
        }
        return own + data.evaluations.flatMap { [$0.prefix + "loss", $0.prefix + "accuracy"] }
    }

    private func evaluateAtEnd() throws -> JSONObject {
        var metrics: JSONObject
        do { metrics = try evaluate(nextPhase: "writing results") } catch Interruption.stopped {
            reporter.log(.warning, "Stopped before the last evaluation was done; the model is complete, eval_results.json is not written.")
            return [:]
        }
        metrics.set("epoch", .number(loop.state.epoch))
        try loop.record(metrics)
        if settings.stage == .pretraining, let loss = metrics["eval_loss"]?.doubleValue {
            metrics.set("perplexity", .number(LossMetrics.perplexity(ofLoss: loss)))
        }
        try ResultsFile.write(metrics, split: "eval", to: output.path)
        try loop.state.write(to: output.path)
        return metrics
    }

    private func summary(_ ending: TrainingLoop.Ending, _ values: JSONObject) -> JobSummary {
        let named = values.pairs.compactMap { pair in pair.value.doubleValue.map { NamedValue(pair.key, $0) } }
        let state = loop.state
        let loss = NumberText.plain(state.running.mean(overSteps: state.globalStep), digits: 4)
        let what = switch ending {
        case .finished: "Finished"
        case .stopped: "Stopped and saved"
        case .stoppedEarly: "Ended early"
        }
        let text = "\(what) after \(state.globalStep) of \(loop.steps.totalSteps) steps, training loss \(loss), in \(output.path)."
        reporter.log(.info, text)
        return JobSummary(values: named, outputDirectory: output.path, text: text)
    }

    private func writeModelCard() throws {
        let batch = settings.batchSize * settings.accumulation
        let card = ModelCard(
            name: Path.name(output.path), baseModel: settings.modelDirectory, datasets: configuration[.dataset],
            method: settings.method.rawValue, isAdapter: settings.method.makesAdapter,
            hyperparameters: [
                ("learning_rate", NumberText.pythonFloat(settings.learningRate)), ("train_batch_size", String(settings.batchSize)),
                ("eval_batch_size", String(settings.evaluationBatchSize)), ("seed", configuration.text("seed")),
                ("gradient_accumulation_steps", String(settings.accumulation)), ("total_train_batch_size", String(batch)),
                ("optimizer", settings.optimizer.summary),
                ("lr_scheduler_type", schedule.name), ("lr_scheduler_warmup_steps", String(schedule.warmupSteps)),
                ("training_steps", String(loop.state.globalStep)), ("epochs", NumberText.fixed(loop.state.epoch, digits: 2)),
            ],
            logHistory: loop.state.logHistory,
            usage: "    " + chatCommand)
        try FileSystem.writeAtomically(Path.join(output.path, "README.md"), text: card.text())
    }

    private var chatCommand: String {
        let template = configuration[.template].map { " --template \($0)" } ?? ""
        switch settings.method {
        case .lora, .oft:
            let adapters = (TrainableModel.adapterStack(configuration).merged + [output.path]).joined(separator: ",")
            return "tuneboard chat --model_name_or_path \(settings.modelDirectory) --adapter_name_or_path \(adapters)" + template
        case .freeze, .full: return "tuneboard chat --model_name_or_path \(output.path)" + template
        }
    }
}
