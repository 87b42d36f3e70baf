/// APOLLO (Zhu et al., arXiv 2412.05270): the full gradient, each channel scaled by how much Adam would scale it in a low-rank
/// subspace; the step's growth from one update to the next is limited. As apollo-torch computes it.

import Tensors

final class Apollo: UpdateRule {
    struct Settings: Sendable, Equatable {
        /// One factor per channel, or one for the whole tensor.
        var scalesChannels = true
        /// The scale enters before the limiter, not after it.
        var scalesInFront = false
    }

    /// A step's norm grows at most so much from one update to the next.
    private static let growthLimit = 1.01

    private let backend: any Backend
    private let settings: Settings
    private let projection: GradientProjection
    private let inner: UncorrectedAdamW
    /// f32 [1]: norm of the last step before it was scaled by the rate; 0 before the first.
    private let lastNorm: Tensor

    init(
        shape: [Int], adam: AdamWSettings, settings: Settings, projection projectionSettings: ProjectionSettings, seed: UInt64,
        memory: StateMemory
    ) {
        backend = memory.backend
        self.settings = settings
        projection = GradientProjection(shape: shape, settings: projectionSettings, seed: seed, memory: memory)
        inner = UncorrectedAdamW(shape: projection.lowShape, settings: adam, decaysFirst: false, memory: memory)
        lastNorm = memory.zeros([1])
    }

    var state: [OptimizerState] { inner.state + projection.state + [OptimizerState(name: "scaled_grad", tensor: lastNorm)] }

    func update(_ parameter: Parameter, gradient: Tensor, step: UpdateStep) {
        backend.scaleInPlace(gradient, by: step.gradientScale)
        let low = projection.project(gradient, number: step.number)
        let direction = backend.empty(low.shape, .float32)
        backend.convert(low, into: direction)
        let rate = inner.turn(direction, step: step)
        scale(gradient, bySizeOf: direction, over: low)

        let scale = projection.settings.scale.squareRoot()
        if settings.scalesInFront { backend.scaleInPlace(gradient, by: scale) }
        limitGrowth(gradient, isFirst: step.number == 1)
        let decay = 1 - step.learningRate * step.weightDecay
        backend.descend(
            parameter.value, along: gradient, rate: rate * decay * (settings.scalesInFront ? 1 : scale), decay: decay)
    }

    private func scale(_ gradient: Tensor, bySizeOf direction: Tensor, over low: Tensor) {
        guard settings.scalesChannels else {
            backend.scaleInPlace(
                gradient, by: backend.sumOfSquares(direction).squareRoot() / (backend.sumOfSquares(low).squareRoot() + 1e-8))
            return
        }
        let byRows = projection.keepsRows
        let channels = byRows ? low.rowCount : low.columnCount
        let sizes = [direction, low].map { tensor -> [Float] in
            let squares = backend.empty([channels], .float32)
            if byRows { backend.rowMeanSquares(tensor, into: squares) } else { backend.columnMeanSquares(tensor, into: squares) }
            let other = Double(tensor.count / max(1, channels))
            return backend.download(squares).map { Float((Double($0) * other).squareRoot()) }
        }
        let factors = Tensor(zip(sizes[0], sizes[1]).map { $0 / ($1 + 1e-8) }, shape: [channels])
        if byRows {
            backend.scaleRows(gradient, factors: factors, into: gradient)
        } else {
            backend.scaleColumns(gradient, factors: factors, into: gradient)
        }
    }

    private func limitGrowth(_ gradient: Tensor, isFirst: Bool) {
        var norm = backend.sumOfSquares(gradient).squareRoot()
        if !isFirst {
            let limiter = max(norm / (Double(lastNorm.floats()[0]) + 1e-8), Self.growthLimit) / Self.growthLimit
            backend.scaleInPlace(gradient, by: 1 / limiter)
            norm /= limiter
        }
        lastNorm.write([Float(norm)])
    }
}
