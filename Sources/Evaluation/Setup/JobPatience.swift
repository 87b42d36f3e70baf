/// How a job that works piece by piece heeds those who steer it: between two pieces it holds while paused and leaves when asked to.

import Events

enum JobPatience {
    /// Throws `EvaluationError.stopped` or `.aborted` when the job is to end.
    static func heed(_ control: JobControl, _ reporter: JobReporter) throws(EvaluationError) {
        if control.isPaused, !control.isStopping {
            reporter.sink.emit(.state(.paused))
            control.waitWhilePaused()
            if !control.isStopping { reporter.sink.emit(.state(.running)) }
        }
        if control.isAborted { throw .aborted }
        if control.isStopping { throw .stopped }
    }
}
