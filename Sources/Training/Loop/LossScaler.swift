/// Dynamic loss scaling for half precision, as torch.amp.GradScaler does it (Micikevicius et al., arXiv 1710.03740): losses are
/// multiplied so that small gradients are not lost, gradients divided again before they are used. A step whose gradients overflow
/// is skipped and halves the scale; 2,000 good ones in a row double it.

import Formats

public struct LossScaler: Sendable, Equatable {
    public private(set) var scale: Float = 65_536
    /// Good steps since the scale last changed.
    public private(set) var growthTracker = 0
    /// Steps so far whose last update was left out: the schedule does not move on over them.
    public private(set) var skippedSteps = 0
    /// Updates left out so far; a step of stage ppo makes several.
    public private(set) var skippedUpdates = 0

    static let growthFactor: Float = 2
    static let backoffFactor: Float = 0.5
    static let growthInterval = 2000

    public init() {}

    /// After every update, made or skipped.
    /// - Parameter endsStep: the schedule moves on after the last update of a step, unless that one was skipped.
    public mutating func update(foundOverflow: Bool, endsStep: Bool = true) {
        if foundOverflow {
            scale *= Self.backoffFactor
            growthTracker = 0
            skippedUpdates += 1
            if endsStep { skippedSteps += 1 }
            return
        }
        growthTracker += 1
        guard growthTracker == Self.growthInterval else { return }
        growthTracker = 0
        let grown = scale * Self.growthFactor
        // A scale that is no number any more would skip every step from then on.
        if grown.isFinite { scale = grown }
    }

    // MARK: In a checkpoint

    init(_ object: JSONObject) {
        scale = object["scale"]?.doubleValue.map { Float($0) } ?? 65_536
        growthTracker = object["_growth_tracker"]?.intValue ?? 0
        skippedSteps = object["skipped_steps"]?.intValue ?? 0
        skippedUpdates = object["skipped_updates"]?.intValue ?? skippedSteps
    }

    /// With the names of `scaler.pt`.
    var json: JSONObject {
        JSONObject([
            ("scale", .number(Double(scale))), ("growth_factor", .number(Double(Self.growthFactor))),
            ("backoff_factor", .number(Double(Self.backoffFactor))), ("growth_interval", .integer(Self.growthInterval)),
            ("_growth_tracker", .integer(growthTracker)), ("skipped_steps", .integer(skippedSteps)),
            ("skipped_updates", .integer(skippedUpdates)),
        ])
    }
}
