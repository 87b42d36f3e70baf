import Terminal

/// Where everything goes, as a pure function of the terminal's size. Three classes: compact (from 60x16), normal (from 80x20) and
/// wide (from 140 columns); taller terminals give their rows to lists, plots and logs.
public struct Layout: Sendable {
    public static let minimum = Size(columns: 60, rows: 16)

    public let size: Size

    /// Shares of the panes beside each other, where they were dragged, by `Split.Place`.
    public let splits: [String: Double]

    /// Rows above the footer that a message has for itself.
    let messageRows: Int

    /// Rows above the form of the Chat page.
    let chatHeadRows: Int

    public init(size: Size, splits: [String: Double] = [:], messageRows: Int = 0, chatHeadRows: Int = 1) {
        self.chatHeadRows = chatHeadRows
        self.size = size
        self.splits = splits
        self.messageRows = min(messageRows, max(0, size.rows - Self.minimum.rows + 4))
    }

    /// The share that a split was dragged to, or the usual one.
    private func share(_ place: Split.Place, _ usual: Double) -> Double { splits[place.rawValue] ?? usual }

    /// The cells of the second of two panes: as dragged, but never fewer than it needs, or the usual ones.
    private func second(_ place: Split.Place, of total: Int, usual: Int, least: Int) -> Int {
        guard let share = splits[place.rawValue] else { return usual }
        return min(max(Int(Double(total) * (1 - share)), least), max(least, total - 30))
    }

    public var isTooSmall: Bool { size.columns < Self.minimum.columns || size.rows < Self.minimum.rows }
    public var isWide: Bool { size.columns >= 140 && size.rows >= 30 }
    public var isCompact: Bool { size.columns < 80 || size.rows < 20 }
    var showsRunsBesideForm: Bool { isWide }

    var header: Rect { Rect(x: 0, y: 0, width: size.columns, height: 1) }
    var footer: Rect { Rect(x: 0, y: size.rows - 1, width: size.columns, height: 1) }
    var body: Rect { Rect(x: 0, y: 1, width: size.columns, height: size.rows - 2 - messageRows) }

    /// How far PgUp and PgDn go in lists.
    var pageRows: Int { max(3, size.rows - 12) }

    // MARK: Train

    struct FormPage: Equatable {
        var form: Rect
        var help: Rect
        var plan = Rect.zero
        var runs = Rect.zero
        var command = Rect.zero
    }

    var train: FormPage {
        if isWide {
            let bands = body.rows(.fill, .fixed(6))
            let columns = bands[0].columns(.ratio(min(0.6, share(.train, 0.38))), .ratio(0.28), .fill)
            let right = columns[2].rows(.ratio(0.55), .fill)
            return FormPage(form: columns[0], help: columns[1], plan: right[0], runs: right[1], command: bands[1])
        }
        if isCompact {
            let bands = body.rows(.fill, .fixed(4))
            return FormPage(form: bands[0], help: bands[1])
        }
        let bands = body.rows(.fill, .fixed(size.rows >= 30 ? 8 : 6))
        let columns = bands[0].columns(.fill, .fixed(second(.train, of: size.columns, usual: max(27, size.columns / 3), least: 20)))
        return FormPage(form: columns[0], help: columns[1], command: bands[1])
    }

    // MARK: Evaluate

    struct EvaluatePage: Equatable {
        var form: Rect
        var help: Rect
        var results: Rect
        var samples: Rect
    }

    /// - Parameter focus: compact terminals show the focused pane only.
    func evaluate(focus: Pane) -> EvaluatePage {
        if isCompact {
            var page = EvaluatePage(form: .zero, help: .zero, results: .zero, samples: .zero)
            let bands = body.rows(.fill, .fixed(4))
            switch focus {
            case .results: page.results = body
            case .samples: page.samples = body
            case .form, .runs, .transcript, .message, .chart, .log:
                page.form = bands[0]
                page.help = bands[1]
            }
            return page
        }
        if isWide {
            let bands = body.rows(.ratio(0.55), .fill)
            let columns = bands[0].columns(.ratio(0.32), .ratio(0.25), .fill)
            return EvaluatePage(form: columns[0], help: columns[1], results: columns[2], samples: bands[1])
        }
        let bands = body.rows(.fill, .fixed(max(9, size.rows * 3 / 8)))
        let columns = bands[0].columns(.ratio(share(.evaluate, 0.56)), .fill)
        // The field's help is of use only while one is in the form.
        let showsHelp = focus == .form && columns[1].height >= 13
        let right = columns[1].rows(.fill, .fixed(showsHelp ? 6 : 0))
        return EvaluatePage(form: columns[0], help: right[1], results: right[0], samples: bands[1])
    }

