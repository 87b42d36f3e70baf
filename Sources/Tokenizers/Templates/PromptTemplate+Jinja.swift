extension PromptTemplate {
    /// The template as Jinja, to be written into exported models; nil when it cannot be said in Jinja (single tokens by name).
    ///
    /// The tokens are written out, because an exported tokenizer may name another end token.
    public func jinja(tokenizer: Tokenizer) -> String? {
        guard case .named(let definition) = source else { return tokenizer.chatTemplateSource }
        guard let prefix = expression(definition.prefix, tokenizer, content: "content"),
            let system = expression(definition.system, tokenizer, content: "system_message"),
            let user = expression(definition.user, tokenizer, content: "content"),
            let assistant = expression(definition.assistantSlots, tokenizer, content: "content")
        else { return nil }
        var result = prefix.isEmpty ? "" : "{{ \(prefix) }}"
        let systemText = systemText(nil)
        if !systemText.isEmpty { result += "{% set system_message = \(PromptTemplate.quoted(systemText)) %}" }
        result += "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}"
        result += "{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% endif %}"
        var joinsSystem = false
        if case .systemInUser = definition.kind { joinsSystem = true }
        if !joinsSystem { result += "{% if system_message is defined %}{{ \(system) }}{% endif %}" }
        result += "{% for message in loop_messages %}"
        if joinsSystem {
            result += "{% if loop.index0 == 0 and system_message is defined %}"
            result += "{% set content = \(system) + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}"
        } else {
            result += "{% set content = message['content'] %}"
        }
        result += "{% if message['role'] == 'user' %}{{ \(user) }}"
        result += "{% elif message['role'] == 'assistant' %}{{ \(assistant) }}{% endif %}{% endfor %}"
        return result
    }

    /// A format as a sum of strings.
    private func expression(_ slots: [TemplateDefinition.Slot], _ tokenizer: Tokenizer, content: String) -> String? {
        var parts: [String] = []
        for slot in slots {
            switch slot {
            case .text(let text):
                let pieces = JinjaText.split(text, "{{content}}", 1, fromRight: false)
                if let first = pieces.first, !first.isEmpty { parts.append(PromptTemplate.quoted(first)) }
                if pieces.count > 1 {
                    parts.append(content)
                    if !pieces[1].isEmpty { parts.append(PromptTemplate.quoted(pieces[1])) }
                }
            case .bos: if let token = tokenizer.bosToken { parts.append(PromptTemplate.quoted(token)) }
            case .eos: if let token = tokenizer.eosToken { parts.append(PromptTemplate.quoted(token)) }
            case .token: return nil
            }
        }
        return parts.joined(separator: " + ")
    }

    private static func quoted(_ text: String) -> String {
        let escaped = TextSearch.replacing(TextSearch.replacing(text, "\\", with: "\\\\"), "'", with: "\\'")
        return "'" + TextSearch.replacing(escaped, "\n", with: "\\n") + "'"
    }
}
