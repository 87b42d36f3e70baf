/// AdamW in the forms that are in use: PyTorch's (torch.optim.AdamW; Loshchilov and Hutter, arXiv 1711.05101), with decay before the
/// step and epsilon beside the corrected root; and the older one of transformers, on which GaLore and APOLLO build, with epsilon
/// beside the uncorrected root and decay after the step.

import Tensors

/// The numbers that stay the same over a run.
public struct AdamWSettings: Sendable, Equatable {
    public var beta1 = 0.9
    public var beta2 = 0.999
    public var epsilon = 1e-8
    public var weightDecay = 0.0

    public init(beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, weightDecay: Double = 0) {
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.weightDecay = weightDecay
    }

    /// What corrects the bias of the two moments after `number` updates: divisors of the first and of the second one's root.
    func corrections(_ number: Int) -> (first: Double, secondRoot: Double) {
        (1 - Numerics.power(beta1, number), (1 - Numerics.power(beta2, number)).squareRoot())
    }

    func kernelStep(_ step: UpdateStep) -> AdamWStep {
        AdamWStep(
            learningRate: step.learningRate, beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: step.weightDecay,
            step: step.number, gradientScale: step.gradientScale)
    }
}

/// PyTorch's form. Both moments are f32, whatever the weights are stored in.
final class AdamW: GroupedRule {
    private let settings: AdamWSettings
    private let backend: any Backend
    private let firstMoment, secondMoment: Tensor

    init(shape: [Int], settings: AdamWSettings, memory: StateMemory) {
        self.settings = settings
        backend = memory.backend
        firstMoment = memory.zeros(shape)
        secondMoment = memory.zeros(shape)
    }

    var state: [OptimizerState] {
        [OptimizerState(name: "exp_avg", tensor: firstMoment), OptimizerState(name: "exp_avg_sq", tensor: secondMoment)]
    }

    func member(_ parameter: Parameter, gradient: Tensor, step: UpdateStep) -> AdamWMember {
        AdamWMember(
            parameter: parameter.value, gradient: gradient, moments: .wide(first: firstMoment, second: secondMoment),
            step: settings.kernelStep(step))
    }

    func update(_ parameter: Parameter, gradient: Tensor, step: UpdateStep) {
        backend.adamW(
            parameter: parameter.value, gradient: gradient, firstMoment: firstMoment, secondMoment: secondMoment,
            step: settings.kernelStep(step))
    }
}

/// The form in which epsilon is added to the uncorrected root.
final class UncorrectedAdamW: UpdateRule {
    private let settings: AdamWSettings
    /// transformers decays the weights after the step, Muon's companion before it.
    private let decaysFirst: Bool
    private let backend: any Backend
    private let firstMoment, secondMoment: Tensor

    init(shape: [Int], settings: AdamWSettings, decaysFirst: Bool, memory: StateMemory) {
        self.settings = settings
        self.decaysFirst = decaysFirst
        backend = memory.backend
        firstMoment = memory.zeros(shape)
        secondMoment = memory.zeros(shape)
    }

    var state: [OptimizerState] {
        [OptimizerState(name: "exp_avg", tensor: firstMoment), OptimizerState(name: "exp_avg_sq", tensor: secondMoment)]
    }

    /// Takes in a gradient, which becomes the direction.
    /// - Returns: the rate to follow it with.
    func turn(_ gradient: Tensor, step: UpdateStep) -> Double {
        backend.adamDirection(
            gradient: gradient, firstMoment: firstMoment, secondMoment: secondMoment, beta1: settings.beta1, beta2: settings.beta2,
            epsilon: settings.epsilon, into: gradient)
        let corrections = settings.corrections(step.number)
        return step.learningRate * corrections.secondRoot / corrections.first
    }

    func update(_ parameter: Parameter, gradient: Tensor, step: UpdateStep) {
        backend.scaleInPlace(gradient, by: step.gradientScale)
        let rate = turn(gradient, step: step)
        let decay = 1 - step.learningRate * step.weightDecay
        backend.descend(parameter.value, along: gradient, rate: decaysFirst ? rate : rate * decay, decay: decay)
    }
}

extension Backend {
    func scaleInPlace(_ tensor: Tensor, by factor: Double) {
        if factor != 1 { scale(tensor, by: Float(factor), into: tensor) }
    }
}

enum Numerics {
    /// base^exponent by repeated squaring: the same on every machine.
    static func power(_ base: Double, _ exponent: Int) -> Double {
        var result = 1.0, square = base, left = exponent
        while left > 0 {
            if left & 1 == 1 { result *= square }
            square *= square
            left >>= 1
        }
        return result
    }
}
