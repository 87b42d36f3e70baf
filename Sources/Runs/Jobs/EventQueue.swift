/// The bounded queue between the engine thread and one reader of a job's events.

import Events
import Platform

/// A queue that never makes the writer wait and never grows beyond its capacity.
///
/// What a reader misses by being slow is merged: a newer progress tick replaces the older one, and when the queue is full the
/// older half of the log lines, samples and logged steps is thinned. Nothing of that is lost: all of it stands in the run
/// directory before it comes here. States, evaluations, checkpoints, the plan and the end of a job are always kept.
public final class EventQueue: EventSink {
    private struct Contents {
        var events: [JobEvent] = []
        /// The newest tick between two logged steps; it is handed out last.
        var tick: StepMetrics?
        var isReaderAwake = false
        var omittedLines = 0
    }

    private let contents = Mutex(Contents())
    private let capacity: Int
    private let wake: @Sendable () -> Void

    /// - Parameters:
    ///   - capacity: events held at most before thinning begins.
    ///   - wake: called on the writer's thread when something arrives in an empty queue; must return at once.
    public init(capacity: Int = 4096, wake: @escaping @Sendable () -> Void = {}) {
        self.capacity = max(16, capacity)
        self.wake = wake
    }

    public func emit(_ event: JobEvent) {
        let mustWake = contents.withLock { contents in
            Self.append(event, to: &contents, capacity: capacity)
            defer { contents.isReaderAwake = true }
            return !contents.isReaderAwake
        }
        if mustWake { wake() }
    }

    /// Everything that arrived since the last call, oldest first.
    public func drain() -> [JobEvent] {
        contents.withLock { contents in
            var events = contents.events
            if let tick = contents.tick { events.append(.step(tick)) }
            if contents.omittedLines > 0 {
                let text = "\(contents.omittedLines) older lines are left out here; running_log.txt has them."
                events.insert(.log(LogRecord(time: Clock.unixTime(), level: .warning, text: text)), at: 0)
            }
            contents = Contents()
            return events
        }
    }

    /// Wakes the reader though nothing may be waiting, for changes that are not events.
    func wakeReader() { wake() }

    /// How many events wait for the reader.
    public var count: Int { contents.withLock { $0.events.count + ($0.tick == nil ? 0 : 1) } }

    private static func append(_ event: JobEvent, to contents: inout Contents, capacity: Int) {
        switch event {
        case .step(let metrics) where !metrics.isLogged:
            contents.tick = metrics
            return
        case .step:
            contents.tick = nil
        case .progress(let record):
            if case .progress(let last)? = contents.events.last, last.phase == record.phase {
                contents.events[contents.events.count - 1] = event
                return
            }
        case .phase, .planned, .evaluation, .log, .checkpoint, .sample, .state, .finished, .failed:
            break
        }
        contents.events.append(event)
        if contents.events.count > capacity { thin(&contents) }
    }

    /// Halves what may be thinned in the older half of the queue.
    private static func thin(_ contents: inout Contents) {
        let older = contents.events.count / 2
        var kept: [JobEvent] = []
        kept.reserveCapacity(contents.events.count)
        var stepCount = 0
        for (index, event) in contents.events.enumerated() {
            guard index < older else {
                kept.append(event)
                continue
            }
            switch event {
            case .log(let record) where record.level != .error && record.level != .warning:
                contents.omittedLines += 1
            case .sample, .progress:
                break
            case .step:
                stepCount += 1
                if stepCount % 2 == 0 { kept.append(event) }
            case .phase, .planned, .evaluation, .log, .checkpoint, .state, .finished, .failed:
                kept.append(event)
            }
        }
        contents.events = kept
    }
}
