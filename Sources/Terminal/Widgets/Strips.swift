/// The line of tabs: ` [1 Train] 2 Evaluate  3 Chat`.
public enum TabsBar {
    /// - Parameter note: shown at the right end when there is room.
    /// - Returns: the rectangle of each tab, for the mouse.
    @discardableResult
    public static func draw(
        into grid: inout CellGrid, _ rect: Rect, titles: [String], active: Int, note: String = "", noteStyle: Style? = nil, theme: Theme
    ) -> [Rect] {
        guard !rect.isEmpty else { return [] }
        var x = rect.x + 1
        var hits: [Rect] = []
        for (index, title) in titles.enumerated() {
            let isActive = index == active
            let text = isActive ? "[\(title)]" : " \(title) "
            let room = max(0, rect.endX - x)
            let used = grid.put(text, at: Point(x: x, y: rect.y), style: theme.style(isActive ? "ui.tab.active" : "ui.tab"), maxWidth: room)
            hits.append(Rect(x: x, y: rect.y, width: used, height: 1))
            x += used
        }
        let free = rect.endX - x - 2
        if free > 4, !note.isEmpty {
            let area = Rect(x: x + 1, y: rect.y, width: free, height: 1)
            grid.put(note, in: area, style: noteStyle ?? theme.style("ui.status"), alignment: .trailing)
        }
        return hits
    }
}

/// One entry of the footer.
public struct FooterHint: Hashable, Sendable {
    /// The key's label: `F5`, `^P`, `⏎`.
    public var key: String
    public var label: String
    /// Lower ones are left out first.
    public var priority: Int
    public var isEnabled: Bool
    /// Kept together at the right end.
    public var isTrailing: Bool

    public init(key: String, label: String, priority: Int = 0, isEnabled: Bool = true, isTrailing: Bool = false) {
        self.key = key
        self.label = label
        self.priority = priority
        self.isEnabled = isEnabled
        self.isTrailing = isTrailing
    }

    fileprivate var width: Int { TextWidth.width(of: key) + 1 + TextWidth.width(of: label) }
}

/// The line of keys at the foot of the screen; what does not fit is left out by priority.
public enum FooterBar {
    private static let gap = 2

    /// - Returns: the rectangle of each hint that is shown and its index, for the mouse.
    @discardableResult
    public static func draw(into grid: inout CellGrid, _ rect: Rect, hints: [FooterHint], theme: Theme) -> [(rect: Rect, index: Int)] {
        guard rect.width > 2, rect.height > 0 else { return [] }
        var shown = Array(hints.indices)
        func total() -> Int { shown.reduce(0) { $0 + hints[$1].width + gap } }
        while total() > rect.width - 1, let least = shown.min(by: { hints[$0].priority < hints[$1].priority }) {
            // Of equals, the last one goes first.
            let victim = shown.last { hints[$0].priority == hints[least].priority } ?? least
            shown.removeAll { $0 == victim }
        }
        let trailing = shown.filter { hints[$0].isTrailing }
        var hits: [(rect: Rect, index: Int)] = []
        var x = rect.x + 1
        for index in shown where !hints[index].isTrailing {
            hits.append((draw(hints[index], at: Point(x: x, y: rect.y), into: &grid, theme), index))
            x += hints[index].width + gap
        }
        x = rect.endX - trailing.reduce(0) { $0 + hints[$1].width + gap } + gap - 1
        for index in trailing {
            hits.append((draw(hints[index], at: Point(x: x, y: rect.y), into: &grid, theme), index))
            x += hints[index].width + gap
        }
        return hits
    }

    private static func draw(_ hint: FooterHint, at point: Point, into grid: inout CellGrid, _ theme: Theme) -> Rect {
        let keyStyle = theme.style(hint.isEnabled ? "ui.key" : "ui.key.disabled")
        let labelStyle = theme.style(hint.isEnabled ? "ui.key.label" : "ui.key.disabled")
        let used = grid.put(hint.key, at: point, style: keyStyle)
        let rest = grid.put(hint.label, at: point.offset(x: used + 1), style: labelStyle)
        return Rect(x: point.x, y: point.y, width: used + 1 + rest, height: 1)
    }
}
