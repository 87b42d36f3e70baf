/// GaLore (Zhao et al., arXiv 2403.03507): moments are kept in a low-rank subspace of the gradient, and the step is brought back to
/// full size. As galore-torch's AdamW computes it.

import Tensors

final class GaLore: UpdateRule {
    private let backend: any Backend
    private let projection: GradientProjection
    private let inner: UncorrectedAdamW

    init(shape: [Int], adam: AdamWSettings, projection settings: ProjectionSettings, seed: UInt64, memory: StateMemory) {
        backend = memory.backend
        projection = GradientProjection(shape: shape, settings: settings, seed: seed, memory: memory)
        inner = UncorrectedAdamW(shape: projection.lowShape, settings: adam, decaysFirst: false, memory: memory)
    }

    var state: [OptimizerState] { inner.state + projection.state }

    func update(_ parameter: Parameter, gradient: Tensor, step: UpdateStep) {
        backend.scaleInPlace(gradient, by: step.gradientScale)
        let low = projection.project(gradient, number: step.number)
        let rate = inner.turn(low, step: step)
        projection.projectBack(low, into: gradient)
        let decay = 1 - step.learningRate * step.weightDecay
        backend.descend(parameter.value, along: gradient, rate: rate * decay, decay: decay)
    }
}
