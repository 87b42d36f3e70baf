/// What the charts are drawn over, and so by what several runs are laid over each other.
public enum ChartAxis: Sendable, Equatable, CaseIterable {
    case step
    /// Seconds of work; pauses between two sessions of a resumed run do not count.
    case time
    case tokens
    case epoch

    /// The name under the plot.
    public var title: String {
        switch self {
        case .step: say("step")
        case .time: say("seconds")
        case .tokens: say("tokens")
        case .epoch: say("epoch")
        }
    }

    /// Whether there is nothing between two whole numbers.
    var isCounted: Bool {
        switch self {
        case .step, .tokens: true
        case .time, .epoch: false
        }
    }

    public var next: ChartAxis {
        switch self {
        case .step: .time
        case .time: .tokens
        case .tokens: .epoch
        case .epoch: .step
        }
    }
}

/// Time, tokens and epochs at the logged steps of a run: what places a point on another axis than the steps.
struct StepClock: Sendable, Equatable {
    private(set) var steps: [Double] = []
    private var seconds: [Double] = []
    private var tokens: [Double] = []
    private var epochs: [Double] = []
    /// Seconds of the sessions before this one: a resumed run counts from 0 again.
    private var earlierSeconds = 0.0

    /// Whether anything is known on an axis.
    func covers(_ axis: ChartAxis) -> Bool {
        switch axis {
        case .step: true
        case .time: (seconds.last ?? 0) > 0
        case .tokens: (tokens.last ?? 0) > 0
        case .epoch: (epochs.last ?? 0) > 0
        }
    }

    mutating func append(step: Double, seconds newSeconds: Double, tokens newTokens: Double, epoch: Double) {
        if let last = steps.last, step <= last { truncate(from: step) }
        var total = earlierSeconds + newSeconds
        if let last = seconds.last, total < last {
            earlierSeconds = last
            total = last + newSeconds
        }
        steps.append(step)
        seconds.append(total)
        tokens.append(max(newTokens, tokens.last ?? 0))
        epochs.append(max(epoch, epochs.last ?? 0))
    }

    private mutating func truncate(from step: Double) {
        let kept = index(atOrAfter: step)
        steps.removeSubrange(kept...)
        seconds.removeSubrange(kept...)
        tokens.removeSubrange(kept...)
        epochs.removeSubrange(kept...)
    }

    /// Where a step lies on an axis. A step between two logged ones lies where the later of them does.
    func position(of step: Double, on axis: ChartAxis) -> Double {
        let values: [Double]
        switch axis {
        case .step: return step
        case .time: values = seconds
        case .tokens: values = tokens
        case .epoch: values = epochs
        }
        guard !values.isEmpty else { return step }
        if let last = steps.last, step >= last { return values[values.count - 1] }
        return values[min(index(atOrAfter: step), values.count - 1)]
    }

    private func index(atOrAfter step: Double) -> Int {
        var low = 0
        var high = steps.count
        while low < high {
            let middle = (low + high) / 2
            if steps[middle] < step { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
