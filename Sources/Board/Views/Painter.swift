import Platform
import Terminal

/// A frame being drawn: the cells, what the mouse finds where, and where the cursor stands.
public struct Painter: Sendable {
    public var grid: CellGrid
    public var hits: [HitRegion] = []
    public var cursor: Point?
    public let theme: Theme
    public let state: BoardState
    let layout: Layout

    init(state: BoardState, theme: Theme) {
        self.state = state
        self.theme = theme
        layout = state.layout
        grid = CellGrid(size: state.size, style: theme.style("ui.text"))
    }

    /// Text in the first row of a rectangle, cut with an ellipsis where it does not fit.
    @discardableResult
    mutating func text(_ text: String, in rect: Rect, _ scope: String, alignment: TextWidth.Alignment = .leading) -> Int {
        grid.put(text, in: rect, style: theme.style(scope), alignment: alignment)
    }

    /// Text from a point on, cut with an ellipsis at `width`.
    @discardableResult
    mutating func text(_ text: String, x: Int, y: Int, width: Int, _ scope: String) -> Int {
        grid.put(text, in: Rect(x: x, y: y, width: width, height: 1), style: theme.style(scope))
    }

    /// Wrapped text from the top of a rectangle on.
    /// - Returns: the rows it took.
    @discardableResult
    mutating func paragraph(_ text: String, in rect: Rect, _ scope: String) -> Int {
        let lines = TextWidth.wrap(text, to: rect.width)
        for (index, line) in lines.prefix(rect.height).enumerated() {
            let isCut = index == rect.height - 1 && lines.count > rect.height
            self.text(isCut ? line + "…" : line, in: rect.row(index), scope)
        }
        return min(lines.count, rect.height)
    }

    /// A titled box; heavy when the pane has the focus and nothing lies over it.
    mutating func box(_ rect: Rect, title: String, note: String = "", pane: Pane? = nil) -> Rect {
        let isFocused = pane.map { $0 == state.focus && state.overlays.isEmpty } ?? false
        return box(rect, title: title, note: note, isFocused: isFocused, pane: pane)
    }

    mutating func box(_ rect: Rect, title: String, note: String, isFocused: Bool, pane: Pane?) -> Rect {
        guard rect.width > 2, rect.height > 1 else { return .zero }
        let style = theme.style(isFocused ? "ui.border.focus" : "ui.border")
        let inside = grid.box(rect, title: title, note: note, style: style, titleStyle: theme.style("ui.title"), isFocused: isFocused)
        if let pane { hits.append(HitRegion(rect, .pane(pane))) }
        return inside.inset(horizontal: 1, vertical: 0)
    }

    /// A bar that is `fraction` full, between two thin edges: `▕███▌   ▏`.
    mutating func bar(_ fraction: Double, in rect: Rect, scope: String, track: String) {
        guard rect.width > 2 else { return }
        let inner = rect.width - 2
        let share = fraction.isFinite ? min(max(fraction, 0), 1) : 0
        let eighths = Int((share * Double(inner * 8)).rounded(.down))
        let style = theme.style(scope, at: share)
        text("▕", x: rect.x, y: rect.y, width: 1, track)
        text("▏", x: rect.endX - 1, y: rect.y, width: 1, track)
        let partial: [Unicode.Scalar] = [" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]
        for column in 0..<inner {
            let filled = eighths - column * 8
            let glyph: Unicode.Scalar = filled >= 8 ? "█" : filled > 0 ? partial[filled] : " "
            grid.set(glyph, at: Point(x: rect.x + 1 + column, y: rect.y), style: style)
        }
    }

    /// Words at the left and the right of a row: a name and its value.
    mutating func pair(_ name: String, _ value: String, in rect: Rect, nameWidth: Int, scope: String = "ui.text") {
        guard rect.height > 0 else { return }
        text(name, x: rect.x, y: rect.y, width: min(nameWidth, rect.width), "ui.text.dim")
        text(value, x: rect.x + nameWidth + 1, y: rect.y, width: rect.width - nameWidth - 1, scope)
    }
}

/// A finished frame.
public struct Frame: Sendable {
    public var grid: CellGrid
    public var hits: [HitRegion]
    public var cursor: Point?
}

/// The whole board as a picture of its state.
public enum BoardView {
    public static func draw(_ state: BoardState, theme: Theme) -> Frame {
        state.withSurroundings {
            var painter = Painter(state: state, theme: theme)
            painter.drawBoard()
            return Frame(grid: painter.grid, hits: painter.hits, cursor: painter.cursor)
        }
    }
}

extension Painter {
    fileprivate mutating func drawBoard() {
        guard !layout.isTooSmall else {
            drawTooSmall()
            return
        }
        drawHeader()
        switch state.tab {
        case .train: drawTrain()
        case .evaluate: drawEvaluate()
        case .chat: drawChat()
        case .export: drawExport()
        case .monitor: drawMonitor()
        }
        if state.overlays.isEmpty { for edge in layout.edges(of: state.tab, chatIsLoaded: state.chat.modelInfo != nil, hasRun: state.monitoredRun != nil) { hits.append(edge) } }
        for (index, overlay) in state.overlays.enumerated() { draw(overlay, isTop: index == state.overlays.count - 1) }
        drawStatus()
        drawFooter()
        drawJumpLabels()
    }

