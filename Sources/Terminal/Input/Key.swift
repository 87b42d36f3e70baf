/// A key as bindings name it. Capital letters are characters of their own; `shift` is set only for keys without a character.
public struct Key: Hashable, Sendable {
    public enum Code: Hashable, Sendable {
        /// A letter, digit, sign or the space.
        case character(Character)
        case enter, escape, tab, backTab
        case up, down, left, right, pageUp, pageDown, home, end
        case insert, delete, backspace
        /// F1 to F24.
        case function(Int)
    }

    public struct Modifiers: OptionSet, Hashable, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        public static let control = Modifiers(rawValue: 1)
        public static let alt = Modifiers(rawValue: 2)
        public static let shift = Modifiers(rawValue: 4)
    }

    public var code: Code
    public var modifiers: Modifiers

    public init(_ code: Code, _ modifiers: Modifiers = []) {
        self.code = code
        self.modifiers = modifiers
    }

    public init(_ character: Character, _ modifiers: Modifiers = []) { self.init(.character(character), modifiers) }

    /// The character that the key types into a field: none with Control or Alt.
    public var typedCharacter: Character? {
        guard case .character(let character) = code, modifiers.isDisjoint(with: [.control, .alt]) else { return nil }
        return character
    }
}

extension Key {
    /// Reads a key's name as key files and tables write it: `ctrl+r`, `alt+enter`, `F5`, `shift+tab`, `pageup`, `space`, `q`, `?`, `^P`, `⏎`.
    public init?(name: String) {
        var rest = Substring(name)
        var modifiers: Modifiers = []
        if rest.count == 2, rest.first == "^" {
            rest = rest.dropFirst()
            modifiers = .control
        }
        while let plus = rest.dropFirst().firstIndex(of: "+"), rest.index(after: plus) < rest.endIndex {
            switch rest[..<plus].lowercased() {
            case "ctrl", "control", "c": modifiers.insert(.control)
            case "alt", "meta", "option", "a", "m": modifiers.insert(.alt)
            case "shift", "s": modifiers.insert(.shift)
            default: return nil
            }
            rest = rest[rest.index(after: plus)...]
        }
        guard let first = rest.first else { return nil }
        if rest.count == 1, Key.signs[first] == nil {
            let lowered = modifiers.contains(.control) ? Character(first.lowercased()) : first
            if modifiers.contains(.shift) {
                self.init(Character(first.uppercased()), modifiers.subtracting(.shift))
            } else {
                self.init(lowered, modifiers)
            }
            return
        }
        guard let code = Key.signs[first].flatMap({ rest.count == 1 ? $0 : nil }) ?? Key.code(named: rest.lowercased()) else { return nil }
        if code == .tab, modifiers.contains(.shift) {
            self.init(.backTab, modifiers.subtracting(.shift))
        } else {
            self.init(code, modifiers)
        }
    }

    private static let signs: [Character: Code] = [
        "⏎": .enter, "↵": .enter, "⇥": .tab, "⇤": .backTab, "⌫": .backspace, "␣": .character(" "), "←": .left, "→": .right, "↑": .up,
        "↓": .down,
    ]

    private static func code(named name: String) -> Code? {
        switch name {
        case "enter", "return": return .enter
        case "esc", "escape": return .escape
        case "tab": return .tab
        case "backtab": return .backTab
        case "space": return .character(" ")
        case "plus": return .character("+")
        case "up": return .up
        case "down": return .down
        case "left": return .left
        case "right": return .right
        case "pageup", "pgup": return .pageUp
        case "pagedown", "pgdn": return .pageDown
        case "home": return .home
        case "end": return .end
        case "insert", "ins": return .insert
        case "delete", "del": return .delete
        case "backspace": return .backspace
        default:
            guard name.first == "f", let number = Int(name.dropFirst()), (1...24).contains(number) else { return nil }
            return .function(number)
        }
    }

    /// The name that `init(name:)` reads back.
    public var name: String {
        var result = ""
        if modifiers.contains(.control) { result += "ctrl+" }
        if modifiers.contains(.alt) { result += "alt+" }
        if modifiers.contains(.shift) { result += "shift+" }
        switch code {
        case .character(" "): return result + "space"
        case .character("+"): return result + "plus"
        case .character(let character): return result + String(character)
        case .enter: return result + "enter"
        case .escape: return result + "esc"
        case .tab: return result + "tab"
        case .backTab: return result + "shift+tab"
        case .up: return result + "up"
        case .down: return result + "down"
        case .left: return result + "left"
        case .right: return result + "right"
        case .pageUp: return result + "pageup"
        case .pageDown: return result + "pagedown"
        case .home: return result + "home"
        case .end: return result + "end"
        case .insert: return result + "insert"
        case .delete: return result + "delete"
        case .backspace: return result + "backspace"
        case .function(let number): return result + "F\(number)"
        }
    }

    /// The short form for footers: `^R`, `Alt+⏎`, `F5`, `⏎`, `space`.
    public var label: String {
        var result = ""
        if modifiers.contains(.alt) { result += "Alt+" }
        if modifiers.contains(.shift) { result += "Shift+" }
        if modifiers.contains(.control) {
            guard case .character(let character) = code, character != " " else { return "Ctrl+" + result + Key.sign(of: code) }
            return result + "^" + character.uppercased()
        }
        return result + Key.sign(of: code)
    }

    private static func sign(of code: Code) -> String {
        switch code {
        case .character(" "): return "space"
        case .character(let character): return String(character)
        case .enter: return "⏎"
        case .escape: return "Esc"
        case .tab: return "Tab"
        case .backTab: return "Shift+Tab"
        case .up: return "↑"
        case .down: return "↓"
        case .left: return "←"
        case .right: return "→"
        case .pageUp: return "PgUp"
        case .pageDown: return "PgDn"
        case .home: return "Home"
        case .end: return "End"
        case .insert: return "Ins"
        case .delete: return "Del"
        case .backspace: return "⌫"
        case .function(let number): return "F\(number)"
        }
    }
}
