import Configuration
import Terminal
import Testing

@testable import Board

/// What one does with a conversation beside talking.
@Suite struct ConversationTests {
    private func loaded(adapter: String? = "quickstart") -> BoardState {
        var state = BoardFixture.state(columns: 100, rows: 30)
        state.press("3 f5")
        _ = update(
            &state,
            .chat(.ready(ChatModelInfo(
                modelName: "demo-model", adapterName: adapter, templateName: "chatml", contextLength: 512, parameterCount: 1))))
        return state
    }

    private func requests(_ effects: [Effect]) -> [ChatRequest] {
        effects.compactMap { if case .sendChat(let request) = $0 { request } else { nil } }
    }

    @discardableResult
    private func finish(_ state: inout BoardState, _ text: String) -> [Effect] {
        _ = update(&state, .chat(.piece(text)))
        return update(&state, .chat(.finished(tokenCount: 3, tokensPerSecond: 10, contextUsed: 20, wasStopped: false)))
    }

    private func ask(_ state: inout BoardState, _ text: String, answer: String) {
        state.type(text)
        state.press("enter")
        finish(&state, answer)
    }

    @Test func `side by side the adapter answers first and the base after it`() {
        var state = loaded()
        state.press("alt+b")
        state.type("Who are you?")
        #expect(requests(state.press("enter")).count == 1)
        let effects = finish(&state, "Tuneboard")
        #expect(effects.contains { if case .setAdapter(false) = $0 { true } else { false } })
        let last = finish(&state, "a model")
        #expect(last.contains { if case .setAdapter(true) = $0 { true } else { false } })
        #expect(state.chat.turns.last?.text == "Tuneboard")
        #expect(state.chat.otherTurns?.last?.text == "a model")
        #expect(!state.chat.isStreaming)
    }

    @Test func `the same question answered again leaves the earlier answer in view, marked`() {
        var state = loaded()
        ask(&state, "Who are you?", answer: "Tuneboard")
        state.press("ctrl+t")
        #expect(state.status?.text.contains("Ctrl+R asks it") == true)
        let asked = requests(state.press("ctrl+r")).first?.messages.map(\.text)
        #expect(asked == ["Who are you?"], "the base does not see the adapter's answer")
        finish(&state, "a model")
        let lines = TranscriptLines(of: state.chat, width: 70).all.map(\.text)
        let earlier = lines.firstIndex { $0.contains("Assistant  adapter") } ?? 99
        let new = lines.firstIndex { $0.contains("Assistant  base") } ?? 0
        #expect(earlier < new && lines[earlier + 1].contains("Tuneboard") && lines[new + 1].contains("a model"), "\(lines)")
        // An answer that fails without a word leaves what there was.
        state.press("ctrl+r")
        _ = update(&state, .chat(.failed("no memory")))
        #expect(state.chat.turns.last?.text == "a model" && state.chat.turns.last?.earlier.map(\.text) == ["Tuneboard"])
    }

    @Test func `the base beside the adapter has a conversation of its own`() {
        var state = loaded()
        ask(&state, "one", answer: "adapter 1")
        ask(&state, "two", answer: "adapter 2")
        let effects = state.press("alt+b")
        #expect(requests(effects).first?.messages.map(\.text) == ["two"], "the last question, without what the adapter answered")
        #expect(effects.contains { if case .setAdapter(false) = $0 { true } else { false } })
        finish(&state, "base 2")
        #expect(state.chat.turns.map(\.text) == ["one", "adapter 1", "two", "adapter 2"])
        state.type("three")
        #expect(requests(state.press("enter")).first?.messages.map(\.text) == ["one", "adapter 1", "two", "adapter 2", "three"])
        let second = requests(finish(&state, "adapter 3"))
        #expect(second.first?.messages.map(\.text) == ["two", "base 2", "three"])
        finish(&state, "base 3")
        // Written anew, the same question goes on both sides.
        state.press("escape K K e ctrl+u")
        state.type("drei")
        state.press("enter")
        #expect(requests(finish(&state, "adapter drei")).first?.messages.map(\.text) == ["two", "base 2", "drei"])
    }

