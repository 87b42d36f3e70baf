/// The optimiser steps of a run. A step is a group of micro-batches whose losses are summed over tokens and divided once by the
/// number of labels in the whole group (what the Trainer calls num_items_in_batch), then clipped, then AdamW. Stages that compare
/// answers count samples where these count labels.
///
/// The loop knows nothing of files: what it decides to log, measure and save goes through its hooks, in the Trainer's order.

import Datasets
import Events
import Formats
import Models
import Platform
import Tensors

public final class TrainingLoop {
    /// What the loop leaves to its owner.
    public struct Hooks {
        /// Runs the evaluation and returns its metrics, names beginning with `eval_`. nil where there is nothing to evaluate.
        public var evaluate: (() throws -> JSONObject)?
        /// Writes a complete checkpoint of the present state.
        public var save: () throws -> Void
        /// A new entry of the log history.
        public var logged: (JSONObject) throws -> Void
        /// After every step.
        public var stepped: (StepMetrics) -> Void
        public var changedState: (JobState) -> Void
        public var note: (LogLevel, String) -> Void
        /// What a visitor gets while the loop holds.
        public var held: () -> AnyObject? = { nil }

        public init(
            evaluate: (() throws -> JSONObject)? = nil, save: @escaping () throws -> Void = {},
            logged: @escaping (JSONObject) throws -> Void = { _ in }, stepped: @escaping (StepMetrics) -> Void = { _ in },
            changedState: @escaping (JobState) -> Void = { _ in }, note: @escaping (LogLevel, String) -> Void = { _, _ in }
        ) {
            self.evaluate = evaluate
            self.save = save
            self.logged = logged
            self.stepped = stepped
            self.changedState = changedState
            self.note = note
        }
    }

    public enum Ending: Sendable, Equatable {
        case finished
        /// Somebody asked to stop and save.
        case stopped
        case stoppedEarly
    }

    let model: Transformer
    /// What a step does.
    let work: StageWork
    let optimizer: Optimizer
    let schedule: LearningRateSchedule
    let steps: StepPlan
    let batches: any BatchSource
    let settings: TrainingSettings
    let control: JobControl
    let meter: SpeedMeter
    public var hooks = Hooks()
    public internal(set) var state: TrainerState

    let logging: Recurrence
    let evaluation: Recurrence
    let saving: Recurrence
    private var lastEvaluatedStep = -1
    private var lastSavedStep = -1
    var stopsEarly = false
    /// Sent, and its numbers not yet read; a later step is being sent.
    var unsettled: SentStep?
    /// Whether the weights are those of a later step than the state tells of.
    var isAhead = false
    /// A norm was no number: what was sent behind it was left out too.
    var discardsNextStep = false
    /// Updates in a row that were left out because nothing useful was there.
    var skippedUpdates = 0
    /// Where the rate follows evaluations.
    private var follower: MetricSchedule?

    /// - Parameter work: learning from the cross-entropy of the labels when there is none.
    public init(
        model: Transformer, work: StageWork? = nil, optimizer: Optimizer, schedule: LearningRateSchedule, steps: StepPlan,
        batches: any BatchSource, settings: TrainingSettings, state: TrainerState, control: JobControl
    ) throws(TrainingError) {
        self.model = model
        self.work = work ?? .losses(CrossEntropyObjective(
            model: model, labelSmoothing: settings.labelSmoothing, weighting: settings.weighting))
        self.work.remember(state.objective)
        self.optimizer = optimizer
        self.schedule = schedule
        self.steps = steps
        self.batches = batches
        self.settings = settings
        self.state = state
        self.control = control
        meter = SpeedMeter(firstStep: state.globalStep, totalSteps: steps.totalSteps, firstTokens: state.inputTokensSeen)
        logging = try settings.logging(totalSteps: steps.totalSteps)
        evaluation = try settings.evaluation(totalSteps: steps.totalSteps)
        saving = try settings.saving(totalSteps: steps.totalSteps)
        lastSavedStep = state.globalStep > 0 ? state.globalStep : -1
        follower = schedule.follower
        if !state.schedule.keys.isEmpty { follower?.memory = state.schedule }
        batches.restore(state.data)
        if settings.scalesLoss, state.scaler == nil { self.state.scaler = LossScaler() }
    }

    /// Trains until the last step, an early end, or a request to stop.
    public func run() throws -> Ending {
        do {
            if settings.evaluatesOnStart, state.globalStep == 0 { try evaluate(isAtStart: true) }
            if let unfinished = state.unfinishedStep {
                // Somebody stopped while this step was being evaluated: its checkpoint is made whole first.
                lastSavedStep = -1
                try follow(unfinished, isAgain: true)
            }
            switch work {
            case .losses(let objective): try takeSteps(objective)
            case .policy(let policy): while state.globalStep < steps.totalSteps, !stopsEarly { try follow(try takePolicyStep(policy)) }
            }
            return stopsEarly ? .stoppedEarly : .finished
        } catch Interruption.stopped {
            optimizer.dropGradients()
            hooks.changedState(.stopping)
            if state.globalStep > 0 { try save() }
            return .stopped
        }
    }

