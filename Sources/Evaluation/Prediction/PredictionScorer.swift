/// Generates an answer to every row and scores it against the expected one.

import Datasets
import Events
import Formats
import Generation
import Platform
import Tokenizers

final class PredictionScorer {
    private let generator: TextGenerator
    private let tokenizer: Tokenizer
    private let similarity: TextSimilarity
    private let options: SamplingOptions
    private let seed: UInt64
    private let reporter: JobReporter

    init(
        generator: TextGenerator, similarity: TextSimilarity, options: SamplingOptions, seed: UInt64, reporter: JobReporter
    ) {
        self.generator = generator
        tokenizer = generator.tokenizer
        self.similarity = similarity
        self.options = options
        self.seed = seed
        self.reporter = reporter
    }

    /// - Parameter heed: is called for every token; throws to leave.
    /// - Returns: the scores of all rows, those answered by an earlier run included.
    func run(rows: [PredictionRow], file: PredictionFile, heed: () throws -> Void) throws -> [SimilarityScores] {
        var scores: [SimilarityScores] = []
        for (index, row) in rows.enumerated() {
            try heed()
            let prompt = tokenizer.decode(row.promptTokens, skipSpecialTokens: false)
            let prediction: Prediction
            if index < file.finished.count {
                prediction = file.finished[index]
                guard prediction.prompt.utf8.elementsEqual(prompt.utf8) else {
                    throw EvaluationError.brokenPredictions(path: PredictionFile.fileName, line: index + 1)
                }
            } else {
                let label = tokenizer.decode(row.labelTokens, skipSpecialTokens: options.skipsSpecialTokens)
                prediction = Prediction(prompt: prompt, predict: try answer(row, index, heed), label: label)
                try file.append(prediction)
            }
            let score = similarity.scores(prediction: prediction.predict, label: prediction.label)
            scores.append(score)
            reporter.sink.emit(
                .sample(
                    PredictionSample(
                        index: index, prompt: prompt, label: prediction.label, prediction: prediction.predict, scores: score.byName)))
            reporter.progress("predicting", index + 1, rows.count)
        }
        return scores
    }

    /// Each row draws from random numbers of its own, so an interrupted run goes on with the same answers.
    private func answer(_ row: PredictionRow, _ index: Int, _ heed: () throws -> Void) throws -> String {
        var options = options
        options.seed = seed &+ UInt64(index)
        var interruption: (any Error)?
        let result = try generator.generate(prompt: row.promptTokens, options: options) { _ in
            do { try heed() } catch { interruption = error }
            return interruption == nil
        }
        if let interruption { throw interruption }
        return result.text
    }
}
