/// The stages pt and sft: the mean cross-entropy of the labels, divided once by the labels of the whole step; with dynamic or
/// entropy-adaptive fine-tuning each token's part counts by its weight, and anchored fine-tuning adds what keeps the model near another.

import Datasets
import Evaluation
import Models
import Tensors

public final class CrossEntropyObjective: Objective {
    private let model: Transformer
    private let labelSmoothing: Float
    private let weighting: TokenWeighting
    private let anchor: ModelAnchor?

    /// - Parameter anchor: the model to stay near, for anchored fine-tuning.
    init(model: Transformer, labelSmoothing: Double = 0, weighting: TokenWeighting = .equal, anchor: ModelAnchor?) {
        self.anchor = anchor
        self.model = model
        self.labelSmoothing = Float(labelSmoothing)
        self.weighting = weighting
    }

    public convenience init(model: Transformer, labelSmoothing: Double = 0, weighting: TokenWeighting = .equal) {
        self.init(model: model, labelSmoothing: labelSmoothing, weighting: weighting, anchor: nil)
    }

    public func weight(of batch: Batch) -> Int { batch.labelCount }

    public var residentBytes: Int64 { anchor?.model.residentBytes ?? 0 }

    /// How this loss is evaluated: batch by batch, with the token accuracy.
    func evaluator(batchSize: Int) -> LossEvaluator {
        LossEvaluator(
            model: model, batchSize: batchSize, labelSmoothing: Double(labelSmoothing), weighting: weighting,
            anchor: anchor.map { anchor in { anchor.logits(of: $0) } })
    }

    /// A mixture of experts' load-balancing loss is added to each micro-batch's, as transformers adds it.
    public func accumulate(_ batch: Batch, tape: Tape, divisor: Int) -> ObjectiveResult {
        let (output, balance) = losses(batch, tape, normalizer: Float(divisor), routers: model.routerRecord())
        guard let balance else {
            tape.backward(output.loss)
            return ObjectiveResult { output.lossSum / Double(divisor) }
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
            labelSmoothing: labelSmoothing, weighting: weighting, anchor: anchor?.logits(of: batch), routers: routers)
    }
}

/// What anchored fine-tuning (ASFT, as LLaMA-Factory does it) holds on to: the divergence KL(reference || model), averaged over tokens
/// and counted by a weight.
struct ModelAnchor {
    let model: ReferenceModel
    let weight: Float

    func logits(of batch: Batch) -> LogitAnchor {
        let hidden = model.use { model in
            let tape = Tape(backend: model.backend, isRecording: false)
            return tape.tensor(model.hidden(tape, tokens: batch.tokens, layout: SequenceLayout(batch)))
        }
        return LogitAnchor(weight: weight, hidden: hidden) { [model] rows in
            model.use { model in
                let tape = Tape(backend: model.backend, isRecording: false)
                return tape.tensor(tape.linear(tape.constant(rows), model.head))
            }
        }
    }
}

extension SequenceLayout {
    init(_ batch: Batch) { self.init(cumulativeLengths: batch.cumulativeLengths, positions: batch.positions) }
}
