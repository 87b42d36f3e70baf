/// Follows a job until its end and prints what it says, as lines with a progress bar or as JSON.

import Events
import Platform
import Runs
import Synchronization

/// The reader of a job on the command line.
final class JobPrinter {
    private let isJSON: Bool
    private let line: ProgressLine
    private var lastLogged = ""
    private var lastProgressTime = 0.0
    private var hasStepped = false
    private var samplesShown = 0

    /// Predictions shown in full; the rest are in generated_predictions.jsonl.
    private static let shownSamples = 3
    /// Without a terminal, progress within a phase is a line at most this often.
    private static let progressLineSeconds = 5.0

    /// - Parameter isPlain: only ever print lines, also in a terminal.
    init(isJSON: Bool, isPlain: Bool = false) {
        self.isJSON = isJSON
        line = ProgressLine(isPlain: isPlain)
    }

    /// Starts the job through `start`, prints until it ends, and gives the exit code.
    func follow(
        _ signals: SignalListener, start: (_ wake: @escaping @Sendable () -> Void) throws(RunError) -> JobHandle
    ) throws(RunError) -> Int32 {
        let bell = Condition()
        let handle = try start { bell.withLock { bell.broadcast() } }
        signals.onInterruption { count in
            handle.request(count == 1 ? .stopAndSave : .abort)
            if count == 1 {
                handle.log(.warning, "stopping after this step and saving; once more ends at once")
            }
        }
        defer { signals.onInterruption(nil) }
        var hasEnded = false
        while !hasEnded {
            hasEnded = handle.hasEnded
            for event in handle.drain() { print(event) }
            if !hasEnded { bell.withLock { _ = bell.wait(seconds: 0.1) } }
        }
        line.clear()
        return exitCode(handle.state, wasInterrupted: signals.wasInterrupted)
    }

    private func exitCode(_ state: JobState, wasInterrupted: Bool) -> Int32 {
        switch state {
        case .finished: ExitCode.done
        case .stopped: wasInterrupted ? ExitCode.interrupted : ExitCode.done
        case .aborted: ExitCode.interrupted
        case .failed, .waiting, .loading, .running, .paused, .stopping: ExitCode.failed
        }
    }

    private func print(_ event: JobEvent) {
        guard !isJSON else {
            if case .step(let metrics) = event, !metrics.isLogged { return }
            Output.print(EventJSON.line(event))
            return
        }
        switch event {
        case .phase(let name):
            if line.isShown { line.show(name) } else { line.message(name) }
        case .planned, .checkpoint:
            // The job's log says the same.
            break
        case .step(let metrics):
            hasStepped = true
            if metrics.isLogged { line.print(EventText.line(metrics)) }
            line.show(progress(metrics))
        case .evaluation(let metrics):
            line.print(EventText.line(metrics))
        case .log(let record):
            // Metrics are logged as mappings too, for running_log.txt; here they are lines of their own.
            if record.level != .debug, !record.text.hasPrefix("{'") { line.message(EventText.line(record)) }
            lastLogged = record.text
        case .progress(let record):
            print(record)
        case .sample(let sample):
            print(sample)
        case .state, .failed:
            break
        case .finished(let summary):
            for text in EventText.lines(summary) where text != lastLogged { line.print(text) }
        }
    }

    private func print(_ record: ProgressRecord) {
        if line.isShown {
            let fraction = record.total > 0 ? Double(record.completed) / Double(record.total) : 0
            line.show(record.total > 0 ? ProgressLine.bar(fraction, width: 24) + " " + EventText.line(record) : EventText.line(record))
            return
        }
        let now = Clock.monotonicSeconds()
        let isWorthALine = record.completed == record.total || now - lastProgressTime >= Self.progressLineSeconds
        guard isWorthALine, !hasStepped || record.completed == record.total else { return }
        lastProgressTime = now
        line.message(EventText.line(record))
    }

    private func print(_ sample: PredictionSample) {
        guard samplesShown < Self.shownSamples else { return }
        samplesShown += 1
        line.print("sample \(sample.index)\n  prompt   \(sample.prompt)\n  expected \(sample.label)\n  answer   \(sample.prediction)")
    }

    /// ` 38% ▕████▎     ▏ 471/1240  loss 1.382  3,412 tok/s  0:41:07 left`, as long as the terminal is wide.
    private func progress(_ metrics: StepMetrics) -> String {
        let fraction = metrics.totalSteps > 0 ? Double(metrics.step) / Double(metrics.totalSteps) : 0
        var tail = " \(metrics.step)/\(metrics.totalSteps)"
        if let loss = metrics.loss { tail += "  loss " + NumberText.fixed(loss, digits: 4) }
        if let speed = metrics.tokensPerSecond { tail += "  " + EventText.rate(speed) }
        tail += "  " + NumberText.duration(metrics.remainingSeconds) + " left"
        let percent = NumberText.fixed(100 * fraction, digits: 0)
        let head = String(repeating: " ", count: max(0, 3 - percent.count)) + percent + "% "
        let room = Output.columns - head.count - tail.count - 3
        return room >= 8 ? head + ProgressLine.bar(fraction, width: min(40, room)) + tail : String((head + tail).prefix(Output.columns - 1))
    }
}
