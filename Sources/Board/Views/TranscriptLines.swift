import Terminal

/// The conversation as lines of a given width: the one place that wraps it, for drawing and for scrolling.
enum TranscriptLines {
    static func lines(of chat: ChatState, _ turns: [ChatTurn], width: Int) -> [StyledLine] {
        var lines: [StyledLine] = []
        for (index, turn) in turns.enumerated() {
            if !lines.isEmpty { lines.append(StyledLine("", "chat.text")) }
            var own = [heading(of: turn, isSelected: chat.selectedTurn == index)] + body(of: turn, in: chat, width: width)
            for place in own.indices { own[place].turn = index }
            lines += own
        }
        return lines
    }

    static func lines(of chat: ChatState, width: Int) -> [StyledLine] { lines(of: chat, chat.turns, width: width) }

    /// The lines of the side that fills more of them, which is what scrolling goes by.
    static func count(of chat: ChatState, width: Int) -> Int {
        max(lines(of: chat, width: width).count, chat.otherTurns.map { lines(of: chat, $0, width: width).count } ?? 0)
    }

    private static func heading(of turn: ChatTurn, isSelected: Bool) -> StyledLine {
        let mark = isSelected ? "▶ " : ""
        switch turn.speaker {
        case .user: return StyledLine(mark + say("User"), "chat.user")
        case .assistant:
            var title = mark + say("Assistant")
            if let used = turn.usedAdapter, !used { title += "  " + say("base model, adapter off") }
            if turn.isStreaming { title += "  " + say("(streaming, Esc stops)") }
            if turn.isStopped { title += "  " + say("(stopped)") }
            var note = ""
            if let tokens = turn.tokenCount, let speed = turn.tokensPerSecond {
                note = say("\(tokens) tok  \(Words.speed(speed)) tok/s")
            }
            return StyledLine(title, "chat.assistant", note: note)
        }
    }

    private static func body(of turn: ChatTurn, in chat: ChatState, width: Int) -> [StyledLine] {
        let clean = TextWidth.sanitize(turn.text)
        let width = max(8, width - 2)
        var lines: [StyledLine] = []
        switch turn.speaker {
        case .user: lines = TextWidth.wrap(clean, to: width).map { StyledLine($0, "chat.text") }
        case .assistant:
            let parts = ThoughtParts(clean)
            if let thought = parts.thought {
                lines += thinking(thought, isOpen: chat.showsThoughts, isGoingOn: turn.isStreaming && !parts.hasEnded, width: width)
            }
            if !parts.answer.isEmpty || parts.thought == nil { lines += MarkdownText.lines(parts.answer, width: width) }
        }
        if turn.isStreaming, let last = lines.indices.last { lines[last].spans.append(StyledSpan(text: "█", scope: "chat.text")) }
        return lines.map { $0.indented("  ") }
    }

    private static func thinking(_ thought: String, isOpen: Bool, isGoingOn: Bool, width: Int) -> [StyledLine] {
        let count = thought.split { $0 == " " || $0.isNewline }.count
        let words = isGoingOn ? say("thinking… \(count) words so far") : say("thought for \(count) words")
        let head = StyledLine((isOpen ? "▾ " : "▸ ") + words + (isOpen ? "" : say("; Alt+f unfolds")), "chat.thinking")
        guard isOpen else { return [head] }
        return [head] + TextWidth.wrap(thought, to: width - 2).map { StyledLine("  " + $0, "chat.thinking") }
    }
}

/// An answer taken apart: what the model thought aloud before it answered, and the answer.
struct ThoughtParts: Equatable {
    var thought: String?
    var answer: String
    /// Whether the end of the thought has come.
    var hasEnded = true

    private static let marks = [("<think>", "</think>"), ("<seed:think>", "</seed:think>"), ("[THINK]", "[/THINK]")]

    init(_ text: String) {
        let trimmed = text.drop { $0.isWhitespace }
        for (open, close) in Self.marks where trimmed.hasPrefix(open) {
            let inside = trimmed.dropFirst(open.count)
            if let end = inside.firstRange(of: close) {
                thought = Self.trimmed(inside[..<end.lowerBound])
                answer = String(inside[end.upperBound...].drop { $0.isWhitespace })
            } else {
                thought = Self.trimmed(inside)
                answer = ""
                hasEnded = false
            }
            if thought?.isEmpty == true, hasEnded { thought = nil }
            return
        }
        answer = text
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text.drop { $0.isWhitespace }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
