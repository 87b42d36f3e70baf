/// Borders, bars and rules.
extension CellGrid {
    /// Draws a border around a rectangle's inside. A focused box has a heavy border, so focus never depends on colour.
    ///
    /// - Parameters:
    ///   - title: shown in the top border, cut where it does not fit.
    ///   - note: shown at the right end of the top border when there is room for both.
    /// - Returns: the rectangle inside the border.
    @discardableResult
    public mutating func box(
        _ rect: Rect, title: String = "", note: String = "", style: Style, titleStyle: Style? = nil, isFocused: Bool = false
    ) -> Rect {
        guard rect.width >= 2, rect.height >= 2 else { return Rect.zero }
        let border = isFocused ? BorderGlyphs.heavy : BorderGlyphs.light
        for x in rect.x + 1..<rect.endX - 1 {
            set(border.horizontal, at: Point(x: x, y: rect.y), style: style)
            set(border.horizontal, at: Point(x: x, y: rect.endY - 1), style: style)
        }
        for y in rect.y + 1..<max(rect.y + 1, rect.endY - 1) {
            set(border.vertical, at: Point(x: rect.x, y: y), style: style)
            set(border.vertical, at: Point(x: rect.endX - 1, y: y), style: style)
        }
        set(border.topLeft, at: Point(x: rect.x, y: rect.y), style: style)
        set(border.topRight, at: Point(x: rect.endX - 1, y: rect.y), style: style)
        set(border.bottomLeft, at: Point(x: rect.x, y: rect.endY - 1), style: style)
        set(border.bottomRight, at: Point(x: rect.endX - 1, y: rect.endY - 1), style: style)

        let room = rect.width - 6
        var used = 0
        if !title.isEmpty, room > 0 {
            let shown = " " + TextWidth.truncate(title, to: room) + " "
            used = put(shown, at: Point(x: rect.x + 2, y: rect.y), style: titleStyle ?? style)
        }
        let noteWidth = TextWidth.width(of: note)
        if noteWidth > 0, used + noteWidth + 3 <= rect.width - 4 {
            put(" " + note + " ", at: Point(x: rect.endX - 4 - noteWidth, y: rect.y), style: style)
        }
        return rect.inset(1)
    }

    /// A popup: cleared inside, with a border and no shadow.
    ///
    /// - Returns: the rectangle inside, with a column of margin on either side.
    @discardableResult
    public mutating func popup(_ rect: Rect, title: String, note: String = "", theme: Theme) -> Rect {
        fill(rect, style: theme.style("ui.popup"))
        box(
            rect, title: title, note: note, style: theme.style("ui.popup.border"), titleStyle: theme.style("ui.popup.title"),
            isFocused: true)
        return rect.inset(horizontal: 2, vertical: 1)
    }

    /// A vertical scroll bar in one column; nothing when everything is visible.
    public mutating func scrollBar(in rect: Rect, first: Int, visible: Int, total: Int, theme: Theme) {
        guard total > visible, visible > 0, rect.height > 0, rect.width > 0 else { return }
        let length = max(1, rect.height * visible / total)
        let travel = rect.height - length
        let start = min(travel, (travel * max(0, first) + (total - visible) / 2) / (total - visible))
        for y in 0..<rect.height {
            let isThumb = y >= start && y < start + length
            set(
                isThumb ? "█" : "│", at: Point(x: rect.x, y: rect.y + y),
                style: theme.style(isThumb ? "ui.scrollbar.thumb" : "ui.scrollbar"))
        }
    }

    /// A horizontal line across a rectangle's first row.
    public mutating func rule(_ rect: Rect, style: Style) {
        for x in rect.x..<rect.endX { set("─", at: Point(x: x, y: rect.y), style: style) }
    }

    /// Copies another grid's cells to a place in this one.
    public mutating func draw(_ other: CellGrid, at point: Point) {
        for y in 0..<other.size.rows {
            for x in 0..<other.size.columns {
                guard let cell = other[x, y], cell.width > 0 else { continue }
                put(cell.text, at: point.offset(x: x, y: y), style: cell.style)
            }
        }
    }
}

struct BorderGlyphs {
    let horizontal: Unicode.Scalar
    let vertical: Unicode.Scalar
    let topLeft: Unicode.Scalar
    let topRight: Unicode.Scalar
    let bottomLeft: Unicode.Scalar
    let bottomRight: Unicode.Scalar

    static let light = BorderGlyphs(horizontal: "─", vertical: "│", topLeft: "┌", topRight: "┐", bottomLeft: "└", bottomRight: "┘")
    static let heavy = BorderGlyphs(horizontal: "━", vertical: "┃", topLeft: "┏", topRight: "┓", bottomLeft: "┗", bottomRight: "┛")
}