    // MARK: Chat

    struct ChatPage: Equatable {
        var transcript: Rect
        var message: Rect
        var options: Rect
    }

    var chat: ChatPage {
        let messageHeight = isCompact ? 4 : isWide ? 7 : 5
        let height = splits[Split.Place.chat.rawValue].map { min(max(4, Int(Double(body.height) * (1 - $0))), body.height - 6) } ?? messageHeight
        let bands = body.rows(.fill, .fixed(height))
        guard isWide else { return ChatPage(transcript: bands[0], message: bands[1], options: .zero) }
        let columns = bands[1].columns(.fill, .fixed(size.columns / 3))
        return ChatPage(transcript: bands[0], message: columns[0], options: columns[1])
    }

    /// The inside of the conversation, where its lines go.
    var transcript: Rect { chat.transcript.inset(horizontal: 2, vertical: 1) }

    /// Where the two sides of a comparison go.
    var comparison: (Rect, Rect) {
        let columns = chat.transcript.columns(.ratio(0.5), .fill)
        return (columns[0], columns[1])
    }

    /// The inside of the message box.
    var message: Rect { chat.message.inset(horizontal: 2, vertical: 1) }

    /// Form and help, for Chat before a model is loaded.
    var chatForm: FormPage {
        // The first rows say how to go on, or why it does not.
        let body = body.droppingFirstRows(chatHeadRows)
        if isCompact {
            let bands = body.rows(.fill, .fixed(4))
            return FormPage(form: bands[0], help: bands[1])
        }
        let columns = body.columns(.ratio(0.62), .fill)
        return FormPage(form: columns[0], help: columns[1])
    }

    // MARK: Export

    struct ExportPage: Equatable {
        var form: Rect
        var help: Rect
        var plan: Rect
        var progress: Rect
        var command: Rect
    }

    func export(isRunning: Bool) -> ExportPage {
        if isCompact {
            let bands = body.rows(.fill, .fixed(isRunning ? 7 : 4))
            return ExportPage(
                form: bands[0], help: isRunning ? .zero : bands[1], plan: .zero, progress: isRunning ? bands[1] : .zero, command: .zero)
        }
        let bands = isWide ? body.rows(.fill, .fixed(12), .fixed(7)) : body.rows(.fill, .fixed(9), .fixed(0))
        let columns = bands[0].columns(.ratio(share(.export, 0.58)), .fill)
        let right = columns[1].rows(.fill, .fixed(max(6, columns[1].height / 3)))
        return ExportPage(form: columns[0], help: right[1], plan: right[0], progress: bands[1], command: bands[2])
    }

    // MARK: Monitor

    struct MonitorPage: Equatable {
        var progress: Rect
        var configuration: Rect
        var chart: Rect
        /// Where the small plots of the other metrics go.
        var smallCharts: Rect
        var now: Rect
        var system: Rect
        var log: Rect
        var runs: Rect
    }

    func monitor(focus: Pane, hasRun: Bool) -> MonitorPage {
        var page = MonitorPage(
            progress: .zero, configuration: .zero, chart: .zero, smallCharts: .zero, now: .zero, system: .zero, log: .zero, runs: .zero)
        guard hasRun else {
            page.runs = body
            return page
        }
        if isWide { return wideMonitor }
        if isCompact {
            let bands = body.rows(.fixed(1), .fill, .fixed(1))
            page.progress = bands[0]
            page.now = bands[2]
            switch focus {
            case .log: page.log = bands[1]
            case .runs: page.runs = bands[1]
            case .chart, .form, .results, .samples, .transcript, .message: page.chart = bands[1]
            }
            return page
        }
        let extra = size.rows - 24
        // The log grows while it is read; the panels go where both would not fit.
        let isReadingLog = focus == .log
        let dragged = splits[Split.Place.monitor.rawValue].map { min(max(4, Int(Double(body.height) * (1 - $0))), body.height - 14) }
        let logHeight = isReadingLog ? body.height / 2 : dragged ?? 4 + max(0, extra / 2)
        let bands = body.rows(.fixed(1), .fill, .fixed(isReadingLog && extra < 12 ? 0 : 5), .fixed(logHeight))
        let panels = bands[2].columns(.ratio(0.5), .fill)
        page.progress = bands[0]
        page.chart = bands[1]
        page.now = panels[0]
        page.system = panels[1]
        page.log = bands[3]
        return page
    }

