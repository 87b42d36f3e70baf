import CNcurses

/// Turns what the terminal sends, one token at a time, into inputs: Escape or Alt, control characters, pastes, mouse reports.
struct InputDecoder {
    /// One thing that was read; ncurses' codes are already translated.
    enum Token: Equatable {
        case character(UInt32)
        case key(UInt32, Key.Modifiers)
        case pasteStart
        case pasteEnd
        case mouse(button: UInt32, x: Int, y: Int, isRelease: Bool)
    }

    /// A larger paste is cut: a megabyte is no input for a field.
    static let pasteLimit = 1 << 20

    private var isEscapePending = false
    /// What the terminal says of itself, from the bracket after Escape on: an answer that came after nobody waited for it any more.
    private var report: [UInt32] = []
    private var pasted: [Unicode.Scalar]?
    private var isCut = false

    /// Whether a paste has begun and not ended.
    var isPasting: Bool { pasted != nil }

    mutating func take(_ token: Token) -> [Input] {
        if pasted != nil, token != .pasteEnd {
            if case .character(let code) = token { collect(code) }
            return []
        }
        if !report.isEmpty {
            if case .character(let code) = token {
                swallow(code)
                return []
            }
            return finish() + take(token)
        }
        switch token {
        case .character(0x1B):
            // Escape twice: the first one stands alone.
            defer { isEscapePending = true }
            return isEscapePending ? [.key(Key(.escape))] : []
        case .character(let code):
            let alt = takeEscape()
            if alt, code == UInt8(ascii: "]") || code == UInt8(ascii: "[") {
                report = [code]
                return []
            }
            guard var key = InputDecoder.key(ofCharacter: code) else { return [] }
            if alt { key.modifiers.insert(.alt) }
            return [.key(key)]
        case .key(let number, let modifiers):
            let alt = takeEscape()
            guard let code = InputDecoder.code(ofKey: number) else { return [] }
            return [.key(Key(code, alt ? modifiers.union(.alt) : modifiers))]
        case .pasteStart:
            let inputs = finish()
            pasted = []
            return inputs
        case .pasteEnd:
            return finish()
        case .mouse(let button, let x, let y, let isRelease):
            return finish() + (InputDecoder.mouse(button, x, y, isRelease).map { [.mouse($0)] } ?? [])
        }
    }

    /// Nothing more is coming for now: a lone Escape was the Escape key, an open paste is over.
    mutating func finish() -> [Input] {
        if let text = pasted {
            pasted = nil
            defer { isCut = false }
            guard !text.isEmpty else { return [] }
            return [.paste(TextWidth.sanitize(String(String.UnicodeScalarView(text))))] + (isCut ? [.pasteWasCut(limit: InputDecoder.pasteLimit)] : [])
        }
        defer { report = [] }
        // A bracket that nothing followed was typed with Alt.
        if report.count == 1, var key = InputDecoder.key(ofCharacter: report[0]) {
            key.modifiers.insert(.alt)
            return [.key(key)]
        }
        return takeEscape() ? [.key(Key(.escape))] : []
    }

    /// `ESC ]` ends with BEL or `ESC \`, `ESC [` with its first letter (ECMA-48).
    private mutating func swallow(_ code: UInt32) {
        let isCommand = report[0] == UInt8(ascii: "]")
        let isOver = isCommand
            ? code == 7 || (code == UInt8(ascii: "\\") && report.last == 0x1B) : (0x40...0x7E).contains(code)
        report.append(code)
        if isOver || report.count > InputDecoder.longestReport { report = [] }
    }

    private static let longestReport = 256

    /// Ends a lone Escape but lets a paste go on.
    mutating func endOfBurst() -> [Input] { isPasting ? [] : finish() }

    private mutating func takeEscape() -> Bool {
        defer { isEscapePending = false }
        return isEscapePending
    }

    private mutating func collect(_ code: UInt32) {
        guard let count = pasted?.count, let scalar = Unicode.Scalar(code) else { return }
        guard count < InputDecoder.pasteLimit else { return isCut = true }
        pasted?.append(scalar == "\r" ? "\n" : scalar)
    }

    /// Control characters become keys with Control; Enter is 13 and Ctrl+J is 10, because the line runs with `nonl`.
    private static func key(ofCharacter code: UInt32) -> Key? {
        switch code {
        case 0: return Key(" ", .control)
        case 9: return Key(.tab)
        case 13: return Key(.enter)
        case 8, 127: return Key(.backspace)
        case 1...26: return Unicode.Scalar(code + 0x60).map { Key(Character($0), .control) }
        case 28...31: return Unicode.Scalar(code + 0x40).map { Key(Character($0), .control) }
        default:
            guard let scalar = Unicode.Scalar(code), code >= 0x20, !(0x80..<0xA0).contains(code) else { return nil }
            return Key(Character(scalar))
        }
    }

    private static func code(ofKey number: UInt32) -> Key.Code? {
        switch Int(number) {
        case Int(TERMINAL_UP.rawValue): .up
        case Int(TERMINAL_DOWN.rawValue): .down
        case Int(TERMINAL_LEFT.rawValue): .left
        case Int(TERMINAL_RIGHT.rawValue): .right
        case Int(TERMINAL_PAGE_UP.rawValue): .pageUp
        case Int(TERMINAL_PAGE_DOWN.rawValue): .pageDown
        case Int(TERMINAL_HOME.rawValue): .home
        case Int(TERMINAL_END.rawValue): .end
        case Int(TERMINAL_INSERT.rawValue): .insert
        case Int(TERMINAL_DELETE.rawValue): .delete
        case Int(TERMINAL_BACKSPACE.rawValue): .backspace
        case Int(TERMINAL_ENTER.rawValue): .enter
        case Int(TERMINAL_BACK_TAB.rawValue): .backTab
        case let function where function > 100 && function <= 124: .function(function - 100)
        default: nil
        }
    }

    /// Button codes of xterm's SGR reports: bits 0-1 the button, 4 Shift, 8 Alt, 16 Control, 32 moving, 64 wheel.
    private static func mouse(_ button: UInt32, _ x: Int, _ y: Int, _ isRelease: Bool) -> MouseEvent? {
        var modifiers: Key.Modifiers = []
        if button & 4 != 0 { modifiers.insert(.shift) }
        if button & 8 != 0 { modifiers.insert(.alt) }
        if button & 16 != 0 { modifiers.insert(.control) }
        let point = Point(x: max(0, x), y: max(0, y))
        if button & 64 != 0 {
            guard button & 3 < 2 else { return nil }
            return MouseEvent(point: point, kind: button & 3 == 0 ? .wheelUp : .wheelDown, button: .none, modifiers: modifiers)
        }
        let names: [MouseEvent.Button] = [.left, .middle, .right, .none]
        let kind: MouseEvent.Kind = isRelease ? .release : button & 32 != 0 ? .drag : .press
        return MouseEvent(point: point, kind: kind, button: names[Int(button & 3)], modifiers: modifiers)
    }
}
