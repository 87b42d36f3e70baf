import CNcurses
import Testing

@testable import Terminal

@Suite struct KeyTests {
    @Test(arguments: [
        ("ctrl+r", Key("r", .control), "^R"), ("F5", Key(.function(5)), "F5"), ("⏎", Key(.enter), "⏎"), ("enter", Key(.enter), "⏎"),
        ("alt+enter", Key(.enter, .alt), "Alt+⏎"), ("shift+tab", Key(.backTab), "Shift+Tab"), ("space", Key(" "), "space"),
        ("^P", Key("p", .control), "^P"), ("?", Key("?"), "?"), ("G", Key("G"), "G"), ("+", Key("+"), "+"), ("pgdn", Key(.pageDown), "PgDn"),
        ("esc", Key(.escape), "Esc"), ("ctrl+left", Key(.left, .control), "Ctrl+←"), ("shift+up", Key(.up, .shift), "Shift+↑"),
        ("shift+g", Key("G"), "G"), ("alt+1", Key("1", .alt), "Alt+1"), ("ctrl+space", Key(" ", .control), "Ctrl+space"),
        ("月", Key("月"), "月"),
    ])
    func namesAreReadAndLabelled(_ name: String, _ key: Key, _ label: String) {
        #expect(Key(name: name) == key)
        #expect(Key(name: name)?.label == label)
        #expect(Key(name: key.name) == key, "\(key.name)")
    }

    @Test(arguments: ["", "ctrl+", "hyper+x", "F25", "F0", "nonsense", "ctrl+nonsense"])
    func otherNamesAreRefused(_ name: String) {
        #expect(Key(name: name) == nil)
    }
}

@Suite struct DecoderTests {
    private func decode(_ tokens: [InputDecoder.Token]) -> [Input] {
        var decoder = InputDecoder()
        return tokens.flatMap { decoder.take($0) } + decoder.finish()
    }

    private func characters(_ text: String) -> [InputDecoder.Token] { text.unicodeScalars.map { .character($0.value) } }

    @Test func aLoneEscapeIsTheKeyAndOneBeforeAKeyIsAlt() {
        #expect(decode(characters("\u{1B}")) == [.key(Key(.escape))])
        #expect(decode(characters("\u{1B}x")) == [.key(Key("x", .alt))])
        #expect(decode(characters("\u{1B}\r")) == [.key(Key(.enter, .alt))])
        #expect(decode(characters("\u{1B}\u{1B}")) == [.key(Key(.escape)), .key(Key(.escape))])
        #expect(decode([.character(0x1B), .key(TERMINAL_UP.rawValue, [])]) == [.key(Key(.up, .alt))])
    }

    @Test func enterAndControlJAreDifferentKeys() {
        #expect(decode(characters("\r\n")) == [.key(Key(.enter)), .key(Key("j", .control))])
        #expect(decode(characters("\u{3}\u{7F}\u{0}")) == [.key(Key("c", .control)), .key(Key(.backspace)), .key(Key(" ", .control))])
    }

    @Test func whatTheTerminalSaysOfItselfIsNoTyping() {
        #expect(decode(characters("\u{1B}]11;rgb:ffff/ffff/ffff\u{1B}\\\u{1B}[?62;22cq")) == [.key(Key("q"))])
        #expect(decode(characters("\u{1B}]11;rgb:00/00/00\u{7}q")) == [.key(Key("q"))])
        #expect(decode(characters("\u{1B}]11;rgb:ff")) == [])
        #expect(decode(characters("\u{1B}]")) == [.key(Key("]", .alt))])
        #expect(decode(characters("\u{1B}[")) == [.key(Key("[", .alt))])
        #expect(decode(characters("\u{1B}]") + [.key(TERMINAL_UP.rawValue, [])]) == [.key(Key("]", .alt)), .key(Key(.up))])
    }

    @Test func aPasteIsOnePieceOfHarmlessText() {
        let inputs = decode([.pasteStart] + characters("a\rb\u{1B}[31mc\u{7}") + [.pasteEnd] + characters("d"))
        #expect(inputs == [.paste("a\nbc"), .key(Key("d"))])
        #expect(decode([.pasteStart] + characters("cut off")) == [.paste("cut off")])
        let limit = InputDecoder.pasteLimit, text = String(repeating: "x", count: limit)
        #expect(decode([.pasteStart] + characters(text) + [.pasteEnd]) == [.paste(text)])
        #expect(decode([.pasteStart] + characters(text + "yz") + [.pasteEnd]) == [.paste(text), .pasteWasCut(limit: limit)])
    }

    @Test func mouseReportsTellButtonsDragsAndTheWheel() {
        func mouse(_ button: UInt32, release: Bool = false) -> [Input] {
            decode([.mouse(button: button, x: 4, y: 2, isRelease: release)])
        }
        let point = Point(x: 4, y: 2)
        #expect(mouse(0) == [.mouse(MouseEvent(point: point, kind: .press))])
        #expect(mouse(2, release: true) == [.mouse(MouseEvent(point: point, kind: .release, button: .right))])
        #expect(mouse(32) == [.mouse(MouseEvent(point: point, kind: .drag))])
        #expect(mouse(64) == [.mouse(MouseEvent(point: point, kind: .wheelUp, button: .none))])
        #expect(mouse(65 + 16) == [.mouse(MouseEvent(point: point, kind: .wheelDown, button: .none, modifiers: .control))])
        #expect(mouse(66) == [])
    }
}

@Suite struct ClipboardTests {
    @Test func textIsSentPlainAndWrappedForMultiplexers() {
        func sequence(_ variables: [String: String]) -> String {
            String(decoding: Clipboard.sequence(for: "hé", environment: { variables[$0] }) ?? [], as: UTF8.self)
        }
        #expect(sequence([:]) == "\u{1B}]52;c;aMOp\u{7}")
        #expect(sequence(["TMUX": "x"]) == "\u{1B}]52;c;aMOp\u{7}\u{1B}Ptmux;\u{1B}\u{1B}]52;c;aMOp\u{7}\u{1B}\\")
        #expect(sequence(["STY": "x"]) == "\u{1B}P\u{1B}]52;c;aMOp\u{7}\u{1B}\\")
    }

    @Test func textThatTerminalsWouldCutIsRefused() {
        #expect(Clipboard.sequence(for: String(repeating: "a", count: 60_000), environment: { _ in nil }) == nil)
    }

    @Test(arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")])
    func base64IsThatOfTheStandard(_ text: String, _ encoded: String) {
        #expect(String(decoding: Clipboard.base64(Array(text.utf8)), as: UTF8.self) == encoded)
    }
}

@Suite struct OutputLinesTests {
    @Test func linesAreCutAtLineBreaksOnly() {
        var lines = OutputLines()
        let first = lines.take(Array("one\ntw".utf8))
        #expect(first == ["one"])
        let second = lines.take(Array("o\n\u{1B}[1mthree\n".utf8))
        #expect(second == ["two", "three"])
    }
}
