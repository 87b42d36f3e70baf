import Events
import Platform
import Terminal

extension Painter {
    /// The runs under `saves/`: name, how it stands, how far it came, best loss, age.
    mutating func drawRuns(in rect: Rect, pane: Pane?) {
        guard rect.height > 2 else { return }
        let isPopup = pane == nil
        let inside =
            isPopup
            ? grid.popup(rect, title: say("Runs"), note: runsNote, theme: theme)
            : box(rect, title: say("Runs"), note: runsNote, pane: pane)
        drawRunRows(in: inside, isFocused: isPopup || (state.focus == pane && state.overlays.isEmpty))
    }

    private var runsNote: String {
        guard state.catalog.isScanned else { return say("looking…") }
        var parts = state.runList.order == .newest ? [] : [state.runList.order.title]
        if !state.runList.marked.isEmpty { parts.append(say("\(state.runList.marked.count) marked")) }
        if !state.queue.isEmpty { parts.append(say("\(state.queue.count) queued")) }
        if !state.catalog.runs.isEmpty { parts.append("\(state.catalog.runs.count)") }
        return parts.joined(separator: ", ")
    }

    private mutating func drawRunRows(in area: Rect, isFocused: Bool) {
        var area = area
        if let filter = state.runList.filter {
            let used = text("/ ", in: area.row(0), "ui.key")
            drawTextField(
                filter, in: Rect(x: area.x + used, y: area.y, width: area.width - used, height: 1),
                hasCursor: state.runList.isFiltering && isFocused)
            area = area.droppingFirstRows(1)
        }
        let runs = state.visibleRuns
        if runs.isEmpty, !state.catalog.runs.isEmpty {
            text(say("No run matches. Esc shows all."), in: area.row(0), "ui.placeholder")
            return
        }
        if runs.isEmpty {
            let hint = state.catalog.isScanned ? say("No runs under saves/ yet. In Train, F5 starts one.") : say("Looking for runs under saves/…")
            paragraph(hint, in: area, "ui.placeholder")
            return
        }
        let columns = RunColumns(width: area.width)
        drawRunHeader(columns, in: area.row(0))
        // Where names are too long, the folders that all of them lie in go first.
        var names = runs.map { RunName.short($0.directory) }
        if names.contains(where: { TextWidth.width(of: $0) > columns.name - 2 }) { names = RunName.withoutSharedFolders(names) }
        let list = area.droppingFirstRows(1)
        let selection = state.runList.selection
        let top = max(0, min(selection - list.height / 2, runs.count - list.height))
        for (index, run) in runs.enumerated().dropFirst(top).prefix(list.height) {
            let line = list.row(index - top)
            drawRun(run, named: names[index], columns, in: line)
            hits.append(HitRegion(line, .listRow(.runs, index)))
            guard index == selection else { continue }
            grid.overlay(line, style: theme.style(isFocused ? "ui.selection" : "ui.selection.unfocused"))
        }
    }

    private mutating func drawRunHeader(_ columns: RunColumns, in row: Rect) {
        let style = "ui.table.header"
        text(say("run"), x: row.x, y: row.y, width: columns.name, style)
        text(say("state"), x: row.x + columns.stateX, y: row.y, width: RunColumns.stateWidth, style)
        text(say("step"), in: Rect(x: row.x + columns.stepX, y: row.y, width: RunColumns.stepWidth, height: 1), style, alignment: .trailing)
        guard columns.showsLoss else { return }
        text(say("best"), in: Rect(x: row.x + columns.lossX, y: row.y, width: RunColumns.lossWidth, height: 1), style, alignment: .trailing)
        guard columns.showsAge else { return }
        text(say("when"), in: Rect(x: row.x + columns.ageX, y: row.y, width: RunColumns.ageWidth, height: 1), style, alignment: .trailing)
    }

    /// The run at work here is known better than the disk knows it.
    private func upToDate(_ run: RunEntry) -> RunEntry {
        guard run.isOurs, let job = state.jobs[.train], job.directory == run.directory, let latest = job.latest else { return run }
        var run = run
        run.step = latest.step
        run.totalSteps = latest.totalSteps
        run.lastLoss = job.latestLogged?.loss ?? run.lastLoss
        run.bestLoss = job.bestEvaluation?.loss ?? job.lowestLoss ?? run.bestLoss
        return run
    }

