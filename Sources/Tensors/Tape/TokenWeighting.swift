/// What each token's loss counts in fine-tuning: all the same, or by what the model itself makes of the token.

import Glibc

public enum TokenWeighting: Sendable, Equatable {
    case equal
    /// By the probability of the target (dynamic fine-tuning, arXiv 2508.05629): tokens that the model finds absurd teach little.
    case probability
    /// By (entropy of the 20 likeliest tokens / 3)^alpha (entropy-adaptive fine-tuning, as LLaMA-Factory does it).
    case entropy(alpha: Float)

    /// How many of the likeliest tokens the entropy is taken of, and what it is divided by.
    private static let likeliestCount = 20
    private static let entropyUnit: Float = 3

    /// - Parameters:
    ///   - losses: -log p of each row's target.
    ///   - logits: [rows, vocabulary]
    func weights(losses: [Float], logits: Tensor) -> [Float] {
        switch self {
        case .equal: return [Float](repeating: 1, count: losses.count)
        case .probability: return losses.map { exp(-$0) }
        case .entropy(let alpha):
            return losses.indices.map { row in
                pow(Self.entropy(ofLikeliest: logits.slice(rows: row..<row + 1).floats()) / Self.entropyUnit, alpha)
            }
        }
    }

    private static func entropy(ofLikeliest logits: [Float]) -> Float {
        var top: [Float] = []
        for value in logits where top.count < likeliestCount || value > top[top.count - 1] {
            let place = top.firstIndex { value > $0 } ?? top.count
            top.insert(value, at: place)
            if top.count > likeliestCount { top.removeLast() }
        }
        guard let largest = top.first else { return 0 }
        let parts = top.map { exp($0 - largest) }
        let total = parts.reduce(0, +)
        return parts.reduce(0) { $0 - ($1 > 0 ? $1 / total * log($1 / total) : 0) }
    }
}
