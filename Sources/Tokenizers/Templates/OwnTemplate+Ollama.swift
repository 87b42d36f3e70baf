import Formats
import Platform

/// A Jinja template in the words of Ollama, which knows the usual ones only and would send plain text to a model with another.
extension OwnTemplate {
    /// What the template writes around messages, found by rendering conversations of known words.
    private struct Frame {
        /// Before the first message where there is no system message.
        var opening = ""
        /// Around a system message; nil where the template refuses one.
        var system: (before: String, after: String)?
        var user: (before: String, after: String) = ("", "")
        var assistantEnd = ""
    }

    /// Ollama's template; nil for one that treats equal turns differently, so that no frame around each says the same, and for one that
    /// writes the time, which would stay that of the export.
    func ollama(_ tokenizer: Tokenizer) -> String? {
        // Another year, month, day of the week, hour and minute.
        let now = Clock.unixTime(), later = now + 400 * 86_400 + 18_061
        guard let text = ollama(tokenizer, unixTime: now), text.utf8.elementsEqual(ollama(tokenizer, unixTime: later)?.utf8 ?? "".utf8) else { return nil }
        return text
    }

    private func ollama(_ tokenizer: Tokenizer, unixTime: Double) -> String? {
        // Ollama begins with the tokenizer's first token itself. Where turns begin with it too, it stays.
        guard let frame = frame(tokenizer, unixTime, dropsBegin: true) ?? frame(tokenizer, unixTime, dropsBegin: false) else { return nil }
        let pieces = [frame.opening, frame.system?.before, frame.system?.after, frame.user.before, frame.user.after, frame.assistantEnd]
        // Words of the template language and of Modelfiles cannot be told from the text.
        guard !pieces.contains(where: { $0?.contains("{{") == true || $0?.contains("\"\"\"") == true }) else { return nil }
        var text = frame.opening
        if let system = frame.system {
            text = "{{ if .System }}\(system.before){{ .System }}\(system.after){{ else }}\(frame.opening){{ end }}"
        }
        return text + "{{ range .Messages }}{{ if eq .Role \"user\" }}\(frame.user.before){{ .Content }}\(frame.user.after)"
            + "{{ else if eq .Role \"assistant\" }}{{ .Content }}\(frame.assistantEnd){{ end }}{{ end }}"
    }

    private func frame(_ tokenizer: Tokenizer, _ unixTime: Double, dropsBegin: Bool) -> Frame? {
        let words = ["tbsystemtb", "tbquestionatb", "tbansweratb", "tbquestionbtb"]
        let turns: [ChatMessage] = [.user(words[1]), .assistant(words[2]), .user(words[3])]
        let begin = dropsBegin && tokenizer.encode("", addSpecialTokens: true).first == tokenizer.bosID ? tokenizer.bosToken : nil
        func pieces(_ messages: [ChatMessage], system: String?, between words: ArraySlice<String>, asks: Bool) -> [String]? {
            let rendered = try? text(
                messages, system: system, tools: nil, tokenizer: tokenizer, addGenerationPrompt: asks, enableThinking: nil,
                unixTime: unixTime)
            guard var rest = rendered else { return nil }
            if let begin, JinjaText.hasPrefix(rest, begin) {
                rest = String(decoding: rest.utf8.dropFirst(begin.utf8.count), as: UTF8.self)
            }
            var found: [String] = []
            for word in words {
                guard let place = TextSearch.find(Array(word.utf8), in: Array(rest.utf8), from: 0) else { return nil }
                found.append(String(decoding: rest.utf8.prefix(place), as: UTF8.self))
                rest = String(decoding: rest.utf8.dropFirst(place + word.utf8.count), as: UTF8.self)
            }
            return found + [rest]
        }
        guard let plain = pieces(turns, system: nil, between: words[1...], asks: true),
            let answered = pieces(Array(turns.prefix(2)), system: nil, between: words[1...2], asks: false)
        else { return nil }
        // opening + before | after | end + before | after
        let end = answered[2]
        guard plain[1] == plain[3], JinjaText.hasPrefix(plain[2], end) else { return nil }
        let before = String(decoding: plain[2].utf8.dropFirst(end.utf8.count), as: UTF8.self)
        guard let opening = Self.without(before, plain[0]) else { return nil }
        var frame = Frame(opening: opening, user: (before, plain[3]), assistantEnd: end)
        if let full = pieces(turns, system: words[0], between: words[...], asks: true) {
            guard Array(full[2...]) == Array(plain[1...]), let after = Self.without(before, full[1]) else { return nil }
            frame.system = (full[0], after)
        }
        return frame
    }

    /// The text without its ending; nil where it ends otherwise.
    private static func without(_ ending: String, _ text: String) -> String? {
        guard text.utf8.count >= ending.utf8.count, Array(text.utf8.suffix(ending.utf8.count)) == Array(ending.utf8) else { return nil }
        return String(decoding: text.utf8.dropLast(ending.utf8.count), as: UTF8.self)
    }
}
