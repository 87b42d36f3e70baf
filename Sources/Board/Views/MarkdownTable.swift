import Terminal

/// A table of a model's answer, fitted into the width there is: columns shrink, cells wrap.
struct MarkdownTable {
    let rows: [[String]]
    let alignments: [TextWidth.Alignment]

    /// The alignments of `| --- | :-: | --: |`; nil for any other line.
    static func alignments(_ line: Substring) -> [TextWidth.Alignment]? {
        guard line.contains("-"), line.allSatisfy({ "|-: ".contains($0) }) else { return nil }
        let parts = cells(line)
        guard !parts.isEmpty, parts.allSatisfy({ $0.contains("-") }) else { return nil }
        return parts.map { part in
            part.hasSuffix(":") ? (part.hasPrefix(":") ? .center : .trailing) : .leading
        }
    }

    static func cells(_ line: Substring) -> [String] {
        var parts: [String] = []
        var cell = ""
        var isEscaped = false
        for character in line {
            if character == "|", !isEscaped {
                parts.append(cell)
                cell = ""
            } else {
                // Only a bar is escaped here; other backslashes are part of the text.
                if character == "|" { cell.removeLast() }
                cell.append(character)
            }
            isEscaped = character == "\\" && !isEscaped
        }
        parts.append(cell)
        parts = parts.map { $0.trimmingSpaces }
        if parts.first == "" { parts.removeFirst() }
        if parts.last == "" { parts.removeLast() }
        return parts
    }

    /// Whether every column gets at least one cell; otherwise the table is better left as it was written.
    static func fits(_ columns: Int, width: Int) -> Bool { columns > 0 && width >= 4 * columns + 1 }

    func lines(width: Int) -> [StyledLine] {
        let count = alignments.count
        let paragraphs = rows.enumerated().map { index, row in
            (0..<count).map { column in
                MarkdownText.inline(Substring(column < row.count ? row[column] : ""), base: index == 0 ? "chat.strong" : "chat.text")
            }
        }
        let widths = columnWidths(paragraphs, room: width - 3 * count - 1)
        var lines = [rule("┌", "┬", "┐", widths)]
        for (index, row) in paragraphs.enumerated() {
            lines += drawn(row, widths)
            if index == 0, paragraphs.count > 1 { lines.append(rule("├", "┼", "┤", widths)) }
        }
        lines.append(rule("└", "┴", "┘", widths))
        return lines
    }

    private func columnWidths(_ rows: [[StyledParagraph]], room: Int) -> [Int] {
        var widths = alignments.indices.map { column in max(1, rows.map { TextWidth.width(of: $0[column].text) }.max() ?? 1) }
        while widths.reduce(0, +) > room, let widest = widths.indices.max(by: { widths[$0] < widths[$1] }), widths[widest] > 1 {
            widths[widest] -= 1
        }
        return widths
    }

    private func rule(_ left: String, _ middle: String, _ right: String, _ widths: [Int]) -> StyledLine {
        StyledLine(left + widths.map { String(repeating: "─", count: $0 + 2) }.joined(separator: middle) + right, "chat.code.border")
    }

    private func drawn(_ row: [StyledParagraph], _ widths: [Int]) -> [StyledLine] {
        let cells = zip(row, widths).map { $0.lines(width: $1) }
        let height = cells.map(\.count).max() ?? 1
        return (0..<height).map { index in
            var spans = [StyledSpan(text: "│ ", scope: "chat.code.border")]
            for (column, cell) in cells.enumerated() {
                let line = index < cell.count ? cell[index] : StyledLine()
                let missing = max(0, widths[column] - TextWidth.width(of: line.text))
                let left = alignments[column] == .trailing ? missing : alignments[column] == .center ? missing / 2 : 0
                if left > 0 { spans.append(StyledSpan(text: String(repeating: " ", count: left), scope: "chat.text")) }
                spans += line.spans
                spans.append(StyledSpan(text: String(repeating: " ", count: missing - left), scope: "chat.text"))
                spans.append(StyledSpan(text: column == cells.count - 1 ? " │" : " │ ", scope: "chat.code.border"))
            }
            return StyledLine(spans)
        }
    }
}
