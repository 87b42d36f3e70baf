/// A job is a value in and events out; this is what comes out.

/// What a job does.
public enum JobKind: String, Sendable, Equatable, CaseIterable {
    case train, evaluate, predict, export, chat
}

/// Where a job stands. The raw value is what state.json holds.
public enum JobState: String, Sendable, Equatable, CaseIterable {
    case waiting, loading, running, paused, stopping
    case finished, stopped, failed, aborted

    /// True when nothing more will happen.
    public var isFinal: Bool {
        switch self {
        case .waiting, .loading, .running, .paused, .stopping: false
        case .finished, .stopped, .failed, .aborted: true
        }
    }
}

/// One thing that happened in a job, in the order in which it happened.
public enum JobEvent: Sendable, Equatable {
    /// A new phase began: "loading model", "tokenising".
    case phase(String)
    case planned(RunPlan)
    case step(StepMetrics)
    case evaluation(EvaluationMetrics)
    case log(LogRecord)
    case checkpoint(CheckpointRecord)
    case progress(ProgressRecord)
    case sample(PredictionSample)
    case state(JobState)
    case finished(JobSummary)
    case failed(JobFailure)
}

/// Who listens to a job. `emit` is called on the engine's thread and must not wait for anybody.
public protocol EventSink: AnyObject, Sendable {
    func emit(_ event: JobEvent)
}
