import Configuration
import Terminal
import Testing

@testable import Board

@Suite struct ChatUpdateTests {
    private func loaded(adapter: String? = "quickstart") -> BoardState {
        var state = BoardFixture.state(columns: 80, rows: 24)
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

    private func finish(_ state: inout BoardState, _ text: String, stopped: Bool = false) {
        _ = update(&state, .chat(.piece(text)))
        _ = update(&state, .chat(.finished(tokenCount: 3, tokensPerSecond: 10, contextUsed: 20, wasStopped: stopped)))
    }

    @Test func `a message is sent with everything said before`() {
        var state = loaded()
        state.type("Hello")
        #expect(requests(state.press("enter")).first?.messages == [.init(isUser: true, text: "Hello")])
        finish(&state, "Hi!")
        state.type("Again")
        let messages = requests(state.press("enter")).first?.messages.map(\.text)
        #expect(messages == ["Hello", "Hi!", "Again"])
    }

    @Test func `digits and question marks are text in the message`() {
        var state = loaded()
        state.type("1+1=? q")
        #expect(state.chat.input.text == "1+1=? q")
        #expect(state.tab == .chat)
    }

    @Test func `Alt+Enter, Ctrl+J and a backslash begin a new line`() {
        var state = loaded()
        state.type("a")
        state.press("alt+enter")
        state.type("b")
        state.press("ctrl+j")
        state.type("c\\")
        state.press("enter")
        #expect(state.chat.input.text == "a\nb\nc\n")
        #expect(state.chat.turns.isEmpty)
    }

    @Test func `pasted line breaks do not send`() {
        var state = loaded()
        _ = update(&state, .paste("one\ntwo\n"))
        #expect(state.chat.turns.isEmpty)
        #expect(state.chat.input.text == "one\ntwo\n")
    }

    @Test func `Esc stops an answer, what was said stays`() {
        var state = loaded()
        state.type("x")
        state.press("enter")
        _ = update(&state, .chat(.piece("half")))
        #expect(state.press("esc").contains { if case .cancelChat = $0 { true } else { false } })
        finish(&state, "", stopped: true)
        #expect(state.chat.turns.last?.text == "half")
        #expect(state.chat.turns.last?.isStopped == true)
        #expect(!state.chat.isStreaming)
    }

    @Test func `a second message is refused while an answer streams`() {
        var state = loaded()
        state.type("x")
        state.press("enter")
        state.type("y")
        #expect(state.press("enter").isEmpty)
        #expect(state.chat.input.text == "y")
        #expect(state.status?.kind == .warning)
    }

    @Test func `Ctrl+R answers the last message again`() {
        var state = loaded()
        state.type("x")
        state.press("enter")
        finish(&state, "first")
        let messages = requests(state.press("ctrl+r")).first?.messages.map(\.text)
        #expect(messages == ["x"])
        #expect(state.chat.turns.count == 2)
    }

    @Test func `Ctrl+T switches the adapter, and says why where there is none`() {
        var state = loaded()
        #expect(state.press("ctrl+t").contains { if case .setAdapter(false) = $0 { true } else { false } })
        state.type("x")
        state.press("enter")
        #expect(state.chat.turns.last?.usedAdapter == false)
        var base = loaded(adapter: nil)
        #expect(base.press("ctrl+t").isEmpty)
        #expect(base.status?.kind == .warning)
    }

    @Test func `Up on an empty message recalls what was sent`() {
        var state = loaded()
        for text in ["one", "two"] {
            state.type(text)
            state.press("enter")
            finish(&state, "ok")
        }
        state.press("up")
        #expect(state.chat.input.text == "two")
        state.press("up")
        #expect(state.chat.input.text == "one")
        state.press("down down")
        #expect(state.chat.input.text == "")
    }

    @Test func `copying takes the source text of the last finished reply`() {
        var state = loaded()
        state.type("x")
        state.press("enter")
        _ = update(&state, .chat(.piece("half")))
        #expect(state.press("ctrl+y").isEmpty)
        finish(&state, " and\n\nwhole")
        let copied = state.press("ctrl+y").compactMap { if case .copy(let text, _) = $0 { text } else { nil } }
        #expect(copied == ["half and\n\nwhole"])
    }

    @Test func `the rest of an answer that was cleared away does not end up in the next`() {
        var state = loaded()
        state.type("x")
        state.press("enter")
        _ = update(&state, .chat(.piece("old")))
        state.press("ctrl+k c")
        state.type("z")
        state.press("enter")
        finish(&state, "er", stopped: true)
        #expect(state.chat.isStreaming)
        finish(&state, "new")
        #expect(state.chat.turns.map(\.text) == ["z", "new"])
        #expect(!state.chat.isStreaming)
    }

    @Test func `clearing asks`() {
        var state = loaded()
        state.type("x")
        state.press("enter")
        finish(&state, "y")
        state.press("ctrl+k")
        #expect(state.chat.turns.count == 2)
        state.press("c")
        #expect(state.chat.turns.isEmpty)
    }

    @Test func `a failed load shows the form again with the reason`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        state.press("3 f5")
        _ = update(&state, .chat(.failed("saves/demo-model: config.json is missing")))
        #expect(state.focus == .form)
        #expect(GoldenFrames.lines(state).joined().contains("config.json is missing"))
    }

    @Test func `escape sequences in model text do not reach the screen`() {
        var state = loaded()
        state.type("x")
        state.press("enter")
        finish(&state, "\u{1b}[31mred\u{1b}]52;c;AAAA\u{7} \u{202e}txet\u{0} end")
        for line in GoldenFrames.lines(state) {
            for scalar in line.unicodeScalars { #expect(scalar.value >= 0x20 && scalar.value != 0x7F && scalar.value != 0x202E) }
        }
    }

    @Test func `scrolling up stays while the answer grows`() {
        var state = loaded()
        for index in 0..<12 {
            state.type("m\(index)")
            state.press("enter")
            finish(&state, "reply\nwith\nlines")
        }
        state.press("pageup")
        #expect(state.chat.linesFromEnd > 0)
        state.press("pagedown pagedown")
        #expect(state.chat.linesFromEnd == 0)
    }
}
