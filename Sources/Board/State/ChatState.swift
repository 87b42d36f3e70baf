import Terminal

/// One message of the conversation as it is shown.
public struct ChatTurn: Sendable, Equatable {
    public enum Speaker: Sendable, Equatable { case user, assistant }

    public var speaker: Speaker
    /// The source text, unwrapped and unsanitised; views sanitise while drawing.
    public var text: String
    public var isStreaming = false
    /// True for an answer that was cut off by Esc.
    public var isStopped = false
    /// Whether the adapter was on when the answer was made; nil when none is loaded or for the user's turns.
    public var usedAdapter: Bool?
    public var tokenCount: Int?
    public var tokensPerSecond: Double?

    public init(speaker: Speaker, text: String) {
        self.speaker = speaker
        self.text = text
    }
}

/// What the chat engine answers to `load`.
public struct ChatModelInfo: Sendable, Equatable {
    public var modelName: String
    public var adapterName: String?
    public var templateName: String
    /// Tokens that fit the model's context.
    public var contextLength: Int
    public var parameterCount: Int

    public init(modelName: String, adapterName: String?, templateName: String, contextLength: Int, parameterCount: Int) {
        self.modelName = modelName
        self.adapterName = adapterName
        self.templateName = templateName
        self.contextLength = contextLength
        self.parameterCount = parameterCount
    }
}

/// The Chat page apart from its form.
public struct ChatState: Sendable {
    public enum Engine: Sendable, Equatable {
        case empty
        /// Reading weights; the text says what is being read.
        case loading(String)
        case ready(ChatModelInfo)
        case failed(String)
    }

    public var engine = Engine.empty
    public var turns: [ChatTurn] = []
    public var input = TextArea()
    public var isAdapterEnabled = true
    /// Tokens of the conversation so far, as the engine counted them.
    public var contextUsed = 0
    public var lastTokensPerSecond: Double?
    /// Lines scrolled up from the end; 0 follows the answer as it grows.
    public var linesFromEnd = 0
    /// Messages sent before, oldest first, for Up on an empty line.
    public var sent: [String] = []
    /// Answers that were dropped while they came; the engine still has to say that they are over.
    var abandonedAnswers = 0
    /// The position in `sent` while walking through it.
    public var recall: Int?

    public init() {}

    public var isStreaming: Bool { turns.last?.isStreaming ?? false }

    public var modelInfo: ChatModelInfo? {
        if case .ready(let info) = engine { return info }
        return nil
    }

    /// The last finished answer, which is what copying takes.
    public var lastReply: ChatTurn? { turns.last { $0.speaker == .assistant && !$0.isStreaming } }
}
