/// The arithmetic of PPO (Schulman et al., arXiv 1707.06347) as TRL 0.9.6 does it for text (Ziegler et al., arXiv 1909.08593): rewards
/// with a penalty on the divergence, advantages, clipped objectives with their derivatives. Sequences have no padding.

import Formats
import Glibc

/// One answer and everything known of it. All lists have an entry for each token of the answer.
struct Trajectory {
    var prompt: [Int32]
    var answer: [Int32]
    /// What the reward model gave.
    var score = 0.0
    /// log p under the policy that wrote the answer.
    var logs: [Double] = []
    /// log p under the reference.
    var referenceLogs: [Double] = []
    /// The value head's expectation before each token.
    var values: [Double] = []
    var rewards: [Double] = []
    var advantages: [Double] = []
    var returns: [Double] = []

    /// How much likelier the answer is than the reference finds it.
    var divergence: Double { zip(logs, referenceLogs).reduce(0) { $0 + $1.0 - $1.1 } }
}

enum PolicyMath {
    /// Each token costs the penalty times its divergence; the last one earns the score.
    static func rewards(_ trajectory: Trajectory, score: Double, penalty: Double) -> [Double] {
        var rewards = zip(trajectory.logs, trajectory.referenceLogs).map { -penalty * ($0 - $1) }
        if !rewards.isEmpty { rewards[rewards.count - 1] += score }
        return rewards
    }

    /// Generalised advantage estimation (arXiv 1506.02438), then returns, then advantages whitened over the batch.
    static func estimate(_ batch: inout [Trajectory], _ settings: PolicySettings) {
        if settings.whitensRewards {
            let whitened = whiten(batch.map(\.rewards), shiftsMean: false)
            for index in batch.indices { batch[index].rewards = whitened[index] }
        }
        for index in batch.indices {
            let rewards = batch[index].rewards, values = batch[index].values
            var advantages = [Double](repeating: 0, count: rewards.count)
            var last = 0.0
            for step in rewards.indices.reversed() {
                let next = step + 1 < values.count ? values[step + 1] : 0
                last = rewards[step] + settings.gamma * next - values[step] + settings.gamma * settings.lambda * last
                advantages[step] = last
            }
            batch[index].advantages = advantages
            batch[index].returns = zip(advantages, values).map { $0 + $1 }
        }
        let whitened = whiten(batch.map(\.advantages), shiftsMean: true)
        for index in batch.indices { batch[index].advantages = whitened[index] }
    }

    /// Mean 0 and variance 1 over all entries; the mean stays where it is unless it is shifted.
    static func whiten(_ lists: [[Double]], shiftsMean: Bool) -> [[Double]] {
        let (mean, variance) = moments(lists.flatMap { $0 })
        let factor = 1 / (variance + 1e-8).squareRoot()
        return lists.map { $0.map { ($0 - mean) * factor + (shiftsMean ? 0 : mean) } }
    }

    /// Mean, and variance with Bessel's correction.
    static func moments(_ values: [Double]) -> (mean: Double, variance: Double) {
        guard !values.isEmpty else { return (0, 0) }
        let count = Double(values.count)
        let mean = values.reduce(0, +) / count
        guard values.count > 1 else { return (mean, 0) }
        return (mean, values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (count - 1))
    }

    /// The loss of a mini-batch, and its derivatives by each token's log p and value.
    struct Loss {
        var policy = 0.0
        /// Times its weight.
        var value = 0.0
        var byLogs: [Double] = []
        var byValues: [Double] = []
        var metrics = MetricSums()
        var total: Double { policy + value }
    }