    /// The card for terminals below the smallest size: what there is, and what is needed.
    private mutating func drawTooSmall() {
        let needed = Layout.minimum
        let lines = [
            say("Terminal too small."), "",
            say("now \(state.size.columns) x \(state.size.rows)"),
            say("needed \(needed.columns) x \(needed.rows)"),
            "",
            state.runningJob.map { say("\(say(key: $0.kind.activity)) goes on") } ?? say("q quits"),
        ]
        let top = max(0, (state.size.rows - lines.count) / 2)
        let width = lines.map(TextWidth.width(of:)).max() ?? 0
        let left = max(0, (state.size.columns - width) / 2)
        for (index, line) in lines.enumerated() {
            text(line, x: left, y: top + index, width: state.size.columns - left, index == 0 ? "ui.warning" : "ui.text")
        }
    }

    private mutating func drawHeader() {
        var x = layout.header.x + 1
        for tab in Tab.allCases {
            let isActive = tab == state.tab
            let label = "\(tab.number) \(say(key: tab.title))"
            let shown = isActive ? "[\(label)]" : " \(label) "
            let start = x
            x += text(shown, x: x, y: 0, width: max(0, layout.size.columns - x), isActive ? "ui.tab.active" : "ui.tab")
            hits.append(HitRegion(Rect(x: start, y: 0, width: x - start, height: 1), .tab(tab)))
        }
        let room = layout.size.columns - x - 2
        let (words, share, scope) = headerStatus(room)
        // How far it is tells more than the rest of a name.
        let shown = TextWidth.truncate(words, to: room - TextWidth.width(of: share)) + share
        let width = TextWidth.width(of: shown)
        text(shown, x: layout.size.columns - 1 - width, y: 0, width: width, scope)
    }

    /// What runs, at the right of the tab bar, and how far it is.
    private func headerStatus(_ room: Int) -> (words: String, share: String, scope: String) {
        if let run = state.runningJob {
            var words = "● " + run.title
            var share = ""
            switch run.state {
            case .running, .loading: break
            case .waiting, .paused, .stopping, .finished, .stopped, .failed, .aborted: words += " " + say(key: run.state.word)
            }
            if let fraction = run.fraction {
                share = " \(Int(fraction * 100))%"
                if layout.size.columns < 72 { words = "●" }
            }
            if !state.queue.isEmpty { share += " +\(state.queue.count)" }
            if layout.isWide, let latest = run.latest {
                share += "  " + say("step \(latest.step)/\(latest.totalSteps)  ETA \(Words.duration(latest.remainingSeconds))")
            }
            return (words, share, run.state == .paused || run.state == .stopping ? "ui.status.paused" : "ui.status.running")
        }
        if case .loading = state.chat.engine { return (say("● loading the chat model"), "", "ui.status.running") }
        if state.chat.isStreaming { return (say("● answering"), "", "ui.status.running") }
        if state.tab == .chat, let info = state.chat.modelInfo {
            let adapter = info.adapterName.map { state.chat.isAdapterEnabled ? $0 : say("\($0) off") }
            return ("● " + (adapter ?? info.modelName), "", "ui.status")
        }
        if let run = state.catalog.runs.first(where: { $0.isAlive && !$0.isOurs }) {
            let name = Path.name(run.directory)
            let isShown = state.tab == .monitor && state.openedRun?.directory == run.directory
            let long = isShown ? say("● \(name) is at work in another process") : say("● \(name) is at work in another process: R shows it")
            let words = [long, say("● at work in another process"), say("● in another process"), "●"].first { TextWidth.width(of: $0) <= room }
            return (words ?? "", "", "ui.info")
        }
        guard !state.queue.isEmpty else { return (say("idle"), "", "ui.status") }
        let long = say("idle") + "  " + say("\(state.queue.count) queued")
        return TextWidth.width(of: long) <= room ? (long, "", "ui.status") : (say("idle"), " +\(state.queue.count)", "ui.status")
    }

