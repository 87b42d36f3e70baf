/// Starts jobs on the engine's thread and hands out what they say.

import Configuration
import Events
import Platform

/// What a job does once it has a thread: it gets its kind, its arguments, somebody to tell and somebody to obey.
public typealias JobBody =
    @Sendable (_ kind: JobKind, _ configuration: Configuration, _ sink: any EventSink, _ control: JobControl) throws -> JobSummary

/// Runs one job at a time on one engine thread.
public final class JobRunner: Sendable {
    private let body: JobBody
    private let currentHandle = Mutex<JobHandle?>(nil)

    /// - Parameter body: what a job does; tests give their own.
    public init(body: @escaping JobBody = EngineJobs.run) {
        self.body = body
    }

    /// The job at work, or the last one.
    public var current: JobHandle? { currentHandle.withLock { $0 } }

    /// True while a job is at work.
    public var isBusy: Bool { current.map { !$0.hasEnded } ?? false }

    /// Prepares the run directory and starts the job's thread. Returns as soon as both stand; all else comes as events.
    ///
    /// - Parameters:
    ///   - keepsTrace: a start that fails stays in the run's folder, for a job that nobody watches.
    ///   - wake: called on another thread when events wait in an empty queue; must return at once.
    public func start(
        _ kind: JobKind, _ configuration: Configuration, keepsTrace: Bool = false, wake: @escaping @Sendable () -> Void = {}
    ) throws(RunError) -> JobHandle {
        if let current, !current.hasEnded { throw .busy(job: current.kind.rawValue) }
        let directory = Self.directory(of: kind, configuration)
        let control = JobControl()
        let events = EventQueue(wake: wake)
        let recorder = try RunRecorder(
            directory: directory, state: Self.firstState(of: kind, configuration), control: control, readers: [events])
        let handle = JobHandle(
            kind: kind, configuration: configuration, runDirectory: directory, control: control, recorder: recorder, events: events)
        currentHandle.withLock { $0 = handle }
        if keepsTrace { recorder.keepTrace() }
        recorder.start()
        handle.start(body)
        return handle
    }

    /// Where a job of this kind leaves its files; nil when it keeps no run directory.
    public static func directory(of kind: JobKind, _ configuration: Configuration) -> RunDirectory? {
        switch kind {
        case .train, .evaluate, .predict:
            let path = configuration.text("output_dir")
            return path.isEmpty ? nil : RunDirectory(path)
        case .export, .chat:
            return nil
        }
    }

    private static func firstState(of kind: JobKind, _ configuration: Configuration) -> RunState {
        RunState(
            kind: kind, status: .waiting, process: .current(), startTime: Clock.unixTime(),
            model: configuration.text("model_name_or_path"), stage: configuration.text("stage"),
            method: configuration.text("finetuning_type"))
    }
}
