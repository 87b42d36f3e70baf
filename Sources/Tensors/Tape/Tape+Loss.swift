import Glibc
import Platform

/// The head and the loss together, over the rows that carry loss only and a chunk of rows at a time: the logits of a whole batch
/// never exist.
extension Tape {
    /// Label of a row without loss, as in PyTorch.
    public static let ignoredTarget: Int32 = -100

    /// Mean cross-entropy of head(hidden) with the targets: the sum over rows with a target, divided by `normalizer`.
    ///
    /// Gradients of hidden and of the head are computed on the way forward, for a loss whose own gradient is 1: put factors into
    /// `normalizer`, not into `backward`'s seed, when the head is trained.
    /// - Parameters:
    ///   - targets: one per row of hidden; -100 for a row without loss
    ///   - weighting: what each token's loss counts; nothing flows back through these weights. Without label smoothing but for `.equal`.
    ///   - anchor: adds the divergence from another model's distribution to each row's loss.
    public func linearCrossEntropy(
        _ hidden: Value, head: Linear, targets: [Int32], normalizer: Float, labelSmoothing: Float = 0, weighting: TokenWeighting = .equal,
        anchor: LogitAnchor? = nil
    ) -> LossOutput {
        let selection = RowSelection(hidden.tensor, targets: targets, backend: backend)
        let anchored = anchor.map { RowSelection($0.hidden, targets: targets, backend: backend) }
        let flows = isRecording && (requiresGradient(hidden) || head.hasTrainableParts)
        var sums = CrossEntropySums()
        let gradient = flows && requiresGradient(hidden) ? backend.empty(selection.rows.shape) : nil
        let losses = backend.empty([selection.rows.rowCount], .float32)
        for range in selection.chunks(outputCount: head.outputCount, most: backend.logitsAtOnce) {
            let piece = Tape(backend: backend, isRecording: flows, random: random)
            piece.isTraining = isTraining
            let input = selection.rows.slice(rows: range)
            let x = gradient == nil ? piece.constant(input) : piece.variable(input)
            let logits = piece.linear(x, head)
            let wanted = selection.targets.slice(rows: range)
            if let anchor, let anchored {
                sums.add(
                    self.anchored(
                        logits.tensor, wanted, weighting, reference: anchor.logits(anchored.rows.slice(rows: range)), weight: anchor.weight,
                        factor: flows ? lossScale / normalizer : nil))
            } else if weighting == .equal {
                sums.add(
                    backend.crossEntropy(
                        logits: logits.tensor, targets: wanted, weight: flows ? .uniform(lossScale / normalizer) : nil,
                        labelSmoothing: labelSmoothing, losses: losses.slice(rows: range)))
            } else {
                sums.add(weighted(logits.tensor, wanted, weighting, factor: flows ? lossScale / normalizer : nil))
            }
            random = piece.random
            guard flows else { continue }
            piece.backward(from: [(logits, logits.tensor)])
            if let gradient, let arrived = piece.gradient(of: x) {
                backend.convert(arrived, into: gradient.slice(rows: range))
            }
        }
        let result = backend.empty([1], .float32)
        if sums.isKnown {
            backend.fill(result, with: Float(sums.loss / Double(normalizer)))
        } else {
            // The sum is still on a card: its tensor is made there, and nobody waits.
            backend.biasGradient(gradient: losses.reshaped([losses.count, 1]), into: GradientTarget(result, isAccumulating: false))
            backend.scale(result, by: 1 / normalizer, into: result)
        }
        let loss = newValue(result, requiresGradient: flows)
        if flows {
            record(
                CrossEntropyOperation(
                    hidden: hidden.id, shape: hidden.tensor.shape, gradient: gradient, indices: selection.indices,
                    isHeadTrained: head.hasTrainableParts, result: loss.id))
        }
        return LossOutput(loss: loss, tokenCount: selection.rows.rowCount, sums: sums)
    }

    /// Cross-entropy whose rows count by their weights. With a factor the logits become their gradient.
    private func weighted(_ logits: Tensor, _ targets: Tensor, _ weighting: TokenWeighting, factor: Float?) -> CrossEntropySums {
        let losses = backend.empty([logits.rowCount], .float32)
        let plain = backend.crossEntropy(logits: logits, targets: targets, weight: nil, labelSmoothing: 0, losses: losses)
        // Where bytes are only counted there are no losses to weigh.
        let weights = backend.isPlanning ? [] : weighting.weights(losses: losses.floats(), logits: logits)
        let loss = backend.isPlanning ? 0 : zip(losses.floats(), weights).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        let sums = CrossEntropySums(loss: loss, correctCount: plain.correctCount)
        guard let factor else { return sums }
        let perRow = backend.isPlanning ? losses : Tensor(weights.map { $0 * factor }, shape: [weights.count])
        _ = backend.crossEntropy(logits: logits, targets: targets, weight: .perRow(perRow), labelSmoothing: 0, losses: nil)
        return sums
    }

