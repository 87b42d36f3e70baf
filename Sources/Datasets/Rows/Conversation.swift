import Formats
import Tokenizers

/// A row in the form that all formats lead to: questions and answers in turn, then what is to be learnt.
public struct Conversation: Sendable, Equatable {
    /// An odd number of messages that ends with a question.
    public var prompt: [ChatMessage]
    /// The answer; empty when the row has none.
    public var response: [ChatMessage]
    public var system: String
    /// JSON list of tools; empty for none.
    public var tools: String

    public init(prompt: [ChatMessage], response: [ChatMessage], system: String = "", tools: String = "") {
        self.prompt = prompt
        self.response = response
        self.system = system
        self.tools = tools
    }

    public var messages: [ChatMessage] { prompt + response }
}

/// Why a row is no conversation.
struct RowFault: Error {
    let reason: String
    init(_ reason: String) { self.reason = reason }
}

/// Turns rows into conversations by the rules of LLaMA-Factory's converters.
struct RowConverter: Sendable {
    let entry: DatasetEntry

    func conversation(_ value: JSONValue) throws(RowFault) -> Conversation {
        guard let row = value.objectValue else { throw RowFault("it is \(value.kindName), expected an object") }
        switch entry.format {
        case .alpaca: return try alpaca(row)
        case .sharegpt: return try sharegpt(row)
        case .openai: return try openAI(row)
        case .tokenised: throw RowFault("it holds token ids, not text")
        }
    }

    /// Text of a column that may be missing or null.
    func optionalText(_ row: JSONObject, _ column: String?) throws(RowFault) -> String {
        guard let column, let value = row[column], !value.isNull else { return "" }
        if let text = value.stringValue { return text }
        throw RowFault("the column \"\(column)\" is \(value.kindName), expected a string")
    }

    func toolText(_ row: JSONObject) throws(RowFault) -> String {
        guard let column = entry.tools, let value = row[column], !value.isNull else { return "" }
        if let text = value.stringValue { return text }
        return value.text(style: .python)
    }

    // MARK: alpaca

    /// The turns of the history, then the question.
    func alpacaPrompt(_ row: JSONObject) throws(RowFault) -> [ChatMessage] {
        var prompt: [ChatMessage] = []
        if let column = entry.history, let history = row[column]?.arrayValue {
            for (index, turn) in history.enumerated() {
                guard let question = turn[0]?.stringValue, let answer = turn[1]?.stringValue else {
                    throw RowFault("turn \(index + 1) of \"\(column)\" is no pair of strings")
                }
                prompt += [.user(question), .assistant(answer)]
            }
        }
        var query: [String] = []
        let first = try optionalText(row, entry.prompt)
        if !first.isEmpty { query.append(first) }
        let more = try optionalText(row, entry.query)
        if let column = entry.prompt, !row.contains(column), more.isEmpty { throw RowFault("the column \"\(column)\" is missing") }
        if !more.isEmpty { query.append(more) }
        prompt.append(.user(query.joined(separator: "\n")))
        return prompt
    }

    private func alpaca(_ row: JSONObject) throws(RowFault) -> Conversation {
        let prompt = try alpacaPrompt(row)
        var response: [ChatMessage] = []
        if let column = entry.response {
            guard let value = row[column] else { throw RowFault("the column \"\(column)\" is missing") }
            if let text = value.stringValue {
                response = [.assistant(text)]
            } else if !value.isNull {
                throw RowFault("the column \"\(column)\" is \(value.kindName), expected a string")
            }
        }
        return Conversation(
            prompt: prompt, response: response, system: try optionalText(row, entry.system), tools: try toolText(row))
    }

    // MARK: sharegpt

    private func messages(_ row: JSONObject) throws(RowFault) -> [JSONValue] {
        let column = entry.messages ?? "conversations"
        guard let value = row[column] else { throw RowFault("the column \"\(column)\" is missing") }
        guard let messages = value.arrayValue else { throw RowFault("the column \"\(column)\" is \(value.kindName), expected a list") }
        return messages
    }

    func role(_ message: JSONValue, _ index: Int) throws(RowFault) -> String {
        guard let role = message[entry.roleTag]?.stringValue else { throw RowFault("message \(index + 1) has no \"\(entry.roleTag)\"") }
        return role
    }

    func content(_ message: JSONValue, _ index: Int) throws(RowFault) -> String {
        guard let value = message[entry.contentTag], !value.isNull else { throw RowFault("message \(index + 1) has no \"\(entry.contentTag)\"") }
        if let text = value.stringValue { return text }
        // Content in parts: only text can be learnt here.
        guard let parts = value.arrayValue else {
            throw RowFault("message \(index + 1): \"\(entry.contentTag)\" is \(value.kindName), expected a string")
        }
        var text = ""
        for part in parts {
            guard let piece = part["text"]?.stringValue else { throw RowFault("message \(index + 1) holds something other than text") }
            text += piece
        }
        return text
    }

