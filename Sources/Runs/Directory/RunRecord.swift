/// One run as the catalog shows it: whose it is, how far it came, how well it did.

import Events
import Formats
import Platform
import Training

/// How a run stands, as far as its files tell.
public enum RunStatus: String, Sendable, Equatable, CaseIterable {
    case running, paused, finished, stopped, failed, aborted
    /// It was at work when its process died.
    case crashed
    /// Written by another program that says nothing about its process, and not finished.
    case unknown

    /// True while a process works on the run.
    public var isLive: Bool { self == .running || self == .paused }

    /// The job state that stands for it; nil where there is none.
    var jobState: JobState? {
        switch self {
        case .running: .running
        case .paused: .paused
        case .finished: .finished
        case .stopped: .stopped
        case .failed, .crashed: .failed
        case .aborted: .aborted
        case .unknown: nil
        }
    }
}

/// Who wrote a run directory.
public enum RunOrigin: String, Sendable, Equatable {
    case tuneboard
    /// LLaMA-Factory or another program on the Hugging Face Trainer.
    case trainer
}

/// A run directory read once. Making one reads a few small files and the end of the log; broken or missing files leave gaps.
public struct RunRecord: Sendable, Equatable {
    public var directory: RunDirectory
    public var origin: RunOrigin
    public var status: RunStatus
    public var kind: JobKind
    public var model: String
    public var stage: String
    public var method: String
    public var phase: String
    public var step: Int
    public var totalSteps: Int
    public var epoch: Double
    public var lastLoss: Double?
    /// The lowest loss of its evaluations.
    public var bestLoss: Double?
    /// The lowest training loss that was logged.
    public var lowestLoss: Double?
    public var tokensPerSecond: Double?
    public var remainingSeconds: Double?
    /// Seconds since 1970-01-01 UTC; 0 where unknown.
    public var startTime: Double
    public var updateTime: Double
    /// Complete checkpoints, oldest first.
    public var checkpoints: [CheckpointRecord]
    /// The run's process, when the run says which it is.
    public var processIdentifier: Int32?
    public var message: String

    public var name: String { directory.name }
    public var isLive: Bool { status.isLive }
    /// A request left in the run directory would be read.
    public var isControllable: Bool { status.isLive && origin == .tuneboard }
    /// From 0 to 1; nil where the number of steps is not known.
    public var fractionDone: Double? { totalSteps > 0 ? min(1, Double(step) / Double(totalSteps)) : nil }

    /// Where what was learnt lies: the run's folder, once it is over, or its newest checkpoint. Nil while there is neither.
    public var learntFolder: String? {
        !isLive && OutputDirectory.holdsModel(directory.path) ? directory.path : checkpoints.last?.path
    }

    /// A run of another program that wrote within this many seconds counts as running.
    private static let livelySeconds = 120.0

    /// - Parameter cache: given by those who read the same runs again and again.
    public init(directory: RunDirectory, cache: TrainerLogCache? = nil) {
        self.directory = directory
        origin = .trainer
        status = .unknown
        kind = .train
        (model, stage, method, phase, message) = ("", "", "", "", "")
        (step, totalSteps, epoch, startTime, updateTime) = (0, 0, 0, 0, 0)
        checkpoints = CheckpointCatalog.checkpoints(in: directory.path)
        adopt(cache?.end(of: directory.trainerLogPath) ?? TrainerLogEnd(path: directory.trainerLogPath))
        if let state = directory.state() {
            adopt(state)
        } else {
            adoptTrainerFiles()
        }
        if model.isEmpty { model = Self.baseModel(of: directory) ?? "" }
        if method.isEmpty, FileSystem.exists(Path.join(directory.path, "adapter_config.json")) { method = "lora" }
    }

    private mutating func adopt(_ end: TrainerLogEnd) {
        step = end.lastStep?.step ?? 0
        totalSteps = end.lastStep?.totalSteps ?? 0
        epoch = end.lastStep?.epoch ?? 0
        lastLoss = end.lastLoss
        bestLoss = end.bestEvaluationLoss
        lowestLoss = end.lowestLoss
        tokensPerSecond = end.lastStep?.tokensPerSecond
        remainingSeconds = end.lastStep?.remainingSeconds
        updateTime = end.modificationTime
    }

    private mutating func adopt(_ state: RunState) {
        origin = .tuneboard
        let live = directory.liveState()
        let shown = live ?? state
        kind = shown.kind
        model = state.model
        stage = state.stage
        method = state.method
        phase = shown.phase
        message = shown.message
        startTime = shown.startTime
        // The log is still that of an earlier run in this folder.
        let isLogOlder = live != nil && shown.kind == .train && updateTime < shown.startTime
        if isLogOlder { (step, totalSteps, epoch, lastLoss, bestLoss, lowestLoss) = (0, 0, 0, nil, nil, nil) }
        updateTime = max(updateTime, shown.endTime ?? shown.updateTime)
        if shown.totalSteps > 0 {
            step = max(shown.step, shown.kind == .train ? step : 0)
            totalSteps = shown.totalSteps
        }
        epoch = max(epoch, shown.epoch)
        lastLoss = lastLoss ?? shown.loss
        bestLoss = [bestLoss, state.bestLoss].compactMap { $0 }.min()
        processIdentifier = shown.process.processIdentifier
        status = Self.status(of: shown, isLive: live != nil)
    }

    private static func status(of state: RunState, isLive: Bool) -> RunStatus {
        switch state.status {
        case .finished: return .finished
        case .stopped: return .stopped
        case .failed: return .failed
        case .aborted: return .aborted
        case .waiting, .loading, .running, .paused, .stopping:
            if isLive { return state.status == .paused ? .paused : .running }
            let isElsewhere = state.process.isAlive == nil
            return isElsewhere && Clock.unixTime() - state.updateTime < livelySeconds ? .running : .crashed
        }
    }

    /// A run without state.json: LLaMA-Factory's files tell what they can.
    private mutating func adoptTrainerFiles() {
        let state = TrainerStateHead(path: directory.trainerStatePath)
        step = max(step, state.step)
        totalSteps = totalSteps > 0 ? totalSteps : state.totalSteps
        if epoch == 0 { epoch = state.epoch }
        bestLoss = bestLoss ?? state.bestMetric
        for path in [directory.trainerLogPath, directory.runningLogPath, directory.trainerStatePath] {
            updateTime = max(updateTime, FileSystem.modificationTime(path) ?? 0)
        }
        let isDone = FileSystem.exists(directory.resultsPath) || (totalSteps > 0 && step >= totalSteps)
        if isDone {
            status = .finished
        } else if Clock.unixTime() - updateTime < Self.livelySeconds {
            status = .running
        } else {
            status = .unknown
        }
    }

    /// The model that an adapter belongs to, by its adapter_config.json.
    private static func baseModel(of directory: RunDirectory) -> String? {
        guard let text = try? FileSystem.readText(Path.join(directory.path, "adapter_config.json")) else { return nil }
        return (try? JSONValue.parse(text, name: "adapter_config.json"))?.objectValue?["base_model_name_or_path"]?.stringValue
    }
}
