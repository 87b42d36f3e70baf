/// What a chat says, and the values it speaks in.

import Events

/// One message of a conversation.
public struct ChatLine: Sendable, Equatable {
    public enum Speaker: String, Sendable, Equatable {
        case system, user, assistant
        /// The tools that the model may call, as a JSON list.
        case tools
    }

    public var speaker: Speaker
    public var text: String

    public init(_ speaker: Speaker, _ text: String) {
        self.speaker = speaker
        self.text = text
    }
}

/// What was loaded.
public struct ChatInfo: Sendable, Equatable {
    public var modelName: String
    /// Paths of the adapters on top of the base, in order; empty for the base alone.
    public var adapterNames: [String]
    /// The template's name, or "the model's own".
    public var templateName: String
    /// Tokens that fit the model's context.
    public var contextLength: Int
    public var parameterCount: Int
    public var loadSeconds: Double

    public init(
        modelName: String, adapterNames: [String] = [], templateName: String, contextLength: Int, parameterCount: Int = 0,
        loadSeconds: Double = 0
    ) {
        self.modelName = modelName
        self.adapterNames = adapterNames
        self.templateName = templateName
        self.contextLength = contextLength
        self.parameterCount = parameterCount
        self.loadSeconds = loadSeconds
    }
}

/// Why an answer ended.
public enum ChatEnding: String, Sendable, Equatable {
    /// The model ended its turn.
    case complete
    /// max_new_tokens or the context was reached.
    case length
    case cancelled
}

/// The numbers of one answer.
public struct ChatStatistics: Sendable, Equatable {
    public var promptTokens: Int
    public var answerTokens: Int
    /// Of the answer alone, reading the prompt not counted.
    public var tokensPerSecond: Double
    /// Seconds until the first piece of the answer.
    public var firstPieceSeconds: Double
    /// Tokens of the conversation including this answer.
    public var contextUsed: Int
    public var contextLength: Int
    /// Oldest messages that were left out because the conversation no longer fits.
    public var omittedMessages: Int
    public var ending: ChatEnding
    public var isAdapterEnabled: Bool

    public init(
        promptTokens: Int, answerTokens: Int, tokensPerSecond: Double, firstPieceSeconds: Double = 0, contextUsed: Int,
        contextLength: Int, omittedMessages: Int = 0, ending: ChatEnding, isAdapterEnabled: Bool
    ) {
        self.promptTokens = promptTokens
        self.answerTokens = answerTokens
        self.tokensPerSecond = tokensPerSecond
        self.firstPieceSeconds = firstPieceSeconds
        self.contextUsed = contextUsed
        self.contextLength = contextLength
        self.omittedMessages = omittedMessages
        self.ending = ending
        self.isAdapterEnabled = isAdapterEnabled
    }
}

/// One thing that happened in a chat.
public enum ChatEvent: Sendable, Equatable {
    /// Reading the model; the text says what is being read.
    case loading(String)
    case ready(ChatInfo)
    /// The next piece of the answer: whole characters.
    case piece(String)
    case finished(ChatStatistics)
    /// Loading or answering failed; after a failed answer the model is still there.
    case failed(JobFailure)
    case adapter(isEnabled: Bool)
    case unloaded
}
