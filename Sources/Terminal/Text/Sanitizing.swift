/// Making text of models, files and programs harmless before it is shown.
extension TextWidth {
    /// Text without escape sequences, control characters, direction overrides and invisible format characters. Line breaks stay, tabs
    /// become spaces up to the next multiple of 4, a carriage return overwrites its line as a progress bar means it to.
    public static func sanitize(_ untrusted: String) -> String {
        if untrusted.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return untrusted }
        var cleaner = Cleaner()
        for scalar in untrusted.unicodeScalars { cleaner.take(scalar) }
        return cleaner.finish()
    }

    /// The same for bytes; broken UTF-8 shows as replacement characters.
    public static func sanitize<Bytes: Collection<UInt8>>(bytes: Bytes) -> String {
        sanitize(String(decoding: bytes, as: UTF8.self))
    }
}

/// A small terminal that swallows what it is told to do and keeps what it is told to show.
private struct Cleaner {
    /// Where in an escape sequence we are.
    private enum State {
        case text
        /// After ESC.
        case escape
        /// In `ESC [ ...` until a final byte.
        case control
        /// In a string such as `ESC ] 52;... BEL`, until BEL or ESC \.
        case string
        case stringEscape
        /// After `ESC (` and its kind: one more character.
        case designation
    }

    private var state = State.text
    private var result = String.UnicodeScalarView()
    private var lineStart: String.UnicodeScalarView.Index
    private var column = 0
    private var returnPending = false

    init() { lineStart = result.startIndex }

    mutating func take(_ scalar: Unicode.Scalar) {
        switch state {
        case .text: takeText(scalar)
        case .escape:
            switch scalar {
            case "[": state = .control
            case "]", "P", "X", "^", "_": state = .string
            case "(", ")", "*", "+", "#", "%", " ": state = .designation
            default: state = .text
            }
        case .control:
            if scalar.value == 0x1B { state = .escape }
            if scalar.value >= 0x40 && scalar.value <= 0x7E { state = .text }
            if scalar == "\n" {
                state = .text
                takeText(scalar)
            }
        case .string:
            if scalar.value == 0x07 || scalar.value == 0x9C { state = .text }
            if scalar.value == 0x1B { state = .stringEscape }
        case .stringEscape:
            state = scalar == "\\" ? .text : .string
        case .designation:
            state = .text
        }
    }

    private mutating func takeText(_ scalar: Unicode.Scalar) {
        switch scalar.value {
        case 0x1B: state = .escape
        case 0x9B: state = .control
        case 0x90, 0x9D, 0x98, 0x9E, 0x9F: state = .string
        case 0x0D: returnPending = true
        case 0x0A:
            returnPending = false
            result.append("\n")
            lineStart = result.endIndex
            column = 0
        case 0x09:
            overwriteLine()
            for _ in 0..<(4 - column % 4) { append(" ", 1) }
        case 0..<0x20, 0x7F..<0xA0: break
        // Direction marks, overrides and isolates, invisible operators, line separators, byte order mark, tags.
        case 0x61C, 0x200B, 0x200E, 0x200F, 0x2028...0x202E, 0x2060...0x206F, 0xFEFF, 0xFFF9...0xFFFB, 0xE0000...0xE0FFF: break
        default:
            overwriteLine()
            append(scalar, TextWidth.width(of: scalar))
        }
    }

    private mutating func overwriteLine() {
        guard returnPending else { return }
        returnPending = false
        result.removeSubrange(lineStart...)
        column = 0
    }

    private mutating func append(_ scalar: Unicode.Scalar, _ cells: Int) {
        result.append(scalar)
        column += cells
    }

    func finish() -> String { String(result) }
}
