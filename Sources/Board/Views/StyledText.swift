import Terminal

/// A piece of a line with the theme's scope that it is drawn in.
struct StyledSpan: Equatable, Sendable {
    var text: String
    var scope: String
}

/// One line of several looks.
struct StyledLine: Equatable, Sendable {
    var spans: [StyledSpan] = []
    /// Shown at the right end of the line, dim.
    var note = ""

    init(_ spans: [StyledSpan] = [], note: String = "") {
        self.spans = spans
        self.note = note
    }

    init(_ text: String, _ scope: String, note: String = "") {
        self.init([StyledSpan(text: text, scope: scope)], note: note)
    }

    var text: String { spans.map(\.text).joined() }

    func indented(_ indent: String, scope: String = "chat.text") -> StyledLine {
        StyledLine([StyledSpan(text: indent, scope: scope)] + spans, note: note)
    }
}

/// A paragraph in several looks, to be broken into lines.
struct StyledParagraph: Equatable {
    private(set) var characters: [Character] = []
    private(set) var scopes: [String] = []

    mutating func append(_ text: some StringProtocol, _ scope: String) {
        for character in text {
            characters.append(character)
            scopes.append(scope)
        }
    }

    var isEmpty: Bool { characters.isEmpty }
    var text: String { String(characters) }

    /// Lines of at most `width` cells, broken where `TextWidth.wrap` breaks them.
    func lines(width: Int) -> [StyledLine] {
        let text = text
        // Appended characters may join across looks; then the scopes no longer fit, and the plain text is shown.
        guard text.count == characters.count else { return TextWidth.wrap(text, to: width).map { StyledLine($0, scopes.first ?? "chat.text") } }
        var offset = 0
        var last = text.startIndex
        return TextWidth.wrapRanges(text, to: width).map { range in
            offset += text.distance(from: last, to: range.lowerBound)
            let start = offset
            offset += text.distance(from: range.lowerBound, to: range.upperBound)
            last = range.upperBound
            return StyledLine(spans(start..<offset))
        }
    }

    /// The characters of a range, those of one look together.
    func spans(_ range: Range<Int>) -> [StyledSpan] {
        var spans: [StyledSpan] = []
        for index in range {
            if spans.last?.scope == scopes[index] {
                spans[spans.count - 1].text.append(characters[index])
            } else {
                spans.append(StyledSpan(text: String(characters[index]), scope: scopes[index]))
            }
        }
        return spans
    }
}

extension Painter {
    /// Draws a line of several looks from the left of a row, its note at the right where there is room.
    mutating func styled(_ line: StyledLine, in row: Rect) {
        var x = row.x
        for span in line.spans where x < row.endX { x += text(span.text, x: x, y: row.y, width: row.endX - x, span.scope) }
        let noteWidth = TextWidth.width(of: line.note)
        if noteWidth > 0, x + noteWidth + 1 < row.endX {
            text(line.note, x: row.endX - noteWidth, y: row.y, width: noteWidth, "ui.text.dim")
        }
    }
}
