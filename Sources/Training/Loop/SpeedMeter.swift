/// Tokens per second and the time left, from the steps of this session. Evaluations, checkpoints and pauses do not count as
/// training time for the speed, but they do for the elapsed time.

import Platform

final class SpeedMeter {
    struct Timing {
        var elapsedSeconds: Double
        var remainingSeconds: Double
        /// Over the last steps.
        var tokensPerSecond: Double
    }

    let startSeconds = Clock.monotonicSeconds()
    private let firstStep: Int
    private let totalSteps: Int
    private let firstTokens: Int
    private var lastMark: Double
    private var recent: [(seconds: Double, tokens: Int)] = []
    private(set) var trainingSeconds = 0.0

    init(firstStep: Int, totalSteps: Int, firstTokens: Int) {
        self.firstStep = firstStep
        self.totalSteps = totalSteps
        self.firstTokens = firstTokens
        lastMark = startSeconds
    }

    func finishStep(tokens: Int) {
        let now = Clock.monotonicSeconds()
        recent.append((now - lastMark, tokens))
        if recent.count > 20 { recent.removeFirst() }
        trainingSeconds += now - lastMark
        lastMark = now
    }

    /// What happened since the last step was no training.
    func pause() { lastMark = Clock.monotonicSeconds() }

    var elapsedSeconds: Double { Clock.monotonicSeconds() - startSeconds }

    func timing(step: Int) -> Timing {
        let seconds = recent.reduce(0) { $0 + $1.seconds }
        let tokens = recent.reduce(0) { $0 + $1.tokens }
        return Timing(
            elapsedSeconds: elapsedSeconds, remainingSeconds: remainingSeconds(step: step),
            tokensPerSecond: seconds > 0 ? Double(tokens) / seconds : 0)
    }

    func remainingSeconds(step: Int) -> Double {
        let done = step - firstStep
        return done > 0 ? Double(max(0, totalSteps - step)) * elapsedSeconds / Double(done) : 0
    }

    /// Tokens of this session per second of its whole time, as LLaMA-Factory's `throughput`.
    func throughput(tokens: Int) -> Double {
        elapsedSeconds > 0 ? Double(tokens - firstTokens) / elapsedSeconds : 0
    }
}
