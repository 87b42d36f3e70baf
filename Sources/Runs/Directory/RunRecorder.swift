/// Writes what a job says into its run directory before anybody else hears of it.

import Events
import Glibc
import Platform

/// The first listener of every job. On the engine's thread it appends log lines to running_log.txt and hands the event on; a
/// keeper thread beside it rewrites state.json about once a second and looks for a `control` file four times a second, also
/// while the engine is paused or deep in a long step.
final class RunRecorder: EventSink {
    private struct Contents {
        var state: RunState
        var isStale = true
        var lastWrite = 0.0
        var hasEnded = false
        var hasWarned = false
        /// The job is at its work proper: what was in the folder before is its own to replace.
        var hasBegun = false
        /// Nobody watches the job: what becomes of it must be found in its folder.
        var keepsTrace = false
        var readers: [any EventSink]
    }

    private static let pollSeconds = 0.25
    private static let writeSeconds = 1.0
    /// How often an unchanged state.json is written again, so that readers on other machines see a sign of life.
    private static let heartbeatSeconds = 10.0

    private let directory: RunDirectory?
    private let statePath: String
    private let control: JobControl
    private let log: Mutex<AppendFile?>
    /// Open with a lock for as long as the job lives: two processes never write one run. -1 without a directory.
    private let lockDescriptor: Int32
    private let contents: Mutex<Contents>
    private let ended = Condition()
    /// Held while state.json is replaced: the engine's thread and the keeper both write it.
    private let writing = Mutex(())
    private let keeper = Mutex<EngineThread?>(nil)
    /// What the folder told of an earlier run.
    private let earlier: EarlierState?
    /// What was made for this job alone; nil where the folder was another's before.
    private let litter: Litter?

    /// - Parameter directory: nil for jobs that leave nothing behind (exports, chats): then events are only handed on.
    init(directory: RunDirectory?, state: RunState, control: JobControl, readers: [any EventSink]) throws(RunError) {
        self.directory = directory
        self.control = control
        contents = Mutex(Contents(state: state, readers: readers))
        guard let directory else {
            statePath = ""
            earlier = nil
            litter = nil
            log = Mutex(nil)
            lockDescriptor = -1
            return
        }
        statePath = state.kind == .train ? directory.statePath : directory.evaluationStatePath
        litter = Litter(directory)
        do {
            try FileSystem.createDirectory(directory.path)
        } catch {
            throw .cannotPrepare(path: directory.path, reason: String(describing: error))
        }
        do {
            lockDescriptor = try Self.lock(directory)
        } catch {
            if case .cannotPrepare = error { litter?.remove() }
            throw error
        }
        earlier = EarlierState(directory, statePath: statePath)
        do {
            log = Mutex(try AppendFile(path: directory.runningLogPath))
        } catch {
            litter?.remove()
            close(lockDescriptor)
            throw .cannotPrepare(path: directory.path, reason: String(describing: error))
        }
        try? FileSystem.remove(directory.controlPath)
        writeState(at: Clock.monotonicSeconds())
    }

