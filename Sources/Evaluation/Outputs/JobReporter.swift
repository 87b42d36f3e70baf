/// What a job says, in one place: phases, log lines, progress, at most so many progress events per second.

import Events
import Platform

public final class JobReporter: Sendable {
    public let sink: any EventSink
    private let lastProgress = Mutex(0.0)

    public init(_ sink: any EventSink) { self.sink = sink }

    public func phase(_ name: String) { sink.emit(.phase(name)) }

    public func log(_ level: LogLevel, _ text: String) {
        sink.emit(.log(LogRecord(time: Clock.unixTime(), level: level, text: text)))
    }

    /// Told of every step of a phase; passes on ten a second, and the last.
    public func progress(_ phase: String, _ completed: Int, _ total: Int, detail: String = "") {
        let now = Clock.monotonicSeconds()
        let isDue = lastProgress.withLock { last in
            guard completed >= total || now - last > 0.1 else { return false }
            last = now
            return true
        }
        if isDue { sink.emit(.progress(ProgressRecord(phase: phase, completed: completed, total: total, detail: detail))) }
    }
}
