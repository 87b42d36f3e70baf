/// One started job as its readers see it.

import Configuration
import Events
import Platform
import Training

/// A started job: what it says, where it stands, and how to steer it. May be used from any thread.
public final class JobHandle: Sendable {
    public let kind: JobKind
    public let configuration: Configuration
    /// Nil for jobs that keep no run directory.
    public let runDirectory: RunDirectory?
    public let control: JobControl
    /// The queue of the reader that started the job.
    public let events: EventQueue
    private let recorder: RunRecorder
    private let isOver = Mutex(false)
    private let over = Condition()

    init(
        kind: JobKind, configuration: Configuration, runDirectory: RunDirectory?, control: JobControl, recorder: RunRecorder,
        events: EventQueue
    ) {
        self.kind = kind
        self.configuration = configuration
        self.runDirectory = runDirectory
        self.control = control
        self.recorder = recorder
        self.events = events
    }

    /// Everything said since the last call, oldest first.
    public func drain() -> [JobEvent] { events.drain() }

    /// A further queue that gets everything said from now on.
    public func addReader(wake: @escaping @Sendable () -> Void = {}) -> EventQueue {
        let queue = EventQueue(wake: wake)
        recorder.addReader(queue)
        return queue
    }

    public var state: JobState { recorder.state.status }
    /// What state.json holds, newer than the file.
    public var runState: RunState { recorder.state }
    /// True once the thread has ended and the run directory is closed.
    public var hasEnded: Bool { isOver.withLock { $0 } }

    /// Pause, resume, save, stop or abort. The engine looks at every micro-batch.
    public func request(_ request: ControlRequest) { recorder.request(request) }

    /// Holds the training between two steps and lets `service` talk to its weights as they stand in memory. The service is to have no
    /// thread of its own. `ready` comes when the training holds; closing the service lets it go on, with exactly the losses of a run
    /// that was never interrupted.
    /// - Parameter configuration: template, system prompt and sampling of the conversation.
    /// - Returns: false when somebody talks to it already or the job is over.
    public func talk(_ service: ChatService, _ configuration: Configuration) -> Bool {
        guard kind == .train, !hasEnded else { return false }
        let isFirst = control.askForVisit(
            { host in
                guard let held = host as? HeldTraining else {
                    service.refuse(JobFailure(what: "The training ended before it could be talked to."))
                    return
                }
                do {
                    service.serve(try EngineChatModel(held, configuration))
                } catch {
                    service.refuse(error as? JobFailure ?? JobFailure(what: String(describing: error)))
                }
            }, leave: { service.close() })
        // The job may have ended meanwhile, with nobody left to receive the visit.
        if isFirst, hasEnded { control.takeVisit()?(nil) }
        return isFirst
    }

    /// A line for the running log and every reader: what the board captured from stdout and stderr, for instance.
    public func log(_ level: LogLevel, _ text: String) {
        guard !hasEnded else { return }
        recorder.emit(.log(LogRecord(time: Clock.unixTime(), level: level, text: text)))
    }

    /// Nobody watches the job any more: should it fail before it begins, its folder is to say so.
    public func keepTrace() { recorder.keepTrace() }

    /// Waits for the end of the job.
    public func wait() {
        over.lock()
        while !hasEnded { over.wait() }
        over.unlock()
    }

    func start(_ body: @escaping JobBody) {
        _ = EngineThread(name: "engine", stackSize: 16 * 1024 * 1024) { [self] in run(body) }
    }

    private func run(_ body: JobBody) {
        ThreadTurns.long()
        let outcome = OutcomeFilter(recorder, control)
        log(.debug, "\(kind.rawValue) started in process \(recorder.state.process.processIdentifier)")
        recorder.emit(.state(.loading))
        do {
            let summary = try body(kind, configuration, outcome, control)
            recorder.emit(.finished(outcome.summary ?? summary))
            recorder.emit(.state(outcome.endState ?? (control.isAborted ? .aborted : control.isStopping ? .stopped : .finished)))
        } catch {
            end(after: error)
        }
        recorder.finish()
        over.lock()
        isOver.withLock { $0 = true }
        over.broadcast()
        over.unlock()
        // After the end is known, so that no visit slips in between.
        control.takeVisit()?(nil)
        events.wakeReader()
    }

    private func end(after error: any Error) {
        // A training that has begun saves when it is asked to stop; all else gives up what it began.
        guard !control.isAborted, !(control.isStopping && (kind != .train || error is Interruption)) else {
            log(.warning, "ended on request")
            recorder.emit(.state(.aborted))
            return
        }
        let failure = error as? JobFailure ?? JobFailure(what: String(describing: error))
        log(.error, failure.description)
        recorder.emit(.failed(failure))
        recorder.emit(.state(.failed))
    }
}

/// Holds back what a job says about its own end, so that readers see one end, last, whatever the job reports itself.
private final class OutcomeFilter: EventSink {
    private struct Outcome {
        var summary: JobSummary?
        var endState: JobState?
    }

    private let recorder: RunRecorder
    private let control: JobControl
    private let outcome = Mutex(Outcome())

    init(_ recorder: RunRecorder, _ control: JobControl) {
        self.recorder = recorder
        self.control = control
    }

    var summary: JobSummary? { outcome.withLock { $0.summary } }
    var endState: JobState? { outcome.withLock { $0.endState } }

    func emit(_ event: JobEvent) {
        switch event {
        case .finished(let summary):
            outcome.withLock { $0.summary = summary }
        case .state(let state) where state.isFinal:
            outcome.withLock { $0.endState = state }
        case .state(.running):
            let status = recorder.state.status
            // A pause that was asked for before the steps began holds; one that a visitor made is over with the visit.
            if status != .stopping && !(status == .paused && control.isPaused) { recorder.emit(event) }
        case .failed:
            break
        case .phase, .planned, .step, .evaluation, .log, .checkpoint, .progress, .sample, .state:
            recorder.emit(event)
        }
    }
}
