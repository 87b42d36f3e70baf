import Terminal

extension CommandTable {
    static let chat: [BoardCommand] = [
        BoardCommand("chat.load", "Load the model and talk to it", label: "load model", keys: keys("f5", "ctrl+r"), in: [.chatForm],
            rank: 3, refusal: { $0.chatLoadRefusal() }, perform: { $0.loadChat() }),
        BoardCommand("chat.send", "Send the message", label: "send", keys: keys("enter"), in: [.message], rank: 1,
            refusal: { $0.sendRefusal() }, perform: { $0.sendMessage() }),
        BoardCommand("chat.newline", "New line in the message", label: "newline", keys: keys("alt+enter", "ctrl+j"), in: [.message],
            rank: 8) { $0.insertNewline() },
        BoardCommand("chat.stop", "Stop the answer; otherwise go to the conversation", label: "stop", keys: keys("escape"),
            in: [.message, .transcript], rank: 2, relabelled: { $0.chat.isStreaming ? nil : $0.chat.editedTurn == nil ? "leave" : "cancel" },
            hinted: { $0.chat.isStreaming || $0.focus == .message }, perform: { $0.stopAnswer() }),
        BoardCommand("chat.recall", "Up on an empty message recalls what was sent", keys: keys("up"), in: [.message]) {
            $0.recallMessage(by: -1)
        },
        BoardCommand("chat.recall.next", "Down walks back through what was sent", keys: keys("down"), in: [.message]) {
            $0.recallMessage(by: 1)
        },
        BoardCommand("chat.copy", "Copy the last reply", label: "copy reply", keys: keys("ctrl+y"), in: [.chat], rank: 6,
            refusal: { $0.copyReplyRefusal() }, perform: { $0.copyReply() }),
        BoardCommand("chat.copy.letter", "Copy the last reply", label: "copy reply", keys: keys("y"), in: [.transcript], rank: 4,
            refusal: { $0.copyReplyRefusal() }, perform: { $0.copyReply() }),
        BoardCommand("chat.copyAll", "Copy the whole conversation", keys: keys("Y"), in: [.transcript],
            refusal: { $0.chat.turns.isEmpty ? say("There is no conversation to copy yet.") : nil }, perform: { $0.copyConversation() }),
        BoardCommand("chat.retry", "Answer the last message again", label: "retry", keys: keys("ctrl+r"), in: [.chat], rank: 3,
            refusal: { $0.retryRefusal() }, perform: { $0.retryAnswer() }),
        BoardCommand("chat.adapter", "Adapter on or off: the base model answers", label: "adapter", keys: keys("ctrl+t"), in: [.chat],
            rank: 3, refusal: { $0.adapterRefusal() }, perform: { $0.toggleAdapter() }),
        BoardCommand("chat.settings", "Model, system prompt and sampling", label: "options", keys: keys("ctrl+o"), in: [.chat],
            rank: 4) { $0.openChatSettings() },
        BoardCommand("chat.reload", "Load the model again", keys: keys("f5"), in: [.chat],
            refusal: { $0.reloadRefusal() }, perform: { $0.loadChat() }),
        BoardCommand("chat.reload.options", "Load the model again", label: "load model", keys: keys("f5", "ctrl+r"), in: [.chatOptions], rank: 2,
            refusal: { $0.reloadRefusal() }, perform: { $0.loadChat() }),
        BoardCommand("chat.clear", "Clear the conversation; asks", label: "clear", keys: keys("ctrl+k"), in: [.chat], rank: 7,
            refusal: { $0.chat.turns.isEmpty ? say("The conversation is empty already.") : nil }, perform: { $0.askToClearChat() }),
        BoardCommand("chat.scrollUp", "Scroll the conversation up", keys: keys("pageup"), in: [.message]) { $0.scrollTranscript(by: 10) },
        BoardCommand("chat.scrollDown", "Scroll the conversation down", keys: keys("pagedown"), in: [.message]) {
            $0.scrollTranscript(by: -10)
        },
        BoardCommand("chat.write", "Write a message", label: "write", keys: keys("enter", "i"), in: [.transcript], rank: 1) {
            $0.focusMessage()
        },
        BoardCommand("chat.compare", "Adapter and base side by side", label: "compare", keys: keys("alt+b"), in: [.chat], rank: 3,
            onlyWhenPossible: true, refusal: { $0.compareRefusal() }, perform: { $0.toggleComparison() }),
        BoardCommand("chat.compare.letter", "Adapter and base side by side", label: "compare", keys: keys("b"), in: [.transcript], rank: 3,
            refusal: { $0.compareRefusal() }, perform: { $0.toggleComparison() }),
        BoardCommand("chat.nextTurn", "Select the next message", keys: keys("J", "n"), in: [.transcript],
            refusal: { $0.turnRefusal() }, perform: { $0.selectTurn(by: 1) }),
        BoardCommand("chat.previousTurn", "Select the message before", label: "message", keys: keys("K", "N"), in: [.transcript], rank: 5,
            refusal: { $0.turnRefusal() }, perform: { $0.selectTurn(by: -1) }),
        BoardCommand("chat.edit", "Write a message anew and have it answered again", keys: keys("alt+e"), in: [.chat],
            refusal: { $0.editTurnRefusal() }, perform: { $0.editTurn() }),
        BoardCommand("chat.edit.letter", "Write a message anew and have it answered again", label: "edit", keys: keys("e"), in: [.transcript],
            rank: 6, refusal: { $0.editTurnRefusal() }, perform: { $0.editTurn() }),
        BoardCommand("chat.copyCode", "Copy the reply's next code block", keys: keys("alt+y"), in: [.chat],
            refusal: { $0.copyCodeRefusal() }, perform: { $0.copyCode() }),
        BoardCommand("chat.copyCode.letter", "Copy the reply's next code block", label: "copy code", keys: keys("c"), in: [.transcript],
            rank: 7, refusal: { $0.copyCodeRefusal() }, perform: { $0.copyCode() }),
        BoardCommand("chat.thoughts", "Fold or unfold thinking", keys: keys("alt+f"), in: [.chat]) { $0.toggleThoughts() },
        BoardCommand("chat.thoughts.letter", "Fold or unfold thinking", keys: keys("t"), in: [.transcript]) { $0.toggleThoughts() },
        BoardCommand("chat.system", "Write the system prompt", keys: keys("alt+s"), in: [.chat]) { $0.openEditor(.systemPrompt) },
        BoardCommand("chat.tools", "Write the tools as JSON", keys: keys("alt+t"), in: [.chat]) { $0.openEditor(.tools) },
        BoardCommand("chat.history", "How many messages are sent along", keys: keys("alt+h"), in: [.chat]) { $0.cycleHistoryLimit() },
        BoardCommand("chat.save", "Save the conversation", keys: keys("ctrl+s"), in: [.chat],
            refusal: { $0.chat.turns.isEmpty ? say("There is no conversation to save yet.") : nil }, perform: { $0.promptForConversation() }),
        BoardCommand("chat.open", "Load a saved conversation", keys: keys("alt+o"), in: [.chat],
            refusal: { $0.chat.isStreaming ? say("The model is answering. Esc stops it.") : nil }, perform: { _ in [.listConversations] }),
        BoardCommand("chat.endTalk", "Leave the talk with the training", label: "go on training", keys: keys("ctrl+d"), in: [.chat], rank: 2,
            onlyWhenPossible: true, listed: { $0.isTalking }, relabelled: { $0.staysPaused ? "leave talk" : nil }, refusal: { $0.endTalkRefusal() }, perform: { $0.endTalk() }),
        BoardCommand("editor.accept", "Take the text", label: "take", keys: keys("ctrl+s", "f5"), in: [.editor], rank: 1) { $0.acceptEditor() },
        BoardCommand("editor.newline", "New line", keys: keys("enter"), in: [.editor]) { $0.typeInEditor { $0.insertNewline() } },
        BoardCommand("editor.cancel", "Leave the text as it was", label: "cancel", keys: keys("escape"), in: [.editor], rank: 2) {
            $0.closeOverlay()
        },
    ]
}
