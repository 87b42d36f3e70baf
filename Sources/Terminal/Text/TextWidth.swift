/// How many cells text takes, and what becomes of text that no two terminals agree on.
///
/// Terminals, ncurses and libc must agree on every width, or rows shift. So text is cut into cells by one table: a base character of
/// one or two cells with up to two combining marks. What terminals disagree on is replaced by a plain stand-in: a joined emoji (ZWJ)
/// shows its first part, skin tones and presentation selectors are dropped, a flag becomes its two letters.
/// Control and direction-changing characters never reach a cell.
public enum TextWidth {
    /// The cells that `text` takes on one line.
    public static func width(of text: String) -> Int {
        var total = 0
        forEachGlyph(text) { glyph in
            total += Int(glyph.width)
            return true
        }
        return total
    }

    public static func width(of character: Character) -> Int { width(of: String(character)) }

    /// The cells of a single code point: 0 for marks, format and control characters, 2 for wide ones.
    public static func width(of scalar: Unicode.Scalar) -> Int {
        let code = scalar.value
        if code < 0x300 { return code >= 0x20 && code < 0x7F || code >= 0xA0 && code != 0xAD ? 1 : 0 }
        if code >= 0x2500 && code < 0x25FD || code >= 0x2800 && code < 0x2900 { return 1 }
        let ranges = WidthTable.ranges
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if UInt32(ranges[middle] >> 32) <= code { low = middle + 1 } else { high = middle }
        }
        guard low > 0 else { return 1 }
        let range = ranges[low - 1]
        return code <= UInt32(range >> 8 & 0xFF_FFFF) ? Int(range & 0xFF) : 1
    }

    /// Walks over the cells of a line; `body` returns `false` to end early. Tabs and line breaks count as one space.
    static func forEachGlyph(_ text: String, _ body: (Glyph) -> Bool) {
        var pending = Glyph(base: 0, width: 0)
        var joins = false
        for scalar in text.unicodeScalars {
            let code = scalar.value
            var next: Glyph
            if code >= 0x20 && code < 0x7F {
                next = Glyph(base: code, width: 1)
            } else if code < 0xA0 {
                guard code == 0x09 || code == 0x0A || code == 0x0D else { continue }
                next = Glyph(base: 0x20, width: 1)
            } else if code == 0x200D {
                joins = pending.width == 2
                continue
            } else if code >= 0x1F3FB && code <= 0x1F3FF && pending.width == 2 {
                continue
            } else if code >= 0x1F1E6 && code <= 0x1F1FF {
                next = Glyph(base: code - 0x1F1E6 + 0x41, width: 1)
            } else {
                next = Glyph(base: code, width: UInt8(width(of: scalar)))
            }
            if next.width == 0 {
                if isMark(code) { pending.attach(code) }
                continue
            }
            if joins {
                joins = false
                continue
            }
            if pending.width > 0, !body(pending) { return }
            pending = next
        }
        if pending.width > 0 { _ = body(pending) }
    }

    /// Whether a character of width 0 is a visible mark, rather than a format character, selector or keycap.
    private static func isMark(_ code: UInt32) -> Bool {
        switch code {
        case 0xAD, 0x61C, 0x180B...0x180F, 0x200B...0x200F, 0x2028...0x202E, 0x2060...0x206F, 0x20DD...0x20E4, 0xFE00...0xFE0F, 0xFEFF, 0xFFF9...0xFFFB,
            0x1D173...0x1D17A, 0xE0000...0xE0FFF:
            false
        default: true
        }
    }
}

/// What one cell shows: a base character, up to two combining marks, and the cells it takes.
struct Glyph: Equatable {
    var base: UInt32
    var firstMark: UInt32 = 0
    var secondMark: UInt32 = 0
    var width: UInt8

    init(base: UInt32, width: UInt8) {
        self.base = base
        self.width = width
    }

    mutating func attach(_ mark: UInt32) {
        guard width > 0 else { return }
        if firstMark == 0 { firstMark = mark } else if secondMark == 0 { secondMark = mark }
    }
}