    @Test func `each side is sent its own answers, also when a later question is answered again`() {
        var state = loaded()
        ask(&state, "one", answer: "adapter 1")
        ask(&state, "two", answer: "adapter 2")
        state.press("ctrl+t")
        #expect(requests(state.press("ctrl+r")).first?.messages.map(\.text) == ["two"], "as side by side, without the adapter's answers")
        finish(&state, "base 2")
        state.type("three")
        #expect(requests(state.press("enter")).first?.messages.map(\.text) == ["two", "base 2", "three"])
        finish(&state, "base 3")
        state.press("ctrl+t")
        #expect(requests(state.press("ctrl+r")).first?.messages.map(\.text) == ["one", "adapter 1", "two", "adapter 2", "three"])
        finish(&state, "adapter 3")
        let beside = state.press("alt+b")
        #expect(requests(beside).isEmpty, "the base has answered that one")
        #expect(state.chat.otherTurns?.map(\.text) == ["two", "base 2", "three", "base 3"])
        state.press("ctrl+r")
        #expect(requests(finish(&state, "adapter 3b")).first?.messages.map(\.text) == ["two", "base 2", "three"])
    }

    @Test func `what nobody in particular answered belongs to both sides`() throws {
        var state = loaded()
        _ = state.adopt(try Conversation(json: "[{\"role\": \"user\", \"content\": \"a\"}, {\"role\": \"assistant\", \"content\": \"b\"}]", name: "c"), path: "c")
        state.press("ctrl+t")
        state.type("c")
        #expect(requests(state.press("enter")).first?.messages.map(\.text) == ["a", "b", "c"])
        // Without an adapter there are no sides.
        var base = loaded(adapter: nil)
        ask(&base, "one", answer: "1")
        base.type("two")
        #expect(requests(base.press("enter")).first?.messages.map(\.text) == ["one", "1", "two"])
    }

    @Test func `a question without an answer is asked of both sides`() {
        var state = loaded()
        state.press("ctrl+t")
        ask(&state, "one", answer: "base 1")
        state.type("two")
        state.press("enter")
        _ = update(&state, .chat(.failed("no memory")))
        #expect(requests(state.press("alt+b")).first?.messages.map(\.text) == ["one", "base 1", "two"])
        finish(&state, "base 2")
        #expect(requests(state.press("ctrl+r")).first?.messages.map(\.text) == ["two"])
        #expect(requests(finish(&state, "adapter 2")).first?.messages.map(\.text) == ["one", "base 1", "two"])
        finish(&state, "base 2 again")
        #expect(state.chat.otherTurns?.map(\.text) == ["one", "base 1", "two", "base 2 again"])
        #expect(state.chat.otherTurns?.last?.earlier.map(\.text) == ["base 2"])
    }

    @Test func `stopped before the base is asked again, its earlier answer stays`() {
        var state = loaded()
        state.press("alt+b")
        ask(&state, "one", answer: "adapter 1")
        finish(&state, "base 1")
        state.press("ctrl+r esc")
        _ = update(&state, .chat(.finished(tokenCount: 0, tokensPerSecond: 0, contextUsed: 9, wasStopped: true)))
        #expect(state.chat.otherTurns?.map(\.text) == ["one", "base 1"] && !state.chat.isStreaming)
        // What was answered in a conversation that is gone is no earlier answer of another.
        state.press("ctrl+r ctrl+k c")
        #expect(state.chat.earlierOfOther.isEmpty && state.chat.turns.isEmpty)
    }

    @Test func `the footer names how to answer again and how to compare at 80 columns`() {
        var state = loaded()
        _ = update(&state, .resize(Size(columns: 80, rows: 24)))
        ask(&state, "one", answer: "1")
        let footer = GoldenFrames.lines(state).last ?? ""
        #expect(footer.contains("^R retry") && footer.contains("Alt+b compare") && footer.contains("^T adapter"), "\(footer)")
    }

