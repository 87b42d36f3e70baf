/// Log-probabilities of answers, whole sequences at a time: what every preference loss is made of.

import Datasets
import Glibc
import Models
import Tensors

struct LikelihoodPass {
    let batch: Batch
    let tape: Tape
    /// Final-norm output, [tokens, hidden].
    let hidden: Value
    /// log p of each target, 0 where there is none: [tokens].
    let tokens: Value
    /// What each token counts in its sequence's sum.
    private let weights: [Float]
    /// log p of each sequence's answer, its tokens weighted.
    let sums: [Double]
    /// Tokens of each answer.
    let lengths: [Int]

    /// - Parameters:
    ///   - tape: records when gradients are wanted.
    ///   - lengthWeight: LD-DPO's alpha for a batch of pairs: what an answer has beyond the length of its partner counts that much.
    init(_ model: Transformer, _ batch: Batch, tape: Tape, lengthWeight: Double? = nil) {
        self.batch = batch
        self.tape = tape
        hidden = model.hidden(tape, tokens: batch.tokens, layout: SequenceLayout(batch))
        tokens = tape.tokenLogProbabilities(hidden, head: model.head, targets: batch.targets)
        lengths = batch.sequences.map { rows in rows.count { batch.targets[$0] != Tape.ignoredTarget } }
        weights = Self.weights(batch, lengths, lengthWeight)
        let values = tape.tensor(tokens).floats()
        let weights = weights
        sums = batch.sequences.map { rows in rows.reduce(0) { $0 + Double(values[$1]) * Double(weights[$1]) } }
    }

    /// Mean of the logits over some sequences' tokens and the whole vocabulary, of which never more than a few rows exist: a linear
    /// head commutes with the mean over tokens, a soft-capped one takes a few rows at a time.
    func meanLogit(_ model: Transformer, sequences: Range<Int>) -> Double {
        let rows = Int(batch.cumulativeLengths[sequences.lowerBound])..<Int(batch.cumulativeLengths[sequences.upperBound])
        guard !rows.isEmpty else { return .nan }
        let backend = model.backend
        let piece = Tape(backend: backend, isRecording: false)
        var sum = 0.0
        if case .softCap? = model.head.outputTransform {
            for start in stride(from: rows.lowerBound, to: rows.upperBound, by: 128) {
                let part = tape.tensor(hidden).slice(rows: start..<min(start + 128, rows.upperBound))
                let logits = piece.linear(piece.constant(part), model.head)
                sum += piece.tensor(logits).floats().reduce(0) { $0 + Double($1) }
                piece.reset()
            }
            return sum / Double(rows.count) / Double(model.head.outputCount)
        }
        let total = backend.empty([1, model.head.inputCount], .float32)
        backend.biasGradient(
            gradient: tape.tensor(hidden).slice(rows: rows), into: GradientTarget(total.reshaped([total.count]), isAccumulating: false))
        backend.scale(total, by: 1 / Float(rows.count), into: total)
        let logits = piece.linear(piece.constant(total), model.head)
        return piece.tensor(logits).floats().reduce(0) { $0 + Double($1) } / Double(model.head.outputCount)
    }

    /// Plays the tape back from given derivatives of the loss by each sequence's sum.
    func backward(_ derivatives: [Double]) {
        var gradient = [Float](repeating: 0, count: weights.count)
        for (rows, derivative) in zip(batch.sequences, derivatives) {
            for row in rows { gradient[row] = Float(derivative) * weights[row] }
        }
        tape.backward(from: [(tokens, Tensor(gradient, shape: [gradient.count]))])
    }

    private static func weights(_ batch: Batch, _ lengths: [Int], _ lengthWeight: Double?) -> [Float] {
        var weights = batch.targets.map { $0 == Tape.ignoredTarget ? Float(0) : 1 }
        guard let lengthWeight else { return weights }
        let pairs = batch.sampleCount
        for (index, rows) in batch.sequences.enumerated() {
            let shared = min(lengths[index], lengths[(index + pairs) % lengths.count])
            guard let start = rows.first(where: { batch.targets[$0] != Tape.ignoredTarget }) else { continue }
            for row in rows where row >= start + shared { weights[row] *= Float(lengthWeight) }
        }
        return weights
    }
}

extension Batch {
    /// The rows of each sequence.
    var sequences: [Range<Int>] { zip(cumulativeLengths, cumulativeLengths.dropFirst()).map { Int($0)..<Int($1) } }

    /// Some of the sequences as a batch of their own.
    func part(_ chosen: Range<Int>) -> Batch {
        let start = cumulativeLengths[chosen.lowerBound], end = cumulativeLengths[chosen.upperBound]
        let rows = Int(start)..<Int(end)
        let targets = Array(targets[rows])
        return Batch(
            tokens: Array(tokens[rows]), targets: targets, positions: Array(positions[rows]),
            cumulativeLengths: cumulativeLengths[chosen.lowerBound...chosen.upperBound].map { $0 - start }, sampleCount: chosen.count,
            lossTokenCount: targets.count { $0 != ignoredLabel })
    }
}
