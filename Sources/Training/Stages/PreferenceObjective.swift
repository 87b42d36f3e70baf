/// The stage dpo: pairs of answers, the better one to become likelier than the worse one.

import Datasets
import Formats
import Models
import Tensors

public final class PreferenceObjective: Objective {
    private let model: Transformer
    private let reference: ReferenceModel?
    private let settings: PreferenceSettings
    /// BCO's running mean of the rewards, one value per micro-batch.
    private var rewardMean = 0.0
    private var rewardCount = 0.0

    /// - Parameter reference: nil where the loss has none.
    init(model: Transformer, reference: ReferenceModel?, settings: PreferenceSettings) {
        self.model = model
        self.reference = settings.kind.usesReference ? reference : nil
        self.settings = settings
    }

    public var residentBytes: Int64 { reference?.residentBytes ?? 0 }

    public func weight(of batch: Batch) -> Int { batch.sampleCount }

    public func accumulate(_ batch: Batch, tape: Tape, divisor: Int) -> ObjectiveResult {
        let known = reference?.sums(batch)
        // Dropout would make the two sides of a comparison differ by chance.
        tape.isTraining = false
        let pass = LikelihoodPass(model, batch, tape: tape, lengthWeight: settings.lengthWeight)
        let outcome = outcome(pass, known, learns: true)
        let scale = 1 / Double(divisor)
        let factors = pass.lengths.map { settings.kind.averagesTokens ? scale / Double(max(1, $0)) : scale }
        let slopes = outcome.losses.chosen + outcome.losses.rejected
        // The plain loss is a mean over tokens whatever the rest is.
        let pairs = batch.sampleCount
        let plain = (0..<slopes.count).map {
            $0 < pairs && settings.plainWeight > 1e-6 ? -settings.plainWeight * scale / Double(max(1, pass.lengths[$0])) : 0
        }
        pass.backward(slopes.indices.map { slopes[$0] * factors[$0] + plain[$0] })
        return ObjectiveResult(loss: outcome.sum * scale, metrics: outcome.metrics)
    }

    public func measure(_ batch: Batch) -> ObjectiveResult {
        let known = reference?.sums(batch)
        let pass = LikelihoodPass(
            model, batch, tape: Tape(backend: model.backend, isRecording: false), lengthWeight: settings.lengthWeight)
        let outcome = outcome(pass, known, learns: false)
        return ObjectiveResult(loss: outcome.sum / Double(max(1, batch.sampleCount)), metrics: outcome.metrics)
    }

    private struct Outcome {
        /// Losses of all pairs together, the plain loss included.
        var sum: Double
        /// Without the plain loss.
        var losses: PairLosses
        var metrics: MetricSums
    }

    private func outcome(_ pass: LikelihoodPass, _ known: LikelihoodSums?, learns: Bool) -> Outcome {
        let pairs = likelihoods(pass, known)
        var losses = PreferenceLoss.evaluate(pairs, settings)
        if settings.baselineWeight > 1e-6, known != nil { mixBaseline(pairs, into: &losses, learns: learns) }
        let count = pairs.count
        let averages = (0..<count).map { pass.sums[$0] / Double(max(1, pass.lengths[$0])) }
        let plain = averages.map { -$0 }
        let all = settings.plainWeight > 1e-6 ? zip(losses.losses, plain).map { $0 + settings.plainWeight * $1 } : losses.losses

        let chosen = pairs.chosenRatios.map { settings.beta * $0 }, rejected = pairs.rejectedRatios.map { settings.beta * $0 }
        var metrics = MetricSums()
        metrics.add("rewards/chosen", chosen)
        metrics.add("rewards/rejected", rejected)
        metrics.add("rewards/accuracies", zip(chosen, rejected).map { $0 > $1 ? 1 : 0 })
        metrics.add("rewards/margins", zip(chosen, rejected).map { $0 - $1 })
        metrics.add("logps/chosen", pairs.chosen)
        metrics.add("logps/rejected", pairs.rejected)
        metrics.add("logits/chosen", sum: pass.meanLogit(model, sequences: 0..<count) * Double(count), weight: Double(count))
        metrics.add("logits/rejected", sum: pass.meanLogit(model, sequences: count..<2 * count) * Double(count), weight: Double(count))
        if settings.kind == .orpo {
            metrics.add("sft_loss", plain)
            metrics.add("odds_ratio_loss", zip(all, plain).map { ($0 - $1) / settings.beta })
        }
        return Outcome(sum: all.reduce(0, +), losses: losses, metrics: metrics)
    }

    private func likelihoods(_ pass: LikelihoodPass, _ known: LikelihoodSums?) -> PairLikelihoods {
        func sides(_ sums: [Double], _ lengths: [Int]) -> (chosen: [Double], rejected: [Double]) {
            let values = settings.kind.averagesTokens ? zip(sums, lengths).map { $0 / Double(max(1, $1)) } : sums
            return (Array(values.prefix(pass.batch.sampleCount)), Array(values.dropFirst(pass.batch.sampleCount)))
        }
        let own = sides(pass.sums, pass.lengths)
        var pairs = PairLikelihoods(chosen: own.chosen, rejected: own.rejected)
        if let known { (pairs.referenceChosen, pairs.referenceRejected) = sides(known.sums, known.lengths) }
        return pairs
    }

    private func mixBaseline(_ pairs: PairLikelihoods, into losses: inout PairLosses, learns: Bool) {
        let rewards = (pairs.chosenRatios + pairs.rejectedRatios).map { settings.beta * $0 }
        let count = rewardCount + 1
        let mean = rewardMean + (rewards.reduce(0, +) / Double(max(1, rewards.count)) - rewardMean) / count
        if learns { (rewardMean, rewardCount) = (mean, count) }
        let others = PreferenceLoss.baseline(pairs, beta: settings.beta, mean: mean)
        let weight = settings.baselineWeight
        func mixed(_ a: [Double], _ b: [Double]) -> [Double] { zip(a, b).map { ($0 + weight * $1) / (1 + weight) } }
        losses = PairLosses(
            losses: mixed(losses.losses, others.losses), chosen: mixed(losses.chosen, others.chosen),
            rejected: mixed(losses.rejected, others.rejected))
    }

    public var memory: JSONObject {
        get {
            settings.baselineWeight > 1e-6
                ? JSONObject([("reward_mean", .number(rewardMean)), ("reward_count", .number(rewardCount))]) : [:]
        }
        set {
            rewardMean = newValue["reward_mean"]?.doubleValue ?? 0
            rewardCount = newValue["reward_count"]?.doubleValue ?? 0
        }
    }
}
