/// The stage kto: judged answers (Ethayarajh et al., arXiv 2402.01306). A wanted answer is to become likelier than the reference
/// finds it, by more than the divergence that answers to other questions show; an unwanted one less likely.

import Datasets
import Models
import Tensors

/// Numbers of the stage kto.
public struct FeedbackSettings: Sendable, Equatable {
    /// `pref_beta`
    public var beta = 0.1
    /// `pref_ftx`
    public var plainWeight = 0.0
    /// `kto_chosen_weight`
    public var chosenWeight = 1.0
    /// `kto_rejected_weight`
    public var rejectedWeight = 1.0

    public init() {}
}

public final class FeedbackObjective: Objective {
    private let model: Transformer
    private let reference: ReferenceModel
    private let settings: FeedbackSettings

    init(model: Transformer, reference: ReferenceModel, settings: FeedbackSettings) {
        self.model = model
        self.reference = reference
        self.settings = settings
    }

    public var residentBytes: Int64 { reference.residentBytes }

    public func weight(of batch: Batch) -> Int { batch.sampleCount }

    public func accumulate(_ batch: Batch, tape: Tape, divisor: Int) -> ObjectiveResult {
        tape.isTraining = false
        let (divergence, known) = background(batch)
        let pass = LikelihoodPass(model, batch.part(0..<batch.sampleCount), tape: tape)
        let outcome = outcome(pass, batch, known, divergence)
        pass.backward(outcome.slopes.map { $0 / Double(divisor) })
        return ObjectiveResult(loss: outcome.sum / Double(divisor), metrics: outcome.metrics)
    }

    public func measure(_ batch: Batch) -> ObjectiveResult {
        let (divergence, known) = background(batch)
        let pass = LikelihoodPass(
            model, batch.part(0..<batch.sampleCount), tape: Tape(backend: model.backend, isRecording: false))
        let outcome = outcome(pass, batch, known, divergence)
        return ObjectiveResult(loss: outcome.sum / Double(max(1, batch.sampleCount)), metrics: outcome.metrics)
    }

    /// The divergence on mismatched answers, not below 0, and the reference's log p of the judged ones. Nothing is learnt here.
    private func background(_ batch: Batch) -> (divergence: Double, known: [Double]) {
        let count = batch.sampleCount
        let others = LikelihoodPass(
            model, batch.part(count..<batch.sequenceCount), tape: Tape(backend: model.backend, isRecording: false)
        ).sums
        let known = reference.sums(batch).sums
        let distance = zip(others, known.dropFirst(count)).reduce(0) { $0 + ($1.0 - $1.1) } / Double(max(1, others.count))
        return (max(0, distance), Array(known.prefix(count)))
    }

    private struct Outcome {
        /// Losses of all answers together.
        var sum = 0.0
        /// Derivatives of `sum` by each answer's log p.
        var slopes: [Double] = []
        var metrics = MetricSums()
    }

    private func outcome(_ pass: LikelihoodPass, _ batch: Batch, _ known: [Double], _ divergence: Double) -> Outcome {
        let beta = settings.beta
        var outcome = Outcome()
        for (index, isDesirable) in batch.isDesirable.enumerated() {
            let ratio = pass.sums[index] - known[index]
            let direction: Double = isDesirable ? 1 : -1
            let weight = isDesirable ? settings.chosenWeight : settings.rejectedWeight
            let value = PreferenceLoss.sigmoid(beta * direction * (ratio - divergence))
            outcome.sum += weight * (1 - value)
            outcome.slopes.append(-weight * beta * direction * value * (1 - value))
            let side = isDesirable ? "chosen" : "rejected"
            outcome.metrics.add("rewards/" + side, [beta * ratio])
            outcome.metrics.add("logps/" + side, [pass.sums[index]])
            // LLaMA-Factory's own measure: the sum over an answer's logits, not their mean.
            let logits = pass.meanLogit(model, sequences: index..<index + 1)
            outcome.metrics.add("logits/" + side, [logits * Double(pass.batch.sequences[index].count) * Double(model.head.outputCount)])
        }
        outcome.metrics.add("kl", sum: divergence * Double(batch.sampleCount), weight: Double(batch.sampleCount))
        addPlainLoss(pass, batch, &outcome)
        return outcome
    }

    /// `pref_ftx` as LLaMA-Factory counts it: the mean over wanted answers, times answers per wanted answer.
    private func addPlainLoss(_ pass: LikelihoodPass, _ batch: Batch, _ outcome: inout Outcome) {
        let wanted = batch.isDesirable.indices.filter { batch.isDesirable[$0] }
        guard settings.plainWeight > 1e-6, !wanted.isEmpty else { return }
        let count = Double(wanted.count), all = Double(batch.sampleCount)
        // The outcome is a sum over the batch and is divided by its size later on.
        let factor = settings.plainWeight / count / count * all * all
        for index in wanted {
            let length = Double(max(1, pass.lengths[index]))
            outcome.sum -= factor * pass.sums[index] / length
            outcome.slopes[index] -= factor / length
        }
    }
}
