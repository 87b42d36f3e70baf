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
    /// Rows that are answered side by side.
    private let rowsAtOnce: Int

    /// - Parameter rowsAtOnce: rows that are answered side by side; the answers do not depend on it
    init(
        generator: TextGenerator, similarity: TextSimilarity, options: SamplingOptions, seed: UInt64, rowsAtOnce: Int, reporter: JobReporter
    ) {
        self.rowsAtOnce = max(1, rowsAtOnce)
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
        var answers: [Int: String] = [:]
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
                prediction = Prediction(prompt: prompt, predict: try answer(rows, index, &answers, heed), label: label)
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

    /// The answer to a row; those to the next ones are made with it. Each row draws from random numbers of its own, so an
    /// interrupted run goes on with the same answers.
    private func answer(_ rows: [PredictionRow], _ index: Int, _ known: inout [Int: String], _ heed: () throws -> Void) throws -> String {
        if let found = known.removeValue(forKey: index) { return found }
        let together = index..<min(rows.count, index + rowsAtOnce)
        var interruption: (any Error)?
        let results = try generator.generate(
            prompts: together.map { rows[$0].promptTokens }, options: options, seeds: together.map { seed &+ UInt64($0) }
        ) { _, _ in
            do { try heed() } catch { interruption = error }
            return interruption == nil
        }
        if let interruption { throw interruption }
        for (row, result) in zip(together, results) where row > index { known[row] = result.text }
        return results[0].text
    }
}
