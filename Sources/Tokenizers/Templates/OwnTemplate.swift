import Formats
import Platform

/// The model's own Jinja template. Turns are found by rendering the conversation up to each message: what a longer rendering adds
/// is the turn's text.
struct OwnTemplate: Sendable {
    private let template: JinjaTemplate
    let sourceText: String

    init(source: String) throws(TemplateError) {
        template = try JinjaTemplate(source)
        sourceText = source
    }

    /// The rendered conversation.
    func text(
        _ messages: [ChatMessage], system: String?, tools: String?, tokenizer: Tokenizer, addGenerationPrompt: Bool, enableThinking: Bool?,
        unixTime: Double = Clock.unixTime()
    ) throws(TemplateError) -> String {
        var list: [JSONValue] = []
        if let system, !system.isEmpty { list.append(["role": "system", "content": .string(system)]) }
        for message in messages { list.append(try OwnTemplate.json(message)) }
        return try render(
            list, tools: tools, tokenizer: tokenizer, addGenerationPrompt: addGenerationPrompt, enableThinking: enableThinking, unixTime: unixTime)
    }

    func render(
        _ messages: [JSONValue], tools: String?, tokenizer: Tokenizer, addGenerationPrompt: Bool, enableThinking: Bool?,
        unixTime: Double = Clock.unixTime()
    ) throws(TemplateError) -> String {
        var context: JSONObject = ["messages": .array(messages), "add_generation_prompt": .bool(addGenerationPrompt)]
        var toolList = JSONValue.null
        if let tools, !tools.isEmpty {
            do { toolList = try JSONValue.parse(tools, name: "tools") } catch {
                throw .badToolJSON(what: "The list of tools", reason: error.description)
            }
            if toolList.arrayValue?.isEmpty == true { toolList = .null }
        }
        context["tools"] = toolList
        context["documents"] = .null
        for (name, token) in [
            ("bos_token", tokenizer.bosToken), ("eos_token", tokenizer.eosToken), ("pad_token", tokenizer.padToken),
            ("unk_token", tokenizer.unkToken),
        ] {
            if let token { context[name] = .string(token) }
        }
        if let enableThinking { context["enable_thinking"] = .bool(enableThinking) }
        return try template.render(context: context, unixTime: unixTime)
    }

    private static func json(_ message: ChatMessage) throws(TemplateError) -> JSONValue {
        var object: JSONObject = [:]
        switch message.role {
        case .system, .user, .assistant:
            object = ["role": .string(message.role.rawValue), "content": .string(message.content)]
        case .observation: object = ["role": "tool", "content": .string(message.content)]
        case .function:
            object = ["role": "assistant", "content": ""]
            let value: JSONValue
            do { value = try JSONValue.parse(message.content, name: "tool call") } catch {
                throw .badToolJSON(what: "A tool call", reason: error.description)
            }
            object["tool_calls"] = .array((value.arrayValue ?? [value]).map { ["type": "function", "function": $0] })
        }
        if !message.toolCalls.isEmpty { object["tool_calls"] = .array(message.toolCalls) }
        if let reasoning = message.reasoning { object["reasoning_content"] = .string(reasoning) }
        return .object(object)
    }

    func oneTurn(
        _ messages: [ChatMessage], system: String?, tools: String?, tokenizer: Tokenizer, enableThinking: Bool?
    ) throws(TemplateError) -> (prompt: [Int32], response: [Int32]) {
        let prompt = try text(
            Array(messages.dropLast()), system: system, tools: tools, tokenizer: tokenizer, addGenerationPrompt: true,
            enableThinking: enableThinking)
        let whole = try text(
            messages, system: system, tools: tools, tokenizer: tokenizer, addGenerationPrompt: false, enableThinking: enableThinking)
        let (given, learnt) = OwnTemplate.divide(whole, after: prompt)
        return (tokenizer.encode(given), tokenizer.encode(learnt))
    }

    /// Turns in order. An earlier answer that later renderings change (thoughts that are dropped) cannot be learnt in one pass:
    /// it becomes part of the next turn's prompt.
    func turns(
        _ messages: [ChatMessage], system: String?, tools: String?, tokenizer: Tokenizer, enableThinking: Bool?
    ) throws(TemplateError) -> [(prompt: [Int32], response: [Int32])] {
        let whole = try text(
            messages, system: system, tools: tools, tokenizer: tokenizer, addGenerationPrompt: false, enableThinking: enableThinking)
        var result: [(prompt: [Int32], response: [Int32])] = []
        var written = ""
        for end in stride(from: 2, through: messages.count, by: 2) {
            let head = Array(messages[..<end])
            let upTo = end == messages.count ? whole : try text(
                head, system: system, tools: tools, tokenizer: tokenizer, addGenerationPrompt: false, enableThinking: enableThinking)
            if end < messages.count, !JinjaText.hasPrefix(whole, upTo) { continue }
            let prompt = try text(
                Array(head.dropLast()), system: system, tools: tools, tokenizer: tokenizer, addGenerationPrompt: true,
                enableThinking: enableThinking)
            let (given, learnt) = OwnTemplate.divide(upTo, after: prompt)
            guard JinjaText.hasPrefix(given, written) else { continue }
            let fresh = String(decoding: given.utf8.dropFirst(written.utf8.count), as: UTF8.self)
            result.append((tokenizer.encode(fresh), tokenizer.encode(learnt)))
            written = upTo
        }
        return result
    }

    /// `whole` cut where `prompt` ends; where it is no prefix (a generation prompt with thoughts), at the end of what they share.
    private static func divide(_ whole: String, after prompt: String) -> (given: String, learnt: String) {
        let bytes = Array(whole.utf8)
        var shared = 0
        for byte in prompt.utf8 {
            guard shared < bytes.count, bytes[shared] == byte else { break }
            shared += 1
        }
        while shared > 0, shared < bytes.count, bytes[shared] & 0xC0 == 0x80 { shared -= 1 }
        return (String(decoding: bytes[..<shared], as: UTF8.self), String(decoding: bytes[shared...], as: UTF8.self))
    }

    /// The special tokens with which an answer ends.
    func endTokens(_ tokenizer: Tokenizer) -> [Int32] {
        let probe = "tuneboard"
        let messages: [ChatMessage] = [.user("Hello"), .assistant(probe)]
        guard
            let text = try? text(messages, system: nil, tools: nil, tokenizer: tokenizer, addGenerationPrompt: false, enableThinking: nil),
            let place = TextSearch.find(Array(probe.utf8), in: Array(text.utf8), from: 0)
        else { return [] }
        let tail = String(decoding: text.utf8.dropFirst(place + probe.utf8.count), as: UTF8.self)
        return tokenizer.encode(tail).first { tokenizer.isSpecial($0) }.map { [$0] } ?? []
    }
}
