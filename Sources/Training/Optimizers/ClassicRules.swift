/// The classic rules as PyTorch has them: stochastic gradient descent with momentum, Adagrad and RMSprop. Their decay is part of the
/// gradient, unlike AdamW's.

import Tensors

/// torch.optim.SGD.
final class StochasticGradientDescent: UpdateRule {
    struct Settings: Sendable, Equatable {
        var momentum = 0.0
        var dampening = 0.0
        var isNesterov = false
    }

    private let settings: Settings
    private let backend: any Backend
    private let momentum: Tensor?

    init(shape: [Int], settings: Settings, memory: StateMemory) {
        self.settings = settings
        backend = memory.backend
        momentum = settings.momentum == 0 ? nil : memory.zeros(shape)
    }

    var state: [OptimizerState] { momentum.map { [OptimizerState(name: "momentum_buffer", tensor: $0)] } ?? [] }

    func update(_ parameter: Parameter, gradient: Tensor, step: UpdateStep) {
        backend.prepare(gradient, of: parameter, step: step)
        var direction = gradient
        if let momentum {
            // The first gradient enters whole.
            let gain = step.number == 1 ? 1 : 1 - settings.dampening
            backend.scale(momentum, by: Float(settings.momentum), into: momentum)
            backend.accumulate(gradient, factor: Float(gain), into: momentum)
            if settings.isNesterov {
                backend.accumulate(momentum, factor: Float(settings.momentum), into: gradient)
            } else {
                direction = momentum
            }
        }
        backend.descend(parameter.value, along: direction, rate: step.learningRate, decay: 1)
    }
}

/// torch.optim.Adagrad.
final class Adagrad: UpdateRule {
    struct Settings: Sendable, Equatable {
        var rateDecay = 0.0
        var epsilon = 1e-10
    }

    private let settings: Settings
    private let backend: any Backend
    private let sum: Tensor

    init(shape: [Int], settings: Settings, memory: StateMemory) {
        self.settings = settings
        backend = memory.backend
        sum = memory.zeros(shape)
    }

    var state: [OptimizerState] { [OptimizerState(name: "sum", tensor: sum)] }

    func update(_ parameter: Parameter, gradient: Tensor, step: UpdateStep) {
        backend.prepare(gradient, of: parameter, step: step)
        backend.rootMeanSquareDirection(
            gradient: gradient, secondMoment: sum, decay: 1, gain: 1, squareEpsilon: 0, epsilon: settings.epsilon, into: gradient)
        let rate = step.learningRate / (1 + Double(step.number - 1) * settings.rateDecay)
        backend.descend(parameter.value, along: gradient, rate: rate, decay: 1)
    }
}

/// torch.optim.RMSprop without centring.
final class RootMeanSquarePropagation: UpdateRule {
    struct Settings: Sendable, Equatable {
        var alpha = 0.99
        var epsilon = 1e-8
        var momentum = 0.0
    }

    private let settings: Settings
    private let backend: any Backend
    private let squares: Tensor
    private let momentum: Tensor?

    init(shape: [Int], settings: Settings, memory: StateMemory) {
        self.settings = settings
        backend = memory.backend
        squares = memory.zeros(shape)
        momentum = settings.momentum == 0 ? nil : memory.zeros(shape)
    }

    var state: [OptimizerState] {
        [OptimizerState(name: "square_avg", tensor: squares)]
            + (momentum.map { [OptimizerState(name: "momentum_buffer", tensor: $0)] } ?? [])
    }

    func update(_ parameter: Parameter, gradient: Tensor, step: UpdateStep) {
        backend.prepare(gradient, of: parameter, step: step)
        backend.rootMeanSquareDirection(
            gradient: gradient, secondMoment: squares, decay: settings.alpha, gain: 1 - settings.alpha, squareEpsilon: 0,
            epsilon: settings.epsilon, into: gradient)
        var direction = gradient
        if let momentum {
            backend.scale(momentum, by: Float(settings.momentum), into: momentum)
            backend.accumulate(gradient, factor: 1, into: momentum)
            direction = momentum
        }
        backend.descend(parameter.value, along: direction, rate: step.learningRate, decay: 1)
    }
}

extension Backend {
    /// Clips a gradient and adds the pull of weight decay.
    fileprivate func prepare(_ gradient: Tensor, of parameter: Parameter, step: UpdateStep) {
        scaleInPlace(gradient, by: step.gradientScale)
        guard step.weightDecay > 0 else { return }
        let value = parameter.value
        if value.dtype == .float32 {
            accumulate(value, factor: Float(step.weightDecay), into: gradient)
        } else {
            let widened = empty(value.shape, .float32)
            convert(value, into: widened)
            accumulate(widened, factor: Float(step.weightDecay), into: gradient)
        }
    }
}
