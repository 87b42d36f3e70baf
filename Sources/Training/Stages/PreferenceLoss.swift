/// The losses over pairs of answers as functions of their log-probabilities, with derivatives. Formulas as in TRL's DPOTrainer and
/// LLaMA-Factory's; no model in sight, so that each can be checked alone.

import Glibc

public enum PreferenceLossKind: String, Sendable, CaseIterable {
    /// Rafailov et al., arXiv 2305.18290
    case sigmoid
    /// Zhao et al., arXiv 2305.10425
    case hinge
    /// Azar et al., arXiv 2310.12036
    case ipo
    /// Ethayarajh et al., arXiv 2402.01306, equation 7 on pairs
    case kto = "kto_pair"
    /// Hong et al., arXiv 2403.07691
    case orpo
    /// Meng et al., arXiv 2405.14734
    case simpo

    /// Whether it compares with a reference model.
    var usesReference: Bool { self != .orpo && self != .simpo }
    /// Whether it takes the mean over an answer's tokens instead of their sum.
    var averagesTokens: Bool { self == .ipo || self == .orpo || self == .simpo }
}

/// Numbers of the stage dpo.
public struct PreferenceSettings: Sendable, Equatable {
    public var kind = PreferenceLossKind.sigmoid
    /// `pref_beta`
    public var beta = 0.1
    /// `pref_ftx`: weight of the plain loss on the chosen answers.
    public var plainWeight = 0.0
    /// `pref_bco_weight`: weight of the BCO loss (Jung et al., arXiv 2404.04656).
    public var baselineWeight = 0.0
    /// `dpo_label_smoothing`
    public var labelSmoothing = 0.0
    /// `simpo_gamma`
    public var margin = 0.5
    /// `ld_alpha` (LD-DPO, arXiv 2409.06411)
    public var lengthWeight: Double?

    public init(kind: PreferenceLossKind = .sigmoid, beta: Double = 0.1) {
        self.kind = kind
        self.beta = beta
    }
}

/// The log-probabilities of a batch of pairs: sums over tokens, or means where the loss averages.
struct PairLikelihoods {
    var chosen: [Double]
    var rejected: [Double]
    /// Of the reference model; empty where the loss has none.
    var referenceChosen: [Double] = []
    var referenceRejected: [Double] = []

    var count: Int { chosen.count }
    var chosenRatios: [Double] { referenceChosen.isEmpty ? chosen : zip(chosen, referenceChosen).map { $0 - $1 } }
    var rejectedRatios: [Double] { referenceRejected.isEmpty ? rejected : zip(rejected, referenceRejected).map { $0 - $1 } }
}

/// Losses of pairs, and the derivatives of their sum.
struct PairLosses {
    var losses: [Double]
    var chosen: [Double]
    var rejected: [Double]
}

enum PreferenceLoss {
    static func evaluate(_ pairs: PairLikelihoods, _ settings: PreferenceSettings) -> PairLosses {
        let beta = settings.beta
        switch settings.kind {
        case .sigmoid:
            let smoothing = settings.labelSmoothing
            return byMargin(pairs) { margin in
                let z = beta * margin
                return (
                    (1 - smoothing) * softplus(-z) + smoothing * softplus(z),
                    beta * (smoothing * sigmoid(z) - (1 - smoothing) * sigmoid(-z))
                )
            }
        case .hinge:
            return byMargin(pairs) { margin in
                let slack = 1 - beta * margin
                return slack > 0 ? (slack, -beta) : (0, 0)
            }
        case .ipo:
            return byMargin(pairs) { margin in
                let distance = margin - 1 / (2 * beta)
                return (distance * distance, 2 * distance)
            }
        case .kto: return pairedKTO(pairs, beta)
        case .orpo: return oddsRatio(pairs, beta)
        case .simpo:
            return byMargin(pairs) { margin in
                let z = beta * margin - settings.margin
                return (softplus(-z), -beta * sigmoid(-z))
            }
        }
    }

    /// A loss of (chosen ratio - rejected ratio) alone.
    private static func byMargin(_ pairs: PairLikelihoods, _ loss: (Double) -> (value: Double, slope: Double)) -> PairLosses {
        let results = zip(pairs.chosenRatios, pairs.rejectedRatios).map { loss($0 - $1) }
        return PairLosses(losses: results.map(\.value), chosen: results.map(\.slope), rejected: results.map { -$0.slope })
    }

    /// Each side is compared with the other side's estimate of the divergence, which is learnt through as well. A pair's loss is the
    /// mean of its two.
    private static func pairedKTO(_ pairs: PairLikelihoods, _ beta: Double) -> PairLosses {
        let chosen = pairs.chosenRatios, rejected = pairs.rejectedRatios
        let count = Double(max(1, pairs.count))
        let chosenMean = chosen.reduce(0, +) / count, rejectedMean = rejected.reduce(0, +) / count
        let first = chosen.map { sigmoid(beta * ($0 - max(0, rejectedMean))) }
        let second = rejected.map { sigmoid(beta * (max(0, chosenMean) - $0)) }
        let firstSlopes = first.map { -0.5 * beta * $0 * (1 - $0) }, secondSlopes = second.map { 0.5 * beta * $0 * (1 - $0) }
        // clamp(min: 0) passes the gradient at 0 too, as PyTorch's does.
        let throughRejected = rejectedMean >= 0 ? -firstSlopes.reduce(0, +) / count : 0
        let throughChosen = chosenMean >= 0 ? -secondSlopes.reduce(0, +) / count : 0
        return PairLosses(
            losses: zip(first, second).map { 0.5 * (1 - $0) + 0.5 * (1 - $1) }, chosen: firstSlopes.map { $0 + throughChosen },
            rejected: secondSlopes.map { $0 + throughRejected })
    }

    /// -log p of the chosen answer, and beta times the log-sigmoid of the log odds ratio.
    private static func oddsRatio(_ pairs: PairLikelihoods, _ beta: Double) -> PairLosses {
        var result = PairLosses(losses: [], chosen: [], rejected: [])
        for (chosen, rejected) in zip(pairs.chosen, pairs.rejected) {
            let logOdds = (chosen - rejected) - (log1p(-exp(chosen)) - log1p(-exp(rejected)))
            let pull = beta * sigmoid(-logOdds)
            result.losses.append(-chosen + beta * softplus(-logOdds))
            result.chosen.append(-1 - pull / -expm1(chosen))
            result.rejected.append(pull / -expm1(rejected))
        }
        return result
    }

    /// BCO on pairs: each reward against the running mean of all rewards.
    static func baseline(_ pairs: PairLikelihoods, beta: Double, mean: Double) -> PairLosses {
        let first = pairs.chosenRatios.map { beta * $0 - mean }, second = pairs.rejectedRatios.map { beta * $0 - mean }
        return PairLosses(
            losses: zip(first, second).map { softplus(-$0) + softplus($1) }, chosen: first.map { -beta * sigmoid(-$0) },
            rejected: second.map { beta * sigmoid($0) })
    }

    static func sigmoid(_ x: Double) -> Double { x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x)) }
    /// log(1 + e^x)
    static func softplus(_ x: Double) -> Double { x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)) }
}
