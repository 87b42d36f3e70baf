/// The counters and the history of a run, in the form of the Trainer's trainer_state.json.

import Formats
import Platform

public struct TrainerState: Sendable, Equatable {
    public var epoch = 0.0
    public var globalStep = 0
    public var maxSteps = 0
    public var loggingSteps = 500
    public var evaluationSteps = 500
    public var saveSteps = 500
    public var trainBatchSize = 0
    public var epochCount = 0
    public var inputTokensSeen = 0
    /// Floating-point operations as the Trainer counts them: 6 per token and parameter outside the embeddings.
    public var totalFlops = 0.0
    /// One object per log call, oldest first.
    public var logHistory: [JSONObject] = []
    public var bestMetric: Double?
    public var bestGlobalStep: Int?
    public var bestCheckpoint: String?
    /// Evaluations in a row that did not improve, for early stopping.
    public var evaluationsWithoutGain = 0
    /// What has been summed up since the last log, so that a resumed run logs what the uninterrupted one would have.
    public var running = RunningLoss()
    /// The stage's metrics since the last log.
    public var metrics = MetricSums()
    /// What the stage itself has to remember.
    public var objective: JSONObject = [:]
    /// Where a schedule that follows evaluations stands.
    public var schedule: JSONObject = [:]
    /// Where data that are read while they are used stand.
    public var data: JSONObject = [:]
    /// Loss scaling, where the run is in half precision.
    public var scaler: LossScaler?
    /// A step whose evaluation was interrupted; a resumed run does first what is left of it.
    public var unfinishedStep: StepMeasurement?
    public var earlyStoppingPatience: Int?

    public init() {}

    static let fileName = "trainer_state.json"

    /// Fills in what follows from the settings of this session.
    mutating func prepare(_ settings: TrainingSettings, _ steps: StepPlan) {
        maxSteps = steps.totalSteps
        epochCount = steps.epochCount
        trainBatchSize = settings.batchSize
        earlyStoppingPatience = settings.earlyStoppingPatience
        (loggingSteps, evaluationSteps, saveSteps) = settings.intervals(totalSteps: steps.totalSteps)
    }

    public func json() -> JSONObject {
        var callbacks = JSONObject()
        if let patience = earlyStoppingPatience {
            callbacks.set(
                "EarlyStoppingCallback",
                ["args": ["early_stopping_patience": .integer(patience), "early_stopping_threshold": 0.0],
                 "attributes": ["early_stopping_patience_counter": .integer(evaluationsWithoutGain)]])
        }
        callbacks.set("TuneboardRunningLoss", .object(running.json()))
        if !metrics.isEmpty { callbacks.set("TuneboardRunningMetrics", .object(metrics.json())) }
        if !objective.keys.isEmpty { callbacks.set("TuneboardStage", .object(objective)) }
        if !schedule.keys.isEmpty { callbacks.set("TuneboardSchedule", .object(schedule)) }
        if !data.keys.isEmpty { callbacks.set("TuneboardData", .object(data)) }
        if let scaler { callbacks.set("TuneboardLossScaler", .object(scaler.json)) }
        if let unfinishedStep { callbacks.set("TuneboardUnfinishedStep", .object(unfinishedStep.json)) }
        return JSONObject([
            ("best_global_step", bestGlobalStep.map { .integer($0) } ?? .null),
            ("best_metric", bestMetric.map { .number($0) } ?? .null),
            ("best_model_checkpoint", bestCheckpoint.map { .string($0) } ?? .null),
            ("epoch", .number(epoch)), ("eval_steps", .integer(evaluationSteps)), ("global_step", .integer(globalStep)),
            ("is_hyper_param_search", false), ("is_local_process_zero", true), ("is_world_process_zero", true),
            ("log_history", .array(logHistory.map { .object($0) })), ("logging_steps", .integer(loggingSteps)),
            ("max_steps", .integer(maxSteps)), ("num_input_tokens_seen", .integer(inputTokensSeen)),
            ("num_train_epochs", .integer(epochCount)), ("save_steps", .integer(saveSteps)), ("stateful_callbacks", .object(callbacks)),
            ("total_flos", .number(totalFlops)), ("train_batch_size", .integer(trainBatchSize)), ("trial_name", .null),
            ("trial_params", .null),
        ])
    }

    public func write(to directory: String) throws {
        try FileSystem.writeAtomically(
            Path.join(directory, Self.fileName), text: json().text(style: .indented(2), sortedKeys: true, escapeNonASCII: true) + "\n")
    }

    /// Whole numbers of the parts below, and their least values.
    private static let counters = [
        ("TuneboardRunningLoss", "last_logged_step", 0), ("TuneboardLossScaler", "_growth_tracker", 0),
        ("TuneboardLossScaler", "skipped_steps", 0), ("TuneboardLossScaler", "skipped_updates", 0),
        ("TuneboardSchedule", "num_bad_epochs", 0), ("TuneboardSchedule", "num_good_epochs", 0),
        ("TuneboardSchedule", "cooldown_counter", -1 << 53), ("TuneboardSchedule", "warmup_counter", -1 << 53),
        ("TuneboardSchedule", "reset_start", -1 << 53), ("TuneboardData", "batch", 0), ("TuneboardData", "pass", 0),
        ("TuneboardData", "draws", 0), ("TuneboardData", "offset", 0),
    ]