    private func takeSystem(_ row: JSONObject, _ messages: inout [JSONValue]) throws(RowFault) -> String {
        if let tag = entry.systemTag, let first = messages.first, first[entry.roleTag]?.stringValue == tag {
            messages.removeFirst()
            return try content(first, 0)
        }
        return try optionalText(row, entry.system)
    }

    private func sharegpt(_ row: JSONObject) throws(RowFault) -> Conversation {
        let (aligned, system) = try sharegptMessages(row)
        return try split(aligned, system: system, tools: try toolText(row))
    }

    /// Questions and answers in turn, and what stands before them.
    func sharegptMessages(_ row: JSONObject) throws(RowFault) -> (messages: [ChatMessage], system: String) {
        var messages = try messages(row)
        let system = try takeSystem(row, &messages)
        var aligned: [ChatMessage] = []
        for (index, message) in messages.enumerated() {
            let role = try role(message, index)
            let known: ChatMessage.Role
            if role == entry.userTag {
                known = .user
            } else if role == entry.observationTag {
                known = .observation
            } else if role == entry.assistantTag {
                known = .assistant
            } else if role == entry.functionTag {
                known = .function
            } else {
                throw RowFault("message \(index + 1) has the role \"\(role)\", expected \(expected(index))")
            }
            let isQuestion = known == .user || known == .observation
            if isQuestion != (index % 2 == 0) { throw RowFault("message \(index + 1) is from \"\(role)\", expected \(expected(index))") }
            aligned.append(ChatMessage(role: known, content: try content(message, index)))
        }
        return (aligned, system)
    }

    private func expected(_ index: Int) -> String {
        index % 2 == 0 ? "\(entry.userTag) or \(entry.observationTag)" : "\(entry.assistantTag) or \(entry.functionTag)"
    }

    private func split(_ messages: [ChatMessage], system: String, tools: String) throws(RowFault) -> Conversation {
        if messages.isEmpty { throw RowFault("the conversation is empty") }
        if messages.count % 2 != 0 { throw RowFault("the conversation has \(messages.count) messages: the last question has no answer") }
        return Conversation(prompt: Array(messages.dropLast()), response: Array(messages.suffix(1)), system: system, tools: tools)
    }

    // MARK: openai

    /// As sharegpt; several tool results in a row become one, and calls stand in `tool_calls`.
    private func openAI(_ row: JSONObject) throws(RowFault) -> Conversation {
        let (aligned, system) = try openAIMessages(row)
        return try split(aligned, system: system, tools: try toolText(row))
    }

    func openAIMessages(_ row: JSONObject) throws(RowFault) -> (messages: [ChatMessage], system: String) {
        var messages = try messages(row)
        let system = try takeSystem(row, &messages)
        var aligned: [ChatMessage] = []
        var results: [String] = []
        for (index, message) in messages.enumerated() {
            let role = try role(message, index)
            if role == entry.observationTag {
                results.append(try content(message, index))
                continue
            }
            if !results.isEmpty {
                aligned.append(ChatMessage(role: .observation, content: results.joined(separator: "\n</tool_response>\n<tool_response>\n")))
                results = []
            }
            if role == entry.assistantTag || role == entry.functionTag, let calls = message["tool_calls"]?.arrayValue, !calls.isEmpty {
                let functions = JSONValue.array(calls.map { $0["function"] ?? $0 })
                aligned.append(ChatMessage(role: .function, content: RowConverter.parsedArguments(functions).text(style: .python)))
            } else if role == entry.functionTag {
                aligned.append(ChatMessage(role: .function, content: try content(message, index)))
            } else if role == entry.assistantTag {
                aligned.append(ChatMessage(role: .assistant, content: try content(message, index)))
            } else if role == entry.userTag {
                aligned.append(ChatMessage(role: .user, content: try content(message, index)))
            } else {
                throw RowFault("message \(index + 1) has the role \"\(role)\", expected \(expected(index))")
            }
        }
        for (index, message) in aligned.enumerated() {
            let isQuestion = message.role == .user || message.role == .observation
            if isQuestion != (index % 2 == 0) { throw RowFault("message \(index + 1) is from \(message.role.rawValue), expected \(expected(index))") }
        }
        return (aligned, system)
    }

    /// OpenAI writes a call's arguments as JSON in a string.
    private static func parsedArguments(_ calls: JSONValue) -> JSONValue {
        .array(
            (calls.arrayValue ?? []).map { call in
                guard var object = call.objectValue, let text = object["arguments"]?.stringValue,
                    let parsed = try? JSONValue.parse(text, name: "arguments"), parsed.objectValue != nil
                else { return call }
                object["arguments"] = parsed
                return .object(object)
            })
    }
}
