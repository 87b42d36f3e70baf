/// The rows to be answered, and where an answer ends.

import Configuration
import Datasets
import Models
import Tokenizers

public struct PredictionData {
    let rows: [PredictionRow]
    private let text: TextSetup

    public init(_ configuration: Configuration, text: TextSetup) throws {
        self.text = text
        rows = try text.loader().loadPredictionRows().rows
    }

    func check(vocabularySize: Int) throws(EvaluationError) {
        for row in rows { try VocabularyCheck.check(row.promptTokens, vocabularySize: vocabularySize) }
    }

    var tokenizer: Tokenizer { text.tokenizer }
    var stopWords: [String] { text.template.stopWords }

    /// The model's, the tokenizer's and the template's end tokens.
    func stopTokens(_ model: Transformer) -> [Int32] {
        var tokens = text.template.stopTokenIDs(text.tokenizer)
        for token in model.spec.eosTokens where !tokens.contains(token) { tokens.append(token) }
        return tokens
    }
}
