/// The stages pt and sft: the mean cross-entropy of the labels, divided once by the labels of the whole step.

import Datasets
import Models
import Tensors

public final class CrossEntropyObjective: Objective {
    private let model: Transformer
    private let labelSmoothing: Float

    public init(model: Transformer, labelSmoothing: Double = 0) {
        self.model = model
        self.labelSmoothing = Float(labelSmoothing)
    }

    public func weight(of batch: Batch) -> Int { batch.labelCount }

    /// A mixture of experts' load-balancing loss is added to each micro-batch's, as transformers adds it.
    public func accumulate(_ batch: Batch, tape: Tape, divisor: Int) -> ObjectiveResult {
        let routers = model.routerRecord()
        let output = output(batch, tape, normalizer: Float(divisor), routers: routers)
        guard let balance = model.balanceLoss(tape, routers) else {
            tape.backward(output.loss)
            return ObjectiveResult(loss: output.lossSum / Double(divisor))
        }
        let balanceValue = Double(tape.tensor(balance).floats()[0])
        tape.backward(tape.add(output.loss, balance))
        return ObjectiveResult(loss: output.lossSum / Double(divisor) + balanceValue)
    }

    public func measure(_ batch: Batch) -> ObjectiveResult {
        let output = output(batch, Tape(backend: model.backend, isRecording: false), normalizer: 1)
        return ObjectiveResult(loss: output.lossSum / Double(max(1, output.tokenCount)))
    }

    private func output(_ batch: Batch, _ tape: Tape, normalizer: Float, routers: RouterRecord? = nil) -> LossOutput {
        let hidden = model.hidden(tape, tokens: batch.tokens, layout: SequenceLayout(batch), routers: routers)
        return tape.linearCrossEntropy(
            hidden, head: model.head, targets: batch.targets, normalizer: normalizer, labelSmoothing: labelSmoothing)
    }
}

extension SequenceLayout {
    init(_ batch: Batch) { self.init(cumulativeLengths: batch.cumulativeLengths, positions: batch.positions) }
}