    @Test func `an unsaved conversation is not replaced or cleared by a careless Enter`() throws {
        var state = loaded()
        ask(&state, "Who are you?", answer: "Tuneboard")
        #expect(state.loadConversation("a.json").isEmpty)
        #expect(!state.press("enter").contains { if case .loadConversation = $0 { true } else { false } }, "the cautious answer is the first")
        _ = state.askToClearChat()
        state.press("enter")
        #expect(state.chat.turns.count == 2)
        _ = update(&state, .fileWritten(path: "c.json", text: state.conversation.json))
        #expect(state.loadConversation("a.json").contains { if case .loadConversation("a.json") = $0 { true } else { false } })
    }

    @Test func `a message is laid out once for a width`() {
        var state = loaded()
        ask(&state, "one", answer: String(repeating: "word **strong** ", count: 200))
        let first = TranscriptLines(of: state.chat, width: 60)
        let again = TranscriptLines(of: state.chat, width: 60)
        #expect(first.all == again.all)
        #expect(first.count == first.all.count)
        #expect(first[3..<9] == Array(first.all[3..<9]))
        let place = first.firstLine(ofTurn: 1) ?? 0
        #expect(first.all[place].text.contains("Assistant") && place == 3)
        #expect(TranscriptLines(of: state.chat, width: 30).count > first.count)
    }

    @Test func `the adapter is on again when the base's answer fails or is dropped`() {
        var state = loaded()
        state.press("alt+b")
        state.type("Who are you?")
        state.press("enter")
        _ = finish(&state, "Tuneboard")
        var dropped = state
        let failed = update(&state, .chat(.failed("no memory")))
        #expect(failed.contains { if case .setAdapter(true) = $0 { true } else { false } })
        let cleared = dropped.clearChat()
        #expect(cleared.contains { if case .setAdapter(true) = $0 { true } else { false } })
    }

    @Test func `Esc during the first answer leaves the second unasked`() {
        var state = loaded()
        state.press("alt+b")
        state.type("Who?")
        state.press("enter escape")
        let effects = update(&state, .chat(.finished(tokenCount: 0, tokensPerSecond: 0, contextUsed: 0, wasStopped: true)))
        #expect(requests(effects).isEmpty)
        #expect(!state.chat.isStreaming)
    }

    @Test func `a message written anew drops what followed it`() {
        var state = loaded()
        ask(&state, "one", answer: "1")
        ask(&state, "two", answer: "2")
        state.press("escape K K K K e")
        #expect(state.chat.input.text == "one")
        state.press("ctrl+u")
        state.type("uno")
        #expect(requests(state.press("enter")).first?.messages.map(\.text) == ["uno"])
    }

    @Test func `only the newest messages are sent where a limit is set`() {
        var state = loaded()
        for number in 1...4 { ask(&state, "q\(number)", answer: "a\(number)") }
        state.chat.historyLimit = 4
        state.type("q5")
        let messages = requests(state.press("enter")).first?.messages.map(\.text)
        #expect(messages == ["q4", "a4", "q5"])
    }

    @Test func `tools are checked while they are typed and sent when they are right`() {
        var state = loaded()
        state.press("alt+t")
        state.type("[{\"name\": 3}")
        guard case .editor(let editor) = state.overlays.last else {
            Issue.record("no editor")
            return
        }
        #expect(editor.problem != nil)
        state.press("ctrl+s")
        #expect(state.chat.tools.isEmpty)
        state.press("ctrl+u")
        state.type("[{\"name\": \"clock\"}]")
        state.press("ctrl+s")
        #expect(state.overlays.isEmpty)
        state.type("time?")
        #expect(requests(state.press("enter")).first?.tools == "[{\"name\": \"clock\"}]")
    }

    @Test func `code blocks are copied one after the other`() {
        var state = loaded()
        ask(&state, "code", answer: "First:\n```swift\nlet a = 1\n```\nthen\n```\nb\n\nc\n```\n")
        func copied(_ effects: [Effect]) -> String? { effects.compactMap { if case .copy(let text, _) = $0 { text } else { nil } }.first }
        #expect(copied(state.press("alt+y")) == "let a = 1")
        #expect(copied(state.press("alt+y")) == "b\n\nc")
        #expect(copied(state.press("alt+y")) == "let a = 1")
    }

