/// Finds where numbers stop being numbers: in a weight, in a layer's output, or only on the way back.

import Datasets
import Models
import Tensors

struct NotFiniteLocator {
    let model: Transformer
    let optimizer: Optimizer

    /// A few words on the origin, after a step whose gradients are not finite.
    func origin(_ batches: [Batch]) -> String {
        if let weight = (model.parameters + model.adapterParameters).first(where: { !isFinite($0.value) }) {
            return "the weight \(weight.name)"
        }
        for batch in batches {
            if let place = firstPlace(batch) { return place }
        }
        if let name = optimizer.firstNotFiniteGradient() { return "the gradient of \(name)" }
        return "the sum of all gradients, which overflows"
    }

    /// The first block whose output is not finite, on one micro-batch.
    private func firstPlace(_ batch: Batch) -> String? {
        let tape = Tape(backend: model.backend, isRecording: false)
        let layout = SequenceLayout(cumulativeLengths: batch.cumulativeLengths, positions: batch.positions)
        var place: String?
        let recomputes = model.recomputesBlocks
        model.recomputesBlocks = false
        defer { model.recomputesBlocks = recomputes }
        let hidden = model.hidden(tape, tokens: batch.tokens, layout: layout) { index, value in
            guard place == nil, !isFinite(tape.tensor(value)) else { return }
            place = index == 0 ? "the output of the embedding" : "the output of layer \(index - 1)"
        }
        if place == nil, !isFinite(tape.tensor(hidden)) { place = "the output of the final norm" }
        if place != nil { return place }
        let output = tape.linearCrossEntropy(hidden, head: model.head, targets: batch.targets, normalizer: 1)
        return output.lossSum.isFinite ? nil : "the loss at the head"
    }

    private func isFinite(_ tensor: Tensor) -> Bool {
        switch tensor.dtype {
        case .float32: model.backend.sumOfSquares(tensor).isFinite
        case .bfloat16, .float16: tensor.floats().allSatisfy(\.isFinite)
        case .int32, .int64, .uint8: true
        }
    }
}
