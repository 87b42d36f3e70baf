import Configuration
import Platform
import Terminal

/// What one does with a conversation beside talking: choose a message, write it anew, copy, compare, keep.
extension BoardState {
    /// The width of the conversation's lines: half of the room while two sides are compared.
    var transcriptWidth: Int {
        let layout = self.layout
        return chat.otherTurns == nil ? layout.transcript.width : layout.comparison.0.width - 4
    }

    // MARK: Messages

    func turnRefusal() -> String? { chat.turns.isEmpty ? say("There is no message yet.") : nil }

    /// Selects the next message or the one before, and brings its beginning into view.
    mutating func selectTurn(by count: Int) -> [Effect] {
        guard !chat.turns.isEmpty else { return [] }
        let current = chat.selectedTurn ?? (count < 0 ? chat.turns.count : -1)
        let index = min(max(0, current + count), chat.turns.count - 1)
        chat.selectedTurn = index
        chat.copiedCode = 0
        let lines = TranscriptLines(of: chat, width: transcriptWidth)
        let height = layout.transcript.height
        if let first = lines.firstLine(ofTurn: index) {
            chat.linesFromEnd = min(max(0, lines.count - first - height), max(0, lines.count - height))
        }
        return []
    }

    func editTurnRefusal() -> String? {
        if chat.isStreaming { return say("The model is still answering. Esc stops it.") }
        return chat.chosenQuestion == nil ? say("There is no message of yours to write anew.") : nil
    }

    /// Puts a sent message back into the message box; sending it drops what came after it.
    mutating func editTurn() -> [Effect] {
        guard let index = chat.chosenQuestion else { return [] }
        chat.input = TextArea(chat.turns[index].text)
        chat.editedTurn = index
        chat.selectedTurn = index
        focus = .message
        status = StatusMessage(.note, say("Change the message and send it: what followed it is answered anew. Esc leaves it as it was."))
        return []
    }

    func copyCodeRefusal() -> String? {
        guard let reply = chat.chosenReply else { return say("There is no finished reply to copy.") }
        return MarkdownText.codeBlocks(reply.text).isEmpty ? say("The reply holds no code block.") : nil
    }

    /// The reply's code blocks one after the other.
    mutating func copyCode() -> [Effect] {
        guard let reply = chat.chosenReply else { return [] }
        let blocks = MarkdownText.codeBlocks(reply.text)
        guard !blocks.isEmpty else { return [] }
        let index = chat.copiedCode % blocks.count
        chat.copiedCode = index + 1
        return [.copy(blocks[index].code, what: blocks.count == 1 ? say("the code block") : say("code block \(index + 1) of \(blocks.count)"))]
    }

    mutating func toggleThoughts() -> [Effect] {
        chat.showsThoughts.toggle()
        status = StatusMessage(.note, chat.showsThoughts ? say("Thinking is shown") : say("Thinking is folded"))
        return []
    }

    mutating func cycleHistoryLimit() -> [Effect] {
        let limits = [0, 20, 10, 4, 2]
        let index = limits.firstIndex(of: chat.historyLimit) ?? 0
        chat.historyLimit = limits[(index + 1) % limits.count]
        status = StatusMessage(
            .note,
            chat.historyLimit == 0 ? say("The whole conversation is sent along, as far as it fits")
                : say("The newest \(chat.historyLimit) messages are sent along"))
        return []
    }

    // MARK: Two sides

    func compareRefusal() -> String? {
        if chat.isStreaming { return say("The model is answering. Esc stops it.") }
        if chat.modelInfo?.adapterName == nil { return say("No adapter is loaded, so there is nothing to compare.") }
        return nil
    }

    /// Puts the base model beside the adapter: every message is answered by both, each with a conversation of its own. The base
    /// answers the last question at once.
    mutating func toggleComparison() -> [Effect] {
        if chat.otherTurns != nil {
            chat.otherTurns = nil
            status = StatusMessage(.note, say("The adapter alone"))
            return []
        }
        chat.preferAdapterAnswers()
        chat.otherTurns = chat.side(withAdapter: false)
        chat.linesFromEnd = 0
        let switching = chat.isAdapterEnabled ? [] : toggleAdapter()
        status = StatusMessage(.note, say("Adapter and base side by side: both answer"))
        return switching + (chat.otherTurns?.last?.speaker == .user ? answerOfTheOther() : [])
    }

    // MARK: System prompt and tools

    mutating func openEditor(_ purpose: EditorState.Purpose) -> [Effect] {
        let text =
            switch purpose {
            case .systemPrompt: forms[.chat].configuration.text("default_system")
            case .tools: chat.tools
            }
        overlays.append(.editor(EditorState(purpose: purpose, text: text)))
        return []
    }

    mutating func typeInEditor(_ change: (inout TextArea) -> Void) -> [Effect] {
        guard case .editor(var editor) = overlays.last else { return [] }
        change(&editor.area)
        editor.check()
        overlays[overlays.count - 1] = .editor(editor)
        return []
    }

    /// Takes the text, unless it is wrong: then it stays open.
    mutating func acceptEditor() -> [Effect] {
        guard case .editor(var editor) = overlays.last else { return [] }
        editor.check()
        if editor.problem != nil {
            overlays[overlays.count - 1] = .editor(editor)
            return [.bell]
        }
        overlays.removeLast()
        switch editor.purpose {
        case .systemPrompt: return change(.chat, "default_system", to: editor.area.text)
        case .tools:
            let text = editor.area.text
            chat.tools = text.allSatisfy(\.isWhitespace) ? "" : text
            status = StatusMessage(.note, chat.tools.isEmpty ? say("No tools") : say("Tools offered: \(ToolList.count(in: chat.tools))"))
            return []
        }
    }