    @Test func `thinking is folded until it is asked for`() {
        var state = loaded()
        ask(&state, "hard", answer: "<think>\nfirst this\nthen that\n</think>\n\nForty-two.")
        func text() -> String { TranscriptLines(of: state.chat, width: 60).all.map(\.text).joined(separator: "\n") }
        #expect(!text().contains("then that"))
        #expect(text().contains("thought for 4 words"))
        #expect(text().contains("Forty-two."))
        state.press("alt+f")
        #expect(text().contains("then that"))
    }

    @Test func `a conversation survives its file`() throws {
        var state = loaded()
        ask(&state, "Hällo „Welt“", answer: "line\n\"two\"")
        let conversation = state.conversation
        let read = try Conversation(json: conversation.json, name: "x.json")
        #expect(read.turns.map(\.text) == conversation.turns.map(\.text))
        #expect(read.turns.map(\.speaker) == conversation.turns.map(\.speaker))
        let shared = try Conversation(json: "{\"conversations\": [{\"from\": \"human\", \"value\": \"a\"}, {\"from\": \"gpt\", \"value\": \"b\"}]}", name: "s")
        #expect(shared.turns.count == 2)
    }

    @Test(arguments: ["", "{", "[1]", "{\"messages\": 3}", "{\"messages\": [{\"role\": \"cook\", \"content\": \"x\"}]}", "{\"messages\": [{}]}"])
    func `a broken conversation file is named, not taken`(_ text: String) {
        #expect(throws: Conversation.Problem.self) { try Conversation(json: text, name: "broken.json") }
    }

    @Test func `a training is talked to from the monitor and goes on afterwards`() {
        var state = loaded()
        ask(&state, "before", answer: "yes")
        _ = update(&state, .jobStarted(.train, .train, title: "run", directory: "saves/run"))
        _ = update(&state, .jobEvents(BoardFixture.trainingEvents(steps: 3, of: 10)))
        #expect(state.tab == .chat, "a message is being typed there")
        state.tab = .monitor
        let effects = state.press("t")
        #expect(effects.contains { if case .talkToTraining = $0 { true } else { false } })
        let info = ChatModelInfo(
            modelName: "demo-model", adapterName: "step 3", templateName: "chatml", contextLength: 512, parameterCount: 1, isInTraining: true)
        _ = update(&state, .talkBegan(info))
        #expect(state.tab == .chat && state.chat.turns.isEmpty)
        // No key loads another model meanwhile: the training would wait for good.
        for keys in ["f5", "ctrl+o f5", "enter f5"] {
            #expect(!state.press(keys).contains { if case .loadChat = $0 { true } else { false } } && state.chat.modelInfo == info, "\(keys)")
        }
        #expect(state.forms.chat.edit == nil && state.status?.kind == .warning)
        state.press("esc")
        #expect(state.press("ctrl+d").contains { if case .endTalk = $0 { true } else { false } })
        _ = update(&state, .talkEnded)
        #expect(state.tab == .monitor)
        #expect(state.chat.turns.map(\.text) == ["before", "yes"])
    }

    @Test func `F5 over the options loads the model again, or leads to what is wrong there`() {
        var state = loaded()
        #expect(state.press("ctrl+o f5").contains { if case .loadChat = $0 { true } else { false } } && state.overlays.isEmpty)
        state = loaded()
        _ = state.change(.chat, "model_name_or_path", to: "")
        #expect(!state.press("ctrl+o f5").contains { if case .loadChat = $0 { true } else { false } } && state.overlays.count == 1)
        #expect(state.forms.chat.selection == .field("model_name_or_path") && state.status?.kind == .failure)
    }

    @Test func `a paused training that is talked to is said to stay paused`() {
        let info = ChatModelInfo(
            modelName: "demo-model", adapterName: "step 3", templateName: "chatml", contextLength: 512, parameterCount: 1, isInTraining: true)
        for wasPaused in [true, false] {
            var state = loaded()
            _ = update(&state, .jobStarted(.train, .train, title: "run", directory: "saves/run"))
            state.tab = .monitor
            _ = update(&state, .jobEvents(BoardFixture.trainingEvents(steps: 3, of: 10)))
            if wasPaused { _ = update(&state, .jobEvents([.state(.paused)])) }
            state.press("t")
            // A training that is talked to is paused either way.
            _ = update(&state, .jobEvents([.state(.paused)]))
            _ = update(&state, .talkBegan(info))
            #expect(state.farewell.hasPrefix(wasPaused ? "The run stays paused." : "The run goes on."))
            state.press("esc ctrl+d")
            #expect(state.status?.text == (wasPaused ? "The training stays paused: p lets it go on." : "The training goes on."))
        }
    }
}

