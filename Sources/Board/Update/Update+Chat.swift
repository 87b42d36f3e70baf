import Configuration
import Terminal

extension BoardState {
    // MARK: Loading

    func chatLoadRefusal() -> String? {
        if case .loading = chat.engine { return say("The model is being loaded.") }
        return chat.isStreaming ? say("The model is answering. Esc stops it.") : nil
    }

    func reloadRefusal() -> String? {
        guard isTalking else { return chatLoadRefusal() }
        return staysPaused
            ? say("The training holds for this conversation: Ctrl+D leaves the talk.") : say("The training waits for this conversation: Ctrl+D lets it go on.")
    }

    mutating func loadChat() -> [Effect] {
        forms[.chat].problems = forms[.chat].configuration.validate(for: .chat)
        if let problem = forms[.chat].firstError {
            if chat.modelInfo != nil {
                if activeFormTab != .chat { overlays.append(.form(.chat)) }
            } else {
                focusByTab[.chat] = .form
            }
            if let name = problem.argument { forms[.chat].reveal(name) }
            status = StatusMessage(.failure, problem.words)
            return [.bell]
        }
        overlays.removeAll { if case .form = $0 { true } else { false } }
        chat.engine = .loading("starting")
        return [.loadChat(forms[.chat].configuration)]
    }

    mutating func openChatSettings() -> [Effect] {
        forms[.chat].reveal("temperature")
        overlays.append(.form(.chat))
        return []
    }

    // MARK: Talking

    func sendRefusal() -> String? {
        if chat.isStreaming { return say("The model is still answering. Esc stops it.") }
        if chat.modelInfo == nil { return say("No model is loaded. F5 loads the one in the form.") }
        return chat.input.text.allSatisfy(\.isWhitespace) ? say("There is nothing to send yet.") : nil
    }

    mutating func sendMessage() -> [Effect] {
        // A backslash at the end asks for another line, for terminals that keep Alt+Enter to themselves.
        if chat.input.text.hasSuffix("\\") {
            _ = chat.input.handle(Key(.backspace), width: messageWidth)
            return insertNewline()
        }
        let text = chat.input.text
        chat.input = TextArea()
        chat.recall = nil
        if chat.sent.last != text { chat.sent.append(text) }
        if let edited = chat.editedTurn { dropTurns(from: edited) }
        chat.selectedTurn = nil
        chat.turns.append(ChatTurn(speaker: .user, text: text))
        chat.otherTurns?.append(ChatTurn(speaker: .user, text: text))
        return answer()
    }

    /// Drops a message and what came after it, on both sides.
    private mutating func dropTurns(from index: Int) {
        chat.editedTurn = nil
        let index = min(index, chat.turns.count)
        let dropped = chat.turns[index...].count { $0.speaker == .user }
        chat.turns.removeSubrange(index...)
        // The other side may have fewer messages; the same questions go.
        guard dropped > 0, let others = chat.otherTurns else { return }
        let questions = others.indices.filter { others[$0].speaker == .user }
        chat.otherTurns = dropped <= questions.count ? Array(others[..<questions[questions.count - dropped]]) : []
    }

    /// Asks for an answer to the conversation as it stands.
    private mutating func answer(earlier: [ChatTurn] = [], earlierOfOther: [ChatTurn] = []) -> [Effect] {
        // Whoever answers is sent its own answers alone.
        let request = request(chat.modelInfo?.adapterName == nil ? chat.turns : chat.side(withAdapter: chat.isAdapterEnabled))
        chat.earlierOfOther = earlierOfOther
        var turn = ChatTurn(speaker: .assistant, text: "")
        turn.earlier = earlier
        turn.isStreaming = true
        turn.usedAdapter = chat.modelInfo?.adapterName == nil ? nil : chat.isAdapterEnabled
        turn.answeredBy = chat.modelInfo?.answerer(usesAdapter: chat.isAdapterEnabled)
        chat.turns.append(turn)
        chat.owesOtherAnswer = chat.otherTurns != nil
        chat.linesFromEnd = 0
        return [.sendChat(request)]
    }

    /// The base answers what the adapter has just answered; afterwards the adapter is on again.
    mutating func answerOfTheOther() -> [Effect] {
        chat.owesOtherAnswer = false
        guard let others = chat.otherTurns else { return [] }
        let request = request(others)
        var turn = ChatTurn(speaker: .assistant, text: "")
        turn.isStreaming = true
        turn.usedAdapter = false
        turn.answeredBy = chat.modelInfo?.answerer(usesAdapter: false)
        turn.earlier = chat.earlierOfOther
        chat.earlierOfOther = []
        chat.otherTurns?.append(turn)
        return [.setAdapter(enabled: false), .sendChat(request)]
    }

