/// How close generated answers are to the expected ones: the four numbers of LLaMA-Factory's `predict_with_generate`.

/// Scores of one answer in per cent, each rounded to four decimals.
public struct SimilarityScores: Sendable, Equatable {
    public var bleu4: Double
    public var rouge1: Double
    public var rouge2: Double
    public var rougeL: Double

    /// By the names they carry in predict_results.json, without the prefix.
    public var byName: [String: Double] { ["bleu-4": bleu4, "rouge-1": rouge1, "rouge-2": rouge2, "rouge-l": rougeL] }
}

public struct TextSimilarity: Sendable {
    private let segmenter: WordSegmenter

    public init(segmenter: WordSegmenter) { self.segmenter = segmenter }

    /// - Parameters:
    ///   - prediction: what the model wrote, special tokens removed.
    ///   - label: what was expected.
    public func scores(prediction: String, label: String) -> SimilarityScores {
        let rouge = Rouge.scores(hypothesis: segmenter.cut(prediction), reference: segmenter.cut(label))
        func percent(_ value: Double) -> Double { PythonNumbers.rounded(value * 100, digits: 4) }
        return SimilarityScores(
            bleu4: percent(Bleu.sentence(hypothesis: prediction, reference: label)), rouge1: percent(rouge.rouge1),
            rouge2: percent(rouge.rouge2), rougeL: percent(rouge.rougeL))
    }

    /// The average over all answers.
    public static func average(_ scores: [SimilarityScores]) -> SimilarityScores {
        SimilarityScores(
            bleu4: PythonNumbers.mean(scores.map(\.bleu4)), rouge1: PythonNumbers.mean(scores.map(\.rouge1)),
            rouge2: PythonNumbers.mean(scores.map(\.rouge2)), rougeL: PythonNumbers.mean(scores.map(\.rougeL)))
    }
}
