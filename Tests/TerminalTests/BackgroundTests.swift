import Testing

@testable import Terminal

@Suite struct BackgroundTests {
    @Test(arguments: [
        ("\u{1B}]11;rgb:ffff/ffff/ffff\u{1B}\\\u{1B}[?62;c", Theme.Background.light), ("\u{1B}]11;rgb:00/00/00\u{07}", .dark),
        ("\u{1B}]11;rgb:fdfd/f6f6/e3e3\u{07}\u{1B}[?1;2c", .light), ("\u{1B}]11;rgba:1e1e/1e1e/2e2e/ffff\u{07}", .dark),
    ])
    func anAnswerIsUnderstood(_ text: String, _ expected: Theme.Background) {
        #expect(TerminalBackground.background(in: Array(text.utf8)) == expected)
    }

    @Test(arguments: ["", "\u{1B}[?62;c", "\u{1B}]11;rgb:ff\u{07}", "\u{1B}]11;red\u{07}", "\u{1B}]11;rgb:gg/00/00\u{07}", "]11;rgb", "\u{1B}]11;rgb:///"])
    func anythingElseIsUnknown(_ text: String) {
        #expect(TerminalBackground.background(in: Array(text.utf8)) == nil)
    }

    @Test func theSecondAnswerEndsTheWait() {
        #expect(TerminalBackground.hasDeviceAttributes(Array("\u{1B}]11;rgb:0/0/0\u{07}\u{1B}[?62;22c".utf8)))
        #expect(!TerminalBackground.hasDeviceAttributes(Array("\u{1B}]11;rgb:cc/cc/cc".utf8)))
    }
}
