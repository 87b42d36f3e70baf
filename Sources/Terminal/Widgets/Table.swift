/// Rows under a header, with one row selected and a mark at the column that they are sorted by.
public struct Table: Sendable {
    public struct Column: Hashable, Sendable {
        public var title: String
        public var extent: Extent
        public var alignment: TextWidth.Alignment

        public init(_ title: String, _ extent: Extent = .fill, alignment: TextWidth.Alignment = .leading) {
            self.title = title
            self.extent = extent
            self.alignment = alignment
        }
    }

    public struct SortOrder: Hashable, Sendable {
        public var column: Int
        public var isAscending: Bool

        public init(column: Int, isAscending: Bool = true) {
            self.column = column
            self.isAscending = isAscending
        }
    }

    public var columns: [Column]
    public var sortOrder: SortOrder?

    public init(columns: [Column], sortOrder: SortOrder? = nil) {
        self.columns = columns
        self.sortOrder = sortOrder
    }

    /// What the mouse can hit.
    public struct Hits: Sendable {
        public var header: [(rect: Rect, column: Int)] = []
        public var rows: [(rect: Rect, index: Int)] = []
    }

    /// Draws the header and the visible rows.
    ///
    /// - Parameters:
    ///   - cell: the text and style of a row's column; `nil` style for the plain one.
    @discardableResult
    public func draw(
        into grid: inout CellGrid, _ rect: Rect, count: Int, state: ListState, isFocused: Bool, theme: Theme,
        cell: (_ row: Int, _ column: Int) -> (text: String, style: Style?)
    ) -> Hits {
        var hits = Hits()
        guard rect.height >= 2, rect.width > 0 else { return hits }
        // One cell between columns.
        let places = Rect(x: rect.x, y: rect.y, width: rect.width + 1, height: 1).columns(columns.map(\.extent))
            .map { Rect(x: $0.x, y: $0.y, width: max(0, $0.width - 1), height: 1) }
        for (index, place) in places.enumerated() {
            let mark = sortOrder?.column == index ? (sortOrder?.isAscending == true ? "▲" : "▼") : ""
            grid.put(columns[index].title + mark, in: place, style: theme.style("ui.table.header"), alignment: columns[index].alignment)
            hits.header.append((place, index))
        }
        hits.rows = state.draw(into: &grid, rect.droppingFirstRows(1), count: count, isFocused: isFocused, theme: theme) { grid, area, row, _ in
            for (column, place) in places.enumerated() {
                let content = cell(row, column)
                let target = Rect(x: place.x, y: area.y, width: min(place.width, max(0, area.endX - place.x)), height: 1)
                grid.put(content.text, in: target, style: content.style ?? theme.style("ui.text"), alignment: columns[column].alignment)
            }
        }
        return hits
    }
}