    private mutating func drawRun(_ run: RunEntry, named name: String, _ columns: RunColumns, in row: Rect) {
        let run = upToDate(run)
        let isMarked = state.runList.marked.contains(run.directory)
        let room = columns.name - (isMarked ? 2 : 0)
        if isMarked { text("● ", x: row.x, y: row.y, width: 2, "ui.mark") }
        text(TextWidth.truncateStart(name, to: room), x: row.endX - row.width + columns.name - room, y: row.y, width: room, "ui.text")
        let (word, scope) = stateWord(run)
        text(word, x: row.x + columns.stateX, y: row.y, width: RunColumns.stateWidth, scope)
        let step = run.totalSteps > 0 ? "\(run.step)/\(run.totalSteps)" : run.step > 0 ? "\(run.step)" : "-"
        text(step, in: Rect(x: row.x + columns.stepX, y: row.y, width: RunColumns.stepWidth, height: 1), "ui.text", alignment: .trailing)
        guard columns.showsLoss else { return }
        let loss = Words.optional(run.bestLoss ?? run.lastLoss)
        text(loss, in: Rect(x: row.x + columns.lossX, y: row.y, width: RunColumns.lossWidth, height: 1), "ui.text", alignment: .trailing)
        guard columns.showsAge else { return }
        let age = Age.text(since: run.modified, now: state.now)
        text(age, in: Rect(x: row.x + columns.ageX, y: row.y, width: RunColumns.ageWidth, height: 1), "ui.text.dim", alignment: .trailing)
    }

    private func stateWord(_ run: RunEntry) -> (String, String) {
        if run.isAlive { return (run.isOurs ? "● " + say("here") : "● " + say("alive"), "ui.status.running") }
        switch run.state {
        case .finished: return (say("done"), "ui.success")
        case .stopped: return (say("stopped"), "ui.warning")
        case .failed: return (say("failed"), "ui.error")
        case .aborted: return (say("aborted"), "ui.warning")
        case .waiting, .loading, .running, .paused, .stopping: return (say("cut off"), "ui.warning")
        }
    }
}

/// The columns of the runs table, dropped from the right where there is no room.
private struct RunColumns {
    static let stateWidth = 8
    static let stepWidth = 11
    static let lossWidth = 8
    static let ageWidth = 11

    let name: Int
    let showsLoss: Bool
    let showsAge: Bool

    init(width: Int) {
        showsAge = width >= 68
        showsLoss = width >= 46
        let fixed = Self.stateWidth + 1 + Self.stepWidth + 1 + (showsLoss ? Self.lossWidth + 1 : 0) + (showsAge ? Self.ageWidth + 1 : 0)
        name = max(6, width - fixed)
    }

    var stateX: Int { name + 1 }
    var stepX: Int { stateX + Self.stateWidth + 1 }
    var lossX: Int { stepX + Self.stepWidth + 1 }
    var ageX: Int { lossX + Self.lossWidth + 1 }
}

/// How a run directory is called in lists: its path below `saves/`.
enum RunName {
    static func short(_ directory: String) -> String {
        if let range = directory.lastRange(of: "/saves/") { return String(directory[range...]) }
        if directory.hasPrefix("saves/") { return String(directory.dropFirst(6)) }
        return directory
    }

    /// Paths without the folders that all of them begin with; each keeps its last part.
    static func withoutSharedFolders(_ names: [String]) -> [String] {
        let parts = names.map { $0.split(separator: "/", omittingEmptySubsequences: false) }
        guard parts.count > 1, let first = parts.first else { return names }
        var shared = 0
        while parts.allSatisfy({ $0.count > shared + 1 && $0[shared] == first[shared] }) { shared += 1 }
        // The root alone is no folder that they share: without its stroke a path would be another one.
        guard shared > (first[0].isEmpty ? 1 : 0) else { return names }
        return parts.map { $0.dropFirst(shared).joined(separator: "/") }
    }
}

extension String {
    /// The index after the last occurrence of `part`, or nil.
    fileprivate func lastRange(of part: String) -> String.Index? {
        var found: String.Index?
        var index = startIndex
        while index < endIndex {
            if self[index...].hasPrefix(part) { found = self.index(index, offsetBy: part.count) }
            index = self.index(after: index)
        }
        return found
    }
}
