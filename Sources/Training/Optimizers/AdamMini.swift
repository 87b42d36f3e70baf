/// Adam-mini (Zhang et al., arXiv 2406.16793): Adam with one second moment per block of a parameter. A block is an attention head of
/// query and key projections, a row of the other matrices, a whole norm; biases keep Adam's own.

import Tensors

final class AdamMini: UpdateRule {
    /// What a model's parameters are cut by.
    struct Shape: Sendable, Equatable {
        var hiddenSize: Int
        var headCount: Int
    }

    private let settings: AdamWSettings
    private let backend: any Backend
    private let firstMoment: Tensor
    /// f32, one per block.
    private let blockSquares: Tensor

    /// - Parameter blockCount: blocks of equal size that the parameter's elements fall into, in their order.
    init(shape: [Int], blockCount: Int, settings: AdamWSettings, memory: StateMemory) {
        self.settings = settings
        backend = memory.backend
        firstMoment = memory.zeros(shape)
        blockSquares = memory.zeros([blockCount])
    }

    /// How many blocks a parameter has; nil where Adam itself is used. The names are those that the authors' program looks for.
    static func blockCount(name: String, shape: [Int], model: Shape) -> Int? {
        let name = name.lowercased(), count = shape.reduce(1, *)
        func holds(_ parts: [String]) -> Bool { parts.contains { name.contains($0) } }
        if name.contains("bias") { return nil }
        if holds(["k_proj", "q_proj", "wq", "wk", "query", "key"]) {
            let headElements = model.hiddenSize * model.hiddenSize / max(1, model.headCount)
            // An adapter's or an unusual projection's elements do not fall into heads.
            guard headElements > 0, count % headElements == 0 else { return shape.first ?? 1 }
            return count / headElements
        }
        let byRow = [
            "embed", "embd", "wte", "lm_head", "output", "final_layer", "v_proj", "wv", "value", "feed_forward", "linear", "mlp", "o_proj",
            "wo", "attn.proj",
        ]
        return holds(byRow) && shape.count > 1 ? shape[0] : 1
    }

    /// Norms and biases do not decay.
    static func decays(_ name: String) -> Bool {
        let name = name.lowercased()
        return !["norm", "ln", "bias"].contains { name.contains($0) }
    }

    var state: [OptimizerState] {
        [OptimizerState(name: "m", tensor: firstMoment), OptimizerState(name: "vmean", tensor: blockSquares)]
    }

    func update(_ parameter: Parameter, gradient: Tensor, step: UpdateStep) {
        backend.scaleInPlace(gradient, by: step.gradientScale)
        let means = backend.empty(blockSquares.shape, .float32)
        backend.rowMeanSquares(gradient.reshaped([blockSquares.count, gradient.count / blockSquares.count]), into: means)
        backend.scale(blockSquares, by: Float(settings.beta2), into: blockSquares)
        backend.accumulate(means, factor: Float(1 - settings.beta2), into: blockSquares)
        backend.scale(firstMoment, by: Float(settings.beta1), into: firstMoment)
        backend.accumulate(gradient, factor: Float(1 - settings.beta1), into: firstMoment)

        let corrections = settings.corrections(step.number)
        let factors = blockSquares.floats().map {
            Float(1 / corrections.first / (Double($0).squareRoot() / corrections.secondRoot + settings.epsilon))
        }
        backend.scaleRows(firstMoment, factors: Tensor(factors, shape: blockSquares.shape), into: gradient)
        backend.descend(
            parameter.value, along: gradient, rate: step.learningRate, decay: 1 - step.learningRate * step.weightDecay)
    }
}
