import Terminal

/// Markdown as models write it, made readable in a terminal: headings, lists, code with its language, tables, quotes, emphasis.
/// What looks like markup and is none stays as it was written; nothing is ever dropped but the marks themselves.
enum MarkdownText {
    /// - Parameter text: sanitised already.
    static func lines(_ text: String, width: Int) -> [StyledLine] {
        let width = max(8, width)
        let source = text.split(separator: "\n", omittingEmptySubsequences: false)
        var lines: [StyledLine] = []
        var index = 0
        while index < source.count {
            let line = source[index]
            if let fence = Fence(line) {
                var end = index + 1
                while end < source.count, !fence.isClosed(by: source[end]) { end += 1 }
                lines += code(source[min(index + 1, end)..<end], language: fence.language, width: width)
                index = end + 1
                continue
            }
            if line.contains("|"), index + 1 < source.count, let alignments = MarkdownTable.alignments(source[index + 1]),
                MarkdownTable.cells(line).count == alignments.count, MarkdownTable.fits(alignments.count, width: width)
            {
                var end = index + 2
                while end < source.count, source[end].contains("|") { end += 1 }
                let rows = [MarkdownTable.cells(line)] + source[(index + 2)..<end].map(MarkdownTable.cells)
                lines += MarkdownTable(rows: rows, alignments: alignments).lines(width: width)
                index = end
                continue
            }
            lines += block(line, width: width)
            index += 1
        }
        return lines
    }

    /// The code blocks of a text, in order, as they were written.
    static func codeBlocks(_ text: String) -> [(language: String, code: String)] {
        let source = text.split(separator: "\n", omittingEmptySubsequences: false)
        var blocks: [(language: String, code: String)] = []
        var index = 0
        while index < source.count {
            if let fence = Fence(source[index]) {
                var end = index + 1
                while end < source.count, !fence.isClosed(by: source[end]) { end += 1 }
                blocks.append((fence.language, source[min(index + 1, end)..<end].joined(separator: "\n")))
                index = end
            }
            index += 1
        }
        return blocks
    }

    // MARK: Blocks

    /// ```` ```swift ````
    private struct Fence {
        let mark: Character
        let length: Int
        let language: String

        init?(_ line: Substring) {
            let trimmed = line.drop { $0 == " " }
            guard line.count - trimmed.count <= 3 || trimmed.hasPrefix("```"), let first = trimmed.first, first == "`" || first == "~" else { return nil }
            length = trimmed.prefix { $0 == first }.count
            guard length >= 3 else { return nil }
            let rest = trimmed.dropFirst(length)
            guard !(first == "`" && rest.contains("`")) else { return nil }
            mark = first
            language = String(rest.drop { $0 == " " }.prefix { $0 != " " })
        }

        func isClosed(by line: Substring) -> Bool {
            let trimmed = line.drop { $0 == " " }
            return trimmed.prefix { $0 == mark }.count >= length && trimmed.drop { $0 == mark }.allSatisfy { $0 == " " }
        }
    }

    private static func code(_ source: ArraySlice<Substring>, language: String, width: Int) -> [StyledLine] {
        var lines = [
            StyledLine([
                StyledSpan(text: "┌ ", scope: "chat.code.border"),
                StyledSpan(text: language.isEmpty ? say("code") : TextWidth.truncate(language, to: width - 2), scope: "chat.code.border"),
            ])
        ]
        for line in source {
            // Code is cut where the edge is: breaking at words would lie about its spaces.
            var rest = String(line)
            repeat {
                let part = TextWidth.prefix(of: rest, cells: width - 2)
                lines.append(StyledLine([StyledSpan(text: "│ ", scope: "chat.code.border"), StyledSpan(text: part, scope: "chat.code")]))
                rest = part.isEmpty ? "" : String(rest.dropFirst(part.count))
            } while !rest.isEmpty
        }
        lines.append(StyledLine("└", "chat.code.border"))
        return lines
    }

    private static func block(_ line: Substring, width: Int) -> [StyledLine] {
        let indent = line.prefix { $0 == " " }.count
        let trimmed = line.dropFirst(indent)
        guard let first = trimmed.first else { return [StyledLine("", "chat.text")] }
        if first == "#", case let level = trimmed.prefix(while: { $0 == "#" }).count, level <= 6,
            trimmed.dropFirst(level).first == " ", trimmed.contains(where: { $0 != "#" && $0 != " " })
        {
            return inline(trimmed.dropFirst(level + 1), base: "chat.heading").lines(width: width)
        }
        if isRule(trimmed) { return [StyledLine(String(repeating: "─", count: min(width, 40)), "chat.code.border")] }
        if first == ">" {
            let body = trimmed.drop { $0 == ">" || $0 == " " }
            return inline(body, base: "chat.quote").lines(width: width - 2).map { $0.indented("▌ ", scope: "chat.code.border") }
        }
        if let item = listItem(trimmed) {
            let left = String(repeating: " ", count: min(indent, 12))
            let mark = left + item.mark + " "
            let markWidth = TextWidth.width(of: mark)
            let hanging = String(repeating: " ", count: markWidth)
            return inline(item.body, base: "chat.text").lines(width: max(6, width - markWidth)).enumerated().map { index, line in
                line.indented(index == 0 ? mark : hanging)
            }
        }
        let left = String(repeating: " ", count: min(indent, 8))
        return inline(trimmed, base: "chat.text").lines(width: max(6, width - left.count)).map { left.isEmpty ? $0 : $0.indented(left) }
    }