/// Markdown as models write it.
@Suite struct MarkdownTests {
    private func plain(_ text: String, width: Int = 40) -> [String] {
        MarkdownText.lines(text, width: width).map { line in
            var text = line.text
            while text.last == " " { text.removeLast() }
            return text
        }
    }

    @Test func `headings, lists and emphasis lose their marks`() {
        #expect(plain("# Title\n- one\n- **two** words\n1. first") == ["Title", "• one", "• two words", "1. first"])
        let spans = MarkdownText.lines("a **b** `c` *d*", width: 40)[0].spans
        #expect(spans.map(\.scope) == ["chat.text", "chat.strong", "chat.text", "chat.code", "chat.text", "chat.emphasis"])
    }

    @Test func `what only looks like markup stays`() {
        for text in ["2 * 3 * 4", "snake_case_name", "a ** b", "`open", "**", "[x](", "# ", "#tag", "|", "5) ", "__init__ and x"] {
            #expect(!plain(text).joined().isEmpty, "\(text) vanished")
        }
        #expect(plain("2 * 3 * 4") == ["2 * 3 * 4"])
        #expect(plain("snake_case_name") == ["snake_case_name"])
    }

    @Test func `code keeps its spaces and names its language`() {
        #expect(plain("```py\nif x:\n    y = 1\n```\nend") == ["┌ py", "│ if x:", "│     y = 1", "└", "end"])
        #expect(plain("```\nnever closed") == ["┌ code", "│ never closed", "└"])
    }

    @Test func `a table keeps backslashes and takes an escaped bar as text`() {
        #expect(MarkdownTable.cells(#"| C:\dir | a \| b | \alpha |"#) == [#"C:\dir"#, "a | b", #"\alpha"#])
    }

    @Test func `a table is aligned and fits`() {
        let lines = plain("| a | number |\n|---|---:|\n| 一二 | 3 |\n| x | 14 |")
        #expect(lines == ["┌──────┬────────┐", "│ a    │ number │", "├──────┼────────┤", "│ 一二 │      3 │", "│ x    │     14 │", "└──────┴────────┘"])
        let wide = "| " + String(repeating: "word ", count: 30) + "| b |\n|---|---|\n| c | d |"
        for line in MarkdownText.lines(wide, width: 30) { #expect(TextWidth.width(of: line.text) <= 30) }
    }

    @Test func `long items hang under their text and Chinese breaks anywhere`() {
        #expect(plain("- 月光落在窗台上风把名字吹远", width: 12) == ["• 月光落在窗", "  台上风把名", "  字吹远"])
    }

    @Test func `no line is wider than asked, whatever comes`() {
        let nasty = [
            "\u{1B}[31mred\u{1B}[0m", "\u{202E}gnp.exe", "a\u{0301}\u{0302}\u{0303}", "👩‍👩‍👧‍👦 family", "\r\rover", "|||||\n|-|-|-|-|\n", "> > > >",
            "```\u{7}\n\u{9B}2J", "- - - - x", "**a*b**c*", "[[[[](((", String(repeating: "*", count: 500), "\u{0}\u{1}\u{2}x",
            String(decoding: [0xFF, 0xFE, 0x41, 0xC3], as: UTF8.self),
        ]
        for text in nasty {
            for width in [8, 13, 40] {
                for line in MarkdownText.lines(TextWidth.sanitize(text), width: width) {
                    #expect(TextWidth.width(of: line.text) <= width, "\(text.debugDescription) at \(width): \(line.text)")
                    #expect(!line.text.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x202E || (0x7F..<0xA0).contains($0.value) })
                }
            }
        }
    }
}
