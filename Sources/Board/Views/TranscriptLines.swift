import Platform
import Terminal

/// The conversation as lines of a given width: the one place that wraps it, for drawing and for scrolling.
struct TranscriptLines {
    /// The lines of each message, its heading first; an empty line stands between two messages.
    private let blocks: [[StyledLine]]
    let count: Int

    init(of chat: ChatState, _ turns: [ChatTurn], width: Int) {
        blocks = turns.enumerated().map { index, turn in
            turn.earlier.enumerated().flatMap { place, answer in
                [Self.heading(of: answer, isSelected: false, version: Self.version(place, of: turn.versions), loaded: chat.modelInfo)]
                    + chat.wrapped.body(of: answer, width: width, showsThoughts: chat.showsThoughts) + [StyledLine("", "chat.text")]
            }
                + [Self.heading(of: turn, isSelected: chat.selectedTurn == index, version: Self.version(turn.earlier.count, of: turn.versions), loaded: chat.modelInfo)]
                + chat.wrapped.body(of: turn, width: width, showsThoughts: chat.showsThoughts)
        }
        count = blocks.reduce(0) { $0 + $1.count } + max(0, blocks.count - 1)
    }

    init(of chat: ChatState, width: Int) { self.init(of: chat, chat.shownTurns, width: width) }

    /// Some of the lines, of all from the first to the last.
    subscript(_ range: Range<Int>) -> [StyledLine] {
        var lines: [StyledLine] = []
        var start = 0
        for (index, block) in blocks.enumerated() {
            if index > 0 {
                if range.contains(start) { lines.append(StyledLine("", "chat.text")) }
                start += 1
            }
            let part = range.clamped(to: start..<start + block.count)
            if !part.isEmpty { lines += block[part.lowerBound - start..<part.upperBound - start] }
            start += block.count
            if start >= range.upperBound { break }
        }
        return lines
    }

    var all: [StyledLine] { self[0..<count] }

    /// Where a message begins.
    func firstLine(ofTurn index: Int) -> Int? {
        blocks.indices.contains(index) ? blocks[..<index].reduce(0) { $0 + $1.count + 1 } : nil
    }

    /// The lines of the side that fills more of them, which is what scrolling goes by.
    static func count(of chat: ChatState, width: Int) -> Int {
        max(TranscriptLines(of: chat, width: width).count, chat.otherTurns.map { TranscriptLines(of: chat, $0, width: width).count } ?? 0)
    }

    /// What tells an answer from the others to its question: who gave it, and where the same one gave several, which of them it is.
    private struct Version {
        var isOneOfSeveral: Bool
        var words: String?
    }

    private static func version(_ place: Int, of versions: [ChatTurn]) -> Version {
        let own = versions.indices.filter { versions[$0].usedAdapter == versions[place].usedAdapter && versions[$0].answeredBy == versions[place].answeredBy }
        return Version(
            isOneOfSeveral: versions.count > 1, words: own.count < 2 ? nil : own.last == place ? say("new answer") : say("earlier answer"))
    }

    private static func heading(of turn: ChatTurn, isSelected: Bool, version: Version, loaded: ChatModelInfo?) -> StyledLine {
        let mark = isSelected ? "▶ " : ""
        switch turn.speaker {
        case .user: return StyledLine(mark + say("User"), "chat.user")
        case .assistant:
            var title = mark + say("Assistant")
            // Who it was comes first: the rest is cut off where there is little room.
            if let name = turn.answeredBy, let loaded, name != loaded.answerer(usesAdapter: turn.usedAdapter ?? (loaded.adapterName != nil)) {
                title += "  " + TextWidth.sanitize(name)
            } else if turn.usedAdapter == false {
                title += "  " + say("base")
            } else if turn.usedAdapter == true, version.isOneOfSeveral {
                title += "  " + say("adapter")
            }
            if let words = version.words { title += "  " + words }
            if turn.isStreaming { title += "  " + say("(streaming, Esc stops)") }
            if turn.isStopped { title += "  " + say("(stopped)") }
            var note = ""
            if let tokens = turn.tokenCount, let speed = turn.tokensPerSecond {
                note = say("\(tokens) tok  \(Words.speed(speed)) tok/s")
            }
            return StyledLine(title, "chat.assistant", note: note)
        }
    }

    /// The words of a message, wrapped.
    fileprivate static func body(of turn: ChatTurn, width: Int, showsThoughts: Bool) -> [StyledLine] {
        let clean = TextWidth.sanitize(turn.text)
        let width = max(8, width - 2)
        var lines: [StyledLine] = []
        switch turn.speaker {
        case .user: lines = TextWidth.wrap(clean, to: width).map { StyledLine($0, "chat.text") }
        case .assistant:
            let parts = ThoughtParts(clean)
            if let thought = parts.thought {
                lines += thinking(thought, isOpen: showsThoughts, isGoingOn: turn.isStreaming && !parts.hasEnded, width: width)
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

/// Messages wrapped once: a message that stays the same at the same width is not laid out again, however often it is drawn.
///
/// It holds nothing that does not follow from the messages, so copies of the state may share it.
final class WrappedMessages: Sendable {
    private struct Key: Hashable {
        var text: String
        var isUser: Bool
        var width: Int
        var showsThoughts: Bool
        var language: Language
    }

    private let lines = Mutex<[Key: [StyledLine]]>([:])
    /// Beyond it everything is laid out anew: widths and languages of long ago are not kept.
    private static let limit = 2_000

    func body(of turn: ChatTurn, width: Int, showsThoughts: Bool) -> [StyledLine] {
        // A message that is being written is another one in every frame.
        guard !turn.isStreaming else { return TranscriptLines.body(of: turn, width: width, showsThoughts: showsThoughts) }
        let key = Key(
            text: turn.text, isUser: turn.speaker == .user, width: width, showsThoughts: showsThoughts, language: Wording.current.language)
        if let known = lines.withLock({ $0[key] }) { return known }
        let made = TranscriptLines.body(of: turn, width: width, showsThoughts: showsThoughts)
        lines.withLock { lines in
            if lines.count >= Self.limit { lines.removeAll() }
            lines[key] = made
        }
        return made
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
