/// A screen as a value: what every view draws into, what tests compare and what a back end shows.
///
/// ```
/// cells, row by row, `size.columns` to a row:
///   | a | 月 |   | b |         widths  1 2 0 1
/// ```
/// A wide character owns its cell and the empty one to its right; writing over either half blanks the other, and one that would
/// stick out over an edge becomes a space. So a row always adds up, whatever is drawn over what.
public struct CellGrid: Equatable, Sendable {
    public let size: Size
    private(set) var cells: [Cell]

    public init(size: Size, style: Style = .plain) {
        self.size = size
        cells = [Cell](repeating: Cell(base: 0x20, style: style), count: size.columns * size.rows)
    }

    public var bounds: Rect { Rect(size) }

    /// One row's cells; empty outside the grid.
    func row(_ y: Int) -> ArraySlice<Cell> {
        guard y >= 0, y < size.rows else { return [] }
        return cells[y * size.columns..<(y + 1) * size.columns]
    }

    public subscript(x: Int, y: Int) -> Cell? {
        guard x >= 0, y >= 0, x < size.columns, y < size.rows else { return nil }
        return cells[y * size.columns + x]
    }

    // MARK: Drawing

    /// Writes text on one line from a point on, clipped to the grid and to `maxWidth` cells. Control characters vanish.
    ///
    /// - Returns: the cells that the text took, clipped ones not counted.
    @discardableResult
    public mutating func put(_ text: String, at point: Point, style: Style = .plain, maxWidth: Int? = nil) -> Int {
        guard point.y >= 0, point.y < size.rows else { return 0 }
        let end = min(size.columns, maxWidth.map { point.x + max(0, $0) } ?? size.columns)
        var x = point.x
        let rowStart = point.y * size.columns
        TextWidth.forEachGlyph(text) { glyph in
            let next = x + Int(glyph.width)
            guard x < end else { return false }
            defer { x = next }
            if next <= 0 { return true }
            if x < 0 || next > end {
                // Half of a wide character is visible: an empty cell keeps the row straight.
                set(rowStart, max(x, 0), Cell(base: 0x20, style: style))
                return next <= end
            }
            set(rowStart, x, Cell(glyph: glyph, style: style))
            return true
        }
        return max(0, min(x, end) - point.x)
    }

    /// Writes text into a rectangle's first row, aligned and cut with an ellipsis where it does not fit.
    @discardableResult
    public mutating func put(_ text: String, in rect: Rect, style: Style = .plain, alignment: TextWidth.Alignment = .leading) -> Int {
        guard !rect.isEmpty else { return 0 }
        let cut = TextWidth.truncate(text, to: rect.width)
        let free = rect.width - TextWidth.width(of: cut)
        let indent =
            switch alignment {
            case .leading: 0
            case .center: free / 2
            case .trailing: free
            }
        return put(cut, at: Point(x: rect.x + indent, y: rect.y), style: style, maxWidth: rect.width - indent)
    }

    /// Fills a rectangle with one narrow character.
    public mutating func fill(_ rect: Rect, style: Style = .plain, character: Unicode.Scalar = " ") {
        let area = rect.intersection(bounds)
        guard !area.isEmpty else { return }
        let cell = Cell(base: TextWidth.width(of: character) == 1 ? character.value : 0x20, style: style)
        for y in area.y..<area.endY {
            let rowStart = y * size.columns
            blankWideNeighbours(rowStart, area.x, area.endX)
            for x in area.x..<area.endX { cells[rowStart + x] = cell }
        }
    }

    /// Puts one narrow character into one cell.
    public mutating func set(_ character: Unicode.Scalar, at point: Point, style: Style = .plain) {
        guard point.x >= 0, point.y >= 0, point.x < size.columns, point.y < size.rows else { return }
        set(point.y * size.columns, point.x, Cell(base: character.value, style: style))
    }

    /// Changes the style of what is already there: a selection bar, a match, a dimmed background.
    public mutating func restyle(_ rect: Rect, _ change: (Style) -> Style) {
        let area = rect.intersection(bounds)
        guard !area.isEmpty else { return }
        for y in area.y..<area.endY {
            for x in area.x..<area.endX { cells[y * size.columns + x].style = change(cells[y * size.columns + x].style) }
        }
    }

    /// Lays a style over what is there; see `Style.over`.
    public mutating func overlay(_ rect: Rect, style: Style) {
        restyle(rect) { style.over($0) }
    }

    private mutating func set(_ rowStart: Int, _ x: Int, _ cell: Cell) {
        blankWideNeighbours(rowStart, x, x + max(1, Int(cell.width)))
        cells[rowStart + x] = cell
        if cell.width == 2 { cells[rowStart + x + 1] = Cell(trailingOf: cell) }
    }

    /// Turns wide characters that straddle the edges of a range about to be overwritten into spaces.
    private mutating func blankWideNeighbours(_ rowStart: Int, _ x: Int, _ endX: Int) {
        if x > 0, cells[rowStart + x].width == 0 { cells[rowStart + x - 1] = Cell(base: 0x20, style: cells[rowStart + x - 1].style) }
        if endX < size.columns, cells[rowStart + endX].width == 0 {
            cells[rowStart + endX] = Cell(base: 0x20, style: cells[rowStart + endX].style)
        }
    }

    // MARK: Reading back

    /// The rows as text, trailing spaces dropped.
    public func text() -> [String] {
        (0..<size.rows).map { y in
            var line = String.UnicodeScalarView()
            for cell in row(y) where cell.width > 0 { cell.append(to: &line) }
            while line.last == " " { line.removeLast() }
            return String(line)
        }
    }

    /// One letter for each cell, `.` for the plain style and letters in order of appearance for the others, with a legend.
    public func styleMap() -> (rows: [String], legend: [(letter: Character, style: Style)]) {
        let letters = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
        var known: [Style: Character] = [.plain: "."]
        var legend: [(letter: Character, style: Style)] = []
        let rows = (0..<size.rows).map { y in
            String(
                row(y).map { cell in
                    if let letter = known[cell.style] { return letter }
                    let letter = legend.count < letters.count ? letters[legend.count] : "?"
                    known[cell.style] = letter
                    legend.append((letter, cell.style))
                    return letter
                })
        }
        return (rows, legend)
    }
}

/// One place of the grid.
public struct Cell: Equatable, Sendable {
    var base: UInt32
    var firstMark: UInt32 = 0
    var secondMark: UInt32 = 0
    /// 1 or 2; 0 in the right half of a wide character.
    public internal(set) var width: UInt8
    public var style: Style

    init(base: UInt32, style: Style) {
        self.base = base
        self.width = 1
        self.style = style
    }

    init(glyph: Glyph, style: Style) {
        base = glyph.base
        firstMark = glyph.firstMark
        secondMark = glyph.secondMark
        width = glyph.width
        self.style = style
    }

    init(trailingOf cell: Cell) {
        base = 0
        width = 0
        style = cell.style
    }

    /// What the cell shows; empty in the right half of a wide character.
    public var text: String {
        var scalars = String.UnicodeScalarView()
        append(to: &scalars)
        return String(scalars)
    }

    func append(to line: inout String.UnicodeScalarView) {
        for code in [base, firstMark, secondMark] where code != 0 {
            if let scalar = Unicode.Scalar(code) { line.append(scalar) }
        }
    }
}

extension CellGrid {
    /// Changes cells in place; `change` keeps the widths of a row adding up.
    mutating func replaceGlyphs(_ change: (inout Cell) -> Void) {
        for index in cells.indices { change(&cells[index]) }
    }
}
