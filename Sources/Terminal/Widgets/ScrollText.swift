/// A log: lines come in at the end, old ones go, the view follows the end until one scrolls away from it.
public struct ScrollText: Sendable {
    public struct Line: Hashable, Sendable {
        /// Sanitized text of one line.
        public let text: String
        /// The theme's scope: `log.info`.
        public let scope: String
        /// Lines below the view's least rank are hidden.
        public let rank: Int
        /// The first so many characters are drawn as `log.time`.
        public let timeLength: Int
    }

    /// How many lines are kept.
    public let capacity: Int
    public private(set) var isFollowing = true
    /// Lines of a lower rank are hidden.
    public var minimumRank = 0 { didSet { if minimumRank != oldValue { refilter() } } }
    /// What n and N look for; empty for nothing.
    public private(set) var query = ""

    /// Kept lines, oldest first; a quarter of the capacity is dropped at a time.
    private var lines: [Line] = []
    /// The lines that are shown, by index into `lines`.
    private var visible: [Int] = []
    /// The line at the top of the view, by index into `visible`, while not following.
    private var top = 0
    /// The line that the search stands on.
    private var found: Int?
    private var firstCell = 0

    public init(capacity: Int = 10_000) { self.capacity = max(16, capacity) }

    public var count: Int { visible.count }
    public var isEmpty: Bool { visible.isEmpty }

    /// Adds text; several lines are split and each takes the same looks.
    public mutating func append(_ text: String, scope: String = "log.info", rank: Int = 1, timeLength: Int = 0) {
        for part in TextWidth.sanitize(text).split(separator: "\n", omittingEmptySubsequences: false) {
            lines.append(Line(text: String(part), scope: scope, rank: rank, timeLength: timeLength))
            if rank >= minimumRank { visible.append(lines.count - 1) }
        }
        guard lines.count > capacity else { return }
        let dropped = lines.count - capacity * 3 / 4
        lines.removeFirst(dropped)
        let hidden = visible.prefix { $0 < dropped }.count
        visible.removeFirst(hidden)
        for index in visible.indices { visible[index] -= dropped }
        top = max(0, top - hidden)
        found = found.flatMap { $0 >= hidden ? $0 - hidden : nil }
    }

    public mutating func clear() {
        let kept = minimumRank
        self = ScrollText(capacity: capacity)
        minimumRank = kept
    }

    private mutating func refilter() {
        visible = lines.indices.filter { lines[$0].rank >= minimumRank }
        isFollowing = true
        found = nil
    }

    // MARK: Moving

    /// Arrows, Page Up and Down, Home, End, g and G; reaching the end follows again.
    public mutating func handle(_ key: Key, visibleRows: Int) -> Bool {
        guard key.modifiers.isEmpty else { return false }
        let page = max(1, visibleRows - 1)
        switch key.code {
        case .up, .character("k"): scroll(by: -1, visibleRows: visibleRows)
        case .down, .character("j"): scroll(by: 1, visibleRows: visibleRows)
        case .pageUp: scroll(by: -page, visibleRows: visibleRows)
        case .pageDown: scroll(by: page, visibleRows: visibleRows)
        case .home, .character("g"): scroll(by: -visible.count, visibleRows: visibleRows)
        case .end, .character("G"): isFollowing = true
        case .left: firstCell = max(0, firstCell - 8)
        case .right: firstCell = min(firstCell + 8, 4096)
        default: return false
        }
        return true
    }

    public mutating func scroll(by amount: Int, visibleRows: Int) {
        let last = max(0, visible.count - visibleRows)
        top = min(max(0, (isFollowing ? last : min(top, last)) + amount), last)
        isFollowing = top >= last
    }

    public mutating func follow() { isFollowing = true }

    /// Begins a search and goes to the newest line that holds the text, capitals ignored.
    ///
    /// - Returns: whether there is one.
    @discardableResult
    public mutating func search(_ text: String, visibleRows: Int) -> Bool {
        query = text
        found = visible.count
        return findNext(backwards: true, visibleRows: visibleRows)
    }

    public mutating func endSearch() {
        query = ""
        found = nil
    }

    /// Goes to the next older (or newer) line that holds the text.
    @discardableResult
    public mutating func findNext(backwards: Bool, visibleRows: Int) -> Bool {
        let needle = query.lowercased()
        guard !needle.isEmpty else { return false }
        var index = found ?? visible.count
        while true {
            index += backwards ? -1 : 1
            guard index >= 0, index < visible.count else { return false }
            guard lines[visible[index]].text.lowercased().contains(needle) else { continue }
            found = index
            let last = max(0, visible.count - visibleRows)
            top = min(max(0, index - visibleRows / 2), last)
            isFollowing = false
            return true
        }
    }

    // MARK: Drawing

    public func draw(into grid: inout CellGrid, _ rect: Rect, theme: Theme) {
        guard !rect.isEmpty, !visible.isEmpty else { return }
        let last = max(0, visible.count - rect.height)
        let first = isFollowing ? last : min(top, last)
        let hasBar = visible.count > rect.height && rect.width > 8
        let width = rect.width - (hasBar ? 1 : 0)
        for index in first..<min(visible.count, first + rect.height) {
            drawLine(into: &grid, Rect(x: rect.x, y: rect.y + index - first, width: width, height: 1), index, theme)
        }
        if hasBar {
            let bar = Rect(x: rect.endX - 1, y: rect.y, width: 1, height: rect.height)
            grid.scrollBar(in: bar, first: first, visible: rect.height, total: visible.count, theme: theme)
        }
    }

    private func drawLine(into grid: inout CellGrid, _ rect: Rect, _ index: Int, _ theme: Theme) {
        let line = lines[visible[index]]
        var style = theme.style(line.scope)
        if index == found { style = theme.style("ui.selection.unfocused").over(style) }
        let text = firstCell > 0 ? TextWidth.dropping(cells: firstCell, from: line.text) : line.text
        let shown = TextWidth.truncate(text, to: rect.width)
        grid.put(shown, at: rect.origin, style: style, maxWidth: rect.width)
        if line.timeLength > firstCell {
            let time = theme.style("log.time")
            let area = Rect(x: rect.x, y: rect.y, width: min(rect.width, line.timeLength - firstCell), height: 1)
            grid.restyle(area) { _ in time }
        }
        guard !query.isEmpty else { return }
        let match = theme.style("ui.match")
        for range in ScrollText.occurrences(of: query, in: shown) {
            grid.overlay(Rect(x: rect.x + range.lowerBound, y: rect.y, width: range.count, height: 1), style: match)
        }
    }

    /// Where a text occurs, in cells.
    static func occurrences(of query: String, in text: String) -> [Range<Int>] {
        let needle = Array(query.lowercased())
        let hay = Array(text).map { Array($0.lowercased()) }
        guard !needle.isEmpty, hay.count >= 1 else { return [] }
        var result: [Range<Int>] = []
        var cell = 0
        let characters = Array(text)
        for start in characters.indices {
            let width = TextWidth.width(of: characters[start])
            var matched = 0
            var end = start
            var cells = 0
            while end < hay.count, matched < needle.count, hay[end].elementsEqual(needle[matched..<min(needle.count, matched + hay[end].count)]) {
                matched += hay[end].count
                cells += TextWidth.width(of: characters[end])
                end += 1
            }
            if matched >= needle.count { result.append(cell..<cell + cells) }
            cell += width
        }
        return result
    }
}
