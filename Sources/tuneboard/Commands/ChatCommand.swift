/// `tuneboard chat`: in a terminal, from a pipe, or for a few questions.

import Configuration
import Formats
import Runs

enum ChatCommand {
    static func run(_ invocation: Invocation) throws -> Int32 {
        try invocation.expectNoWords()
        guard let configuration = Arguments.load(invocation, for: .chat) else { return ExitCode.usage }
        let session = ChatSession(configuration, isJSON: invocation.isJSON, signals: SignalListener())
        guard session.load() else { return ExitCode.failed }
        let questions = invocation.values("question")
        if !questions.isEmpty { return ask(questions, session) }
        if Output.isInputTerminal, !invocation.isJSON { return ChatPrompt(session).run() }
        return invocation.isJSON ? readMessages(session) : readLines(session)
    }

    /// Each question is a conversation of its own.
    private static func ask(_ questions: [String], _ session: ChatSession) -> Int32 {
        for question in questions {
            if !session.isJSON { Output.print("User: " + SafeText.filter(question)) }
            let answer = session.answer([ChatLine(.user, question)], label: "Assistant: ")
            if session.wasInterrupted { return ExitCode.interrupted }
            if answer == nil { return ExitCode.failed }
            if !session.isJSON { Output.print("") }
        }
        return ExitCode.done
    }

    /// Every line is the next message of one conversation.
    private static func readLines(_ session: ChatSession) -> Int32 {
        var conversation: [ChatLine] = []
        while let line = readLine() {
            guard !line.allSatisfy(\.isWhitespace) else { continue }
            conversation.append(ChatLine(.user, line))
            let answer = session.answer(conversation, label: "")
            if session.wasInterrupted { return ExitCode.interrupted }
            guard let answer else { return ExitCode.failed }
            conversation.append(ChatLine(.assistant, answer))
        }
        return ExitCode.done
    }

    /// One JSON value per line in, one line per event out. A line that cannot be read is answered by an error; the rest goes on.
    private static func readMessages(_ session: ChatSession) -> Int32 {
        var conversation: [ChatLine] = []
        var number = 0
        var hasFailed = false
        while let line = readLine() {
            number += 1
            guard !line.allSatisfy(\.isWhitespace) else { continue }
            do {
                switch try ChatInput(line: line, number: number) {
                case .next(let message):
                    conversation.append(message)
                    let answer = message.speaker == .user ? session.answer(conversation, label: "") : ""
                    if let answer, message.speaker == .user { conversation.append(ChatLine(.assistant, answer)) }
                    if answer == nil {
                        conversation.removeLast()
                        hasFailed = true
                    }
                case .conversation(let messages):
                    if session.answer(messages, label: "") == nil { hasFailed = true }
                }
            } catch {
                hasFailed = true
                Output.print(EventJSON.line(String(describing: error)))
            }
            if session.wasInterrupted { return ExitCode.interrupted }
        }
        return hasFailed ? ExitCode.failed : ExitCode.done
    }
}

/// One line of JSON given to `tuneboard chat --json`.
enum ChatInput {
    /// `"Hello"` or `{"role": "user", "content": "Hello"}`: goes on with the conversation.
    case next(ChatLine)
    /// `{"messages": [...]}`: a conversation of its own.
    case conversation([ChatLine])

    init(line: String, number: Int) throws {
        let value = try JSONValue.parse(Array(line.utf8), name: "input", firstLine: number)
        if let text = value.stringValue {
            self = .next(ChatLine(.user, text))
        } else if let messages = value.objectValue?["messages"]?.arrayValue {
            self = .conversation(try messages.map { try Self.message($0, number: number) })
        } else {
            self = .next(try Self.message(value, number: number))
        }
    }

    private static func message(_ value: JSONValue, number: Int) throws -> ChatLine {
        guard let object = value.objectValue, let content = object["content"]?.stringValue else {
            throw UsageError("line \(number): expected a string, {\"content\": \"...\"} or {\"messages\": [...]}.")
        }
        let role = object["role"]?.stringValue ?? "user"
        guard let speaker = ChatLine.Speaker(rawValue: role) else {
            throw UsageError("line \(number): the role `\(role)` is not one of system, user, assistant.")
        }
        return ChatLine(speaker, content)
    }
}