    /// The outcome of the last action, in the rows above the footer.
    private mutating func drawStatus() {
        guard let status = state.status else { return }
        let scope =
            switch status.kind {
            case .note: "ui.info"
            case .success: "ui.success"
            case .warning: "ui.warning"
            case .failure: "ui.error"
            }
        let lines = state.statusLines
        let area = Rect(x: 0, y: layout.footer.y - lines.count, width: layout.size.columns, height: lines.count)
        grid.fill(area, style: theme.style("ui.text"))
        for (index, line) in lines.enumerated() { text(line, in: area.inset(horizontal: 1, vertical: 0).row(index), scope) }
    }

    /// The keys that count here: the most important ones that fit, the general ones at the right.
    private mutating func drawFooter() {
        let row = layout.footer
        let contexts = state.contexts
        let commands = CommandTable.footer(in: contexts)
        var general = commands.filter { $0.footerRank >= 80 && $0.isHinted(state) }
        // On narrow terminals the other panes are out of sight: their key matters more than the palette's, which the help has too.
        if row.width < 72, general.contains(where: { $0.identifier == "pane.next" }) { general.removeAll { $0.identifier == "board.palette.page" } }
        var seen: Set<String> = []
        // Of twins, which do the same by another key, the first alone.
        let special = commands.filter { $0.footerRank < 80 && $0.isHinted(state) && (!$0.isShownOnlyWhenPossible || $0.refusal(state) == nil) }
            .enumerated().sorted { ($0.element.rank(state), $0.offset) < ($1.element.rank(state), $1.offset) }.map(\.element)
            .filter { seen.insert($0.title).inserted }
        var right = row.endX
        for command in general.reversed() {
            let width = TextWidth.width(of: shortKey(command)) + 1 + TextWidth.width(of: command.footerLabel(state))
            guard right - width - 2 > row.width / 2 else { continue }
            right -= width + 1
            drawFooterEntry(command, x: right, y: row.y)
        }
        var x = row.x + 1
        for command in special {
            let width = TextWidth.width(of: shortKey(command)) + 1 + TextWidth.width(of: command.footerLabel(state))
            guard x + width < right - 1 else { continue }
            drawFooterEntry(command, x: x, y: row.y)
            x += width + 2
        }
    }

    private func shortKey(_ command: BoardCommand) -> String {
        return command.boundKeys.first?.label ?? (command.keys.isEmpty ? "F1" : "")
    }

    private mutating func drawFooterEntry(_ command: BoardCommand, x: Int, y: Int) {
        let isRefused = command.refusal(state) != nil
        let key = shortKey(command)
        let keyWidth = text(key, x: x, y: y, width: 12, isRefused ? "ui.key.disabled" : "ui.key")
        let labelWidth = text(command.footerLabel(state), x: x + keyWidth + 1, y: y, width: 20, isRefused ? "ui.key.disabled" : "ui.key.label")
        hits.append(HitRegion(Rect(x: x, y: y, width: keyWidth + 1 + labelWidth, height: 1), .command(command.identifier)))
    }
}
