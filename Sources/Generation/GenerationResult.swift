/// What was added to the answer by one token; text may be empty while a character is incomplete.
public struct GeneratedPiece: Sendable, Equatable {
    public let text: String
    /// Nil for text that was held back and is released at the end.
    public let tokenID: Int32?

    public init(text: String, tokenID: Int32?) {
        self.text = text
        self.tokenID = tokenID
    }
}

/// Why an answer ended.
public enum FinishReason: String, Sendable, Equatable {
    /// A stop token or a stop string.
    case stop
    /// `max_new_tokens` or `max_length`.
    case length
    /// The caller asked for it.
    case cancelled
}

/// A finished answer and what it cost.
public struct GenerationResult: Sendable, Equatable {
    public var text: String
    /// Every generated token, a stop token included.
    public var tokenIDs: [Int32]
    public var finishReason: FinishReason
    public var promptTokens: Int
    /// Prompt tokens whose keys and values were still there from the last answer.
    public var reusedTokens: Int
    public var promptSeconds: Double
    public var answerSeconds: Double

    /// Speed of the answer alone.
    public var tokensPerSecond: Double { answerSeconds > 0 ? Double(tokenIDs.count) / answerSeconds : 0 }
}
