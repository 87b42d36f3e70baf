/// Finds where numbers stop being numbers: in a weight, in what an operation makes of numbers that were sound, or only on the way back.

import Datasets
import Models
import Tensors

struct NotFiniteLocator {
    let model: Transformer
    let optimizer: Optimizer

    /// A few words on the origin, after a step whose gradients are not finite.
    /// - Parameters:
    ///   - batches: the step's micro-batches.
    ///   - objective: what the step did with them; nil where it cannot be done again.
    func origin(_ batches: [Batch], objective: (any Objective)?) -> String {
        if let weight = (model.parameters + model.adapterParameters).first(where: { !isFinite($0.value) }) {
            return "the weight \(weight.name)"
        }
        let gradient = optimizer.firstNotFiniteGradient()
        if let objective {
            for batch in batches {
                if let place = firstPlace(batch, objective) { return place }
            }
        }
        if let gradient { return "the gradient of \(gradient)" }
        return "the sum of all gradients, which overflows"
    }

    /// The first operation of one micro-batch, forward or backward, that made something that is no number.
    private func firstPlace(_ batch: Batch, _ objective: any Objective) -> String? {
        optimizer.dropGradients()
        let recomputes = model.recomputesBlocks
        model.recomputesBlocks = false
        let memory = objective.memory
        defer {
            model.recomputesBlocks = recomputes
            objective.memory = memory
            optimizer.dropGradients()
        }
        var place: String?
        var sound: Set<String> = []
        let tape = Tape(backend: model.backend, isRecording: true)
        tape.watch = { seen in
            guard place == nil else { return }
            let at = seen.layer.map { " in layer \($0)" } ?? ""
            guard isFinite(seen.tensor) else {
                place = seen.isGradient ? "the gradient that \(seen.operation)\(at) passes on" : "the result of \(seen.operation)\(at)"
                return
            }
            guard seen.isGradient else { return }
            for parameter in optimizer.parameters where !sound.contains(parameter.name) {
                guard let gradient = parameter.gradient else { continue }
                if isFinite(gradient) { sound.insert(parameter.name) } else {
                    place = "the gradient of \(parameter.name), made by \(seen.operation)\(at)"
                    return
                }
            }
        }
        let result = objective.accumulate(batch, tape: tape, divisor: max(1, objective.weight(of: batch)))
        if let place { return place }
        if !result.loss.isFinite { return "the loss itself" }
        return optimizer.firstNotFiniteGradient().map { "the gradient of \($0)" }
    }

    private func isFinite(_ tensor: Tensor) -> Bool {
        switch tensor.dtype {
        // Squares overflow before numbers do.
        case .float32: model.backend.sumOfSquares(tensor).isFinite || tensor.floats().allSatisfy(\.isFinite)
        case .bfloat16, .float16: tensor.floats().allSatisfy(\.isFinite)
        case .int32, .int64, .uint8: true
        }
    }
}
