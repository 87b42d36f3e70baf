/// A chat as the command line uses it: one answer at a time, printed as it comes.

import Configuration
import Events
import Formats
import Platform
import Runs

final class ChatSession {
    let isJSON: Bool
    private(set) var configuration: Configuration
    private(set) var info: ChatInfo?
    private let service = ChatService()
    private let signals: SignalListener
    private let line: ProgressLine

    init(_ configuration: Configuration, isJSON: Bool, signals: SignalListener, isPlain: Bool = false) {
        line = ProgressLine(isPlain: isPlain)
        self.configuration = configuration
        self.isJSON = isJSON
        self.signals = signals
    }

    var wasInterrupted: Bool { signals.wasInterrupted }

    /// Loads the model. False when that failed; the reason has been printed.
    func load() -> Bool {
        service.load(configuration)
        while true {
            for event in service.waitForEvents() {
                switch event {
                case .loading(let what):
                    line.show(what)
                case .ready(let info):
                    line.clear()
                    self.info = info
                    if isJSON { printJSON("ready", Self.pairs(info)) }
                    return true
                case .failed(let failure):
                    line.clear()
                    Program.report(failure, isJSON: isJSON)
                    return false
                case .piece, .finished, .adapter, .unloaded:
                    break
                }
            }
        }
    }

    /// Streams the answer to the last line and returns it; nil when it failed. Ctrl+C ends the answer.
    func answer(_ lines: [ChatLine], label: String) -> String? {
        let service = service
        signals.onInterruption { _ in service.cancel() }
        defer { signals.onInterruption(nil) }
        service.send(lines, configuration)
        var text = ""
        if !isJSON { Output.print(label, terminator: "") }
        while true {
            for event in service.waitForEvents() {
                switch event {
                case .piece(let piece):
                    text += piece
                    if isJSON { printJSON("piece", [("text", .string(piece))]) } else { Output.print(SafeText.filter(piece), terminator: "") }
                case .finished(let statistics):
                    finish(text, statistics)
                    return text
                case .failed(let failure):
                    if !isJSON { Output.print("") }
                    Program.report(failure, isJSON: isJSON)
                    return nil
                case .loading, .ready, .adapter, .unloaded:
                    break
                }
            }
        }
    }

    /// Gives the model's memory back.
    func close() { service.close() }

    func setAdapterEnabled(_ isEnabled: Bool) { service.setAdapterEnabled(isEnabled) }

    /// Changes one argument, such as a sampling setting.
    func set(_ name: String, _ text: String) throws { try configuration.set(name, text: text) }

    /// The numbers of the last answer.
    private(set) var statistics: ChatStatistics?

    private func finish(_ text: String, _ statistics: ChatStatistics) {
        self.statistics = statistics
        guard isJSON else {
            Output.print("")
            if statistics.omittedMessages > 0 {
                Output.message("note: the \(statistics.omittedMessages) oldest messages no longer fit the context and were left out.")
            }
            return
        }
        printJSON(
            "answer",
            [
                ("text", .string(text)), ("ending", .string(statistics.ending.rawValue)),
                ("prompt_tokens", .integer(Int64(statistics.promptTokens))), ("answer_tokens", .integer(Int64(statistics.answerTokens))),
                ("tokens_per_second", .number(statistics.tokensPerSecond)),
                ("first_piece_seconds", .number(statistics.firstPieceSeconds)),
                ("context_used", .integer(Int64(statistics.contextUsed))), ("omitted_messages", .integer(Int64(statistics.omittedMessages))),
                ("adapter", .bool(statistics.isAdapterEnabled)),
            ])
    }

    private static func pairs(_ info: ChatInfo) -> [(String, JSONValue)] {
        [
            ("model", .string(info.modelName)), ("adapters", .array(info.adapterNames.map { .string($0) })),
            ("template", .string(info.templateName)), ("context_length", .integer(Int64(info.contextLength))),
            ("parameters", .integer(Int64(info.parameterCount))), ("load_seconds", .number(info.loadSeconds)),
        ]
    }

    private func printJSON(_ event: String, _ pairs: [(String, JSONValue)]) {
        Output.print(JSONValue.object(JSONObject([("event", .string(event))] + pairs)).text(style: .python))
    }
}
