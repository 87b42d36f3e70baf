/// Which row of a list is selected and which one is at the top. The list itself belongs to the view.
public struct ListState: Hashable, Sendable {
    public var selection: Int
    public private(set) var top: Int

    public init(selection: Int = 0) {
        self.selection = selection
        top = 0
    }

    /// Keeps the selection inside a list that may have shrunk.
    public mutating func clamp(count: Int) { selection = min(max(0, selection), max(0, count - 1)) }

    public mutating func move(by amount: Int, count: Int, visible: Int) {
        selection += amount
        clamp(count: count)
        top = firstVisible(count: count, visible: visible)
    }

    public mutating func select(_ index: Int, count: Int, visible: Int) {
        selection = index
        clamp(count: count)
        top = firstVisible(count: count, visible: visible)
    }

    /// Scrolls without moving the selection further than needed to keep it visible: for the wheel.
    public mutating func scroll(by amount: Int, count: Int, visible: Int) {
        top = min(max(0, top + amount), max(0, count - visible))
        selection = min(max(selection, top), max(top, min(count, top + visible) - 1))
        clamp(count: count)
    }

    /// Arrows, j and k, Page Up and Down, Home and End, g and G.
    ///
    /// - Returns: `false` when the key means nothing here.
    public mutating func handle(_ key: Key, count: Int, visible: Int) -> Bool {
        guard key.modifiers.isEmpty else { return false }
        let page = max(1, visible - 1)
        switch key.code {
        case .up, .character("k"): move(by: -1, count: count, visible: visible)
        case .down, .character("j"): move(by: 1, count: count, visible: visible)
        case .pageUp: move(by: -page, count: count, visible: visible)
        case .pageDown: move(by: page, count: count, visible: visible)
        case .home, .character("g"): select(0, count: count, visible: visible)
        case .end, .character("G"): select(count - 1, count: count, visible: visible)
        default: return false
        }
        return true
    }

    /// The row to draw first, so that the selection is visible whatever the size is now.
    public func firstVisible(count: Int, visible: Int) -> Int {
        guard visible > 0 else { return 0 }
        var first = min(max(0, top), max(0, count - visible))
        if selection < first { first = selection }
        if selection >= first + visible { first = selection - visible + 1 }
        return max(0, first)
    }

    /// Draws the visible rows with a selection bar and a scroll bar.
    ///
    /// - Parameter row: draws one row: the grid, its rectangle, its index and whether it is selected.
    /// - Returns: the rectangle of each visible row and its index, for the mouse.
    @discardableResult
    public func draw(
        into grid: inout CellGrid, _ rect: Rect, count: Int, isFocused: Bool, theme: Theme,
        row: (inout CellGrid, Rect, Int, Bool) -> Void
    ) -> [(rect: Rect, index: Int)] {
        guard !rect.isEmpty, count > 0 else { return [] }
        let first = firstVisible(count: count, visible: rect.height)
        let hasBar = count > rect.height && rect.width > 4
        let rowWidth = rect.width - (hasBar ? 1 : 0)
        var hits: [(rect: Rect, index: Int)] = []
        for index in first..<min(count, first + rect.height) {
            let area = Rect(x: rect.x, y: rect.y + index - first, width: rowWidth, height: 1)
            let isSelected = index == selection
            row(&grid, area, index, isSelected)
            if isSelected { grid.overlay(area, style: theme.style(isFocused ? "ui.selection" : "ui.selection.unfocused")) }
            hits.append((area, index))
        }
        if hasBar {
            let bar = Rect(x: rect.endX - 1, y: rect.y, width: 1, height: rect.height)
            grid.scrollBar(in: bar, first: first, visible: rect.height, total: count, theme: theme)
        }
        return hits
    }
}
