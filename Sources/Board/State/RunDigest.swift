import Events

/// Everything the board knows about one run: what it said so far, folded into what the views show. The same type serves the
/// run in this process, a live run of another process and a finished one that was opened.
public struct RunDigest: Sendable {
    /// Where the events come from, and so what can be asked of the run.
    public enum Origin: Sendable, Equatable {
        /// This process runs it.
        case here
        /// Another process runs it; it is steered through the control file in its directory.
        case elsewhere
        /// Nobody runs it any more.
        case finished
    }

    public var kind: JobKind
    public var title: String
    public var directory: String
    public var origin: Origin
    public var state: JobState = .waiting
    /// Whether a request left in the run's folder would be read: true for this program's runs only.
    public var isControllable = true
    public var phase = ""
    /// Every phase so far, in order.
    public var phases: [String] = []
    public var plan: RunPlan?
    /// What its folder tells, once somebody has looked.
    public var facts: RunFacts?
    public var metrics = MetricsStore()
    /// The latest step, logged or not.
    public var latest: StepMetrics?
    /// The steps that were done before the session at work, whose seconds are counted, took the run up.
    public var firstStep: Int?
    /// The step of the latest line of the log and its seconds, with a loss or without.
    private var lastLine: (step: Int, seconds: Double)?
    /// The latest step that carried a loss.
    public var latestLogged: StepMetrics?
    /// The lowest training loss that was logged.
    public private(set) var lowestLoss: Double?
    public private(set) var evaluations: [EvaluationMetrics] = []
    /// The evaluation with the smallest loss.
    public private(set) var bestEvaluation: EvaluationMetrics?
    public var checkpoints: [CheckpointRecord] = []
    public var progress: [ProgressRecord] = []
    public var samples: [PredictionSample] = []
    public var log = LogStore()
    public var summary: JobSummary?
    public var failure: JobFailure?
    /// Logged steps whose loss or gradient norm was not a number.
    public var nonFiniteSteps = 0
    /// The request that was sent and has not shown an effect yet, such as "stopping after this step".
    public var pendingRequest: ControlRequest = .none

    public init(kind: JobKind, title: String, directory: String, origin: Origin) {
        self.kind = kind
        self.title = title
        self.directory = directory
        self.origin = origin
    }

    public var isActive: Bool { origin != .finished && !state.isFinal }

    /// Completed fraction, from steps when there are any, otherwise from the latest progress record.
    public var fraction: Double? {
        if let latest, latest.totalSteps > 0 { return Double(latest.step) / Double(latest.totalSteps) }
        if let record = progress.last, record.total > 0 { return Double(record.completed) / Double(record.total) }
        return nil
    }

    /// The events folded in, in order.
    public mutating func apply(_ events: [JobEvent]) {
        for event in events { apply(event) }
    }

    private mutating func apply(_ event: JobEvent) {
        switch event {
        case .phase(let name):
            phase = name
            if phases.last != name { phases.append(name) }
        case .planned(let plan): self.plan = plan
        case .step(let step): apply(step)
        case .evaluation(let evaluation): apply(evaluation)
        case .log(let record): log.append(record)
        case .checkpoint(let record):
            checkpoints.removeAll { $0.path == record.path }
            checkpoints.append(record)
            if pendingRequest == .save { pendingRequest = .none }
        case .progress(let record):
            if let index = progress.firstIndex(where: { $0.phase == record.phase }) {
                progress[index] = record
            } else {
                progress.append(record)
            }
        case .sample(let sample): samples.append(sample)
        case .state(let newState):
            state = newState
            switch pendingRequest {
            case .pause where newState == .paused, .resume where newState == .running: pendingRequest = .none
            case .none, .pause, .resume, .save, .stopAndSave, .abort: break
            }
            if newState.isFinal { pendingRequest = .none }
        case .finished(let summary):
            self.summary = summary
            if !summary.outputDirectory.isEmpty, directory.isEmpty { directory = summary.outputDirectory }
        case .failed(let failure): self.failure = failure
        }
    }

    /// What a resumed run had done before: its curves, not its progress.
    public mutating func applyHistory(_ events: [JobEvent]) {
        apply(events)
        latest = nil
        latestLogged = nil
        firstStep = nil
        lastLine = nil
    }

    private mutating func apply(_ step: StepMetrics) {
        latest = step
        noteSession(step)
        if let speed = step.tokensPerSecond, !step.isLogged { latest?.tokensPerSecond = speed }
        guard step.isLogged else { return }
        // The log of a finished run ends in a line without a loss.
        if let loss = step.loss {
            latestLogged = step
            if loss.isFinite { lowestLoss = min(lowestLoss ?? loss, loss) }
        }
        metrics.append(step)
        if step.loss?.isFinite == false || step.gradientNorm?.isFinite == false { nonFiniteSteps += 1 }
    }

    /// A run that was taken up again counts its seconds anew, but not its steps. This process sends every step, so the first one tells
    /// where it began; of a run that is read, the log has lines for some steps only, and seconds that fall begin a session.
    private mutating func noteSession(_ step: StepMetrics) {
        if firstStep == nil { firstStep = origin == .here ? max(1, step.step) - 1 : 0 }
        guard step.isLogged else { return }
        if origin != .here, let line = lastLine {
            if step.step < line.step { firstStep = 0 } else if step.elapsedSeconds < line.seconds { firstStep = line.step }
        }
        lastLine = (step.step, step.elapsedSeconds)
    }

    /// Over the session at work, or the last one; nil where nothing is known.
    public var secondsPerStep: Double? {
        guard let latest, latest.elapsedSeconds > 0 else { return nil }
        let steps = latest.step - (firstStep ?? 0)
        return steps > 0 ? latest.elapsedSeconds / Double(steps) : nil
    }

    private mutating func apply(_ evaluation: EvaluationMetrics) {
        evaluations.append(evaluation)
        if let loss = evaluation.loss, loss.isFinite, loss < bestEvaluation?.loss ?? .infinity { bestEvaluation = evaluation }
        if let loss = evaluation.loss { metrics.append(.evaluationLoss, step: evaluation.step, value: loss) }
        for (name, value) in evaluation.values.sorted(by: { $0.key < $1.key }) where name != "eval_loss" {
            metrics.append(Metric(name), step: evaluation.step, value: value)
        }
    }
}

extension JobState {
    /// The word the status bar shows.
    var word: String {
        switch self {
        case .waiting: "waiting"
        case .loading: "loading"
        case .running: "running"
        case .paused: "paused"
        case .stopping: "stopping"
        case .finished: "finished"
        case .stopped: "stopped"
        case .failed: "failed"
        case .aborted: "aborted"
        }
    }
}

extension JobKind {
    /// The present participle the status bar shows while the job runs.
    var activity: String {
        switch self {
        case .train: "training"
        case .evaluate: "evaluating"
        case .predict: "predicting"
        case .export: "exporting"
        case .chat: "chatting"
        }
    }
}
