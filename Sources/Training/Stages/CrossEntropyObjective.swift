/// The stages pt and sft: the mean cross-entropy of the labels, divided once by the labels of the whole step; with dynamic or
/// entropy-adaptive fine-tuning each token's part counts by its weight.

import Datasets
import Models
import Tensors

public final class CrossEntropyObjective: Objective {
    private let model: Transformer
    private let labelSmoothing: Float
    private let weighting: TokenWeighting

    public init(model: Transformer, labelSmoothing: Double = 0, weighting: TokenWeighting = .equal) {
        self.model = model
        self.labelSmoothing = Float(labelSmoothing)
        self.weighting = weighting
    }

    public func weight(of batch: Batch) -> Int { batch.labelCount }

    /// A mixture of experts' load-balancing loss is added to each micro-batch's, as transformers adds it.
    public func accumulate(_ batch: Batch, tape: Tape, divisor: Int) -> ObjectiveResult {
        let (output, balance) = losses(batch, tape, normalizer: Float(divisor), routers: model.routerRecord())
        guard let balance else {
            tape.backward(output.loss)
            return ObjectiveResult(loss: output.lossSum / Double(divisor))
        }
        let balanceValue = Double(tape.tensor(balance).floats()[0])
        // The head's gradients carry the tape's scale already.
        tape.backward(tape.add(output.loss, tape.lossScale == 1 ? balance : tape.scaled(balance, by: tape.lossScale)))
        return ObjectiveResult(loss: output.lossSum / Double(divisor) + balanceValue)
    }

    public func measure(_ batch: Batch) -> ObjectiveResult {
        let tape = Tape(backend: model.backend, isRecording: false)
        let (output, balance) = losses(batch, tape, normalizer: 1, routers: model.routerRecord())
        let balanceValue = balance.map { Double(tape.tensor($0).floats()[0]) } ?? 0
        return ObjectiveResult(loss: output.lossSum / Double(max(1, output.tokenCount)) + balanceValue)
    }

    private func losses(
        _ batch: Batch, _ tape: Tape, normalizer: Float, routers: RouterRecord?
    ) -> (output: LossOutput, balance: Value?) {
        model.crossEntropy(
            tape, tokens: batch.tokens, layout: SequenceLayout(batch), targets: batch.targets, normalizer: normalizer,
            labelSmoothing: labelSmoothing, weighting: weighting, routers: routers)
    }
}

extension SequenceLayout {
    init(_ batch: Batch) { self.init(cumulativeLengths: batch.cumulativeLengths, positions: batch.positions) }
}
