/// The conversation in a terminal, line by line.

import Configuration
import Glibc
import Platform
import Runs

final class ChatPrompt {
    private let session: ChatSession
    private var conversation: [ChatLine] = []

    private static let help = """
        /adapter on|off   use the adapter, or the base model alone
        /system TEXT      a system message for this conversation; without TEXT it is taken away
        /set KEY VALUE    temperature, top_p, top_k, max_new_tokens, do_sample, repetition_penalty, ...
        /retry            answer the last message again
        /clear            begin anew
        /stats            numbers of the last answer
        /exit             leave (Ctrl+D too)
        A line that ends with \\ goes on in the next one. Ctrl+C stops an answer.
        """

    private let readLine: () -> String?

    /// - Parameter read: the next line of the input, nil at its end.
    init(_ session: ChatSession, read: @escaping () -> String? = { Swift.readLine() }) {
        self.session = session
        readLine = read
    }

    func run() -> Int32 {
        if let info = session.info {
            let adapters = info.adapterNames.isEmpty ? "" : " with " + info.adapterNames.joined(separator: ", ")
            Output.print("\(info.modelName)\(adapters), template \(info.templateName), context \(info.contextLength). /help for help.")
        }
        while let message = read() {
            if message.hasPrefix("/") {
                if !obey(message) { return ExitCode.done }
            } else if !message.allSatisfy(\.isWhitespace) {
                conversation.append(ChatLine(.user, message))
                answer()
            }
        }
        Output.print("")
        return ExitCode.done
    }

    private func read() -> String? {
        var message = ""
        Output.print("\nUser: ", terminator: "")
        while let line = readLine() {
            guard line.hasSuffix("\\") else { return message + line }
            message += line.dropLast() + "\n"
            Output.print("... ", terminator: "")
        }
        return nil
    }

    private func answer() {
        guard let text = session.answer(conversation, label: "Assistant: ") else {
            conversation.removeLast()
            return
        }
        conversation.append(ChatLine(.assistant, text))
    }

    /// Carries out a `/` line; false to leave.
    private func obey(_ line: String) -> Bool {
        let words = line.split(separator: " ", maxSplits: 1).map(String.init)
        let rest = words.count > 1 ? words[1] : ""
        switch words[0] {
        case "/exit", "/quit", "/bye":
            return false
        case "/clear":
            conversation.removeAll { $0.speaker != .system }
        case "/retry":
            if conversation.last?.speaker == .assistant { conversation.removeLast() }
            if conversation.last?.speaker == .user { answer() }
        case "/system":
            conversation.removeAll { $0.speaker == .system }
            if !rest.isEmpty { conversation.insert(ChatLine(.system, rest), at: 0) }
        case "/adapter":
            if rest == "on" || rest == "off" { session.setAdapterEnabled(rest == "on") } else { Output.print("/adapter on or /adapter off") }
        case "/set":
            set(rest)
        case "/stats":
            printStatistics()
        case "/help":
            Output.print(Self.help)
        default:
            Output.print("There is no \(words[0]). /help shows what there is.")
        }
        return true
    }

    private func set(_ rest: String) {
        let parts = rest.split(whereSeparator: { $0 == " " || $0 == "=" }).map(String.init)
        guard parts.count == 2 else { return Output.print("/set KEY VALUE") }
        do {
            try session.set(parts[0], parts[1])
        } catch {
            Output.print(String(describing: error))
        }
    }

    private func printStatistics() {
        guard let statistics = session.statistics else { return }
        Output.print(
            "\(statistics.answerTokens) tokens, \(EventText.rate(statistics.tokensPerSecond)), first after "
                + "\(NumberText.fixed(statistics.firstPieceSeconds, digits: 2)) s, context \(statistics.contextUsed)/\(statistics.contextLength)")
    }
}
