import Glibc
import Testing

@testable import Terminal

@Suite struct PlainBackendTests {
    /// Runs a conversation whose answers are given beforehand.
    ///
    /// - Returns: what was printed.
    private func converse(_ answers: String, words: PlainBackend.Words = .init(), _ body: (PlainBackend) -> Void) -> String {
        var input: [Int32] = [0, 0]
        var output: [Int32] = [0, 0]
        guard pipe(&input) == 0, pipe(&output) == 0 else { return "" }
        let bytes = Array(answers.utf8)
        _ = write(input[1], bytes, bytes.count)
        close(input[1])
        body(PlainBackend(input: input[0], output: output[1], words: words))
        close(output[1])
        var printed = [UInt8](repeating: 0, count: 1 << 16)
        let count = read(output[0], &printed, printed.count)
        close(input[0])
        close(output[0])
        return String(decoding: printed[..<max(0, count)], as: UTF8.self)
    }

    @Test func questionsTakeAnswersPresetsAndTheEnd() {
        let printed = converse("llama\n\n") { plain in
            #expect(plain.ask("model") == "llama")
            #expect(plain.ask("rate", preset: "5e-5") == "5e-5")
            #expect(plain.ask("more") == nil)
        }
        #expect(printed == "model: rate [5e-5]: more: ")
    }

    @Test func choicesAreAskedUntilTheyAreUnderstood() {
        _ = converse("7\nx\n2\nmaybe\nyes") { plain in
            #expect(plain.choose("which", from: ["a", "b"]) == 1)
            #expect(plain.confirm("sure"))
        }
    }

    @Test func modelTextIsMadeHarmless() {
        #expect(converse("") { $0.say("a\u{1B}[2Jb") } == "ab\n")
    }

    @Test func `lines are broken between words where the terminal ends, and what is to be copied is not`() {
        let sentence = "  quantization_method: bnb  (does not apply: Only with quantization_bit.)"
        for columns in 30...80 {
            let lines = PlainBackend.wrapped(sentence, to: columns).split(separator: "\n").map(String.init)
            #expect(lines.allSatisfy { TextWidth.width(of: $0) <= columns })
            #expect(lines.flatMap { $0.split(separator: " ") } == sentence.split(separator: " "), "no word is broken")
            #expect(lines.dropFirst().allSatisfy { $0.hasPrefix("    ") && !$0.hasPrefix("     ") }, "\(lines)")
        }
        #expect(PlainBackend.wrapped(sentence, to: 80) == sentence)
        #expect(converse("") { $0.say(sentence + sentence) } == sentence + sentence + "\n", "a pipe takes lines as they are")
    }

    @Test func `it asks in the words that it is given`() {
        var words = PlainBackend.Words()
        words.number = "编号"
        words.noSuchNumber = { "1 到 \($0)" }
        words.yesOrNo = "（yes 或 no）"
        words.notYesOrNo = "请回答"
        let printed = converse("9\n2\nmaybe\nyes\n", words: words) { terminal in
            #expect(terminal.choose("q", from: ["a", "b"]) == 1)
            #expect(terminal.confirm("ok?"))
        }
        for part in ["编号: ", "1 到 2", "ok? （yes 或 no）: ", "请回答"] { #expect(printed.contains(part), "\(part) in \(printed)") }
        #expect(!printed.contains("number"))
    }
}
