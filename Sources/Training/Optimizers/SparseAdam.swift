/// The part of BAdam's ratio mode that concerns one parameter (Luo et al., arXiv 2404.02827): Adam on a share of the elements, which
/// moves on every hundred updates and then begins with fresh moments. As badam's BlockOptimizerRatio computes it.

import Platform
import Tensors

final class SparseAdam: UpdateRule {
    struct Settings: Sendable, Equatable {
        /// Share of the elements that train at a time.
        var ratio = 0.05
        /// Elements drawn from all over the parameter, not side by side.
        var isScattered = false
    }

    /// Updates with the same share.
    private static let interval = 100

    private let adam: AdamWSettings
    private let settings: Settings
    private let seed: UInt64
    private let backend: any Backend
    private let firstMoment, secondMoment: Tensor
    private let count: Int
    /// The order in which elements take their turn, when they are scattered.
    private lazy var order: [Int32] = {
        var random = RandomGenerator(seed: seed), order = (0..<count).map { Int32($0) }
        order.shuffle(using: &random)
        return order
    }()

    init(count: Int, adam: AdamWSettings, settings: Settings, seed: UInt64, memory: StateMemory) {
        self.adam = adam
        self.settings = settings
        self.seed = seed
        self.count = count
        backend = memory.backend
        let share = max(1, Int(Double(count) * settings.ratio))
        firstMoment = memory.zeros([share])
        secondMoment = memory.zeros([share])
    }

    var state: [OptimizerState] {
        [OptimizerState(name: "exp_avg", tensor: firstMoment), OptimizerState(name: "exp_avg_sq", tensor: secondMoment)]
    }

    func update(_ parameter: Parameter, gradient: Tensor, step: UpdateStep) {
        let number = (step.number - 1) % Self.interval + 1, turn = (step.number - 1) / Self.interval, share = firstMoment.count
        if number == 1, turn > 0 {
            backend.fill(firstMoment, with: 0)
            backend.fill(secondMoment, with: 0)
        }
        let places = places(from: Int((Int64(turn) * Int64(share)) % Int64(max(1, count))), share: share)
        let flat = gradient.reshaped([count, 1])
        let part = backend.empty([share, 1], .float32)
        backend.selectRows(flat, rows: places, into: part)
        backend.scaleInPlace(part, by: step.gradientScale)
        backend.adamDirection(
            gradient: part, firstMoment: firstMoment, secondMoment: secondMoment, beta1: adam.beta1, beta2: adam.beta2,
            epsilon: adam.epsilon, into: part)
        backend.fill(gradient, with: 0)
        backend.scatterAddRows(part, rows: places, into: flat)
        let corrections = adam.corrections(number)
        backend.descend(
            parameter.value, along: gradient, rate: step.learningRate * corrections.secondRoot / corrections.first, decay: 1)
    }

    /// The elements whose turn it is, wrapping around at the end.
    private func places(from offset: Int, share: Int) -> Tensor {
        backend.upload((0..<share).map { index in
            let place = (offset + index) % count
            return settings.isScattered ? order[place] : Int32(truncatingIfNeeded: place)
        })
    }
}