    private static func isRule(_ line: Substring) -> Bool {
        let marks = line.filter { $0 != " " }
        guard marks.count >= 3, let first = marks.first, "-*_".contains(first) else { return false }
        return marks.allSatisfy { $0 == first }
    }

    /// `- text`, `* text`, `+ text`, `12. text`, `12) text`.
    private static func listItem(_ line: Substring) -> (mark: String, body: Substring)? {
        guard let first = line.first else { return nil }
        if "-*+".contains(first), line.dropFirst().first == " " { return ("•", line.dropFirst(2)) }
        let digits = line.prefix { $0.isASCII && $0.isNumber }
        guard !digits.isEmpty, digits.count <= 4 else { return nil }
        let rest = line.dropFirst(digits.count)
        guard let sign = rest.first, sign == "." || sign == ")", rest.dropFirst().first == " " else { return nil }
        return ("\(digits)\(sign)", rest.dropFirst(2))
    }

    // MARK: Inside a line

    /// Emphasis, code and links. Marks that do not pair stay as they are.
    static func inline(_ text: Substring, base: String) -> StyledParagraph {
        var paragraph = StyledParagraph()
        var rest = text
        var previous: Character = " "
        while let first = rest.first {
            if let (span, scope, consumed) = markup(rest, previous: previous, base: base) {
                if scope == "chat.code" || scope == "chat.link" {
                    paragraph.append(span, scope)
                } else {
                    let inner = inline(span, base: scope)
                    for (character, scope) in zip(inner.characters, inner.scopes) { paragraph.append(String(character), scope) }
                }
                rest = rest.dropFirst(consumed)
                previous = "a"
                continue
            }
            paragraph.append(String(first), base)
            previous = first
            rest = rest.dropFirst()
        }
        return paragraph
    }

    /// Markup at the beginning of `text`: what it encloses, its look, and how many characters it takes.
    private static func markup(_ text: Substring, previous: Character, base: String) -> (Substring, String, Int)? {
        guard let first = text.first else { return nil }
        switch first {
        case "`":
            let ticks = text.prefix { $0 == "`" }.count
            let mark = String(repeating: "`", count: ticks)
            guard let end = text.dropFirst(ticks).firstRange(of: mark) else { return nil }
            let body = text.dropFirst(ticks)[..<end.lowerBound]
            return body.isEmpty ? nil : (body, "chat.code", ticks * 2 + body.count)
        case "*", "_":
            let count = min(text.prefix { $0 == first }.count, 3)
            if first == "_", previous.isLetter || previous.isNumber { return nil }
            let mark = String(repeating: first, count: count)
            let inside = text.dropFirst(count)
            guard let opening = inside.first, opening != " ", let end = inside.firstRange(of: mark), end.lowerBound > inside.startIndex else { return nil }
            let body = inside[..<end.lowerBound]
            guard body.last != " " else { return nil }
            let after = inside[end.upperBound...].first
            if first == "_", let after, after.isLetter || after.isNumber { return nil }
            let scope = base == "chat.heading" ? base : count == 1 ? "chat.emphasis" : "chat.strong"
            return (body, scope, count * 2 + body.count)
        case "[":
            guard let close = text.firstIndex(of: "]"), case let after = text[text.index(after: close)...], after.first == "(",
                let end = after.firstIndex(of: ")")
            else { return nil }
            let title = text[text.index(after: text.startIndex)..<close]
            let target = after[after.index(after: after.startIndex)..<end]
            guard !title.isEmpty, !target.contains(" ") else { return nil }
            let shown = title == target ? title : Substring("\(title) (\(target))")
            return (shown, "chat.link", title.count + target.count + 4)
        default: return nil
        }
    }
}

extension Substring {
    /// Where `part` first stands.
    func firstRange(of part: String) -> Range<Index>? {
        guard let start = part.first else { return nil }
        var index = startIndex
        while index < endIndex {
            if self[index] == start, self[index...].hasPrefix(part) { return index..<self.index(index, offsetBy: part.count) }
            index = self.index(after: index)
        }
        return nil
    }
}
