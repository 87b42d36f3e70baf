import Glibc
import Models
import Platform
import Tensors
import Tokenizers

/// How far the written model is from base and adapter together, over all positions of a few prompts.
public struct Verification: Sendable, Equatable {
    public var tokenCount = 0
    /// The largest difference between two logits.
    public var largestDifference: Float = 0
    /// Share of positions at which both would say the same next token.
    public var agreement = 1.0
    /// Mean Kullback-Leibler divergence of the written model from the one in memory, in nats.
    public var divergence = 0.0

    /// Rounding to bf16 moves logits by a few hundredths and the divergence by less than a thousandth, eight bits by less than a
    /// hundredth; beyond these bounds something else is wrong. Four bits may cost a small model more.
    static let usualLimit = 0.05

    func problem(limit: Double) -> String? {
        if !largestDifference.isFinite || !divergence.isFinite { return "its logits are not finite." }
        if divergence > limit { return "its next-token probabilities differ (KL divergence \(NumberText.significant(divergence, digits: 3)))." }
        return nil
    }

    /// Texts of different kinds; their content does not matter as long as it reaches different parts of the vocabulary.
    static let prompts = [
        "Hello! Who are you, and what can you do for me?",
        "你好，请介绍一下你自己。",
        "The quick brown fox jumps over the lazy dog. 12 + 30 = 42.",
        "def area(width, height):\n    return width * height\n",
    ]

    /// Longest prompt that is compared, in tokens.
    private static let promptLimit = 64

    /// The prompts as the tokenizer cuts them, without tokens that the model does not have.
    static func tokens(_ tokenizer: Tokenizer, vocabularySize: Int) -> [[Int32]] {
        prompts.map { Array(tokenizer.encode($0).prefix(promptLimit)) }
            .filter { !$0.isEmpty && $0.allSatisfy { $0 >= 0 && Int($0) < vocabularySize } }
    }

    /// Logits of every position of each prompt, [tokens, vocabulary].
    static func logits(_ model: Transformer, _ prompts: [[Int32]]) -> [[Float]] {
        prompts.map { tokens in
            let tape = Tape(backend: model.backend, isRecording: false)
            let hidden = model.hidden(tape, tokens: tokens, layout: SequenceLayout(lengths: [tokens.count]))
            return tape.tensor(model.logits(tape, hidden)).floats()
        }
    }

    /// Compares row by row.
    init(reference: [[Float]], written: [[Float]], vocabularySize: Int) {
        var agreeing = 0
        var divergenceSum = 0.0
        for (left, right) in zip(reference, written) {
            for start in stride(from: 0, to: min(left.count, right.count), by: vocabularySize) {
                let row = start..<start + vocabularySize
                for index in row { largestDifference = max(largestDifference, abs(left[index] - right[index])) }
                if left[row].contains(where: \.isNaN) || right[row].contains(where: \.isNaN) { largestDifference = .infinity }
                if Self.largest(left[row]) == Self.largest(right[row]) { agreeing += 1 }
                divergenceSum += Self.divergence(left[row], right[row])
                tokenCount += 1
            }
        }
        guard tokenCount > 0 else { return }
        agreement = Double(agreeing) / Double(tokenCount)
        divergence = max(0, divergenceSum / Double(tokenCount))
    }

    private static func largest(_ row: ArraySlice<Float>) -> Int {
        var best = row.startIndex
        for index in row.indices where row[index] > row[best] { best = index }
        return best - row.startIndex
    }

    /// `sum p (log p - log q)`
    private static func divergence(_ left: ArraySlice<Float>, _ right: ArraySlice<Float>) -> Double {
        let (leftShift, rightShift) = (logSumExp(left), logSumExp(right))
        var sum = 0.0
        for (one, other) in zip(left, right) {
            let logP = Double(one) - leftShift
            sum += exp(logP) * (logP - (Double(other) - rightShift))
        }
        return sum
    }

    private static func logSumExp(_ row: ArraySlice<Float>) -> Double {
        let largest = Double(row.max() ?? 0)
        return largest + log(row.reduce(0.0) { $0 + exp(Double($1) - largest) })
    }
}
