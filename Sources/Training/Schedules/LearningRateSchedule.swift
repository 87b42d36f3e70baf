/// The learning rate of every step of a run: a shape, a warm-up, a length and a base rate.

import Formats

public struct LearningRateSchedule: Sendable, Equatable {
    public let name: String
    public let shape: ScheduleShape
    public let baseRate: Double
    public let warmupSteps: Int
    public let totalSteps: Int
    /// Where the rate follows evaluations: how it stands before the first one.
    public let follower: MetricSchedule?

    /// The names that `lr_scheduler_type` may have.
    public static let names = [
        "linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup", "inverse_sqrt",
        "cosine_with_min_lr", "cosine_warmup_with_min_lr", "warmup_stable_decay", "reduce_lr_on_plateau", "greedy",
    ]

    /// - Parameters:
    ///   - name: `lr_scheduler_type`.
    ///   - keywords: `lr_scheduler_kwargs`.
    public init(
        name: String, keywords: JSONObject = JSONObject([]), baseRate: Double, warmupSteps: Int, totalSteps: Int
    ) throws(TrainingError) {
        self.name = name
        self.baseRate = baseRate
        self.warmupSteps = warmupSteps
        self.totalSteps = totalSteps
        let options = ScheduleKeywords(schedule: name, values: keywords)
        if let kind = MetricSchedule.Kind(rawValue: name) {
            follower = MetricSchedule(kind: kind, settings: try options.metricSettings(kind), baseRate: baseRate)
            shape = .constant
        } else {
            follower = nil
            shape = try Self.shape(name, options, baseRate, warmupSteps: warmupSteps, totalSteps: totalSteps)
        }
    }

    /// The rate of the optimiser step that follows `step` finished ones, where no evaluation has a say in it.
    public func rate(afterSteps step: Int) -> Double {
        baseRate * shape.factor(step: step, warmup: warmupSteps, total: totalSteps, baseRate: baseRate)
    }

    private static func shape(
        _ name: String, _ options: ScheduleKeywords, _ baseRate: Double, warmupSteps: Int, totalSteps: Int
    ) throws(TrainingError) -> ScheduleShape {
        switch name {
        case "linear":
            try options.allow([])
            return .linear
        case "constant":
            // transformers ignores the options of this one.
            return .constant
        case "constant_with_warmup":
            return .constantWithWarmup
        case "cosine":
            try options.allow(["num_cycles"])
            return .cosine(cycles: try options.number("num_cycles") ?? 0.5)
        case "cosine_with_restarts":
            try options.allow(["num_cycles"])
            return .cosineWithRestarts(cycles: try options.number("num_cycles") ?? 1)
        case "polynomial":
            try options.allow(["lr_end", "power"])
            let end = try options.number("lr_end") ?? 1e-7
            guard end < baseRate else {
                throw .badScheduleKeyword(
                    schedule: name, keyword: "lr_end", expected: "smaller than learning_rate (\(baseRate))", found: "\(end)")
            }
            return .polynomial(endRate: end, power: try options.number("power") ?? 1)
        case "inverse_sqrt":
            try options.allow(["timescale"])
            let timescale = try options.number("timescale")
            if let timescale, timescale <= 0 {
                throw .badScheduleKeyword(schedule: name, keyword: "timescale", expected: "greater than 0", found: "\(timescale)")
            }
            return .inverseSquareRoot(timescale: timescale)
        case "cosine_with_min_lr":
            try options.allow(["num_cycles", "min_lr", "min_lr_rate"])
            return .cosineWithFloor(cycles: try options.number("num_cycles") ?? 0.5, floor: try options.floor(baseRate))
        case "cosine_warmup_with_min_lr":
            try options.allow(["num_cycles", "min_lr", "min_lr_rate", "warmup_lr_rate"])
            return .cosineWarmupWithFloor(
                cycles: try options.number("num_cycles") ?? 0.5, floor: try options.floor(baseRate),
                warmupStart: try options.number("warmup_lr_rate"))
        case "warmup_stable_decay":
            try options.allow(["num_decay_steps", "num_stable_steps", "warmup_type", "decay_type", "min_lr_ratio", "num_cycles"])
            // Without a length of decay LLaMA-Factory's hold: a third of what follows the warm-up is stable, the rest decays.
            let remaining = max(0, totalSteps - warmupSteps), decay = try options.integer("num_decay_steps")
            return .warmupStableDecay(
                stableSteps: try options.integer("num_stable_steps") ?? (decay == nil ? remaining / 3 : nil),
                decaySteps: decay ?? remaining - remaining / 3, warmup: try options.curve("warmup_type") ?? .linear,
                decay: try options.curve("decay_type") ?? .cosine, floor: try options.number("min_lr_ratio") ?? 0,
                cycles: try options.number("num_cycles") ?? 0.5)
        default:
            throw .unknownSchedule(name: name, known: names)
        }
    }
}
