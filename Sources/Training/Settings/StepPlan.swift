/// How many optimiser steps a run has and which of them log, evaluate and save, by the Trainer's rules.

import Glibc

public struct StepPlan: Sendable, Equatable {
    /// Micro-batches in one pass over the data.
    public let batchesPerEpoch: Int
    /// Micro-batches per optimiser step; the last step of a pass takes what is left.
    public let accumulation: Int
    public let stepsPerEpoch: Int
    public let totalSteps: Int
    /// Passes begun, the last one perhaps not finished.
    public let epochCount: Int

    /// - Parameters:
    ///   - epochs: `num_train_epochs`, possibly a fraction.
    ///   - maximumSteps: `max_steps`; overrides `epochs` where it is above 0.
    public init(batchesPerEpoch: Int, accumulation: Int, epochs: Double, maximumSteps: Int) {
        self.batchesPerEpoch = batchesPerEpoch
        self.accumulation = max(1, accumulation)
        stepsPerEpoch = max(1, (batchesPerEpoch + self.accumulation - 1) / self.accumulation)
        if maximumSteps > 0 {
            totalSteps = maximumSteps
            epochCount = (maximumSteps + stepsPerEpoch - 1) / stepsPerEpoch
        } else {
            totalSteps = Self.count(epochs * Double(stepsPerEpoch))
            epochCount = Self.count(epochs)
        }
    }

    /// The micro-batches of one step: a range of positions in its pass.
    public func batchRange(stepInEpoch: Int) -> Range<Int> {
        let first = stepInEpoch * accumulation
        return first..<min(first + accumulation, batchesPerEpoch)
    }

    /// The number that a step's first micro-batch has in the whole run.
    public func firstPlace(ofStep step: Int) -> Int {
        step / stepsPerEpoch * batchesPerEpoch + batchRange(stepInEpoch: step % stepsPerEpoch).lowerBound
    }

    /// Where the run stands after `step` optimiser steps, in passes.
    public func epoch(afterSteps step: Int) -> Double {
        guard step > 0 else { return 0 }
        let pass = (step - 1) / stepsPerEpoch
        let within = (step - 1) % stepsPerEpoch
        return Double(pass) + Double(batchRange(stepInEpoch: within).upperBound) / Double(max(1, batchesPerEpoch))
    }

    /// Steps of the warm-up. A value below 1 is a part of the run; `warmup_ratio` counts where `warmup_steps` is 0.
    public static func warmupSteps(steps: Double, ratio: Double?, totalSteps: Int) -> Int {
        let wanted = steps > 0 ? steps : (ratio ?? 0)
        return count(wanted >= 1 ? wanted.rounded(.down) : Double(totalSteps) * wanted)
    }

    /// `logging_steps`, `eval_steps`, `save_steps`: a value below 1 is a part of the run. At least 1.
    public static func interval(_ value: Double, totalSteps: Int) -> Int {
        max(1, count(value < 1 ? Double(totalSteps) * value : value.rounded(.down)))
    }

    /// A number of steps rounded up; what no run reaches is held where arithmetic with it still fits.
    private static func count(_ value: Double) -> Int { Int(min(max(value.rounded(.up), 0), 1e15)) }
}

/// When something recurs: `logging_strategy`, `eval_strategy`, `save_strategy`.
public enum Recurrence: Sendable, Equatable {
    case never
    case steps(Int)
    case epochs
    /// Only `save_strategy: best`: whenever an evaluation beats all before it.
    case whenBetter

    /// - Parameters:
    ///   - name: `no`, `steps`, `epoch` or `best`.
    ///   - interval: the steps between two times.
    public init(name: String, interval: Int, argument: String) throws(TrainingError) {
        switch name.lowercased() {
        case "no", "none", "false": self = .never
        case "steps": self = .steps(interval)
        case "epoch": self = .epochs
        case "best" where argument == "save_strategy": self = .whenBetter
        default: throw .unsuitable(argument: argument, value: "\"\(name)\"", reason: "it is one of no, steps and epoch.")
        }
    }

    func isDue(afterStep step: Int) -> Bool {
        if case .steps(let interval) = self { return step % interval == 0 }
        return false
    }
}
