import Formats

/// Encodes conversations by a named template, message by message, each piece of a format tokenised by itself.
struct TemplateEncoder {
    let definition: TemplateDefinition
    let template: PromptTemplate
    let tokenizer: Tokenizer

    func multiTurn(
        _ given: [ChatMessage], system: String?, tools: String?, discardsHistoryThoughts: Bool
    ) throws(TemplateError) -> [(prompt: [Int32], response: [Int32])] {
        var messages = given
        guard template.isReasoning else { return pairs(try encode(messages, system: system, tools: tools)) }
        if template.enableThinking == false {
            for index in stride(from: 1, to: messages.count, by: 2) { removeThoughts(&messages[index]) }
        }
        if discardsHistoryThoughts {
            for index in stride(from: 1, to: messages.count - 2, by: 2) { removeThoughts(&messages[index]) }
        }
        var encoded = try encode(messages, system: system, tools: tools)
        let first = discardsHistoryThoughts ? messages.count - 2 : 0
        for index in stride(from: first, to: messages.count, by: 2) where !hasThoughts(messages[index + 1]) {
            if template.enableThinking == true {
                encoded[index + 1] = emptyThoughts() + encoded[index + 1]
            } else {
                encoded[index] += emptyThoughts()
            }
        }
        return pairs(encoded)
    }

    func oneTurn(_ given: [ChatMessage], system: String?, tools: String?) throws(TemplateError) -> (prompt: [Int32], response: [Int32]) {
        var messages = given
        if template.isReasoning {
            if !template.preservesThinking {
                for index in stride(from: 1, to: messages.count - 2, by: 2) { removeThoughts(&messages[index]) }
            }
            if template.enableThinking == false { removeThoughts(&messages[messages.count - 1]) }
        }
        let encoded = try encode(messages, system: system, tools: tools)
        var prompt = encoded.dropLast().flatMap { $0 }
        var response = encoded.last ?? []
        if template.isReasoning, let last = messages.last, !hasThoughts(last) {
            if template.enableThinking == true {
                response = emptyThoughts() + response
            } else {
                prompt += emptyThoughts()
            }
        }
        return (prompt, response)
    }

    private func pairs(_ encoded: [[Int32]]) -> [(prompt: [Int32], response: [Int32])] {
        stride(from: 0, to: encoded.count - 1, by: 2).map { (encoded[$0], encoded[$0 + 1]) }
    }

    // MARK: Thoughts

    private func hasThoughts(_ message: ChatMessage) -> Bool {
        let open = JinjaText.strip(definition.thoughtWords.0, nil, left: true, right: true)
        let close = JinjaText.strip(definition.thoughtWords.1, nil, left: true, right: true)
        return TextSearch.contains(message.content, open) || TextSearch.contains(message.content, close)
    }

    private func removeThoughts(_ message: inout ChatMessage) {
        while let found = TextSearch.between(message.content, definition.thoughtWords.0, definition.thoughtWords.1) {
            message.content = TextSearch.replacing(message.content, found.whole, with: "", limit: 1)
        }
        message.content = JinjaText.strip(message.content, "\n", left: true, right: false)
    }

    private func emptyThoughts() -> [Int32] {
        if case .closingReasoning = definition.kind { return tokenizer.encode(definition.thoughtWords.1) }
        return tokenizer.encode(definition.thoughtWords.0 + definition.thoughtWords.1)
    }

    // MARK: Messages

    private func encode(_ messages: [ChatMessage], system: String?, tools: String?) throws(TemplateError) -> [[Int32]] {
        let systemText = template.systemText(system)
        var toolText = ""
        let hasTools = tools.map { !$0.isEmpty } ?? false
        if let tools, hasTools { toolText = try definition.tools.describe(tools) }
        var joinsSystem = false
        if case .systemInUser = definition.kind { joinsSystem = true }
        var result: [[Int32]] = []
        for (index, message) in messages.enumerated() {
            var ids: [Int32] = []
            var lead = ""
            if index == 0 {
                append(definition.prefix, content: "", to: &ids)
                if !systemText.isEmpty || hasTools {
                    if joinsSystem, case .text(let format)? = definition.system.first {
                        lead = fill(format, systemText + toolText)
                    } else {
                        append(definition.system, content: systemText + toolText, to: &ids)
                    }
                }
            }
            switch message.role {
            case .user: append(definition.user, content: lead + message.content, turn: index / 2, to: &ids)
            case .assistant: append(definition.assistantSlots, content: message.content, to: &ids)
            case .observation: append(definition.observationSlots, content: message.content, to: &ids)
            case .function:
                let text = try (definition.functionFormat ?? definition.tools).call(
                    message.content, thoughts: joinsSystem ? nil : definition.thoughtWords,
                    marks: joinsSystem ? nil : definition.toolCallWords)
                append(definition.functionSlots, content: text, to: &ids)
            case .system: throw .wrongRole(position: index, found: "system", expected: "user or assistant")
            }
            result.append(ids)
        }
        return result
    }

    private func fill(_ format: String, _ content: String) -> String {
        TextSearch.replacing(format, "{{content}}", with: content, limit: 1)
    }

    private func append(_ slots: [TemplateDefinition.Slot], content: String, turn: Int? = nil, to ids: inout [Int32]) {
        for slot in slots {
            switch slot {
            case .text(let format):
                var format = format
                if let turn { format = TextSearch.replacing(format, "{{idx}}", with: String(turn), limit: 1) }
                let text = fill(format, content)
                if !text.isEmpty { ids += tokenizer.encode(text) }
            case .token(let name):
                if let id = tokenizer.id(of: name) ?? tokenizer.unkID { ids.append(id) }
            case .bos:
                if let id = tokenizer.bosID { ids.append(id) }
            case .eos:
                if let id = tokenizer.eosID { ids.append(id) }
            }
        }
    }
}
