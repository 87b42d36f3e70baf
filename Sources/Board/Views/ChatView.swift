import Configuration
import Platform
import Terminal

extension Painter {
    mutating func drawChat() {
        guard state.chat.modelInfo != nil else {
            drawChatForm()
            return
        }
        let page = layout.chat
        if let others = state.chat.otherTurns {
            let (left, right) = layout.comparison
            drawTranscript(state.chat.shownTurns, in: left, title: "A  " + transcriptTitle(width: left.width - 9), pane: .transcript)
            drawTranscript(others, in: right, title: "B  " + say("base model, adapter off"), pane: nil)
        } else {
            drawTranscript(state.chat.turns, in: page.transcript, title: transcriptTitle(width: page.transcript.width - 6), pane: .transcript)
        }
        drawMessage(in: page.message, withOptions: page.options.isEmpty)
        if !page.options.isEmpty { drawOptions(in: page.options) }
    }

    /// Before a model is loaded: which one, and how.
    private mutating func drawChatForm() {
        let page = layout.chatForm
        let (words, scope) = chatEngineWords
        let head = Rect(x: layout.body.x, y: layout.body.y, width: layout.body.width, height: layout.chatHeadRows)
        paragraph(words, in: head.inset(horizontal: 1, vertical: 0), scope)
        drawForm(.chat, in: page.form)
        drawFieldHelp(.chat, in: page.help, withPlan: false)
    }

    private var chatEngineWords: (String, String) {
        switch state.chat.engine {
        case .empty: (say("F5 loads the model below and opens the conversation."), "ui.info")
        case .loading(let what): (say("Loading: \(say(engine: say(key: what)))…"), "ui.status.running")
        case .failed(let reason): ("✗ " + TextWidth.sanitize(reason), "ui.error")
        case .ready: ("", "ui.text")
        }
    }

    private mutating func drawTranscript(_ turns: [ChatTurn], in rect: Rect, title: String, pane: Pane?) {
        let inside = box(rect, title: title, pane: pane)
        let lines = TranscriptLines(of: state.chat, turns, width: inside.width)
        if lines.count == 0 {
            drawEmptyChat(in: inside)
            return
        }
        let bottom = max(0, min(lines.count, lines.count - state.chat.linesFromEnd))
        let top = max(0, bottom - inside.height)
        for (index, line) in lines[top..<max(top, bottom)].prefix(inside.height).enumerated() {
            styled(line, in: inside.row(index))
        }
        grid.scrollBar(
            in: Rect(x: inside.endX, y: inside.y, width: 1, height: inside.height), first: top, visible: inside.height,
            total: lines.count, theme: theme)
    }

    /// Who answers, how much of the context is used, how fast it was; where there is no room for all, the name of the base goes first.
    private func transcriptTitle(width: Int) -> String {
        guard let info = state.chat.modelInfo else { return say("Chat") }
        var (long, short) = (info.modelName, info.modelName)
        if let adapter = info.adapterName {
            short = state.chat.isAdapterEnabled || state.chat.otherTurns != nil ? adapter : say("base, \(adapter) off")
            long = say("\(short) on \(info.modelName)")
        }
        let context = info.contextLength > 0 ? "   " + say("ctx \(state.chat.contextUsed)/\(info.contextLength)") : ""
        let speed = state.chat.lastTokensPerSecond.map { "   " + say("\(Words.speed($0)) tok/s") } ?? ""
        let titles = [long + context + speed, short + context + speed, short + context]
        return titles.first { TextWidth.width(of: $0) <= width } ?? short
    }

    private mutating func drawEmptyChat(in area: Rect) {
        var lines = [say("Write a message below and press ⏎.")]
        if state.chat.modelInfo?.adapterName != nil { 
            lines.append(say("Ctrl+T switches the adapter; Ctrl+R then answers the same question again."))
            lines.append(say("Alt+b puts the base model beside it, with a conversation of its own."))
        }
        lines.append(say("Ctrl+O changes the model, the system prompt and the sampling."))
        for (index, line) in lines.enumerated() { text(line, in: area.row(index + 1), "ui.placeholder") }
    }

    private mutating func drawMessage(in rect: Rect, withOptions: Bool) {
        var inside = box(rect, title: state.chat.editedTurn == nil ? say("Message") : say("Message, written anew"), pane: .message)
        if withOptions, inside.height > 2 {
            text(optionWords, in: inside.row(inside.height - 1), "ui.text.dim")
            inside = inside.droppingLastRows(1)
        }
        let isTyping = state.focus == .message && state.overlays.isEmpty
        let hint = state.chat.isStreaming ? say("The model is answering; Esc stops it.") : say("Type a message. ⏎ sends, Alt+⏎ begins a new line.")
        let place = state.chat.input.draw(
            into: &grid, inside, style: theme.style("chat.text"), placeholder: hint, placeholderStyle: theme.style("ui.placeholder"))
        if isTyping { cursor = place }
    }

    /// Sampling in one line.
    private var optionWords: String {
        let configuration = state.forms[.chat].configuration
        var words = configuration.isOn("do_sample")
            ? "T \(configuration.text("temperature"))  top_p \(configuration.text("top_p"))  top_k \(configuration.text("top_k"))"
            : say("greedy")
        words += "  " + say("max \(configuration.text("max_new_tokens"))")
        let system = configuration.text("default_system")
        if !system.isEmpty { words += "  " + say("system: \(TextWidth.sanitize(system))") }
        if !state.chat.tools.isEmpty { words += "  " + say("tools: \(ToolList.count(in: state.chat.tools))") }
        if state.chat.historyLimit > 0 { words += "  " + say("history: \(state.chat.historyLimit)") }
        return words + "   " + say("(^O options)")
    }

    private mutating func drawOptions(in rect: Rect) {
        let inside = box(rect, title: say("Options"), note: "^O")
        let configuration = state.forms[.chat].configuration
        let limit = state.chat.historyLimit
        var rows = [(say("history"), limit == 0 ? say("all that fits") : "\(limit)"), (say("tools"), "\(ToolList.count(in: state.chat.tools))")]
        let names = ["do_sample", "temperature", "top_p", "top_k", "max_new_tokens", "seed", "repetition_penalty", "default_system"]
        rows = names.prefix(max(0, inside.height - rows.count)).map { name in
            let value = configuration.text(name)
            return (name, value.isEmpty ? say("none") : TextWidth.sanitize(value))
        } + rows
        for (index, row) in rows.prefix(inside.height).enumerated() { pair(row.0, row.1, in: inside.row(index), nameWidth: 18) }
    }
}
