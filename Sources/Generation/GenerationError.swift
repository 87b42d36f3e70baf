/// Why no answer can be generated.
public enum GenerationError: Error, Equatable, Sendable {
    case emptyPrompt
    /// The prompt alone reaches `max_length`.
    case promptTooLong(tokens: Int, limit: Int)
    /// The model learned a vector for each position (GPT-2), and the prompt takes them all.
    case beyondPositions(tokens: Int, limit: Int)
    /// The tokenizer makes a token that the model has no embedding for.
    case unknownToken(token: Int32, vocabularySize: Int)
    /// The name of an argument, what it must be, and what it is.
    case invalidOption(String, String, String)
    /// The model gave no numbers any more.
    case notANumber(position: Int)
    /// The card could not go on: what it says.
    case deviceFailed(String)
}

extension GenerationError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .emptyPrompt: "The prompt is empty: there is nothing to continue."
        case .promptTooLong(let tokens, let limit):
            "The prompt has \(tokens) tokens and max_length is \(limit): nothing can be added. Raise max_length, or give max_new_tokens."
        case .beyondPositions(let tokens, let limit):
            "The prompt has \(tokens) tokens, but the model knows only \(limit) positions. Shorten the prompt or the conversation."
        case .unknownToken(let token, let vocabularySize):
            "The prompt holds token \(token), but the model knows \(vocabularySize) tokens. The tokenizer belongs to another model."
        case .invalidOption(let name, let expected, let found): "\(name) must be \(expected), found \(found)."
        case .deviceFailed(let reason): reason
        case .notANumber(let position):
            "The model's output at token \(position) is not a number. The weights are damaged, or training has diverged."
        }
    }
}
