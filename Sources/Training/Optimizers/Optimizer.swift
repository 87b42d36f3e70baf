/// The optimizer of a run: every trained parameter with the rule that updates it, the norm over all of them, and which of them train
/// at the moment.

import Formats
import Platform
import Tensors

public final class Optimizer {
    /// A parameter and how it is updated.
    public struct Member {
        public let parameter: Parameter
        public let decays: Bool
        /// Multiplies the run's learning rate for this parameter.
        public let rateFactor: Double
        /// Makes the rule when the parameter is first updated.
        let makeRule: (StateMemory) -> any UpdateRule

        init(_ parameter: Parameter, decays: Bool, rateFactor: Double = 1, makeRule: @escaping (StateMemory) -> any UpdateRule) {
            self.parameter = parameter
            self.decays = decays
            self.rateFactor = rateFactor
            self.makeRule = makeRule
        }
    }

    struct Entry {
        let member: Member
        var rule: (any UpdateRule)?
        /// Updates since the rule was made.
        var updateCount = 0
    }

    /// What checkpoints call it.
    public let name: String
    var entries: [Entry]
    private let weightDecay: Double
    let memory: StateMemory
    private let rotation: BlockRotation?
    /// Updates made so far.
    public internal(set) var stepCount = 0

    public init(
        name: String, members: [Member], weightDecay: Double = 0, memory: StateMemory, rotation: BlockRotation? = nil
    ) {
        self.name = name
        self.weightDecay = weightDecay
        self.memory = memory
        self.rotation = rotation
        entries = members.map { Entry(member: $0) }
        turnToBlock()
    }

    public var parameters: [Parameter] { entries.map(\.member.parameter) }

    /// Biases and norms do not decay. The Trainer tells them by the name alone: `bias`, `layernorm` or `rmsnorm` anywhere, a path
    /// component `norm`, or one that ends in `_norm`.
    public static func decays(_ name: String) -> Bool {
        let name = name.lowercased()
        for part in ["bias", "layernorm", "rmsnorm"] where name.contains(part) { return false }
        return !name.split(separator: ".").contains { $0 == "norm" || $0.hasSuffix("_norm") }
    }

    /// Norm of all gradients together.
    public func gradientNorm() -> Double {
        memory.backend.sumOfSquares(entries.compactMap { $0.member.parameter.gradient }).squareRoot()
    }

    /// The first parameter whose gradient holds something that is not a number, for the diagnosis.
    public func firstNotFiniteGradient() -> String? {
        entries.first { entry in
            entry.member.parameter.gradient.map { !memory.backend.sumOfSquares($0).isFinite } ?? false
        }?.member.parameter.name
    }

    /// What gradients are multiplied with so that their norm is at most `maximum` (torch.nn.utils.clip_grad_norm_). A maximum of
    /// 0 leaves them as they are.
    public static func clipFactor(norm: Double, maximum: Double) -> Double {
        maximum > 0 ? min(1, maximum / (norm + 1e-6)) : 1
    }

    /// One update of every parameter that has a gradient; the gradients are dropped.
    public func update(learningRate: Double, gradientScale: Double = 1) {
        for index in entries.indices {
            let member = entries[index].member
            guard let gradient = member.parameter.gradient else { continue }
            entries[index].updateCount += 1
            rule(at: index).update(
                member.parameter, gradient: gradient,
                step: UpdateStep(
                    learningRate: learningRate * member.rateFactor, weightDecay: member.decays ? weightDecay : 0,
                    gradientScale: gradientScale, number: entries[index].updateCount))
            member.parameter.gradient = nil
        }
        stepCount += 1
        turnToBlock()
    }

    /// An update of all parameters at once that is on its way.
    public struct GroupUpdate {
        /// Of the gradients before clipping, without the scale of the loss. When it is no number, nothing was updated.
        public let norm: PendingNumber
        fileprivate let members: [Int]
    }

    /// Norm, clipping and update sent off together, without waiting for any of them, where all rules are AdamW, with moments
    /// in 32 or in 8 bits, and the backend can; the gradients are dropped.
    /// - Parameters:
    ///   - maximumNorm: 0 for no clipping
    ///   - gradientScale: takes the scale of the losses out of the gradients
    /// - Returns: nil where it has to be done step by step: nothing has happened then.
    public func updateGroup(learningRate: Double, maximumNorm: Double, gradientScale: Double = 1) -> GroupUpdate? {
        guard rotation == nil, !memory.backend.isPlanning else { return nil }
        var members: [AdamWMember] = [], indices: [Int] = []
        for index in entries.indices {
            let member = entries[index].member
            guard let gradient = member.parameter.gradient else { continue }
            guard let rule = rule(at: index) as? any GroupedRule else { return nil }
            indices.append(index)
            members.append(
                rule.member(
                    member.parameter, gradient: gradient,
                    step: UpdateStep(
                        learningRate: learningRate * member.rateFactor, weightDecay: member.decays ? weightDecay : 0, gradientScale: 1,
                        number: entries[index].updateCount + 1)))
        }
        guard let norm = memory.backend.updateGroup(members, maximumNorm: maximumNorm, gradientScale: gradientScale) else { return nil }
        for index in indices { entries[index].updateCount += 1 }
        stepCount += 1
        dropGradients()
        return GroupUpdate(norm: norm, members: indices)
    }

    /// Forgets an update that was not made after all.
    func takeBack(_ update: GroupUpdate) {
        for index in update.members { entries[index].updateCount -= 1 }
        stepCount -= 1
    }

    /// A parameter's rule, made now if it has none yet.
    func rule(at index: Int) -> any UpdateRule {
        if let rule = entries[index].rule { return rule }
        let rule = entries[index].member.makeRule(memory)
        entries[index].rule = rule
        return rule
    }

    public func dropGradients() {
        for entry in entries { entry.member.parameter.gradient = nil }
    }

    /// Lets only the block train whose turn it is; what the others remember is given up when the block changes.
    func turnToBlock() {
        guard let rotation else { return }
        let active = rotation.blockNames[rotation.block(afterUpdates: stepCount)]
        let isNew = stepCount == 0 || rotation.turn(afterUpdates: stepCount) != rotation.turn(afterUpdates: stepCount - 1)
        for index in entries.indices {
            let parameter = entries[index].member.parameter
            parameter.requiresGradient = parameter.name.contains(active)
            if isNew { entries[index] = Entry(member: entries[index].member) }
        }
    }

    // MARK: Memory

    /// Bytes of state once every rule is at work; where blocks take turns, of the largest block. Call it on a planning backend: it
    /// makes the rules.
    func plannedStateBytes() -> Int {
        guard let rotation else { return bytes { _ in true } }
        return rotation.blockNames.map { name in bytes { $0.name.contains(name) } }.max() ?? 0
    }

    /// Elements whose gradients exist at the same time.
    func plannedGradientCount() -> Int {
        guard let rotation else { return parameters.reduce(0) { $0 + $1.count } }
        return rotation.blockNames.map { name in parameters.reduce(0) { $0 + ($1.name.contains(name) ? $1.count : 0) } }.max() ?? 0
    }

    private func bytes(where isCounted: (Parameter) -> Bool) -> Int {
        entries.reduce(0) { sum, entry in
            guard isCounted(entry.member.parameter) else { return sum }
            return sum + entry.member.makeRule(memory).state.reduce(0) { $0 + $1.tensor.byteCount }
        }
    }
}
