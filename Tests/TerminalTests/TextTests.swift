import CNcurses
import Glibc
import Testing

@testable import Terminal

@Suite struct WidthTests {
    @Test(arguments: [
        ("abc", 3), ("", 0), ("中文", 4), ("한글", 4), ("ｆｕ", 4), ("e\u{301}", 1), ("😀", 2), ("⠿█▌─", 4), ("…", 1), ("\u{200B}", 0), ("ไทย", 3),
        ("\u{1112}\u{1161}\u{11AB}", 2),
    ])
    func widthsAreThoseThatTerminalsAgreeOn(_ text: String, _ width: Int) {
        #expect(TextWidth.width(of: text) == width)
    }

    @Test(arguments: [
        ("👨‍👩‍👧", "👨", 2), ("👍🏽", "👍", 2), ("🇩🇪", "DE", 2), ("❤️", "❤", 1), ("1️⃣", "1", 1), ("🏴\u{E0067}\u{E007F}", "🏴", 2),
    ])
    func sequencesThatTerminalsDisagreeOnAreReplaced(_ text: String, _ shown: String, _ width: Int) {
        var grid = CellGrid(size: Size(columns: 8, rows: 1))
        #expect(grid.put(text + "|", at: Point(x: 0, y: 0)) == width + 1)
        #expect(grid.text() == [shown + "|"])
    }

    /// libc and we come from different versions of Unicode; they must agree on nearly everything that is assigned.
    @Test func theTableAgreesWithTheSystem() {
        guard let locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nil) else { return }
        let old = uselocale(locale)
        defer {
            uselocale(old)
            freelocale(locale)
        }
        var differences: [UInt32] = []
        for code in UInt32(0x20)..<0x30000 {
            guard let scalar = Unicode.Scalar(code), scalar.properties.generalCategory != .unassigned else { continue }
            let system = Int(terminal_system_width(code))
            if system >= 0, system != TextWidth.width(of: scalar) { differences.append(code) }
        }
        #expect(differences.count < 200, "\(differences.count) differ, first \(differences.prefix(20).map { String($0, radix: 16) })")
    }

    @Test func truncationEndsInAnEllipsisAndNeverHalvesACharacter() {
        #expect(TextWidth.truncate("abcdef", to: 4) == "abc…")
        #expect(TextWidth.truncate("abcd", to: 4) == "abcd")
        #expect(TextWidth.truncate("月光落在", to: 4) == "月…")
        #expect(TextWidth.truncate("abc", to: 0) == "")
        #expect(TextWidth.truncateStart("saves/tiny/lora", to: 8) == "…ny/lora")
        #expect(TextWidth.truncateStart("月光落在", to: 4) == "…在")
        #expect(TextWidth.fit("ab", to: 5, alignment: .trailing) == "   ab")
        #expect(TextWidth.fit("月光", to: 3) == "月…")
    }
}

@Suite struct WrapTests {
    @Test func wordsStayWholeWhileTheyFit() {
        #expect(TextWidth.wrap("the quick brown fox", to: 10) == ["the quick", "brown fox"])
        #expect(TextWidth.wrap("incomprehensibilities", to: 8) == ["incompre", "hensibil", "ities"])
        #expect(TextWidth.wrap("a incomprehensible", to: 8) == ["a", "incompre", "hensible"])
        #expect(TextWidth.wrap("saves/demo-model/lora/quickstart", to: 18) == ["saves/demo-model/", "lora/quickstart"])
        #expect(TextWidth.wrap("in saves/demo-model/lora/quickstart", to: 18) == ["in saves/", "demo-model/lora/", "quickstart"])
        #expect(TextWidth.wrap("/incomprehensible", to: 8) == ["/incompr", "ehensibl", "e"])
    }

    @Test func lineBreaksAndIndentsAreKept() {
        #expect(TextWidth.wrap("a\n\n  b c", to: 10) == ["a", "", "  b c"])
        #expect(TextWidth.wrap("", to: 10) == [""])
    }

    @Test func chineseBreaksAnywhereButNotBeforeItsPunctuation() {
        #expect(TextWidth.wrap("月光落在窗台上，风", to: 8) == ["月光落在", "窗台上，", "风"])
        #expect(TextWidth.wrap("月光落在，风", to: 8) == ["月光落", "在，风"])
        #expect(TextWidth.wrap("我用LoRA训练", to: 8) == ["我用LoRA", "训练"])
    }

    @Test func noLineIsWiderThanAsked() {
        let text = "Fine-tuning 大模型 with (very long) words, 例如：低秩适配！ and supercalifragilistic 😀😀😀 ends."
        for width in 2..<40 {
            let lines = TextWidth.wrap(text, to: width)
            #expect(lines.allSatisfy { TextWidth.width(of: $0) <= width }, "at \(width): \(lines)")
            let kept = lines.joined().filter { $0 != " " }
            #expect(kept == text.filter { $0 != " " })
        }
    }

    @Test func aSpaceAtTheBreakIsDropped() {
        #expect(TextWidth.wrap("abcd efgh", to: 4) == ["abcd", "efgh"])
        #expect(TextWidth.wrap("abcd  efgh", to: 5) == ["abcd", "efgh"])
    }
}

@Suite struct SanitizeTests {
    @Test(arguments: [
        ("plain", "plain"), ("\u{1B}[31mred\u{1B}[0m", "red"), ("\u{1B}]0;title\u{7}after", "after"), ("\u{1B}]52;c;AAAA\u{1B}\\x", "x"),
        ("a\u{8}\u{0}b", "ab"), ("\u{1B}P$q\u{1B}\\z", "z"), ("\u{9B}2Jx", "x"), ("a\u{202E}b\u{2066}c", "abc"), ("a\tb", "a   b"),
        ("10%\r50%\r99%\nnext", "99%\nnext"), ("line\r\nnext", "line\nnext"), ("\u{1B}(Bx", "x"), ("\u{1B}[", ""),
        ("mixed \u{1B}[?25lhid\u{1B}[1;2Hden", "mixed hidden"),
    ])
    func escapesAndControlsAreTakenOut(_ text: String, _ expected: String) {
        #expect(TextWidth.sanitize(text) == expected)
    }

    @Test func brokenUTF8ShowsAsReplacementCharacters() {
        #expect(TextWidth.sanitize(bytes: [0x61, 0xFF, 0x62, 0xE6, 0x9C]) == "a\u{FFFD}b\u{FFFD}")
    }
}
