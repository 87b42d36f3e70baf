/// Conversations as the text and the ids that a model gets.

import Formats
import Tokenizers

/// Renders `{"messages": [...], "tools": [...], "enable_thinking": ...}` with a named template, or with the model's own.
struct ConversationRenderer {
    let tokenizer: Tokenizer
    /// Nil for the model's own template.
    let template: String?
    let addsGenerationPrompt: Bool

    func render(_ value: JSONValue) throws -> (text: String, tokens: [Int32]) {
        guard let row = value.objectValue, let messages = row["messages"]?.arrayValue else {
            throw TokenizerCommand.LineError("expected {\"messages\": [...]}, found \(value.kindName)")
        }
        return if let template { try renderNamed(template, row, messages) } else { try renderOwn(row, messages) }
    }

    /// The model's template gets the row as it is, so that it can use whatever its messages hold.
    private func renderOwn(_ row: JSONObject, _ messages: [JSONValue]) throws -> (String, [Int32]) {
        guard let source = tokenizer.chatTemplateSource else { throw TemplateError.noOwnTemplate(directory: tokenizer.directory) }
        var context = row
        context.set("messages", .array(messages))
        if !row.contains("tools") { context.set("tools", .null) }
        context.set("add_generation_prompt", .bool(addsGenerationPrompt))
        let tokens = [
            ("bos_token", tokenizer.bosToken), ("eos_token", tokenizer.eosToken), ("pad_token", tokenizer.padToken),
            ("unk_token", tokenizer.unkToken),
        ]
        for (name, token) in tokens {
            if let token { context.set(name, .string(token)) }
        }
        let text = try JinjaTemplate(source).render(context: context)
        return (text, tokenizer.encode(text))
    }

    private func renderNamed(_ name: String, _ row: JSONObject, _ messages: [JSONValue]) throws -> (String, [Int32]) {
        var template = try PromptTemplate.named(name)
        if let thinks = row["enable_thinking"]?.boolValue { template.enableThinking = thinks }
        let tokenizer = template.prepare(tokenizer).tokenizer
        var turns = try messages.map(Self.message)
        let system = turns.first?.role == .system ? turns.removeFirst().content : nil
        let tools = row["tools"].flatMap { $0.isNull ? nil : $0.text(style: .python) }
        let endsWithQuestion = turns.last.map { $0.role == .user || $0.role == .observation } ?? false
        let ids: [Int32]
        if endsWithQuestion {
            ids = try template.encodePrompt(turns, system: system, tools: tools, tokenizer: tokenizer)
        } else {
            ids = try template.encodeMultiTurn(turns, system: system, tools: tools, tokenizer: tokenizer).flatMap { $0.prompt + $0.response }
        }
        return (tokenizer.decode(ids, skipSpecialTokens: false), ids)
    }

    private static func message(_ value: JSONValue) throws -> ChatMessage {
        guard let name = value["role"]?.stringValue, let role = ChatMessage.Role(name: name) else {
            throw TokenizerCommand.LineError("a message needs a role: system, user, assistant, tool, observation or function")
        }
        let calls = value["tool_calls"]?.arrayValue ?? []
        guard let content = value["content"]?.stringValue ?? (calls.isEmpty ? nil : "") else {
            throw TokenizerCommand.LineError("the \(name) message has no content")
        }
        return ChatMessage(role: role, content: content, toolCalls: calls, reasoning: value["reasoning_content"]?.stringValue)
    }
}