    public static func read(from directory: String) throws(TrainingError) -> TrainerState {
        let path = Path.join(directory, fileName)
        let object: JSONObject
        do {
            guard let found = try JSONValue.read(file: path).objectValue else {
                throw TrainingError.brokenCheckpoint(path: directory, file: fileName, reason: "it is not a JSON object.")
            }
            object = found
        } catch let error as TrainingError {
            throw error
        } catch {
            throw .brokenCheckpoint(path: directory, file: fileName, reason: "\(error)")
        }
        /// A whole number that may be missing; sums with it must not overflow.
        func whole(_ key: String, of parent: JSONValue?, _ name: String, in range: ClosedRange<Int>) throws(TrainingError) -> Int? {
            guard let found = parent?[key], !found.isNull else { return nil }
            guard let number = found.intValue, range.contains(number) else {
                let reason = "\(name)\(key) should be a whole number from \(range.lowerBound) to \(range.upperBound), found \(found.text(style: .python).excerpt(80))."
                throw .brokenCheckpoint(path: directory, file: fileName, reason: reason)
            }
            return number
        }
        let counts = 0...(1 << 53)
        let all = JSONValue.object(object)
        guard let step = try whole("global_step", of: all, "", in: counts) else {
            throw .brokenCheckpoint(path: directory, file: fileName, reason: "it has no global_step.")
        }
        var state = TrainerState()
        state.globalStep = step
        state.epoch = object["epoch"]?.doubleValue ?? 0
        state.maxSteps = try whole("max_steps", of: all, "", in: -1...counts.upperBound) ?? 0
        state.trainBatchSize = try whole("train_batch_size", of: all, "", in: 0...(1 << 24)) ?? 0
        state.inputTokensSeen = try whole("num_input_tokens_seen", of: all, "", in: counts) ?? 0
        state.totalFlops = object["total_flos"]?.doubleValue ?? 0
        state.logHistory = (object["log_history"]?.arrayValue ?? []).compactMap(\.objectValue)
        state.bestMetric = object["best_metric"]?.doubleValue
        state.bestGlobalStep = try whole("best_global_step", of: all, "", in: counts)
        state.bestCheckpoint = object["best_model_checkpoint"]?.stringValue
        let callbacks = object["stateful_callbacks"]
        state.evaluationsWithoutGain = try whole(
            "early_stopping_patience_counter", of: callbacks?["EarlyStoppingCallback"]?["attributes"],
            "stateful_callbacks.EarlyStoppingCallback.attributes.", in: counts) ?? 0
        for (callback, key, least) in Self.counters {
            _ = try whole(key, of: callbacks?[callback], "stateful_callbacks.\(callback).", in: least...counts.upperBound)
        }
        if let running = callbacks?["TuneboardRunningLoss"]?.objectValue { state.running = RunningLoss(running) }
        if let metrics = callbacks?["TuneboardRunningMetrics"]?.objectValue { state.metrics = MetricSums(metrics) }
        if let objective = callbacks?["TuneboardStage"]?.objectValue { state.objective = objective }
        if let schedule = callbacks?["TuneboardSchedule"]?.objectValue { state.schedule = schedule }
        if let data = callbacks?["TuneboardData"]?.objectValue { state.data = data }
        state.scaler = callbacks?["TuneboardLossScaler"]?.objectValue.map { LossScaler($0) }
        state.unfinishedStep = callbacks?["TuneboardUnfinishedStep"]?.objectValue.map { StepMeasurement($0) }
        return state
    }
}

/// The loss summed up between two logs and over the run. A loss that is not a number counts as the average of those before it
/// since the last log when it is filtered (`logging_nan_inf_filter`).
public struct RunningLoss: Sendable, Equatable {
    /// Sum of step losses since the last log.
    public private(set) var sinceLog = 0.0
    /// Sum of step losses up to the last log.
    public private(set) var logged = 0.0
    public private(set) var lastLoggedStep = 0

    public init() {}

    init(_ object: JSONObject) {
        sinceLog = object["since_log"]?.doubleValue ?? 0
        logged = object["logged"]?.doubleValue ?? 0
        lastLoggedStep = object["last_logged_step"]?.intValue ?? 0
    }

    func json() -> JSONObject {
        JSONObject([("last_logged_step", .integer(lastLoggedStep)), ("logged", .number(logged)), ("since_log", .number(sinceLog))])
    }

    /// - Parameters:
    ///   - loss: loss of one micro-batch, as its part of the step's mean.
    ///   - step: optimiser steps finished before it.
    mutating func add(_ loss: Double, afterSteps step: Int, filterNotFinite: Bool) {
        if filterNotFinite, !loss.isFinite {
            sinceLog += sinceLog / Double(1 + step - lastLoggedStep)
        } else {
            sinceLog += loss
        }
    }

    /// The mean step loss since the last log; starts the next stretch.
    mutating func takeMean(atStep step: Int) -> Double {
        let mean = sinceLog / Double(max(1, step - lastLoggedStep))
        logged += sinceLog
        sinceLog = 0
        lastLoggedStep = step
        return mean
    }

    /// The mean step loss of the whole run.
    func mean(overSteps steps: Int) -> Double { (logged + sinceLog) / max(Double(steps), 0.001) }
}