    private func request(_ turns: [ChatTurn]) -> ChatRequest {
        let configuration = forms[.chat].configuration
        var messages = turns.map { ChatRequest.Message(isUser: $0.speaker == .user, text: $0.text) }
        if chat.historyLimit > 0, messages.count > chat.historyLimit {
            messages.removeFirst(messages.count - chat.historyLimit)
            // A conversation begins with a question.
            if let first = messages.firstIndex(where: \.isUser) { messages.removeFirst(first) }
        }
        return ChatRequest(
            messages: messages, system: configuration.text("default_system"), tools: chat.tools, configuration: configuration)
    }

    mutating func insertNewline() -> [Effect] {
        chat.input.insert("\n")
        return []
    }

    mutating func stopAnswer() -> [Effect] {
        if chat.isStreaming {
            spareOther()
            return [.cancelChat]
        }
        if chat.editedTurn != nil {
            chat.editedTurn = nil
            chat.input = TextArea()
            status = StatusMessage(.note, say("The message stays as it was."))
            return []
        }
        if focus == .transcript, chat.selectedTurn != nil {
            chat.selectedTurn = nil
            return []
        }
        if focus == .message { focus = .transcript }
        return []
    }

    /// The base is not asked again after all: what it had answered stays.
    private mutating func spareOther() {
        guard chat.owesOtherAnswer else { return }
        chat.owesOtherAnswer = false
        guard var last = chat.earlierOfOther.popLast() else { return }
        last.earlier = chat.earlierOfOther
        chat.earlierOfOther = []
        chat.otherTurns?.append(last)
    }

    func retryRefusal() -> String? {
        if chat.isStreaming { return say("The model is still answering. Esc stops it.") }
        return chat.turns.contains { $0.speaker == .user } ? nil : say("There is no message to answer again.")
    }

    mutating func retryAnswer() -> [Effect] {
        let earlier = ChatState.removeAnswer(from: &chat.turns)
        var earlierOfOther: [ChatTurn] = []
        if var others = chat.otherTurns {
            earlierOfOther = ChatState.removeAnswer(from: &others)
            // A side that has not been asked yet is asked now.
            if others.isEmpty, let question = chat.turns.last { others = [question] }
            chat.otherTurns = others
        }
        chat.selectedTurn = nil
        return answer(earlier: earlier, earlierOfOther: earlierOfOther)
    }

    func adapterRefusal() -> String? {
        if chat.modelInfo?.adapterName == nil { return say("No adapter is loaded, so there is nothing to switch.") }
        return chat.isStreaming ? say("The model is answering. Esc stops it.") : nil
    }

    mutating func toggleAdapter() -> [Effect] {
        chat.isAdapterEnabled.toggle()
        let canRepeat = chat.turns.contains { $0.speaker == .user }
        let words =
            chat.isAdapterEnabled
            ? canRepeat ? say("Adapter on: it sees its own answers only. Ctrl+R asks it again.") : say("Adapter on")
            : canRepeat ? say("Adapter off: the base sees its own answers only. Ctrl+R asks it.") : say("Adapter off: the base model answers")
        status = StatusMessage(.note, words)
        return [.setAdapter(enabled: chat.isAdapterEnabled)]
    }

    // MARK: Copying and clearing

    func copyReplyRefusal() -> String? { chat.chosenReply == nil ? say("There is no finished reply to copy.") : nil }

    mutating func copyReply() -> [Effect] { chat.chosenReply.map { [.copy($0.text, what: say("the reply"))] } ?? [] }

    mutating func copyConversation() -> [Effect] {
        let text = chat.turns.map { ($0.speaker == .user ? say("User: ") : say("Assistant: ")) + $0.text }.joined(separator: "\n\n")
        return [.copy(text, what: say("the conversation"))]
    }

    mutating func askToClearChat() -> [Effect] {
        ask(
            DialogState(
                title: say("Clear the conversation?"), text: say("\(chat.turns.count) messages are dropped; the model stays loaded."),
                choices: [.init(say("Clear"), key: "c", .clearChat), .init(say("Keep"), key: "k", .dismiss)], selection: 1))
    }

