/// Where a named template and the model's own chat template write different prompts for the same conversation.
public struct TemplateDifference: Sendable, Equatable, CustomStringConvertible {
    public var templateName: String
    /// What was asked of both.
    public var conversation: String
    /// From shortly before the first difference.
    public var named: String
    public var own: String

    public var description: String {
        "The template \(templateName) and the model's own chat template differ \(conversation): \(Self.shown(named)) against \(Self.shown(own)). "
            + "The model was made for its own one; leave `template` out to use that."
    }

    private static func shown(_ text: String) -> String {
        "\"" + TextSearch.replacing(TextSearch.replacing(text, "\n", with: "\\n"), "\"", with: "\\\"") + "\""
    }
}

extension PromptTemplate {
    /// Compares the prompts that this template and the model's own write for a few plain conversations.
    /// - Parameter tokenizer: the model's, before `prepare`, which may replace its chat template.
    /// - Returns: the first difference; nil when there is none, or nothing to compare with.
    public func differenceFromOwn(_ tokenizer: Tokenizer) -> TemplateDifference? {
        guard case .named = source, let own = try? PromptTemplate.ownJinja(of: tokenizer) else { return nil }
        let turns: [ChatMessage] = [.user("Hello"), .assistant("Hi"), .user("What now?")]
        let probes: [(String, [ChatMessage], String?)] = [
            ("for a question", Array(turns.prefix(1)), nil), ("in several turns", turns, nil), ("with a system message", turns, "Be brief."),
        ]
        for (what, messages, system) in probes {
            guard let (named, given) = try? texts(messages, system: system, own: own, tokenizer: tokenizer),
                let difference = Self.firstDifference(named, given)
            else { continue }
            return TemplateDifference(templateName: name, conversation: what, named: difference.0, own: difference.1)
        }
        return nil
    }

    /// The prompt for the next answer as both templates write it.
    func texts(
        _ messages: [ChatMessage], system: String?, own: PromptTemplate, tokenizer: Tokenizer
    ) throws(TemplateError) -> (named: String, own: String) {
        let ids = try encodePrompt(messages, system: system, tokenizer: prepare(tokenizer).tokenizer)
        var plain = own
        plain.enableThinking = enableThinking
        let other = try plain.encodePrompt(messages, system: system, tokenizer: tokenizer)
        return (tokenizer.decode(ids, skipSpecialTokens: false), tokenizer.decode(other, skipSpecialTokens: false))
    }

    /// Both texts from up to 24 bytes before they part, 48 bytes long; nil when they are equal.
    public static func firstDifference(_ left: String, _ right: String) -> (String, String)? {
        let (a, b) = (Array(left.utf8), Array(right.utf8))
        if a == b { return nil }
        var place = 0
        while place < a.count, place < b.count, a[place] == b[place] { place += 1 }
        var start = max(0, place - 24)
        while start > 0, start < a.count, a[start] & 0xC0 == 0x80 { start -= 1 }
        func part(_ bytes: [UInt8]) -> String {
            var end = min(bytes.count, start + 48)
            while end > start, end < bytes.count, bytes[end] & 0xC0 == 0x80 { end -= 1 }
            return String(decoding: bytes[min(start, bytes.count)..<end], as: UTF8.self)
        }
        return (part(a), part(b))
    }
}
