import Formats
import Tokenizers

/// Two answers to one question, the first better than the second.
public struct PreferencePair: Sendable, Equatable {
    /// Ends with a question.
    public var prompt: [ChatMessage]
    public var chosen: ChatMessage
    public var rejected: ChatMessage
    public var system: String
    public var tools: String
}

/// An answer that somebody wanted, or did not want.
public struct Feedback: Sendable, Equatable {
    public var prompt: [ChatMessage]
    public var answer: ChatMessage
    public var isDesirable: Bool
    public var system: String
    public var tools: String
}

/// Rows of preferences, by the rules of LLaMA-Factory's converters: `ranking` rows name both answers, `kto_tag` rows judge one.
extension RowConverter {
    func pair(_ value: JSONValue) throws(RowFault) -> PreferencePair {
        let row = try object(value)
        let (prompt, system) = try question(row)
        let chosen = try answer(row, entry.chosen, "chosen")
        let rejected = try answer(row, entry.rejected, "rejected")
        if chosen == rejected {
            throw RowFault("both answers are the same: \"\(entry.chosen ?? "chosen")\" and \"\(entry.rejected ?? "rejected")\" prefer nothing")
        }
        return PreferencePair(prompt: prompt, chosen: chosen, rejected: rejected, system: system, tools: try toolText(row))
    }

    func feedback(_ value: JSONValue) throws(RowFault) -> Feedback {
        let row = try object(value)
        let column = entry.ktoTag ?? "kto_tag"
        guard let tag = row[column], !tag.isNull else { throw RowFault("the column \"\(column)\" is missing") }
        guard let isDesirable = tag.boolValue else { throw RowFault("the column \"\(column)\" is \(tag.kindName), expected true or false") }
        let conversation = try conversation(value)
        guard let answer = conversation.response.last, !answer.content.isEmpty else { throw RowFault("it has no answer to judge") }
        return Feedback(
            prompt: conversation.prompt, answer: answer, isDesirable: isDesirable, system: conversation.system, tools: conversation.tools)
    }

    /// The question of a row whatever its answers are, for stages that answer themselves.
    func promptOnly(_ value: JSONValue) throws(RowFault) -> Conversation {
        guard entry.isRanking else { return try conversation(value) }
        let row = try object(value)
        let (prompt, system) = try question(row)
        return Conversation(prompt: prompt, response: [], system: system, tools: try toolText(row))
    }

    private func object(_ value: JSONValue) throws(RowFault) -> JSONObject {
        guard let row = value.objectValue else { throw RowFault("it is \(value.kindName), expected an object") }
        return row
    }

    /// The messages before the two answers.
    private func question(_ row: JSONObject) throws(RowFault) -> (prompt: [ChatMessage], system: String) {
        switch entry.format {
        case .alpaca: return (try alpacaPrompt(row), try optionalText(row, entry.system))
        case .sharegpt, .openai:
            let (messages, system) = entry.format == .sharegpt ? try sharegptMessages(row) : try openAIMessages(row)
            if messages.isEmpty { throw RowFault("the conversation is empty") }
            if messages.count % 2 == 0 {
                throw RowFault("the conversation has \(messages.count) messages: it must end with the question that both answers are for")
            }
            return (messages, system)
        case .tokenised: throw RowFault("it holds token ids: preferences need text")
        }
    }

    /// One of the two answers: a string, a message, or a conversation whose last message it is.
    private func answer(_ row: JSONObject, _ column: String?, _ usual: String) throws(RowFault) -> ChatMessage {
        let column = column ?? usual
        guard var value = row[column], !value.isNull else {
            throw RowFault("the column \"\(column)\" is missing: a preference needs two answers")
        }
        if let list = value.arrayValue {
            guard let last = list.last else { throw RowFault("the column \"\(column)\" is an empty list") }
            value = last
        }
        let message: ChatMessage
        if let text = value.stringValue {
            message = .assistant(text)
        } else if value.objectValue != nil {
            message = try answerMessage(value, column)
        } else {
            throw RowFault("the column \"\(column)\" is \(value.kindName), expected an answer")
        }
        if message.content.isEmpty { throw RowFault("the column \"\(column)\" is empty: a preference needs two answers") }
        return message
    }

    private func answerMessage(_ value: JSONValue, _ column: String) throws(RowFault) -> ChatMessage {
        // Bare files of one format may hold answers as the other writes messages.
        let isOpenAI = value[entry.roleTag] == nil && value["role"] != nil
        guard let role = value[isOpenAI ? "role" : entry.roleTag]?.stringValue else {
            throw RowFault("the column \"\(column)\" has no \"\(entry.roleTag)\"")
        }
        guard let text = value[isOpenAI ? "content" : entry.contentTag]?.stringValue else {
            throw RowFault("the column \"\(column)\" has no \"\(entry.contentTag)\"")
        }
        if role == entry.functionTag { return ChatMessage(role: .function, content: text) }
        if role == entry.assistantTag || isOpenAI && role == "assistant" { return .assistant(text) }
        throw RowFault("the column \"\(column)\" is from \"\(role)\", expected \(entry.assistantTag) or \(entry.functionTag)")
    }
}
