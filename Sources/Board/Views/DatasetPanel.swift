import Platform
import Runs
import Terminal

extension Painter {
    /// A data set being looked through.
    mutating func drawDataset(_ view: DatasetViewState) {
        hits.append(HitRegion(layout.listPopup, .overlay))
        var title = view.name
        if let preview = view.preview { title += "  " + say("row \(preview.row + 1) of \(NumberText.grouped(preview.rowCount))") }
        let inside = grid.popup(layout.listPopup, title: title, note: say("n N rows, Tab views, Esc closes"), theme: theme)
        drawPages(view, in: inside.row(0))
        let area = inside.droppingFirstRows(2)
        if let problem = view.problem {
            paragraph("✗ " + TextWidth.sanitize(problem), in: area, "ui.error")
            return
        }
        guard let preview = view.preview else {
            text(say("Reading…"), in: area.row(0), "ui.placeholder")
            return
        }
        if view.page == .lengths {
            drawLengths(preview, in: area)
            return
        }
        let lines = DatasetLines.lines(preview, view.page, width: area.width)
        let top = min(view.scroll, max(0, lines.count - area.height))
        for (index, line) in lines.dropFirst(top).prefix(area.height).enumerated() { styled(line, in: area.row(index)) }
        grid.scrollBar(
            in: Rect(x: area.endX, y: area.y, width: 1, height: area.height), first: top, visible: area.height, total: lines.count,
            theme: theme)
    }

    private mutating func drawPages(_ view: DatasetViewState, in row: Rect) {
        var x = row.x
        for page in DatasetViewState.Page.allCases {
            let isActive = page == view.page
            x += text(isActive ? "[\(page.title)]" : " \(page.title) ", x: x, y: row.y, width: max(0, row.endX - x), isActive ? "ui.tab.active" : "ui.tab")
        }
        guard let preview = view.preview, preview.problem == nil else { return }
        let learnt = preview.tokens.count { $0.isLearnt }
        let cut = preview.isTruncated ? "  " + say("cut at \(preview.cutoff)") : ""
        let room = row.endX - x - 2
        let long = say("\(preview.tokens.count) tokens, \(learnt) carry loss") + cut
        let words = TextWidth.width(of: long) <= room ? long : say("loss on \(learnt)/\(preview.tokens.count)") + cut
        text(words, in: Rect(x: x + 2, y: row.y, width: room, height: 1), preview.isTruncated ? "ui.warning" : "ui.text.dim", alignment: .trailing)
    }

    /// Lengths of all samples as bars, the cut marked.
    private mutating func drawLengths(_ preview: DatasetPreview, in area: Rect) {
        guard !preview.lengths.isEmpty, area.height > 4 else {
            text(say("No sample could be measured."), in: area.row(0), "ui.placeholder")
            return
        }
        let sorted = preview.lengths.sorted()
        let over = preview.lengths.count { $0 > preview.cutoff }
        let share = Double(over) / Double(preview.lengths.count)
        let facts = say(
            "median \(sorted[sorted.count / 2]), longest \(sorted[sorted.count - 1]) tokens; cutoff_len \(preview.cutoff) cuts \(Words.percent(share)) of \(preview.lengths.count) samples")
        let used = paragraph(facts, in: area, over > 0 ? "ui.warning" : "ui.success")
        let rows = area.droppingFirstRows(used + 1)
        let count = max(2, min(rows.height, 24))
        let longest = max(1, sorted[sorted.count - 1])
        let step = max(1, (longest + count - 1) / count)
        var bins = [Int](repeating: 0, count: count)
        for length in preview.lengths { bins[min(count - 1, max(0, length - 1) / step)] += 1 }
        let highest = max(1, bins.max() ?? 1)
        for (index, bin) in bins.enumerated() {
            let row = rows.row(index)
            let from = index * step + 1
            let isCut = from > preview.cutoff
            let holdsCut = from <= preview.cutoff && preview.cutoff < from + step
            text("\(from)–\(from + step - 1)", in: Rect(x: row.x, y: row.y, width: 13, height: 1), isCut ? "ui.warning" : "ui.text.dim", alignment: .trailing)
            let room = max(1, row.width - 24)
            let cells = bin == 0 ? 0 : max(1, bin * room / highest)
            text(String(repeating: "█", count: cells), x: row.x + 14, y: row.y, width: room, isCut ? "ui.warning" : "progress.bar")
            let note = (bin == 0 ? "" : " \(bin)") + (holdsCut ? "  ◀ cutoff_len" : "")
            text(note, x: row.x + 14 + cells, y: row.y, width: row.endX - row.x - 14 - cells, holdsCut ? "ui.mark" : "ui.text.dim")
        }
    }
}

/// A row's views as lines.
enum DatasetLines {
    /// What carries loss stands out by attributes as well as by colour.
    private static let learnt = "ui.match"

    static func lines(_ preview: DatasetPreview, _ page: DatasetViewState.Page, width: Int) -> [StyledLine] {
        switch page {
        case .raw: return TextWidth.wrap(TextWidth.sanitize(preview.raw), to: width).map { StyledLine($0, "ui.code") }
        case .prompt, .tokens: break
        case .lengths: return []
        }
        if let problem = preview.problem {
            return TextWidth.wrap(say("The row is left out: \(problem)"), to: width).map { StyledLine($0, "ui.warning") }
        }
        let write = page == .prompt ? prompt : tokens
        guard !preview.rejected.isEmpty else { return write(preview.tokens, width) }
        return [StyledLine(say("chosen"), "ui.table.header")] + write(preview.tokens, width) + [StyledLine(), StyledLine(say("rejected"), "ui.table.header")]
            + write(preview.rejected, width)
    }

    /// The text as the model sees it. Tokens of one kind are joined before they are shown, so that a character of several stays whole.
    private static func prompt(_ tokens: [DatasetPreview.Token], _ width: Int) -> [StyledLine] {
        var lines: [StyledLine] = []
        var paragraph = StyledParagraph()
        var pending = ""
        var isLearnt = false
        func flush() {
            let parts = TextWidth.sanitize(pending).split(separator: "\n", omittingEmptySubsequences: false)
            for (index, part) in parts.enumerated() {
                if index > 0 {
                    lines += paragraph.isEmpty ? [StyledLine()] : paragraph.lines(width: width)
                    paragraph = StyledParagraph()
                }
                paragraph.append(part, isLearnt ? learnt : "chat.text")
            }
            pending = ""
        }
        for token in tokens {
            if token.isLearnt != isLearnt {
                flush()
                isLearnt = token.isLearnt
            }
            pending += token.text
        }
        flush()
        if !paragraph.isEmpty { lines += paragraph.lines(width: width) }
        return lines
    }

    /// Every token with its number.
    private static func tokens(_ tokens: [DatasetPreview.Token], _ width: Int) -> [StyledLine] {
        var lines = [StyledLine()]
        var used = 0
        for token in tokens {
            let text = TextWidth.sanitize(token.text).map { $0 == "\n" ? "⏎" : $0 == " " ? "·" : String($0) }.joined()
            let id = "\(token.id)"
            let cells = TextWidth.width(of: id) + 1 + TextWidth.width(of: text) + 2
            if used > 0, used + cells > width {
                lines.append(StyledLine())
                used = 0
            }
            lines[lines.count - 1].spans += [
                StyledSpan(text: id + " ", scope: "ui.text.dim"), StyledSpan(text: TextWidth.truncate(text, to: max(1, width - 12)), scope: token.isLearnt ? learnt : "chat.text"),
                StyledSpan(text: "  ", scope: "chat.text"),
            ]
            used += cells
        }
        return lines
    }
}
