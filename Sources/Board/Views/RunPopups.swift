import Platform
import Terminal

extension Painter {
    // MARK: Comparison

    /// Two to four runs side by side: what came of them, then the arguments in which they differ.
    mutating func drawComparison(_ comparison: RunComparison) {
        let rect = layout.listPopup
        hits.append(HitRegion(rect, .overlay))
        let note = comparison.equalCount.map { $0 == 1 ? say("1 argument is equal") : say("\($0) arguments are equal") }
        var inside = grid.popup(rect, title: say("Where the runs differ"), note: note ?? "", theme: theme)
        let remarks = comparison.remarks.flatMap { TextWidth.wrap("! " + TextWidth.sanitize($0), to: inside.width) }.prefix(max(0, inside.height - 6))
        for (index, line) in remarks.enumerated() { text(line, in: inside.row(inside.height - remarks.count + index), "ui.warning") }
        inside = inside.droppingLastRows(remarks.count)
        let nameWidth = min(26, inside.width / 3)
        let width = max(4, (inside.width - nameWidth) / max(1, comparison.directories.count) - 1)
        let names = RunName.withoutSharedFolders(comparison.directories.map(RunName.short))
        for (index, name) in names.enumerated() {
            let place = Rect(x: inside.x + nameWidth + index * (width + 1), y: inside.y, width: width, height: 1)
            text(TextWidth.truncateStart(name, to: width), in: place, "ui.table.header")
        }
        let area = inside.droppingFirstRows(1)
        if comparison.rows.isEmpty {
            if comparison.remarks.isEmpty { text(say("Every argument is the same."), in: area.row(0), "ui.text.dim") }
            return
        }
        let top = min(comparison.scroll, max(0, comparison.rows.count - area.height))
        for (line, row) in comparison.rows.dropFirst(top).prefix(area.height).enumerated() {
            text(row.name, x: area.x, y: area.y + line, width: nameWidth - 1, "ui.text.dim")
            for (index, value) in row.values.enumerated() {
                let place = Rect(x: area.x + nameWidth + index * (width + 1), y: area.y + line, width: width, height: 1)
                let shown = value.contains("/") ? TextWidth.truncateStart(value, to: width) : value
                text(shown.isEmpty ? "-" : shown, in: place, value == row.values[0] ? "ui.text" : "ui.field.changed")
            }
        }
        grid.scrollBar(
            in: Rect(x: area.endX, y: area.y, width: 1, height: area.height), first: top, visible: area.height,
            total: comparison.rows.count, theme: theme)
    }

    // MARK: Queue

    /// The jobs that wait, the next one first.
    mutating func drawQueue(selection: Int) {
        let problem = state.queue.indices.contains(selection) ? state.queue[selection].problem : nil
        let isStanding = state.standingJobs > 0
        let problemRows = isStanding || state.queue.contains { $0.problem != nil } ? 3 : 0
        let height = max(8, min(state.queue.count + 4 + problemRows, layout.listPopup.height))
        let rect = layout.popup(columns: layout.listPopup.width, rows: height)
        hits.append(HitRegion(rect, .overlay))
        let inside = grid.popup(rect, title: say("Queue"), note: say("J K move, Delete takes out"), theme: theme)
        if state.queue.isEmpty {
            paragraph(say("Nothing waits. In Train, Evaluate and Export, A adds the form to the queue; jobs then start one after another."),
                in: inside, "ui.placeholder")
            return
        }
        let list = inside.droppingLastRows(problemRows)
        if let problem {
            paragraph("! " + TextWidth.sanitize(problem) + " " + say("⏎ takes it back into its form."), in: inside.droppingFirstRows(list.height + 1), "ui.warning")
        } else if isStanding {
            paragraph(say("The queue stands still: after a stop, and when the board is opened, it waits for you. F5 starts it."), in: inside.droppingFirstRows(list.height + 1), "ui.info")
        }
        let top = max(0, min(selection - list.height / 2, state.queue.count - list.height))
        for (index, job) in state.queue.enumerated().dropFirst(top).prefix(list.height) {
            let row = list.row(index - top)
            let mark = job.problem == nil ? "" : "! " + say("needs you")
            let markWidth = TextWidth.width(of: mark)
            text(mark, x: row.endX - markWidth, y: row.y, width: markWidth, "ui.warning")
            let used = text("\(index + 1)  ", in: row, "ui.text.dim")
            text(job.title, x: row.x + used, y: row.y, width: row.width - used - markWidth - 1, "ui.text")
            hits.append(HitRegion(row, .overlayRow(index)))
            if index == selection { grid.overlay(row, style: theme.style("ui.selection")) }
        }
    }
}
