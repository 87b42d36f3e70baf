import Configuration
import Events
import Platform
import Testing

@testable import Runs

/// Answers with the words of the question, one piece at a time.
private final class EchoModel: ChatModel {
    let info = ChatInfo(modelName: "echo", templateName: "none", contextLength: 100)
    private var isEnabled = true
    private let isEndless: Bool

    init(isEndless: Bool = false) { self.isEndless = isEndless }

    func setAdapterEnabled(_ isEnabled: Bool) { self.isEnabled = isEnabled }

    func answer(_ lines: [ChatLine], _ configuration: Configuration, receive: (String) -> Bool) throws -> ChatStatistics {
        guard let last = lines.last, !last.text.isEmpty else { throw JobFailure(what: "nothing was asked") }
        var count = 0
        while true {
            for word in last.text.split(separator: " ") {
                count += 1
                if !receive(word + " ") { return statistics(count) }
            }
            guard isEndless else { return statistics(count) }
        }
    }

    private func statistics(_ count: Int) -> ChatStatistics {
        ChatStatistics(
            promptTokens: 1, answerTokens: count, tokensPerSecond: 1, contextUsed: count, contextLength: 100, ending: .complete,
            isAdapterEnabled: isEnabled)
    }
}

@Suite struct ChatServiceTests {
    private func collect(_ service: ChatService) -> (text: String, end: ChatEvent?) {
        var text = ""
        while true {
            for event in service.waitForEvents() {
                switch event {
                case .piece(let piece): text += piece
                case .finished, .failed: return (text, event)
                case .loading, .ready, .adapter, .unloaded: break
                }
            }
        }
    }

    @Test func anAnswerStreamsAndEndsWithItsNumbers() {
        let service = ChatService(loader: { _, _, _ in EchoModel() })
        defer { service.close() }
        service.load(Configuration())
        service.setAdapterEnabled(false)
        service.send([ChatLine(.user, "one two three")], Configuration())
        let (text, end) = collect(service)
        #expect(text == "one two three ")
        guard case .finished(let statistics)? = end else {
            Issue.record("expected an end with numbers, found \(String(describing: end))")
            return
        }
        #expect(statistics.answerTokens == 3)
        #expect(!statistics.isAdapterEnabled)
        #expect(!service.isAnswering)
    }

    @Test func cancellingEndsAnAnswerThatWouldNotEnd() {
        let service = ChatService(loader: { _, _, _ in EchoModel(isEndless: true) })
        defer { service.close() }
        service.load(Configuration())
        service.send([ChatLine(.user, "again")], Configuration())
        #expect(waitUntil { service.drain().contains { if case .piece = $0 { true } else { false } } })
        service.cancel()
        guard case .finished(let statistics)? = collect(service).end else {
            Issue.record("a cancelled answer ends with its numbers")
            return
        }
        #expect(statistics.ending == .cancelled)
    }

    @Test func failuresAreToldAndTheServiceGoesOn() {
        let service = ChatService(loader: { _, _, _ in EchoModel() })
        defer { service.close() }
        service.send([ChatLine(.user, "too early")], Configuration())
        #expect(collect(service).end == .failed(JobFailure(what: "No model is loaded.", whatToDo: "Load one first.")))
        service.load(Configuration())
        service.send([], Configuration())
        #expect(collect(service).end == .failed(JobFailure(what: "nothing was asked")))
        service.send([ChatLine(.user, "fine")], Configuration())
        #expect(collect(service).text == "fine ")
    }

    @Test func aReaderThatDoesNotComeFindsOnePieceNotAThousand() {
        let service = ChatService(loader: { _, _, _ in EchoModel(isEndless: true) })
        defer { service.close() }
        service.load(Configuration())
        service.send([ChatLine(.user, "word")], Configuration())
        Clock.sleep(seconds: 0.05)
        service.cancel()
        #expect(waitUntil { !service.isAnswering })
        Clock.sleep(seconds: 0.02)
        #expect(service.drain().count <= 4)
    }
}