    /// Each row's weighted cross-entropy plus `weight` times KL(q || p), where q is the reference's distribution and p the model's. With a
    /// factor the logits become the gradient of that.
    ///
    /// Let D = q - onehot(target), which is what a cross-entropy leaves of the reference's logits. Then -sum q log p is the model's own
    /// cross-entropy less D . logits, and the gradient is that of the cross-entropy with its weight raised by `weight`, less `weight` D.
    /// - Parameter reference: logits of the other model; they are used up.
    private func anchored(
        _ logits: Tensor, _ targets: Tensor, _ weighting: TokenWeighting, reference: Tensor, weight: Float, factor: Float?
    ) -> CrossEntropySums {
        let rows = logits.rowCount
        let losses = backend.empty([rows], .float32), products = backend.empty([rows], .float32)
        let plain = backend.crossEntropy(logits: logits, targets: targets, weight: nil, labelSmoothing: 0, losses: losses)
        let entropies = backend.isPlanning ? [] : backend.entropies(logits: reference)
        _ = backend.crossEntropy(logits: reference, targets: targets, weight: .uniform(1), labelSmoothing: 0, losses: nil)
        backend.rowDots(reference, logits, into: products)
        var sums = CrossEntropySums(loss: 0, correctCount: plain.correctCount)
        var perRow = losses
        if !backend.isPlanning {
            let each = losses.floats(), dots = products.floats()
            let weights = weighting.weights(losses: each, logits: logits)
            var total = 0.0
            for row in 0..<rows {
                let divergence = Double(each[row]) - Double(dots[row]) - Double(entropies[row])
                total += Double(weights[row]) * Double(each[row]) + Double(weight) * divergence
            }
            sums = CrossEntropySums(loss: total, correctCount: plain.correctCount)
            if let factor { perRow = Tensor(weights.map { ($0 + weight) * factor }, shape: [rows]) }
        }
        guard let factor else { return sums }
        _ = backend.crossEntropy(logits: logits, targets: targets, weight: .perRow(perRow), labelSmoothing: 0, losses: nil)
        backend.accumulate(reference, factor: -weight * factor, into: logits)
        return sums
    }

    /// log p(target) of each row, 0 for rows without a target: [rows]. The way back computes the logits again.
    /// - Parameter entropies: gets the entropy of the distribution at each row with a target, in their order, in natural logarithms.
    public func tokenLogProbabilities(
        _ hidden: Value, head: Linear, targets: [Int32], entropies: ((_ values: [Float]) -> Void)? = nil
    ) -> Value {
        let selection = RowSelection(hidden.tensor, targets: targets, backend: backend)
        let losses = backend.empty([selection.rows.rowCount], .float32)
        let before = random
        for range in selection.chunks(outputCount: head.outputCount, most: backend.logitsAtOnce) {
            let piece = Tape(backend: backend, isRecording: false, random: random)
            piece.isTraining = isTraining
            let logits = piece.linear(piece.constant(selection.rows.slice(rows: range)), head)
            if let entropies { entropies(backend.entropies(logits: logits.tensor)) }
            _ = backend.crossEntropy(
                logits: logits.tensor, targets: selection.targets.slice(rows: range), weight: nil, labelSmoothing: 0,
                losses: losses.slice(rows: range))
            random = piece.random
        }
        let result = backend.empty([targets.count], .float32)
        if let indices = selection.indices {
            let negated = backend.empty([losses.count, 1], .float32)
            backend.scale(losses, by: -1, into: negated.reshaped([losses.count]))
            backend.fill(result, with: 0)
            backend.scatterAddRows(negated, rows: indices, into: result.reshaped([targets.count, 1]))
        } else {
            backend.scale(losses, by: -1, into: result)
        }
        let flows = requiresGradient(hidden) || head.hasTrainableParts
        let value = newValue(result, requiresGradient: flows)
        if requiresGradient(value) {
            record(
                LogProbabilityOperation(
                    hidden: hidden.id, shape: hidden.tensor.shape, selection: selection, head: head, random: before,
                    isTraining: isTraining, result: value.id))
        }
        return value
    }
}

/// Another model's distribution at the same tokens, which a loss stays near to.
public struct LogitAnchor {
    /// What its divergence counts.
    public let weight: Float
    /// The other model's final hidden states, [tokens, hidden].
    let hidden: Tensor
    /// Logits of some of those rows, in a tensor that may be overwritten.
    let logits: (Tensor) -> Tensor

    public init(weight: Float, hidden: Tensor, logits: @escaping (Tensor) -> Tensor) {
        self.weight = weight
        self.hidden = hidden
        self.logits = logits
    }

    /// The same for a stretch of the tokens.
    public func slice(rows: Range<Int>) -> LogitAnchor { LogitAnchor(weight: weight, hidden: hidden.slice(rows: rows), logits: logits) }
}

/// What `linearCrossEntropy` found.
public struct LossOutput {
    /// lossSum / normalizer, to start `backward` from.
    public let loss: Value
    /// Rows with a target.
    public let tokenCount: Int
    fileprivate let sums: CrossEntropySums

