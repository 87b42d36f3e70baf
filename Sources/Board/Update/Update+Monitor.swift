import Events
import Terminal

extension BoardState {
    // MARK: Chart

    mutating func toggleLogarithm() -> [Effect] {
        chart.view.isLogarithmic.toggle()
        status = StatusMessage(
            .note, chart.view.isLogarithmic ? say("Logarithmic y axis; values of 0 and below are left out") : say("Linear y axis"))
        return []
    }

    /// Zooms around the reading cursor, the newest step while following, or the middle.
    mutating func zoom(by factor: Double) -> [Effect] {
        let data = chartPlot.dataRange
        if factor < 1, let reason = zoomInRefusal() {
            status = StatusMessage(.note, reason)
            return []
        }
        if let cursor = chart.view.cursor {
            chart.view.isFollowing = false
            let range = chart.view.xRange ?? data
            let share = (cursor - range.lowerBound) / max(range.upperBound - range.lowerBound, 1e-9)
            chart.view.zoom(by: factor, around: min(max(share, 0), 1), data: data)
        } else {
            chart.view.zoom(by: factor, data: data)
        }
        return []
    }

    /// Counted in the metric that is shown: an evaluation has fewer points than the loss.
    func zoomInRefusal() -> String? {
        let steps = chartSeries.xs
        let count = chart.view.xRange.map { range in steps.count(where: range.contains) } ?? steps.count
        return count >= Self.fewestPoints ? nil : say("There are too few points here to zoom in.")
    }

    /// A view of fewer is of no use, and one made of the first steps of a run would follow it so.
    private static let fewestPoints = 6

    mutating func pan(by direction: Int) -> [Effect] {
        if chart.view.cursor != nil { return moveCursor(by: direction) }
        guard chart.view.xRange != nil else {
            status = StatusMessage(.note, say("The whole run is in view. + zooms in."))
            return []
        }
        chart.view.pan(by: Double(direction) / 8, data: chartPlot.dataRange)
        return []
    }

    mutating func panToEnd(_ toLast: Bool) -> [Effect] {
        let steps = chartSeries.xs
        if chart.view.cursor != nil {
            chart.view.cursor = toLast ? steps.last : steps.first
        } else {
            chart.view.pan(by: toLast ? 1e6 : -1e6, data: chartPlot.dataRange)
        }
        return []
    }

    mutating func fitChart() -> [Effect] {
        chart.view.fit()
        return []
    }

    mutating func toggleFollow() -> [Effect] {
        if chart.view.xRange == nil {
            chart.view.isFollowing = true
            chart.view.zoom(by: 0.25, data: chartPlot.dataRange)
            status = StatusMessage(.note, say("Following the newest steps; f freezes, 0 shows the whole run"))
        } else {
            if chart.view.isFollowing { chart.view.pan(by: 0, data: chartPlot.dataRange) }
            chart.view.isFollowing.toggle()
            status = StatusMessage(
                .note, chart.view.isFollowing ? say("Following the newest steps") : say("Frozen: new steps do not move the view"))
        }
        return []
    }

    mutating func toggleInspect() -> [Effect] {
        guard chart.view.cursor == nil else {
            chart.view.cursor = nil
            return []
        }
        var plot = chartPlot
        plot.moveCursor(by: 0)
        chart.view = plot.view
        return []
    }

    private mutating func moveCursor(by direction: Int) -> [Effect] {
        var plot = chartPlot
        // About one column of the plot at a time, so that a long run can be crossed.
        let range = chart.view.xRange ?? plot.dataRange
        let points = chartSeries.xs.count { range.contains($0) }
        plot.moveCursor(by: direction * max(1, points / max(20, size.columns - 16)))
        chart.view = plot.view
        return []
    }

    mutating func leaveChart() -> [Effect] {
        if chart.isGrid { return toggleGrid() }
        if chart.view.cursor != nil {
            chart.view.cursor = nil
            return []
        }
        if chart.view.xRange != nil { return fitChart() }
        return closeOpenedRun()
    }

    /// New lines leave a scrolled log where it is.
    mutating func viewGrew(_ events: [JobEvent], logLinesBefore: Int) {
        guard !logPane.isFollowing else { return }
        for case .log(let record) in events where shows(record) { logPane.linesFromEnd += 1 }
    }

    // MARK: Log

    func shows(_ record: LogRecord) -> Bool {
        switch logPane.filter {
        case .everything: true
        case .informative: record.level != .debug
        case .warnings: record.level == .warning || record.level == .error
        }
    }

    /// The log lines that pass the level filter, as indices.
    var shownLogIndices: [Int] {
        guard let records = monitoredRun?.log.records else { return [] }
        if logPane.filter == .everything { return Array(records.indices) }
        return records.indices.filter { shows(records[$0]) }
    }

    mutating func cycleLogLevel() -> [Effect] {
        logPane.filter = logPane.filter.next
        logPane.linesFromEnd = 0
        return []
    }

    mutating func startLogSearch() -> [Effect] {
        logPane.draft = TextField("")
        return []
    }

    mutating func changeLogDraft(_ change: (inout TextField) -> Void) {
        guard var draft = logPane.draft else { return }
        change(&draft)
        logPane.draft = draft
        logPane.search = draft.text
        jumpToMatch(from: shownLogIndices.count, direction: 1)
    }

    mutating func acceptLogSearch() -> [Effect] {
        logPane.search = logPane.draft?.text ?? ""
        logPane.draft = nil
        return []
    }

    @discardableResult
    mutating func clearLogSearch() -> [Effect] {
        let hadSearch = logPane.draft != nil || !logPane.search.isEmpty
        logPane.draft = nil
        logPane.search = ""
        return hadSearch ? [] : closeOpenedRun()
    }

    func searchRefusal() -> String? { logPane.search.isEmpty ? say("There is no search yet: / starts one.") : nil }

    /// - Parameter direction: 1 goes to older lines, -1 to newer ones.
    mutating func searchLog(_ direction: Int) -> [Effect] {
        let count = shownLogIndices.count
        let rows = layout.logRows
        let bottom = count - 1 - logPane.linesFromEnd
        let from = logPane.match ?? (direction > 0 ? bottom + 1 : bottom - rows)
        if !jumpToMatch(from: from, direction: direction) {
            status = StatusMessage(.note, say("No \(direction > 0 ? say("older") : say("newer")) line holds “\(logPane.search)”"))
        }
        return []
    }

    /// Scrolls so that the next matching line beyond `from` is in view.
    @discardableResult
    private mutating func jumpToMatch(from: Int, direction: Int) -> Bool {
        guard !logPane.search.isEmpty, let records = monitoredRun?.log.records else { return false }
        let indices = shownLogIndices
        let query = logPane.search.lowercased()
        var position = from - direction
        while indices.indices.contains(position) {
            if LogText.readable(records[indices[position]].text).lowercased().contains(query) {
                logPane.match = position
                let rows = layout.logRows
                logPane.linesFromEnd = min(max(0, indices.count - 1 - position - rows / 2), max(0, indices.count - rows))
                return true
            }
            position -= direction
        }
        return false
    }

    /// A line that something printed goes to the log of the job at work; without one it is shown once.
    mutating func capture(_ line: String) -> [Effect] {
        guard runningJob == nil else { return [.logOutput(line)] }
        status = StatusMessage(.note, line)
        return []
    }
}