    // MARK: Keeping

    /// The conversation as a file holds it.
    var conversation: Conversation {
        Conversation(system: forms[.chat].configuration.text("default_system"), tools: chat.tools, turns: chat.turns)
    }

    mutating func promptForConversation() -> [Effect] {
        let first = chat.turns.first { $0.speaker == .user }?.text ?? ""
        var stem = ""
        for character in TextWidth.sanitize(first).prefix(40) {
            stem.append(character.isLetter || character.isNumber ? character : "-")
        }
        let path = Path.join(UserFolders.state("conversations"), (stem.isEmpty ? "conversation" : stem) + ".json")
        overlays.append(.prompt(PromptState(title: say("Save the conversation as"), text: path, purpose: .saveConversation)))
        return []
    }

    mutating func offerConversations(_ stored: [StoredConversation]) -> [Effect] {
        overlays.append(.picker(PickerState(kind: .conversations(stored), title: say("Conversations"), tab: .chat, argument: "")))
        return []
    }

    /// One that would be lost is not replaced without a question.
    mutating func loadConversation(_ path: String) -> [Effect] {
        guard chat.isUnsaved else { return [.loadConversation(path: path)] }
        return ask(
            DialogState(
                title: say("Replace the conversation?"), text: say("\(chat.turns.count) messages were not saved: Ctrl+S saves them."),
                choices: [.init(say("Replace"), key: "r", .loadConversation(path: path)), .init(say("Keep"), key: "k", .dismiss)], selection: 1))
    }

    mutating func adopt(_ conversation: Conversation, path: String) -> [Effect] {
        let effects = clearChat()
        chat.turns = conversation.turns
        chat.kept = conversation.turns
        if chat.otherTurns != nil { chat.otherTurns = [] }
        chat.tools = conversation.tools
        chat.sent = conversation.turns.filter { $0.speaker == .user }.map(\.text)
        status = StatusMessage(.success, say("Loaded \(path)"))
        guard conversation.system != forms[.chat].configuration.text("default_system") else { return effects }
        return effects + change(.chat, "default_system", to: conversation.system)
    }

    // MARK: The model in training

    func talkRefusal() -> String? {
        if let opened = openedRun, opened.origin == .elsewhere { return say("The run belongs to another process: its weights are not in this one.") }
        guard let run = runningJob, run.kind == .train else { return say("No training runs here.") }
        if run.state != .running && run.state != .paused { return say("The training has not begun its steps yet.") }
        return nil
    }

    /// Whether the training of this process holds for a conversation with it.
    var isTalking: Bool { chat.modelInfo?.isInTraining == true }

    /// What `p` means while the training holds for a talk, which goes on either way: what becomes of the training afterwards.
    mutating func togglePauseAfterTalk() -> [Effect] {
        let stays = staysPaused
        talkLeavesPaused = !stays
        status = StatusMessage(
            .note, stays ? say("The talk goes on; after it the training goes on too.") : say("The talk goes on; after it the training stays paused."))
        return request(stays ? .resume : .pause)
    }

    /// Whether the job at work holds until somebody lets it go on.
    var staysPaused: Bool {
        guard isTalking else { return runningJob?.state == .paused }
        return talkLeavesPaused && runningJob?.pendingRequest != .resume
    }

    mutating func talkToTraining() -> [Effect] {
        talkLeavesPaused = runningJob?.state == .paused || runningJob?.pendingRequest == .pause
        status = StatusMessage(.note, say("The training holds after this step; then its weights can be talked to."))
        var configuration = forms[.chat].configuration
        let trained = activeStart?.configuration ?? forms[.train].configuration
        if trained.isSet("template") { try? configuration.set("template", text: trained.text("template")) }
        return [.talkToTraining(configuration)]
    }

    mutating func talkBegan(_ info: ChatModelInfo) -> [Effect] {
        shelvedChat = chat
        chat = ChatState()
        chat.engine = .ready(info)
        overlays.removeAll()
        tab = .chat
        focusByTab[.chat] = .message
        status = StatusMessage(
            .success,
            staysPaused
                ? say("The training holds. What answers are its weights as they stand; Ctrl+D leaves the talk, and the training stays paused.")
                : say("The training holds. What answers are its weights as they stand; Ctrl+D lets it go on."))
        return []
    }

    func endTalkRefusal() -> String? { chat.modelInfo?.isInTraining == true ? nil : say("No training waits for this conversation.") }

    mutating func endTalk() -> [Effect] {
        status = StatusMessage(.note, staysPaused ? say("The training stays paused: p lets it go on.") : say("The training goes on."))
        return [.endTalk]
    }

    /// What a board says that is left with its job at work, in its own language.
    var farewell: String {
        Wording.$current.withValue(wording) {
            staysPaused
                ? say("The run stays paused. `tuneboard` shows it again, and p lets it go on.") : say("The run goes on. `tuneboard` shows it again.")
        }
    }

    mutating func talkEnded() -> [Effect] {
        guard chat.modelInfo?.isInTraining == true else { return [] }
        chat = shelvedChat ?? ChatState()
        shelvedChat = nil
        overlays.removeAll { if case .editor = $0 { true } else { false } }
        if tab == .chat {
            tab = .monitor
            focusByTab[.monitor] = .chart
        }
        return []
    }
}
