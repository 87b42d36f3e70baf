/// The numbers a running job reports: optimiser steps and evaluations.

/// What one optimiser step measured. `isLogged` is false for the progress ticks between two `logging_steps`.
public struct StepMetrics: Sendable, Equatable {
    /// Optimiser steps done so far, counted from 1, and how many the whole run has.
    public var step: Int
    public var totalSteps: Int
    /// Fraction of the data seen: 1.5 is half way through the second pass.
    public var epoch: Double
    /// Mean loss per token in nats since the last logged step.
    public var loss: Double?
    /// Norm of all gradients before clipping.
    public var gradientNorm: Double?
    public var learningRate: Double?
    public var tokensPerSecond: Double?
    /// Input tokens seen since the start of the run.
    public var tokensSeen: Int
    public var elapsedSeconds: Double
    public var remainingSeconds: Double
    /// Further named series, such as `rewards/accuracies`.
    public var extra: [String: Double]
    public var isLogged: Bool

    public init(
        step: Int, totalSteps: Int, epoch: Double = 0, loss: Double? = nil, gradientNorm: Double? = nil,
        learningRate: Double? = nil, tokensPerSecond: Double? = nil, tokensSeen: Int = 0, elapsedSeconds: Double = 0,
        remainingSeconds: Double = 0, extra: [String: Double] = [:], isLogged: Bool = true
    ) {
        self.step = step
        self.totalSteps = totalSteps
        self.epoch = epoch
        self.loss = loss
        self.gradientNorm = gradientNorm
        self.learningRate = learningRate
        self.tokensPerSecond = tokensPerSecond
        self.tokensSeen = tokensSeen
        self.elapsedSeconds = elapsedSeconds
        self.remainingSeconds = remainingSeconds
        self.extra = extra
        self.isLogged = isLogged
    }
}

/// One pass over the evaluation data. `values` holds what was measured beside the loss, by the name it has in eval_results.json.
public struct EvaluationMetrics: Sendable, Equatable {
    public var step: Int
    public var epoch: Double
    /// Mean loss per token in nats.
    public var loss: Double?
    public var values: [String: Double]

    public init(step: Int, epoch: Double = 0, loss: Double? = nil, values: [String: Double] = [:]) {
        self.step = step
        self.epoch = epoch
        self.loss = loss
        self.values = values
    }
}
