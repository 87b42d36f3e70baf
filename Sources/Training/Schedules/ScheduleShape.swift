/// The shapes a learning rate can take over a run, with the names and formulas of transformers' `get_scheduler`
/// (src/transformers/optimization.py). Each gives a factor of the base rate for the number of optimiser steps already done.

import Glibc

public enum ScheduleShape: Sendable, Equatable {
    /// How a warm-up or a decay of `warmup_stable_decay` bends.
    public enum Curve: String, Sendable, CaseIterable {
        case linear
        case cosine
        case oneMinusRoot = "1-sqrt"
    }

    /// `linear`: down to 0 at the last step.
    case linear
    /// `cosine`: `cycles` waves, half a one by default.
    case cosine(cycles: Double)
    /// `cosine_with_restarts`: falls to 0 `cycles` times.
    case cosineWithRestarts(cycles: Double)
    /// `polynomial`: from the base rate to `endRate` by (1 - progress)^power.
    case polynomial(endRate: Double, power: Double)
    case constant
    case constantWithWarmup
    /// `inverse_sqrt`: 1 / sqrt of the steps, counted in `timescale`.
    case inverseSquareRoot(timescale: Double?)
    /// `cosine_with_min_lr`: a cosine that ends at `floor` times the base rate.
    case cosineWithFloor(cycles: Double, floor: Double)
    /// `cosine_warmup_with_min_lr`: as above, counting steps from 1, and warming up from `warmupStart` times the base rate.
    case cosineWarmupWithFloor(cycles: Double, floor: Double, warmupStart: Double?)
    /// `warmup_stable_decay`
    case warmupStableDecay(
        stableSteps: Int?, decaySteps: Int, warmup: Curve, decay: Curve, floor: Double, cycles: Double)

    /// - Parameters:
    ///   - step: optimiser steps already done, from 0.
    ///   - warmup: steps of the warm-up.
    ///   - total: optimiser steps of the whole run.
    ///   - baseRate: needed where an option is an absolute rate.
    /// - Returns: what the base rate is multiplied with.
    public func factor(step: Int, warmup: Int, total: Int, baseRate: Double) -> Double {
        switch self {
        case .constant:
            return 1
        case .cosineWarmupWithFloor(let cycles, let floor, let warmupStart):
            return cosineFromOne(step: step, warmup: warmup, total: total, cycles: cycles, floor: floor, warmupStart: warmupStart)
        case .warmupStableDecay(let stableSteps, let decaySteps, let warmupCurve, let decayCurve, let floor, let cycles):
            return threePhases(
                step: step, warmup: warmup, stable: stableSteps ?? (total - warmup - decaySteps), decay: decaySteps,
                curves: (warmupCurve, decayCurve), floor: floor, cycles: cycles)
        case .linear, .cosine, .cosineWithRestarts, .polynomial, .constantWithWarmup, .inverseSquareRoot, .cosineWithFloor:
            if step < warmup { return Double(step) / Double(max(1, warmup)) }
            return afterWarmup(step: step, warmup: warmup, total: total, baseRate: baseRate)
        }
    }

    private func afterWarmup(step: Int, warmup: Int, total: Int, baseRate: Double) -> Double {
        let progress = Double(step - warmup) / Double(max(1, total - warmup))
        switch self {
        case .linear:
            return max(0, Double(total - step) / Double(max(1, total - warmup)))
        case .cosine(let cycles):
            return max(0, 0.5 * (1 + cos(.pi * cycles * 2 * progress)))
        case .cosineWithRestarts(let cycles):
            if progress >= 1 { return 0 }
            return max(0, 0.5 * (1 + cos(.pi * fmod(cycles * progress, 1))))
        case .polynomial(let endRate, let power):
            if step > total { return endRate / baseRate }
            let remaining = 1 - Double(step - warmup) / Double(max(1, total - warmup))
            return ((baseRate - endRate) * pow(remaining, power) + endRate) / baseRate
        case .inverseSquareRoot(let timescale):
            let scale = timescale ?? Double(warmup > 0 ? warmup : 10_000)
            return 1 / ((Double(step) + (scale - Double(warmup))) / scale).squareRoot()
        case .cosineWithFloor(let cycles, let floor):
            let wave = 0.5 * (1 + cos(.pi * cycles * 2 * progress))
            return max(0, wave * (1 - floor) + floor)
        case .constant, .constantWithWarmup, .cosineWarmupWithFloor, .warmupStableDecay:
            return 1
        }
    }

    private func cosineFromOne(step: Int, warmup: Int, total: Int, cycles: Double, floor: Double, warmupStart: Double?) -> Double {
        let done = Double(step)
        let warm = Double(warmup)
        if step < warmup {
            guard let warmupStart else { return (done + 1) / max(1, warm) }
            return warmupStart + (1 - warmupStart) * done / max(1, warm - 1)
        }
        let progress = (done - warm + 1) / max(1, Double(total) - warm)
        let wave = 0.5 * (1 + cos(.pi * cycles * 2 * progress))
        return max(0, wave * (1 - floor) + floor)
    }

    private func threePhases(
        step: Int, warmup: Int, stable: Int, decay: Int, curves: (warmup: Curve, decay: Curve), floor: Double, cycles: Double
    ) -> Double {
        if step < warmup {
            let progress = Double(step) / Double(max(1, warmup))
            let rise: Double
            switch curves.warmup {
            case .linear: rise = progress
            case .cosine: rise = 0.5 * (1 - cos(.pi * progress))
            case .oneMinusRoot: rise = 1 - (1 - progress).squareRoot()
            }
            return max(0, rise * (1 - floor) + floor)
        }
        if step < warmup + stable { return 1 }
        guard step < warmup + stable + decay else { return floor }
        let progress = Double(step - warmup - stable) / Double(max(1, decay))
        let fall: Double
        switch curves.decay {
        case .linear: fall = 1 - progress
        case .cosine: fall = 0.5 * (1 + cos(.pi * cycles * 2 * progress))
        case .oneMinusRoot: fall = 1 - progress.squareRoot()
        }
        return max(0, fall * (1 - floor) + floor)
    }
}
