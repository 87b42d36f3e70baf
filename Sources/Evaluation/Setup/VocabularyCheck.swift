import Datasets
import Models

/// A tokenizer of another model writes tokens that the embedding does not have, and data can be longer than learned positions
/// reach; said before anything is computed.
public enum VocabularyCheck {
    public static func check(_ tokens: [Int32], vocabularySize: Int) throws(EvaluationError) {
        guard let stranger = tokens.first(where: { $0 < 0 || Int($0) >= vocabularySize }) else { return }
        throw .unsuitable(
            argument: "model_name_or_path", value: "its tokenizer",
            reason: "it writes token \(stranger), but the model's vocabulary ends at \(vocabularySize - 1). "
                + "Use the tokenizer files that belong to the model.")
    }

    /// Tokens, targets and positions of a batch.
    public static func check(_ batch: Batch, spec: ArchitectureSpec) throws(EvaluationError) {
        try check(batch.tokens, vocabularySize: spec.vocabularySize)
        try check(batch.targets.filter { $0 != -100 }, vocabularySize: spec.vocabularySize)
        guard let limit = spec.positionLimit, let last = batch.positions.max(), Int(last) >= limit else { return }
        throw .unsuitable(
            argument: "cutoff_len", value: String(last + 1),
            reason: "a sample is that long, but the model knows only \(limit) positions. Set cutoff_len to \(limit) or less.")
    }
}
