/// Several lines of text under edit, wrapped to a width.
public struct TextArea: Hashable, Sendable {
    public private(set) var characters: [Character]
    /// The cursor stands before this character.
    public private(set) var cursor: Int
    /// The column that Up and Down aim for while they follow each other.
    private var aimedColumn: Int?

    public init(_ text: String = "") {
        characters = Array(text)
        cursor = characters.count
    }

    public var text: String {
        get { String(characters) }
        set { self = TextArea(newValue) }
    }

    public var isEmpty: Bool { characters.isEmpty }

    /// Inserts typed or pasted text at the cursor, line breaks kept.
    public mutating func insert(_ text: String) {
        let added = Array(TextWidth.sanitize(text))
        characters.insert(contentsOf: added, at: cursor)
        cursor += added.count
        aimedColumn = nil
        let joined = Array(String(characters))
        guard joined.count != characters.count else { return }
        cursor = min(Array(String(characters[..<cursor])).count, joined.count)
        characters = joined
    }

    public mutating func insertNewline() { insert("\n") }

    public mutating func moveToEnd() {
        cursor = characters.count
        aimedColumn = nil
    }

    /// Edits by a key: as a field, with Up, Down, Page Up and Page Down through the wrapped rows. Enter is left to the caller.
    ///
    /// - Parameter width: the cells of a row, as drawn.
    /// - Returns: `false` when the key means nothing here; so do Up on the first row and Down on the last.
    public mutating func handle(_ key: Key, width: Int) -> Bool {
        switch key.code {
        case .up where key.modifiers.isEmpty: return moveRows(-1, width)
        case .down where key.modifiers.isEmpty: return moveRows(1, width)
        case .pageUp: return moveRows(-8, width)
        case .pageDown: return moveRows(8, width)
        default: break
        }
        aimedColumn = nil
        if let character = key.typedCharacter {
            insert(String(character))
            return true
        }
        let byWord = !key.modifiers.isDisjoint(with: [.alt, .control])
        switch key.code {
        case .left: cursor = byWord ? Words.start(before: cursor, in: characters) : max(0, cursor - 1)
        case .right: cursor = byWord ? Words.end(after: cursor, in: characters) : min(characters.count, cursor + 1)
        case .home: cursor = byWord ? 0 : lineStart
        case .end: cursor = byWord ? characters.count : lineEnd
        case .backspace: remove((byWord ? Words.start(before: cursor, in: characters) : max(0, cursor - 1))..<cursor)
        case .delete: remove(cursor..<min(characters.count, cursor + 1))
        case .character(let character) where key.modifiers == .control:
            switch character {
            case "a": cursor = lineStart
            case "e": cursor = lineEnd
            case "u": remove(lineStart..<cursor)
            case "k": remove(cursor..<max(cursor, lineEnd))
            case "w": remove(Words.start(before: cursor, in: characters)..<cursor)
            case "d": remove(cursor..<min(characters.count, cursor + 1))
            default: return false
            }
        default: return false
        }
        return true
    }

    private var lineStart: Int { (characters[..<cursor].lastIndex(where: \.isNewline) ?? -1) + 1 }
    private var lineEnd: Int { characters[cursor...].firstIndex(where: \.isNewline) ?? characters.count }

    private mutating func remove(_ range: Range<Int>) {
        characters.removeSubrange(range)
        cursor = range.lowerBound
    }

    // MARK: Rows

    /// The ranges of characters on each wrapped row. A row that is full to the brim is followed by its successor, not by an empty one.
    public func rows(width: Int) -> [Range<Int>] {
        let limit = max(1, width)
        var rows: [Range<Int>] = []
        var start = 0
        var cells = 0
        var lastSpace: Int?
        var index = 0
        while index < characters.count {
            let character = characters[index]
            if character.isNewline {
                rows.append(start..<index)
                start = index + 1
                cells = 0
                lastSpace = nil
                index += 1
                continue
            }
            let width = TextWidth.width(of: character)
            if cells + width > limit, index > start {
                let end = character == " " ? index : lastSpace.map { $0 + 1 } ?? index
                rows.append(start..<end)
                start = end
                cells = TextWidth.width(of: String(characters[start..<index]))
                lastSpace = nil
            }
            if character == " " || width == 2 { lastSpace = index }
            cells += width
            index += 1
        }
        rows.append(start..<characters.count)
        return rows
    }

    /// The cursor's row and cell.
    private func place(in rows: [Range<Int>]) -> (row: Int, cell: Int) {
        let row = rows.lastIndex { $0.lowerBound <= cursor } ?? 0
        return (row, TextWidth.width(of: String(characters[rows[row].lowerBound..<cursor])))
    }

    private mutating func moveRows(_ amount: Int, _ width: Int) -> Bool {
        let rows = rows(width: width)
        let (row, cell) = place(in: rows)
        let target = min(max(row + amount, 0), rows.count - 1)
        guard target != row else { return false }
        let aim = aimedColumn ?? cell
        var cells = 0
        var index = rows[target].lowerBound
        let isLast = target == rows.count - 1
        while index < rows[target].upperBound {
            let next = cells + TextWidth.width(of: characters[index])
            if next > aim { break }
            cells = next
            index += 1
        }
        // The end of a wrapped row is the beginning of the next: stay on this one.
        if !isLast, index == rows[target + 1].lowerBound, index > rows[target].lowerBound { index -= 1 }
        cursor = index
        aimedColumn = aim
        return true
    }

    /// Draws the rows around the cursor.
    ///
    /// - Returns: where the cursor stands.
    @discardableResult
    public func draw(into grid: inout CellGrid, _ rect: Rect, style: Style, placeholder: String = "", placeholderStyle: Style? = nil) -> Point {
        guard !rect.isEmpty else { return rect.origin }
        grid.fill(rect, style: style)
        if characters.isEmpty {
            for (index, line) in TextWidth.wrap(placeholder, to: rect.width).prefix(rect.height).enumerated() {
                grid.put(line, at: rect.origin.offset(y: index), style: placeholderStyle ?? style, maxWidth: rect.width)
            }
            return rect.origin
        }
        let rows = rows(width: rect.width)
        let (cursorRow, cursorCell) = place(in: rows)
        let top = max(0, min(cursorRow - rect.height + 1 + min(1, rect.height / 4), rows.count - rect.height))
        let first = cursorRow < rect.height ? 0 : min(top, cursorRow)
        for (index, row) in rows[first...].prefix(rect.height).enumerated() {
            grid.put(String(characters[row]), at: rect.origin.offset(y: index), style: style, maxWidth: rect.width)
        }
        return rect.origin.offset(x: min(cursorCell, rect.width - 1), y: cursorRow - first)
    }
}
