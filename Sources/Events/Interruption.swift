/// How a job that works piece by piece ends before its time.

/// Why work was left before it was done.
public enum Interruption: Error, Sendable, Equatable {
    /// The job is to end and keep what it has.
    case stopped
    /// The job is to end and leave nothing.
    case aborted
}

extension JobControl {
    /// Between two pieces of work that leave nothing to save between them: holds while the job is paused, and leaves when it is asked to
    /// end.
    public func heed(_ sink: any EventSink) throws(Interruption) {
        if isPaused, !isStopping {
            sink.emit(.state(.paused))
            waitWhilePaused(canSave: false)
            if !isStopping { sink.emit(.state(.running)) }
        }
        if isAborted { throw .aborted }
        if isStopping { throw .stopped }
    }
}