    /// - Parameters:
    ///   - logs: of the policy as it is now, all tokens of all trajectories one after the other.
    ///   - values: of the value head as it is now.
    static func loss(_ batch: [Trajectory], logs: [Double], values: [Double], _ settings: PolicySettings) -> Loss {
        let oldLogs = batch.flatMap(\.logs), oldValues = batch.flatMap(\.values)
        let advantages = batch.flatMap(\.advantages), returns = batch.flatMap(\.returns)
        let count = Double(max(1, logs.count))
        var loss = Loss()
        var ratios = 0.0, policyClips = 0.0, valueClips = 0.0, drift = 0.0, error = 0.0
        for index in logs.indices {
            let value = values[index], target = returns[index]
            let low = oldValues[index] - settings.valueClipRange, high = oldValues[index] + settings.valueClipRange
            let held = max(min(value, high), low)
            let free = (value - target) * (value - target), clipped = (held - target) * (held - target)
            loss.value += 0.5 * max(free, clipped) / count
            // Where the clipped error is larger the value lies outside its range and cannot be moved.
            loss.byValues.append(clipped > free ? 0 : settings.valueWeight * (value - target) / count)
            valueClips += clipped > free ? 1 : 0
            error += free

            let ratio = exp(logs[index] - oldLogs[index]), advantage = advantages[index]
            let plain = -advantage * ratio
            let bounded = -advantage * max(min(ratio, 1 + settings.clipRange), 1 - settings.clipRange)
            loss.policy += max(plain, bounded) / count
            loss.byLogs.append(bounded > plain ? 0 : plain / count)
            policyClips += bounded > plain ? 1 : 0
            ratios += ratio
            drift += (logs[index] - oldLogs[index]) * (logs[index] - oldLogs[index])
        }
        loss.value *= settings.valueWeight
        loss.metrics.add("ppo/policy/approxkl", sum: 0.5 * drift / count, weight: 1)
        loss.metrics.add("ppo/policy/clipfrac", sum: policyClips / count, weight: 1)
        loss.metrics.add("ppo/val/error", sum: error / count, weight: 1)
        loss.metrics.add("ppo/val/clipfrac", sum: valueClips / count, weight: 1)
        if ratios / count > settings.ratioLimit {
            loss.policy = 0
            loss.value = 0
            loss.byLogs = loss.byLogs.map { _ in 0 }
            loss.byValues = loss.byValues.map { _ in 0 }
        }
        return loss
    }
}

/// The penalty on the divergence: it grows while the divergence is above its target and shrinks while it is below.
struct DivergenceControl: Equatable {
    var penalty: Double
    var target: Double
    var horizon: Double

    /// - Parameter samples: answers since the last update.
    mutating func update(divergence: Double, samples: Int) {
        let error = max(-0.2, min(0.2, divergence / target - 1))
        penalty *= 1 + error * Double(samples) / horizon
    }
}

/// Running mean and deviation of scores (TRL's RunningMoments).
struct RunningMoments: Equatable {
    var mean = 0.0
    var variance = 1.0
    var count = 1e-24
    var deviation = 1.0

    mutating func update(_ values: [Double]) {
        guard !values.isEmpty else { return }
        let added = Double(values.count)
        let itsMean = values.reduce(0, +) / added
        let itsVariance = values.reduce(0) { $0 + ($1 - itsMean) * ($1 - itsMean) } / added
        let distance = itsMean - mean, total = count + added
        let sum = itsVariance * added + variance * count + distance * distance * count * added / total
        mean += distance * added / total
        variance = sum / total
        deviation = total > 1 ? (variance * total / (total - 1)).squareRoot() : 0
        count = total
    }

    /// Scores as they count: centred and scaled.
    func normalised(_ values: [Double]) -> [Double] { values.map { ($0 - mean) / (deviation + Double(Float.ulpOfOne)) } }

    init() {}

    init(_ object: JSONValue?) {
        mean = object?["mean"]?.doubleValue ?? 0
        variance = object?["variance"]?.doubleValue ?? 1
        count = object?["count"]?.doubleValue ?? 1e-24
        deviation = object?["deviation"]?.doubleValue ?? 1
    }

    var json: JSONValue {
        ["mean": .number(mean), "variance": .number(variance), "count": .number(count), "deviation": .number(deviation)]
    }
}
