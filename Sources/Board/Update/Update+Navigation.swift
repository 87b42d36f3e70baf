import Terminal

/// A movement in whatever list has the focus.
public enum Movement: Sendable, Equatable {
    case up, down, pageUp, pageDown, first, last

    /// The index that the movement leads to in a list of `count`, from `index`.
    func applied(to index: Int, count: Int, page: Int) -> Int {
        guard count > 0 else { return 0 }
        let moved =
            switch self {
            case .up: index - 1
            case .down: index + 1
            case .pageUp: index - max(1, page)
            case .pageDown: index + max(1, page)
            case .first: 0
            case .last: count - 1
            }
        return min(max(moved, 0), count - 1)
    }
}

extension BoardState {
    mutating func select(_ tab: Tab) -> [Effect] {
        overlays.removeAll()
        self.tab = tab
        return tab == .evaluate || tab == .monitor ? rescan() : []
    }

    /// The panes of the page that can have the focus now.
    public var availablePanes: [Pane] {
        switch tab {
        case .train: layout.showsRunsBesideForm ? [.form, .runs] : [.form]
        case .evaluate: [.form, .results, .samples]
        case .chat: chat.modelInfo == nil ? [.form] : [.message, .transcript]
        case .export: [.form]
        case .monitor: monitoredRun == nil ? [.runs] : [.chart, .log] + (layout.isWide ? [.runs] : [])
        }
    }

    /// Whether a page is what one goes to from the Monitor: to Train where there is nothing to look at yet, to the others with what has
    /// just been trained.
    func isNext(_ page: Tab) -> Bool {
        guard tab == .monitor, runningJob == nil, overlays.isEmpty else { return false }
        if page == .train { return monitoredRun == nil && catalog.runs.isEmpty }
        guard page != .monitor, chart.view.cursor == nil else { return false }
        if let openedRun { return isLearnt(openedRun) }
        guard let run = jobs[.train] else { return false }
        return run.state == .finished || run.state == .stopped
    }

    mutating func moveFocus(by count: Int) -> [Effect] {
        let panes = availablePanes
        let current = panes.firstIndex(of: focus) ?? 0
        focus = panes[(current + count + panes.count) % panes.count]
        return []
    }

    mutating func rescan() -> [Effect] {
        lastScan = now
        return [.scanCatalog(datasetDirectory: forms[pageForm].configuration.text("dataset_dir"), outputs: outputsElsewhere)]
    }

    /// Lists of what is on disk refresh themselves while they are looked at.
    mutating func refreshIfDue() -> [Effect] {
        guard showsDisk, now - lastScan >= scanSeconds else { return [] }
        return rescan()
    }

    /// Every look at the disk takes time from a job at work, so a list that merely stands beside it is looked up less often.
    private var scanSeconds: Double {
        let isLookedAt = !overlays.isEmpty || focus == .runs || focus == .results
        return isLookedAt || runningJob == nil && listsDisk ? 3 : 15
    }

    /// True while what is on disk is in view: a list, or, in the bar at the top, a run of another process until it has ended.
    public var showsDisk: Bool { listsDisk || overlays.isEmpty && runningJob == nil && catalog.runs.contains { $0.isAlive && !$0.isOurs } }

    /// True while a list of what is on disk is in view.
    private var listsDisk: Bool {
        switch overlays.last {
        case .picker(let picker): picker.kind.isFromDisk
        case .runs: true
        case .help, .palette, .dialog, .preview, .form, .prompt, .comparison, .queue, .editor, .jump, .dataset: false
        case nil: focus == .runs || focus == .results || (tab == .train || tab == .monitor) && layout.isWide
        }
    }

    mutating func move(_ movement: Movement) -> [Effect] {
        let page = layout.pageRows
        switch overlays.last {
        case .help(var list):
            list.selection = movement.applied(to: list.selection, count: entries(of: list).count, page: page)
            overlays[overlays.count - 1] = .help(list)
        case .palette(var list):
            list.selection = movement.applied(to: list.selection, count: entries(of: list).count, page: page)
            overlays[overlays.count - 1] = .palette(list)
        case .picker(var picker):
            picker.selection = movement.applied(to: picker.selection, count: items(of: picker).count, page: page)
            overlays[overlays.count - 1] = .picker(picker)
        case .preview: scrollPreview(movement, page: page)
        case .comparison(var comparison):
            comparison.scroll = movement.applied(to: comparison.scroll, count: comparison.rows.count, page: page)
            overlays[overlays.count - 1] = .comparison(comparison)
        case .queue: moveInQueue(movement, page: page)
        case .form(let tab): moveInForm(tab, movement, page: page)
        case .runs: moveInRuns(movement, page: page)
        case .dataset: scrollDataset(movement, page: page)
        case .dialog, .prompt, .editor, .jump: break
        case nil: movePane(movement, page: page)
        }
        return []
    }

