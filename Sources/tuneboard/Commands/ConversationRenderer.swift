/// Conversations as the text and the ids that a model gets.

import Formats
import Tokenizers

/// Renders `{"messages": [...], "tools": [...], "enable_thinking": ...}` with a named template, or with the model's own.
struct ConversationRenderer {
    private let tokenizer: Tokenizer
    /// Nil for the model's own template.
    private let template: PromptTemplate?
    private let own: JinjaTemplate?
    private let addsGenerationPrompt: Bool

    /// - Parameter template: a named template; nil takes the model's own.
    init(tokenizer: Tokenizer, template name: String?, addsGenerationPrompt: Bool) throws(TemplateError) {
        self.addsGenerationPrompt = addsGenerationPrompt
        if let name {
            let template = try PromptTemplate.named(name)
            self.template = template
            self.tokenizer = template.prepare(tokenizer).tokenizer
            own = nil
        } else {
            guard let source = tokenizer.chatTemplateSource else { throw .noOwnTemplate(directory: tokenizer.directory) }
            template = nil
            self.tokenizer = tokenizer
            own = try JinjaTemplate(source)
        }
    }

    func render(_ value: JSONValue) throws -> (text: String, tokens: [Int32]) {
        guard let row = value.objectValue, let messages = row["messages"]?.arrayValue else {
            throw TokenizerCommand.LineError("expected {\"messages\": [...]}, found \(value.kindName)")
        }
        if let template { return try renderNamed(template, row, messages) }
        if let own { return try renderOwn(own, row, messages) }
        throw TemplateError.noOwnTemplate(directory: tokenizer.directory)
    }

    /// The model's template gets the row as it is, so that it can use whatever its messages hold.
    private func renderOwn(_ template: JinjaTemplate, _ row: JSONObject, _ messages: [JSONValue]) throws -> (String, [Int32]) {
        var context = row
        context.set("messages", .array(messages))
        if !row.contains("tools") { context.set("tools", .null) }
        if !row.contains("documents") { context.set("documents", .null) }
        context.set("add_generation_prompt", .bool(addsGenerationPrompt))
        let tokens = [
            ("bos_token", tokenizer.bosToken), ("eos_token", tokenizer.eosToken), ("pad_token", tokenizer.padToken),
            ("unk_token", tokenizer.unkToken),
        ]
        for (name, token) in tokens {
            if let token { context.set(name, .string(token)) }
        }
        let text = try template.render(context: context)
        return (text, tokenizer.encode(text))
    }

    private func renderNamed(_ template: PromptTemplate, _ row: JSONObject, _ messages: [JSONValue]) throws -> (String, [Int32]) {
        var template = template
        if let thinks = row["enable_thinking"]?.boolValue { template.enableThinking = thinks }
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
