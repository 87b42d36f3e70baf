/// Learning rates that follow what evaluations measure, step by step as PyTorch's `ReduceLROnPlateau` and transformers' `GreedyLR`
/// (src/transformers/optimization.py; arXiv 2512.14527) do it. Both begin at the base rate and move once per evaluation.

import Formats

public struct MetricSchedule: Sendable, Equatable {
    public enum Kind: String, Sendable, CaseIterable {
        /// Lowers the rate when the metric stops improving.
        case plateau = "reduce_lr_on_plateau"
        /// Raises the rate while the metric improves, lowers it when it does not.
        case greedy
    }

    /// `lr_scheduler_kwargs`, with each program's own defaults.
    struct Settings: Sendable, Equatable {
        var seeksMaximum = false
        var factor: Double
        var patience: Int
        var threshold: Double
        var isRelative: Bool
        var cooldown = 0
        /// Evaluations passed over after a rise.
        var warmup = 0
        var minimumRate: Double
        var maximumRate = Double.infinity
        /// Changes smaller than this are not made.
        var epsilon = 1e-8
        /// Evaluations that are averaged; nil takes each as it is.
        var window: Int?
        /// Reductions asked for at the lowest rate before everything begins again.
        var resetStart = 500

        static let plateau = Settings(factor: 0.1, patience: 10, threshold: 1e-4, isRelative: true, minimumRate: 0)
        static let greedy = Settings(
            factor: 0.95, patience: 10, threshold: 1e-6, isRelative: false, minimumRate: 1e-3, maximumRate: 1)
    }

    public let kind: Kind
    let settings: Settings
    public let baseRate: Double

    /// The rate of the next steps.
    public private(set) var rate: Double
    private var best: Double
    private var badCount = 0
    private var goodCount = 0
    private var cooldownCount = 0
    private var warmupCount = 0
    private var resetCount: Int
    private var recent: [Double] = []
    private var recentSum = 0.0

    init(kind: Kind, settings: Settings, baseRate: Double) {
        self.kind = kind
        self.settings = settings
        self.baseRate = baseRate
        rate = baseRate
        best = settings.seeksMaximum ? -.infinity : .infinity
        resetCount = settings.resetStart
    }

    /// Takes one measurement of the metric into account.
    public mutating func follow(_ metric: Double) {
        switch kind {
        case .plateau: followPlateau(metric)
        case .greedy: followGreedily(smoothed(metric))
        }
    }

    private func isBetter(_ value: Double) -> Bool {
        let margin = settings.threshold
        switch (settings.seeksMaximum, settings.isRelative) {
        case (false, true): return value < best * (1 - margin)
        case (false, false): return value < best - margin
        case (true, true): return value > best * (1 + margin)
        case (true, false): return value > best + margin
        }
    }

    private mutating func followPlateau(_ metric: Double) {
        if isBetter(metric) {
            best = metric
            badCount = 0
        } else {
            badCount += 1
        }
        if cooldownCount > 0 {
            cooldownCount -= 1
            badCount = 0
        }
        guard badCount > settings.patience else { return }
        lower()
        cooldownCount = settings.cooldown
        badCount = 0
    }

    private mutating func followGreedily(_ metric: Double) {
        if cooldownCount > 0 || warmupCount > 0 {
            if cooldownCount > 0 { cooldownCount -= 1 } else { warmupCount -= 1 }
            (badCount, goodCount) = (0, 0)
            return
        }
        if isBetter(metric) {
            best = metric
            badCount = 0
            goodCount += 1
        } else {
            badCount += 1
            goodCount = 0
        }
        if goodCount > settings.patience {
            let raised = min(rate / settings.factor, settings.maximumRate)
            if raised - rate > settings.epsilon { rate = raised }
            resetCount = settings.resetStart
            warmupCount = settings.warmup
            goodCount = 0
        } else if badCount > settings.patience {
            lowerOrBeginAgain()
        }
    }

    /// The cooldown begins even where everything else does, as in transformers.
    private mutating func lowerOrBeginAgain() {
        lower()
        if rate <= settings.minimumRate {
            resetCount -= 1
            if resetCount <= 0 { self = MetricSchedule(kind: kind, settings: settings, baseRate: baseRate) }
        }
        cooldownCount = settings.cooldown
        badCount = 0
    }

    private mutating func lower() {
        let lowered = max(rate * settings.factor, settings.minimumRate)
        if rate - lowered > settings.epsilon { rate = lowered }
    }

    private mutating func smoothed(_ metric: Double) -> Double {
        guard let window = settings.window else { return metric }
        recent.append(metric)
        recentSum += metric
        if recent.count > window { recentSum -= recent.removeFirst() }
        return recentSum / Double(recent.count)
    }

    // MARK: In a checkpoint

    /// What a resumed run needs to go on.
    var memory: JSONObject {
        get {
            JSONObject([
                ("rate", .number(rate)), ("best", best.isFinite ? .number(best) : .null), ("num_bad_epochs", .integer(badCount)),
                ("num_good_epochs", .integer(goodCount)), ("cooldown_counter", .integer(cooldownCount)),
                ("warmup_counter", .integer(warmupCount)), ("reset_start", .integer(resetCount)),
                ("recent", .array(recent.map { .number($0) })), ("recent_sum", .number(recentSum)),
            ])
        }
        set {
            rate = newValue["rate"]?.doubleValue ?? baseRate
            best = newValue["best"]?.doubleValue ?? (settings.seeksMaximum ? -.infinity : .infinity)
            badCount = newValue["num_bad_epochs"]?.intValue ?? 0
            goodCount = newValue["num_good_epochs"]?.intValue ?? 0
            cooldownCount = newValue["cooldown_counter"]?.intValue ?? 0
            warmupCount = newValue["warmup_counter"]?.intValue ?? 0
            resetCount = newValue["reset_start"]?.intValue ?? settings.resetStart
            recent = (newValue["recent"]?.arrayValue ?? []).compactMap(\.doubleValue)
            recentSum = newValue["recent_sum"]?.doubleValue ?? recent.reduce(0, +)
        }
    }
}
