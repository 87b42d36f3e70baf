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
    /// What answered: the adapter's name, or the model's where none was at work; nil for the user's turns and for what was loaded.
    public var answeredBy: String?
    public var tokenCount: Int?
    public var tokensPerSecond: Double?
    /// Answers that the same question had before, oldest first. They are shown, not sent along.
    public var earlier: [ChatTurn] = []

    /// Every answer of its question, this one last; each without the others.
    var versions: [ChatTurn] {
        var alone = self
        alone.earlier = []
        return earlier + [alone]
    }

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
    /// True for the weights of a training that holds between two steps.
    public var isInTraining = false

    /// Whose answer it is: the adapter's, or the model's alone.
    func answerer(usesAdapter: Bool) -> String { usesAdapter ? adapterName ?? modelName : modelName }

    public init(modelName: String, adapterName: String?, templateName: String, contextLength: Int, parameterCount: Int, isInTraining: Bool = false) {
        self.modelName = modelName
        self.adapterName = adapterName
        self.templateName = templateName
        self.contextLength = contextLength
        self.parameterCount = parameterCount
        self.isInTraining = isInTraining
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
    /// The conversation as it was saved or loaded last.
    var kept: [ChatTurn] = []
    /// The same conversation with the base model, while the two are compared side by side; nil otherwise.
    public var otherTurns: [ChatTurn]?
    /// What the base had answered to a question that is being answered again.
    var earlierOfOther: [ChatTurn] = []
    /// The base is to answer as soon as the adapter has.
    var owesOtherAnswer = false
    public var input = TextArea()
    public var isAdapterEnabled = true
    /// Tools that the model may call, as the JSON list that templates take; empty for none.
    public var tools = ""
    /// How many of the newest messages are sent along; 0 for all that fit.
    public var historyLimit = 0
    public var showsThoughts = false
    /// The message that copying and editing are about; nil for the last one.
    public var selectedTurn: Int?
    /// Which code block was copied last, to go on from.
    var copiedCode = 0
    /// The user's message that is being written anew: sending drops what came after it.
    public var editedTurn: Int?
    /// Tokens of the conversation so far, as the engine counted them.
    public var contextUsed = 0
    public var lastTokensPerSecond: Double?
    /// Lines scrolled up from the end; 0 follows the answer as it grows.
    public var linesFromEnd = 0
    /// The messages as lines, laid out once.
    let wrapped = WrappedMessages()
    /// Messages sent before, oldest first, for Up on an empty line.
    public var sent: [String] = []
    /// Answers that were dropped while they came; the engine still has to say that they are over.
    var abandonedAnswers = 0
    /// The position in `sent` while walking through it.
    public var recall: Int?

    public init() {}

    public var isStreaming: Bool { (turns.last?.isStreaming ?? false) || isOtherStreaming }

    /// Whether the base is answering beside the adapter.
    var isOtherStreaming: Bool { otherTurns?.last?.isStreaming ?? false }

    public var modelInfo: ChatModelInfo? {
        if case .ready(let info) = engine { return info }
        return nil
    }

    /// Whether somebody would miss something if the conversation were gone.
    var isUnsaved: Bool { !turns.isEmpty && turns.map(\.text) != kept.map(\.text) }

    /// The last finished answer, which is what copying takes.
    public var lastReply: ChatTurn? { turns.last { $0.speaker == .assistant && !$0.isStreaming } }

    /// The answer that copying is about: the selected one, or the last.
    public var chosenReply: ChatTurn? {
        guard let index = selectedTurn, turns.indices.contains(index) else { return lastReply }
        if turns[index].speaker == .assistant { return turns[index].isStreaming ? nil : turns[index] }
        return turns[index...].first { $0.speaker == .assistant && !$0.isStreaming }
    }

    /// The place of the user's message that editing is about: the selected one, or the last.
    public var chosenQuestion: Int? {
        let last = selectedTurn.map { min($0, turns.count - 1) } ?? turns.count - 1
        guard last >= 0 else { return nil }
        return turns[...last].lastIndex { $0.speaker == .user }
    }

    /// The conversation as it is shown. Beside the base, what the base had answered before would stand there twice.
    var shownTurns: [ChatTurn] {
        guard otherTurns != nil else { return turns }
        return turns.map { turn in
            var turn = turn
            if turn.usedAdapter == true { turn.earlier.removeAll { $0.usedAdapter == false } }
            return turn
        }
    }

    /// Takes the answer off the end of a conversation, with what was answered before it.
    static func removeAnswer(from turns: inout [ChatTurn]) -> [ChatTurn] {
        var versions: [ChatTurn] = []
        while let last = turns.last, last.speaker == .assistant {
            versions = last.versions + versions
            turns.removeLast()
        }
        return versions.filter { !$0.text.isEmpty }
    }

    /// The conversation as one side had it, with the adapter or without: its own answers with their questions, and the last question,
    /// which it is still to answer. What the other side answered would tell it what to say. Answers of nobody in particular, from a
    /// file or from before an adapter was loaded, belong to both.
    func side(withAdapter isAdapter: Bool) -> [ChatTurn] {
        var side: [ChatTurn] = []
        let last = turns.lastIndex { $0.speaker == .user }
        for (index, question) in turns.enumerated() where question.speaker == .user {
            let answer = index + 1 < turns.count && turns[index + 1].speaker == .assistant ? turns[index + 1] : nil
            if let own = answer?.versions.last(where: { $0.usedAdapter == nil || $0.usedAdapter == isAdapter }) {
                side += [question, own]
            } else if index == last {
                side.append(question)
            }
        }
        return side
    }

    /// Where adapter and base both answered, the adapter's answer goes on, with the base's before it.
    mutating func preferAdapterAnswers() {
        for index in turns.indices {
            let versions = turns[index].versions
            guard turns[index].usedAdapter == false, let own = versions.lastIndex(where: { $0.usedAdapter == true }) else { continue }
            turns[index] = versions[own]
            turns[index].earlier = versions.enumerated().filter { $0.offset != own }.map(\.element)
        }
    }

    /// Changes the answer that is coming, on whichever side it comes.
    mutating func changeStreamingTurn(_ change: (inout ChatTurn) -> Void) {
        if let last = turns.indices.last, turns[last].isStreaming {
            change(&turns[last])
        } else if let last = otherTurns?.indices.last, otherTurns?[last].isStreaming == true {
            otherTurns?.withUnsafeMutableBufferPointer { change(&$0[last]) }
        }
    }
}