    /// Sum over the rows with a target, in natural logarithms. On a card, asking for it waits.
    public var lossSum: Double { sums.loss }
    /// Rows whose largest logit is the target's.
    public var correctCount: Int { sums.correctCount }
}

/// The rows of hidden that carry loss, packed together.
private struct RowSelection {
    /// [n, hidden]
    let rows: Tensor
    /// [n]
    let targets: Tensor
    /// Where the rows come from; nil when all are taken.
    let indices: Tensor?

    init(_ hidden: Tensor, targets: [Int32], backend: any Backend) {
        precondition(hidden.rowCount == targets.count, "\(targets.count) targets for \(hidden.rowCount) rows")
        let chosen = targets.indices.filter { targets[$0] != Tape.ignoredTarget }
        if chosen.count == targets.count {
            rows = hidden
            indices = nil
            self.targets = backend.upload(targets)
            return
        }
        let indices = backend.upload(chosen.map { Int32($0) })
        let rows = backend.empty([chosen.count, hidden.columnCount], hidden.dtype)
        if !chosen.isEmpty { backend.selectRows(hidden, rows: indices, into: rows) }
        self.rows = rows
        self.indices = indices
        self.targets = backend.upload(chosen.map { targets[$0] })
    }

    /// Ranges of rows with at most `limit` logits, but never fewer than 128 rows: the head's weight is read once for each range.
    func chunks(outputCount: Int, most limit: Int) -> [Range<Int>] {
        let total = indices?.count ?? rows.rowCount
        let most = max(128, limit / max(1, outputCount) / 32 * 32)
        let pieces = max(1, (total + most - 1) / most)
        // Equal pieces, so that the last one is not a sliver.
        return (0..<pieces).map { total * $0 / pieces..<total * ($0 + 1) / pieces }.filter { !$0.isEmpty }
    }
}

/// Saves the gradient itself: it was made while the logits were there.
private struct CrossEntropyOperation: Operation {
    static let name = "linearCrossEntropy"
    let hidden: Int32
    let shape: [Int]
    let gradient: Tensor?
    let indices: Tensor?
    let isHeadTrained: Bool
    let result: Int32

    func backward(on tape: Tape) {
        guard let seed = tape.takeGradient(of: result) else { return }
        let factor = seed.storage.isPlanned ? 1 : tape.number(seed)
        precondition(factor == 1 || !isHeadTrained, "scale a loss with a trained head by its normalizer")
        guard let gradient else { return }
        if factor != 1 { tape.backend.scale(gradient, by: factor, into: gradient) }
        scatter(gradient, indices, shape: shape, to: hidden, on: tape)
    }
}

/// Saves the selected rows and the random generator's state.
private struct LogProbabilityOperation: Operation {
    static let name = "tokenLogProbabilities"
    let hidden: Int32
    let shape: [Int]
    let selection: RowSelection
    let head: Linear
    let random: RandomGenerator
    let isTraining: Bool
    let result: Int32

    func backward(on tape: Tape) {
        guard let arrived = tape.takeGradient(of: result) else { return }
        let backend = tape.backend
        // d(-log p) is what cross-entropy knows, hence the sign.
        let weights = backend.empty([selection.rows.rowCount, 1], .float32)
        if let indices = selection.indices {
            backend.selectRows(arrived.reshaped([arrived.count, 1]), rows: indices, into: weights)
            backend.scale(weights, by: -1, into: weights)
        } else {
            backend.scale(arrived, by: -1, into: weights.reshaped([arrived.count]))
        }
        let needsHidden = tape.needsGradient(hidden)
        let gradient = backend.empty(selection.rows.shape)
        var generator = random
        for range in selection.chunks(outputCount: head.outputCount, most: backend.logitsAtOnce) {
            let piece = Tape(backend: backend, isRecording: true, random: generator)
            piece.isTraining = isTraining
            let input = selection.rows.slice(rows: range)
            let x = needsHidden ? piece.variable(input) : piece.constant(input)
            let logits = piece.linear(x, head)
            generator = piece.random
            _ = backend.crossEntropy(
                logits: logits.tensor, targets: selection.targets.slice(rows: range),
                weight: .perRow(weights.slice(rows: range).reshaped([range.count])), labelSmoothing: 0, losses: nil)
            piece.backward(from: [(logits, logits.tensor)])
            if let found = piece.gradient(of: x) { backend.convert(found, into: gradient.slice(rows: range)) }
        }
        if needsHidden { scatter(gradient, selection.indices, shape: shape, to: hidden, on: tape) }
    }
}

/// Gives gradients of selected rows to the value they were selected from.
private func scatter(_ gradient: Tensor, _ indices: Tensor?, shape: [Int], to hidden: Int32, on tape: Tape) {
    guard tape.needsGradient(hidden) else { return }
    guard let indices else {
        tape.addGradient(gradient.reshaped(shape), to: hidden)
        return
    }
    let target = tape.gradientTarget(for: hidden, shape: shape)
    if !target.isAccumulating { tape.backend.fill(target.tensor, with: 0) }
    tape.backend.scatterAddRows(gradient, rows: indices, into: target.tensor)
}
