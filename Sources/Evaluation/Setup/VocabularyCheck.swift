/// A tokenizer of another model writes tokens that the embedding does not have; said before anything is computed.

public enum VocabularyCheck {
    public static func check(_ tokens: [Int32], vocabularySize: Int) throws(EvaluationError) {
        guard let stranger = tokens.first(where: { $0 < 0 || Int($0) >= vocabularySize }) else { return }
        throw .unsuitable(
            argument: "model_name_or_path", value: "its tokenizer",
            reason: "it writes token \(stranger), but the model's vocabulary ends at \(vocabularySize - 1). "
                + "Use the tokenizer files that belong to the model.")
    }
}