    private mutating func movePane(_ movement: Movement, page: Int) {
        switch focus {
        case .form: moveInForm(tab, movement, page: page)
        case .runs: moveInRuns(movement, page: page)
        case .results:
            evaluation.resultSelection = movement.applied(
                to: evaluation.resultSelection, count: evaluationResults.count, page: page)
        case .samples: evaluation.sampleScroll = movement.applied(to: evaluation.sampleScroll, count: 10_000, page: page)
        case .transcript: moveTranscript(movement, page: page)
        case .log: moveLog(movement, page: page)
        case .message, .chart: break
        }
    }

    private mutating func moveInForm(_ tab: Tab, _ movement: Movement, page: Int) {
        let rows = forms[tab].rows
        guard !rows.isEmpty else { return }
        let current = rows.firstIndex { $0.identity == forms[tab].selection } ?? 0
        forms[tab].selection = rows[movement.applied(to: current, count: rows.count, page: page)].identity
    }

    private mutating func moveInRuns(_ movement: Movement, page: Int) {
        runList.selection = movement.applied(to: runList.selection, count: visibleRuns.count, page: page)
    }

    private mutating func moveTranscript(_ movement: Movement, page: Int) {
        switch movement {
        case .up: chat.linesFromEnd += 1
        case .down: chat.linesFromEnd = max(0, chat.linesFromEnd - 1)
        case .pageUp: chat.linesFromEnd += page
        case .pageDown: chat.linesFromEnd = max(0, chat.linesFromEnd - page)
        case .first: chat.linesFromEnd = 1_000_000
        case .last: chat.linesFromEnd = 0
        }
        let lines = TranscriptLines.count(of: chat, width: transcriptWidth)
        chat.linesFromEnd = min(chat.linesFromEnd, max(0, lines - layout.transcript.height))
    }

    private mutating func moveLog(_ movement: Movement, page: Int) {
        let count = shownLogIndices.count
        let page = layout.logRows
        switch movement {
        case .up: logPane.linesFromEnd += 1
        case .down: logPane.linesFromEnd -= 1
        case .pageUp: logPane.linesFromEnd += page
        case .pageDown: logPane.linesFromEnd -= page
        case .first: logPane.linesFromEnd = count
        case .last: logPane.linesFromEnd = 0
        }
        logPane.linesFromEnd = min(max(0, logPane.linesFromEnd), max(0, count - page))
    }

    /// After the disk was looked at again lists may be shorter.
    mutating func clampSelections() {
        runList.selection = min(runList.selection, max(0, visibleRuns.count - 1))
        evaluation.resultSelection = min(evaluation.resultSelection, max(0, evaluationResults.count - 1))
    }

    /// Moves the first visible row of a form so that the cursor is in view, with a row of context where there is room.
    mutating func keepSelectionVisible(_ tab: Tab) {
        let rows = forms[tab].rows
        if !rows.contains(where: { $0.identity == forms[tab].selection }), let first = rows.first {
            forms[tab].selection = enclosingSection(of: forms[tab].selection, tab: tab, rows: rows) ?? first.identity
        }
        let height = max(1, layout.formRows(tab, in: self))
        let index = rows.firstIndex { $0.identity == forms[tab].selection } ?? 0
        let margin = height > 6 ? 1 : 0
        // A field being edited may need a line more below it for what is wrong.
        let below = forms[tab].edit == nil ? margin : margin + 1
        var top = forms[tab].top
        if index < top + margin { top = index - margin }
        if index >= top + height - below { top = index - height + below + 1 }
        forms[tab].top = min(max(0, top), max(0, rows.count - height + (forms[tab].edit == nil ? 0 : 1)))
    }

    private func enclosingSection(of identity: FormRowIdentity, tab: Tab, rows: [FormRow]) -> FormRowIdentity? {
        guard case .field(let name) = identity,
            let section = forms[tab].sections.first(where: { $0.arguments.contains { $0.name == name } })
        else { return nil }
        let candidate = FormRowIdentity.section(section.title)
        return rows.contains { $0.identity == candidate } ? candidate : nil
    }
}
