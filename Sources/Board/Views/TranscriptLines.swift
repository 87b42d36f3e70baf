import Terminal

/// The conversation as lines of a given width: the one place that wraps it, for drawing and for scrolling.
enum TranscriptLines {
    struct Line: Equatable {
        var text: String
        var scope: String
        /// Shown at the right end of the line.
        var note = ""
    }

    static func lines(of chat: ChatState, width: Int) -> [Line] {
        var lines: [Line] = []
        for turn in chat.turns {
            if !lines.isEmpty { lines.append(Line(text: "", scope: "chat.text")) }
            lines.append(heading(of: turn))
            lines += body(of: turn, width: width)
        }
        return lines
    }

    static func count(of chat: ChatState, width: Int) -> Int { lines(of: chat, width: width).count }

    private static func heading(of turn: ChatTurn) -> Line {
        switch turn.speaker {
        case .user: return Line(text: say("User"), scope: "chat.user")
        case .assistant:
            var title = say("Assistant")
            if let used = turn.usedAdapter, !used { title += "  " + say("base model, adapter off") }
            if turn.isStreaming { title += "  " + say("(streaming, Esc stops)") }
            if turn.isStopped { title += "  " + say("(stopped)") }
            var note = ""
            if let tokens = turn.tokenCount, let speed = turn.tokensPerSecond {
                note = say("\(tokens) tok  \(Words.speed(speed)) tok/s")
            }
            return Line(text: title, scope: "chat.assistant", note: note)
        }
    }

    private static func body(of turn: ChatTurn, width: Int) -> [Line] {
        let clean = TextWidth.sanitize(turn.text)
        var scope = "chat.text"
        var lines: [Line] = []
        for paragraph in clean.split(separator: "\n", omittingEmptySubsequences: false) {
            // Thinking blocks are kept apart by their colour.
            if paragraph.hasPrefix("<think>") { scope = "chat.thinking" }
            lines += TextWidth.wrap(String(paragraph), to: max(4, width - 2)).map { Line(text: "  " + $0, scope: scope) }
            if paragraph.hasSuffix("</think>") { scope = "chat.text" }
        }
        if turn.isStreaming, let last = lines.indices.last { lines[last].text += "█" }
        return lines
    }
}