    mutating func clearChat() -> [Effect] {
        let wasStreaming = chat.isStreaming
        let wasOther = chat.isOtherStreaming
        chat.turns.removeAll()
        if chat.otherTurns != nil { chat.otherTurns = [] }
        chat.owesOtherAnswer = false
        chat.earlierOfOther = []
        chat.selectedTurn = nil
        chat.editedTurn = nil
        chat.contextUsed = 0
        chat.linesFromEnd = 0
        guard wasStreaming else { return [] }
        chat.abandonedAnswers += 1
        // The base may have been answering, with the adapter off.
        return [.cancelChat] + (wasOther ? [.setAdapter(enabled: chat.isAdapterEnabled)] : [])
    }

    // MARK: Input

    /// Up in the first line walks back through what was sent; otherwise it moves the cursor.
    mutating func recallMessage(by direction: Int) -> [Effect] {
        let isRecalling = chat.recall != nil || chat.input.text.isEmpty
        guard isRecalling, !chat.sent.isEmpty else {
            _ = chat.input.handle(Key(direction < 0 ? .up : .down), width: messageWidth)
            return []
        }
        let next = (chat.recall ?? chat.sent.count) + direction
        guard next >= 0 else { return [] }
        if next >= chat.sent.count {
            chat.recall = nil
            chat.input = TextArea()
        } else {
            chat.recall = next
            chat.input = TextArea(chat.sent[next])
        }
        return []
    }

    /// The cells of a row of the message.
    var messageWidth: Int { layout.message.width }

    mutating func focusMessage() -> [Effect] {
        focus = .message
        return []
    }

    mutating func scrollTranscript(by lines: Int) -> [Effect] {
        let area = layout.transcript
        let count = TranscriptLines.count(of: chat, width: transcriptWidth)
        chat.linesFromEnd = min(max(0, chat.linesFromEnd + lines), max(0, count - area.height))
        return []
    }

    // MARK: What the engine says

    mutating func fold(_ update: ChatUpdate) -> [Effect] {
        if isOfAbandonedAnswer(update) { return [] }
        switch update {
        case .loading(let what): chat.engine = .loading(what)
        case .ready(let info):
            let isFirst = chat.modelInfo == nil
            chat.engine = .ready(info)
            chat.isAdapterEnabled = true
            chat.contextUsed = 0
            if isFirst || focusByTab[.chat] == .form { focusByTab[.chat] = .message }
            status = StatusMessage(.success, info.adapterName.map { say("Loaded \(info.modelName) with \($0)") } ?? say("Loaded \(info.modelName)"))
        case .piece(let text):
            guard chat.isStreaming else { return [] }
            chat.changeStreamingTurn { $0.text += text }
        case .finished(let tokens, let speed, let used, let wasStopped):
            chat.contextUsed = used
            chat.lastTokensPerSecond = speed
            guard chat.isStreaming else { return [] }
            let wasOther = chat.isOtherStreaming
            chat.changeStreamingTurn { turn in
                turn.isStopped = wasStopped
                turn.tokenCount = tokens
                turn.tokensPerSecond = speed
                turn.isStreaming = false
            }
            if chat.owesOtherAnswer { return answerOfTheOther() }
            if wasOther { return [.setAdapter(enabled: chat.isAdapterEnabled)] }
        case .failed(let sentence):
            let reason = say(engine: sentence)
            status = StatusMessage(.failure, reason)
            guard chat.isStreaming else {
                chat.engine = .failed(reason)
                focusByTab[.chat] = .form
                return []
            }
            let wasOther = chat.isOtherStreaming
            dropBrokenAnswer()
            if wasOther { return [.setAdapter(enabled: chat.isAdapterEnabled)] }
        }
        return []
    }

    /// What was said before an answer failed stays; an answer without a word goes.
    private mutating func dropBrokenAnswer() {
        spareOther()
        chat.changeStreamingTurn { turn in
            turn.isStreaming = false
            turn.isStopped = true
        }
        Self.dropEmptyAnswer(&chat.turns)
        if var others = chat.otherTurns {
            Self.dropEmptyAnswer(&others)
            chat.otherTurns = others
        }
    }

    /// What was answered before stays in place of nothing.
    private static func dropEmptyAnswer(_ turns: inout [ChatTurn]) {
        guard let last = turns.last, last.speaker == .assistant, last.text.isEmpty else { return }
        turns.removeLast()
        guard var before = last.earlier.last else { return }
        before.earlier = Array(last.earlier.dropLast())
        turns.append(before)
    }

    /// Whether this belongs to an answer whose conversation was cleared.
    private mutating func isOfAbandonedAnswer(_ update: ChatUpdate) -> Bool {
        guard chat.abandonedAnswers > 0 else { return false }
        switch update {
        case .piece: return true
        case .finished, .failed:
            chat.abandonedAnswers -= 1
            return true
        case .loading, .ready: return false
        }
    }
}