    /// What is due after a step: log, evaluations, a checkpoint.
    /// - Parameter isAgain: an earlier session was stopped in the midst of it.
    func follow(_ measured: StepMeasurement, isAgain: Bool = false) throws {
        state.unfinishedStep = measured
        var isBetter = try followStep(measured, isAgain: isAgain)
        let endsPass = state.globalStep % steps.stepsPerEpoch == 0 || isOver
        if endsPass { isBetter = try followPass(measured) || isBetter }
        state.unfinishedStep = nil
        let isWanted = !isAhead && control.takeSave()
        if isWanted || saveIsDue(endsPass: endsPass, isBetter: isBetter) { try save() }
    }

    /// The rate of the next update. Updates that loss scaling skips do not move the schedule on, as in the Trainer.
    var learningRate: Double { learningRate(afterSteps: state.globalStep) }

    func learningRate(afterSteps count: Int) -> Double {
        follower?.rate ?? schedule.rate(afterSteps: max(0, count - (state.scaler?.skippedSteps ?? 0)))
    }

    private var isOver: Bool { state.globalStep >= steps.totalSteps || stopsEarly }

    /// Logs and measures what is due after an optimiser step.
    /// - Returns: whether the model is better than ever.
    private func followStep(_ measured: StepMeasurement, isAgain: Bool) throws -> Bool {
        let step = state.globalStep
        if logging.isDue(afterStep: step) || (step == 1 && settings.logsFirstStep) {
            try log(measured)
        } else if !isAgain {
            hooks.stepped(metrics(measured, loss: measured.loss, extra: measured.metrics, isLogged: false))
        }
        guard case .steps = evaluation, evaluation.isDue(afterStep: step) || step >= steps.totalSteps,
            settings.evaluationDelay <= Double(step)
        else { return false }
        return try evaluate()
    }

    /// The same after a pass over the data, or where the run ends within one.
    private func followPass(_ measured: StepMeasurement) throws -> Bool {
        if logging == .epochs { try log(measured) }
        guard evaluation == .epochs, settings.evaluationDelay <= state.epoch else { return false }
        return try evaluate()
    }

    /// Checkpoints are written after everything of their step was measured, so that a resumed run has nothing to catch up on.
    private func saveIsDue(endsPass: Bool, isBetter: Bool) -> Bool {
        switch saving {
        case .never: false
        case .steps: saving.isDue(afterStep: state.globalStep) || state.globalStep >= steps.totalSteps
        case .epochs: endsPass
        case .whenBetter: isBetter
        }
    }

    /// - Returns: whether the metric of `metric_for_best_model` is better than ever.
    @discardableResult
    private func evaluate(isAtStart: Bool = false) throws -> Bool {
        guard let evaluate = hooks.evaluate, state.globalStep != lastEvaluatedStep else { return false }
        lastEvaluatedStep = state.globalStep
        var metrics = try evaluate()
        metrics.set("epoch", .number(state.epoch))
        try record(metrics)
        meter.pause()
        guard let name = settings.bestMetric else { return false }
        let key = name.hasPrefix("eval_") ? name : "eval_" + name
        guard let value = metrics[key]?.doubleValue else {
            throw TrainingError.missingMetric(name: key, available: metrics.keys.filter { $0.hasPrefix("eval_") })
        }
        if !isAtStart { follow(metric: value) }
        let isBetter = state.bestMetric.map { settings.greaterIsBetter ? value > $0 : value < $0 } ?? value.isFinite
        state.evaluationsWithoutGain = isBetter || state.bestMetric == nil ? 0 : state.evaluationsWithoutGain + 1
        if let patience = settings.earlyStoppingPatience, state.evaluationsWithoutGain >= patience {
            hooks.note(.info, "\(key) has not improved for \(patience) evaluations; the run ends early.")
            stopsEarly = true
        }
        if isBetter {
            state.bestMetric = value
            state.bestGlobalStep = state.globalStep
        }
        return isBetter
    }

    private func follow(metric: Double) {
        guard let before = follower?.rate else { return }
        follower?.follow(metric)
        guard let rate = follower?.rate, rate != before else { return }
        hooks.note(.info, "The learning rate is \(NumberText.pythonFloat(rate)) from now on (\(schedule.name)).")
    }

    private func save() throws {
        guard state.globalStep != lastSavedStep else { return }
        try hooks.save()
        lastSavedStep = state.globalStep
        meter.pause()
    }

    /// The state as a checkpoint at `path` keeps it; knows whether this one is the best.
    func noteCheckpoint(at path: String) -> TrainerState {
        if let best = state.bestGlobalStep {
            let bestPath = Path.join(Path.directory(path), CheckpointFolder.prefix + String(best))
            if best == state.globalStep || FileSystem.exists(bestPath) { state.bestCheckpoint = bestPath }
        }
        state.objective = work.memory
        state.schedule = follower?.memory ?? [:]
        state.data = batches.memory(before: steps.firstPlace(ofStep: state.globalStep))
        return state
    }

    /// Adds an entry to the history and hands it on.
    public func record(_ values: JSONObject) throws {
        var entry = values
        entry.set("step", .integer(state.globalStep))
        state.logHistory.append(entry)
        try hooks.logged(entry)
    }
}
