/// Follows a run that another process writes, by reading what it appends to its run directory.

import Events
import Platform

/// What happened in a followed run since the last look.
public struct RunUpdate: Sendable {
    public var events: [JobEvent] = []
    /// The files were begun anew: points and lines seen before belong to an earlier run.
    public var startedOver = false
    /// There is more to read at once; ask again soon.
    public var hasMore = false
}

/// Reads the growing files of one run and gives the same events that the run's own process gives. Each call is short: at most
/// a few megabytes are read, and nothing when nothing changed. Not for use from two threads at once.
public final class RunFollower {
    public let directory: RunDirectory
    /// The state of the run at the last look.
    public private(set) var record: RunRecord
    private var trainerLog: GrowingFile
    private var runningLog: GrowingFile
    private var knownCheckpoints: Set<String> = []
    private var lastStatus: RunStatus?
    private var lastStep: StepMetrics?
    private let cache: TrainerLogCache
    /// Whether there is a trainer_log.jsonl; without one the history in trainer_state.json has the numbers.
    private var hasLog = false
    private var readHistory = ""
    /// Whether it was told that the folder is gone.
    private var isRemoved = false

    /// Of a long running log only the end is read at first.
    private static let logTailBytes = 256 * 1024

    public init(_ directory: RunDirectory) {
        self.directory = directory
        // The end of a long log is read once, not for each look.
        let cache = TrainerLogCache()
        self.cache = cache
        record = RunRecord(directory: directory, cache: cache)
        trainerLog = GrowingFile(path: directory.trainerLogPath)
        runningLog = GrowingFile(path: directory.runningLogPath, tailBytes: Self.logTailBytes)
    }

    /// True while the run is at work and this process may steer it.
    public var isControllable: Bool { record.isControllable }

    /// Asks the run's process for something.
    public func request(_ request: ControlRequest) throws(RunError) { try directory.request(request) }

    /// Reads on.
    public func poll() -> RunUpdate {
        var update = RunUpdate()
        guard FileSystem.isDirectory(directory.path) else {
            tellRemoval(&update)
            return update
        }
        isRemoved = false
        readLog(&update)
        readTrainerLog(&update)
        if !hasLog { readTrainerState(&update) }
        // The small files belong to the end of the log: while there is more of that, they wait.
        guard !update.hasMore else { return update }
        readState(&update)
        readCheckpoints(&update)
        return update
    }

    /// A start that fails leaves no folder behind: whoever followed it learns that it is over.
    private func tellRemoval(_ update: inout RunUpdate) {
        guard !isRemoved else { return }
        isRemoved = true
        record = RunRecord(directory: directory, cache: cache)
        lastStatus = nil
        let text = "\(directory.path) is gone: the job ended before it began, or somebody removed the folder."
        update.events = [.log(LogRecord(time: Clock.unixTime(), level: .error, text: text)), .state(.failed)]
    }

    private func readLog(_ update: inout RunUpdate) {
        let batch = runningLog.read(limit: 1 << 20)
        let time = Clock.unixTime()
        update.events += batch.lines.map { .log(RunningLog.record(line: $0, time: time)) }
        update.hasMore = update.hasMore || batch.hasMore
    }

    private func readTrainerLog(_ update: inout RunUpdate) {
        var events: [JobEvent] = []
        let batch = trainerLog.readLines { line in
            if let event = TrainerLogScanner.event(line) { events.append(event) }
        }
        if !events.isEmpty { hasLog = true }
        update.startedOver = batch.startedOver
        if batch.startedOver {
            knownCheckpoints = []
            lastStep = nil
        }
        for event in events.reversed() {
            guard case .step(let metrics) = event else { continue }
            lastStep = metrics
            break
        }
        update.events += events
        update.hasMore = update.hasMore || batch.hasMore
    }

    /// A run of the plain Hugging Face Trainer: its history stands in trainer_state.json, of the run or of its newest checkpoint.
    private func readTrainerState(_ update: inout RunUpdate) {
        let own = directory.trainerStatePath
        let newest = CheckpointCatalog.checkpoints(in: directory.path).last.map { Path.join($0.path, "trainer_state.json") }
        guard let path = FileSystem.exists(own) ? own : newest, let identity = FileSystem.identity(path), identity != readHistory else { return }
        let events = TrainerHistory.events(path: path)
        guard !events.isEmpty else { return }
        update.startedOver = !readHistory.isEmpty
        readHistory = identity
        if case .step(let metrics)? = events.last(where: { if case .step = $0 { true } else { false } }) { lastStep = metrics }
        update.events += events
    }

    /// The run's own state.json is newer than its last logged line: it gives the ticks between two of them.
    private func readState(_ update: inout RunUpdate) {
        record = RunRecord(directory: directory, cache: cache)
        if let state = directory.state(), state.kind == .train, state.step > lastStep?.step ?? 0 {
            var tick = lastStep ?? StepMetrics(step: 0, totalSteps: state.totalSteps)
            tick.step = state.step
            tick.totalSteps = state.totalSteps
            tick.epoch = state.epoch
            tick.tokensPerSecond = state.tokensPerSecond ?? tick.tokensPerSecond
            tick.remainingSeconds = state.remainingSeconds ?? tick.remainingSeconds
            tick.isLogged = false
            update.events.append(.step(tick))
            lastStep = tick
        }
        guard record.status != lastStatus else { return }
        lastStatus = record.status
        if let state = record.status.jobState { update.events.append(.state(state)) }
    }

    private func readCheckpoints(_ update: inout RunUpdate) {
        for checkpoint in record.checkpoints where knownCheckpoints.insert(checkpoint.path).inserted {
            update.events.append(.checkpoint(checkpoint))
        }
    }
}