    private static func lock(_ directory: RunDirectory) throws(RunError) -> Int32 {
        let descriptor = open(directory.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw .cannotPrepare(path: directory.path, reason: String(cString: strerror(errno)))
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK else {
            close(descriptor)
            throw .directoryInUse(path: directory.path, processIdentifier: directory.liveState()?.process.processIdentifier ?? 0)
        }
        return descriptor
    }

    /// Starts the keeper thread. Separate from `init` because the thread needs the finished object.
    func start() {
        guard directory != nil else { return }
        keeper.withLock { $0 = EngineThread(name: "run-keeper", stackSize: 256 * 1024) { [self] in keep() } }
    }

    func emit(_ event: JobEvent) {
        if case .log(let record) = event { append(record) }
        let (readers, mustWrite) = contents.withLock { contents in
            contents.isStale = true
            var mustWrite = false
            // A job that is let go on while it loads says that it runs, and has not begun.
            switch event {
            case .state(.running) where contents.state.status != .paused: contents.hasBegun = true
            case .step, .evaluation, .sample, .checkpoint: contents.hasBegun = true
            default: break
            }
            if case .state(let state) = event {
                guard contents.state.status != state else { return ([any EventSink](), false) }
                if state.isFinal { contents.state.endTime = Clock.unixTime() }
                mustWrite = true
            }
            contents.state.apply(event)
            return (contents.readers, mustWrite)
        }
        if mustWrite { writeState(at: Clock.monotonicSeconds()) }
        for reader in readers { reader.emit(event) }
    }

    /// Asks the engine for something and shows at once that it was asked.
    func request(_ request: ControlRequest) {
        guard !state.status.isFinal else { return }
        control.post(request)
        switch request {
        case .pause: if control.isPaused { emit(.state(.paused)) }
        case .resume: if state.status == .paused { emit(.state(.running)) }
        case .stopAndSave, .abort: emit(.state(.stopping))
        case .none, .save: break
        }
    }

    func addReader(_ reader: any EventSink) {
        contents.withLock { $0.readers.append(reader) }
    }

    /// Leaves a failed start in the folder as well.
    func keepTrace() { contents.withLock { $0.keepsTrace = true } }

    var state: RunState { contents.withLock { $0.state } }

    /// Writes the last state and lets go of the directory. Nothing may be emitted afterwards.
    func finish() {
        contents.withLock { $0.hasEnded = true }
        ended.lock()
        ended.broadcast()
        ended.unlock()
        keeper.withLock { $0 }?.join()
        guard let directory else { return }
        writeState(at: Clock.monotonicSeconds())
        try? FileSystem.remove(directory.controlPath)
        log.withLock { $0?.close() }
        if contents.withLock({ !$0.hasBegun && !$0.keepsTrace && $0.state.status != .finished }) { litter?.remove() }
        close(lockDescriptor)
    }

    private func append(_ record: LogRecord) {
        do {
            try log.withLock { log in try log?.write(RunningLog.line(record)) }
        } catch {
            warnOnce("running_log.txt can no longer be written: \(error)")
        }
    }

    private func warnOnce(_ text: String) {
        let readers: [any EventSink] = contents.withLock { contents in
            guard !contents.hasWarned else { return [] }
            contents.hasWarned = true
            return contents.readers
        }
        for reader in readers { reader.emit(.log(LogRecord(time: Clock.unixTime(), level: .warning, text: text))) }
    }

    private func keep() {
        guard let directory else { return }
        while !contents.withLock({ $0.hasEnded }) {
            if let request = directory.takeRequest() { self.request(request) }
            let now = Clock.monotonicSeconds()
            let mustWrite = contents.withLock { contents in
                now - contents.lastWrite >= (contents.isStale ? Self.writeSeconds : Self.heartbeatSeconds)
            }
            if mustWrite { writeState(at: now) }
            ended.lock()
            if !contents.withLock({ $0.hasEnded }) { _ = ended.wait(seconds: Self.pollSeconds) }
            ended.unlock()
        }
    }

    /// Writes beside and renames, without waiting for the disk: state.json is a sign of life, not a result.
    private func writeState(at now: Double) {
        guard let directory else { return }
        let isWritten = writing.withLock { _ in
            let (text, hasChangedNothing) = contents.withLock { contents in
                contents.state.updateTime = Clock.unixTime()
                contents.isStale = false
                contents.lastWrite = now
                let status = contents.state.status
                return (contents.state.text(), !contents.hasBegun && status.isFinal && status != .finished)
            }
            // A start that failed on its data must not make a failure of the finished run whose folder it was given.
            if hasChangedNothing, let earlier, earlier.isStillThere(directory) { return earlier.restore(statePath) { Self.replace($0, with: $1) } }
            return Self.replace(statePath, with: text)
        }
        if !isWritten { warnOnce("state.json can no longer be written: \(String(cString: strerror(errno)))") }
    }

    private static func replace(_ path: String, with text: String) -> Bool {
        let beside = path + ".new"
        let descriptor = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { return false }
        let bytes = Array(text.utf8)
        let isWritten = write(descriptor, bytes, bytes.count) == bytes.count
        close(descriptor)
        guard isWritten, rename(beside, path) == 0 else {
            unlink(beside)
            return false
        }
        return true
    }
}

/// How a folder stood before a job was started in it.
private struct EarlierState: Sendable {
    /// The state of the earlier run; nil where another program made it, which keeps none.
    private let text: String?
    private let files: [String?]

    /// Nil when there was no run in the folder.
    init?(_ directory: RunDirectory, statePath: String) {
        text = try? FileSystem.readText(statePath)
        files = Self.files(of: directory)
        if text == nil, files.allSatisfy({ $0 == nil }) { return nil }
    }

    /// What tells whether the run's own records are the same still.
    private static func files(of directory: RunDirectory) -> [String?] {
        [directory.trainerLogPath, directory.trainerStatePath, directory.resultsPath].map(FileSystem.identity)
    }

    func isStillThere(_ directory: RunDirectory) -> Bool { Self.files(of: directory) == files }

    func restore(_ path: String, with replace: (String, String) -> Bool) -> Bool {
        if let text { return replace(path, text) }
        return unlink(path) == 0 || errno == ENOENT
    }
}