    private var wideMonitor: MonitorPage {
        let dragged = splits[Split.Place.monitor.rawValue].map { min(max(6, Int(Double(body.height) * (1 - $0))), body.height - 20) }
        let bands = body.rows(.fixed(1), .fill, .fixed(dragged ?? max(9, size.rows / 4)))
        let columns = bands[1].columns(.ratio(0.3), .fill)
        let left = columns[0].rows(.fill, .fixed(max(8, columns[0].height / 3)))
        let right = columns[1].rows(.fill, .fixed(max(8, columns[1].height / 3)))
        let bottom = bands[2].columns(.fill, .ratio(0.38))
        let panels = bottom[1].columns(.ratio(0.46), .fill)
        return MonitorPage(
            progress: bands[0], configuration: left[0], chart: right[0], smallCharts: right[1], now: panels[0], system: panels[1],
            log: bottom[0], runs: left[1])
    }

    /// Lines of the log in view.
    var logRows: Int { max(1, monitor(focus: .log, hasRun: true).log.height - 2) }

    // MARK: Edges

    /// The edges of a page that can be dragged, as places for the mouse.
    func edges(of tab: Tab, chatIsLoaded: Bool, hasRun: Bool) -> [HitRegion] {
        guard !isTooSmall, !isCompact || tab == .chat else { return [] }
        switch tab {
        case .train: return [edge(.train, beside: train.help)]
        case .evaluate: return [isWide ? nil : edge(.evaluate, beside: evaluate(focus: .results).results)].compactMap { $0 }
        case .export: return [edge(.export, beside: export(isRunning: false).plan)]
        case .chat: return chatIsLoaded ? [edge(.chat, above: chat.message)] : []
        case .monitor: return !hasRun ? [] : [edge(.monitor, above: monitor(focus: .chart, hasRun: true).log)]
        }
    }

    private func edge(_ place: Split.Place, beside right: Rect) -> HitRegion {
        HitRegion(
            Rect(x: right.x - 1, y: right.y + 1, width: 2, height: max(0, right.height - 2)),
            .split(Split(place: place, start: 0, length: size.columns, isVertical: true)))
    }

    private func edge(_ place: Split.Place, above lower: Rect) -> HitRegion {
        // The upper pane's bottom border; the lower one's top border keeps its title.
        HitRegion(
            Rect(x: lower.x + 1, y: lower.y - 1, width: max(0, lower.width - 2), height: 1),
            .split(Split(place: place, start: body.y, length: body.height, isVertical: false)))
    }

    // MARK: Popups

    func popup(columns: Int, rows: Int) -> Rect {
        Rect(x: 0, y: 0, width: size.columns, height: size.rows - messageRows)
            .centered(width: min(columns, size.columns - 2), height: min(rows, size.rows - 2 - messageRows))
    }

    var listPopup: Rect { popup(columns: isWide ? 110 : 76, rows: max(14, size.rows - 4)) }
    /// The text of a popup in which one writes.
    var editor: Rect { listPopup.inset(horizontal: 2, vertical: 1).droppingLastRows(2) }

    var formPopup: Rect { popup(columns: isWide ? 100 : 76, rows: max(14, size.rows - 4)) }

    /// Rows for the fields of a form, as it is shown now.
    func formRows(_ tab: Tab, in state: BoardState) -> Int {
        var height: Int
        if case .form(tab) = state.overlays.last {
            height = formPopup.height - 5
        } else {
            switch tab {
            case .train, .monitor: height = train.form.height - 2
            case .evaluate: height = evaluate(focus: .form).form.height - 2
            case .chat: height = state.chat.modelInfo == nil ? chatForm.form.height - 2 : formPopup.height - 5
            case .export: height = export(isRunning: state.jobs[.export] != nil).form.height - 2
            }
        }
        if state.forms[tab].filter != nil { height -= 1 }
        return height
    }
}
