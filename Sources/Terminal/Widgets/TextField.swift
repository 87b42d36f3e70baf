/// One line of text under edit.
public struct TextField: Hashable, Sendable {
    public private(set) var characters: [Character]
    /// The cursor stands before this character.
    public private(set) var cursor: Int
    /// The whole text is selected: what is typed or pasted replaces it, a cursor key keeps it.
    public private(set) var isSelected: Bool

    public init(_ text: String = "", isSelected: Bool = false) {
        characters = Array(text)
        cursor = characters.count
        self.isSelected = isSelected && !characters.isEmpty
    }

    public var text: String {
        get { String(characters) }
        set {
            characters = Array(newValue)
            cursor = characters.count
            isSelected = false
        }
    }

    public var isEmpty: Bool { characters.isEmpty }

    /// Inserts typed or pasted text at the cursor; its line breaks become spaces.
    public mutating func insert(_ text: String) {
        if isSelected { removeSelection() }
        let added = TextWidth.sanitize(text).map { $0.isNewline ? " " : $0 }
        characters.insert(contentsOf: added, at: cursor)
        cursor += added.count
        normalize(around: added.count)
    }

    /// Typing a combining mark after a letter joins them into one character.
    private mutating func normalize(around count: Int) {
        guard count > 0 else { return }
        let joined = Array(String(characters))
        guard joined.count != characters.count else { return }
        let before = Array(String(characters[..<cursor])).count
        characters = joined
        cursor = min(before, joined.count)
    }

    /// Edits by a key: arrows, Home, End, Backspace, Delete, Ctrl+A, E, U, K, W, Alt or Ctrl with the arrows for words, and typing.
    ///
    /// - Returns: `false` when the key means nothing here.
    public mutating func handle(_ key: Key) -> Bool {
        guard isSelected else { return edit(key) }
        var edited = self
        edited.isSelected = false
        let lengthBefore = characters.count
        if key.typedCharacter != nil {
            edited.removeSelection()
            _ = edited.edit(key)
        } else {
            guard edited.edit(key) else { return false }
            // Whatever takes something away takes all of what is selected.
            if edited.characters.count < lengthBefore || key.code == .delete { edited.removeSelection() }
        }
        self = edited
        return true
    }

    private mutating func removeSelection() {
        characters = []
        cursor = 0
        isSelected = false
    }

    private mutating func edit(_ key: Key) -> Bool {
        if let character = key.typedCharacter {
            insert(String(character))
            return true
        }
        let byWord = !key.modifiers.isDisjoint(with: [.alt, .control])
        switch key.code {
        case .left: cursor = byWord ? wordStart(before: cursor) : max(0, cursor - 1)
        case .right: cursor = byWord ? wordEnd(after: cursor) : min(characters.count, cursor + 1)
        case .home: cursor = 0
        case .end: cursor = characters.count
        case .backspace: byWord ? remove(wordStart(before: cursor)..<cursor) : remove(max(0, cursor - 1)..<cursor)
        case .delete: remove(cursor..<min(characters.count, cursor + 1))
        case .character(let character) where key.modifiers == .control:
            switch character {
            case "a": cursor = 0
            case "e": cursor = characters.count
            case "b": cursor = max(0, cursor - 1)
            case "f": cursor = min(characters.count, cursor + 1)
            case "u": remove(0..<cursor)
            case "k": remove(cursor..<characters.count)
            case "w": remove(wordStart(before: cursor)..<cursor)
            case "d": remove(cursor..<min(characters.count, cursor + 1))
            default: return false
            }
        case .character(let character) where key.modifiers == .alt:
            switch character {
            case "b": cursor = wordStart(before: cursor)
            case "f": cursor = wordEnd(after: cursor)
            case "d": remove(cursor..<wordEnd(after: cursor))
            default: return false
            }
        default: return false
        }
        return true
    }

    private mutating func remove(_ range: Range<Int>) {
        characters.removeSubrange(range)
        cursor = range.lowerBound
    }

    private func wordStart(before index: Int) -> Int { Words.start(before: index, in: characters) }
    private func wordEnd(after index: Int) -> Int { Words.end(after: index, in: characters) }

    /// Puts the cursor where the mouse pointed, counted in cells from the field's left edge.
    public mutating func click(cell: Int, width: Int) {
        isSelected = false
        var cells = 0
        let target = firstVisibleCell(width: width) + max(0, cell)
        for (index, character) in characters.enumerated() {
            let next = cells + TextWidth.width(of: character)
            if target < next {
                cursor = index
                return
            }
            cells = next
        }
        cursor = characters.count
    }

    /// The first cell of the text that is shown, so that the cursor is always visible.
    private func firstVisibleCell(width: Int) -> Int {
        let cursorCell = TextWidth.width(of: String(characters[..<cursor]))
        guard cursorCell >= width else { return 0 }
        return cursorCell - width + 1
    }

    /// Draws the text into the rectangle's first row, reversed while it is selected.
    ///
    /// - Returns: where the cursor stands.
    @discardableResult
    public func draw(into grid: inout CellGrid, _ rect: Rect, style: Style, placeholder: String = "", placeholderStyle: Style? = nil) -> Point {
        guard rect.width > 0, rect.height > 0 else { return rect.origin }
        grid.fill(rect.row(0), style: style)
        if characters.isEmpty {
            grid.put(TextWidth.truncate(placeholder, to: rect.width), at: rect.origin, style: placeholderStyle ?? style, maxWidth: rect.width)
            return rect.origin
        }
        let style = isSelected ? style.adding(.reverse) : style
        let first = firstVisibleCell(width: rect.width)
        var cell = -first
        for character in characters {
            let width = TextWidth.width(of: character)
            if cell >= 0, cell + width <= rect.width { grid.put(String(character), at: rect.origin.offset(x: cell), style: style) }
            cell += width
            if cell >= rect.width { break }
        }
        let cursorCell = TextWidth.width(of: String(characters[..<cursor])) - first
        // What lies out of view is told, except where the cursor stands.
        if first > 0, cursorCell > 0 { grid.put("…", at: rect.origin, style: style) }
        if cell >= rect.width, first + rect.width < TextWidth.width(of: text), cursorCell < rect.width - 1 {
            grid.put("…", at: rect.origin.offset(x: rect.width - 1), style: style)
        }
        return rect.origin.offset(x: min(cursorCell, rect.width - 1))
    }
}

/// Where words begin and end: letters and digits belong together.
enum Words {
    private static func isWord(_ character: Character) -> Bool { character.isLetter || character.isNumber }

    static func start(before index: Int, in text: [Character]) -> Int {
        var place = index
        while place > 0, !isWord(text[place - 1]) { place -= 1 }
        while place > 0, isWord(text[place - 1]) { place -= 1 }
        return place
    }

    static func end(after index: Int, in text: [Character]) -> Int {
        var place = index
        while place < text.count, !isWord(text[place]) { place += 1 }
        while place < text.count, isWord(text[place]) { place += 1 }
        return place
    }
}
