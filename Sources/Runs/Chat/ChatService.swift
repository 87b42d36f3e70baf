/// A conversation with a model on a thread of its own.

import Configuration
import Events
import Platform
import Synchronization

/// A loaded model as the chat thread uses it. Never called from two threads.
public protocol ChatModel: AnyObject {
    var info: ChatInfo { get }
    func setAdapterEnabled(_ isEnabled: Bool)
    /// Answers the last message of `lines`. Sampling is read from the configuration. `receive` gets each piece as it comes and
    /// says whether to go on.
    func answer(_ lines: [ChatLine], _ configuration: Configuration, receive: (String) -> Bool) throws -> ChatStatistics
}

/// Makes a model ready. Gets what is loaded already, so that a base that stays the same is not read again.
public typealias ChatLoader =
    @Sendable (_ configuration: Configuration, _ loaded: (any ChatModel)?, _ report: (String) -> Void) throws -> any ChatModel

/// Loads a base and its adapters once, keeps them mapped, and streams answers. All calls return at once; what happens comes as
/// `ChatEvent`s. The queue of events joins pieces that were not fetched yet, so it stays short whatever the reader does.
public final class ChatService: Sendable {
    private enum Request {
        case load(Configuration)
        case send([ChatLine], Configuration, ticket: Int)
        case setAdapterEnabled(Bool)
        case unload
        case close
    }

    private struct Contents {
        var requests: [Request] = []
        var events: [ChatEvent] = []
        var isThreadStarted = false
        var isReaderAwake = false
    }

    private let contents = Mutex(Contents())
    private let loader: ChatLoader
    private let wake: @Sendable () -> Void
    /// Sends up to this ticket are cancelled.
    private let cancelledTicket = Atomic<Int>(0)
    private let lastTicket = Atomic<Int>(0)
    private let finishedTicket = Atomic<Int>(0)

    /// - Parameters:
    ///   - loader: how models are made ready; tests give their own.
    ///   - wake: called on another thread when events wait in an empty queue; must return at once.
    ///   - hasThread: false for a service that somebody `serve`s on a thread of their own.
    public init(
        loader: @escaping ChatLoader = EngineChat.load, hasThread: Bool = true, wake: @escaping @Sendable () -> Void = {}
    ) {
        self.loader = loader
        self.wake = wake
        if !hasThread { contents.withLock { $0.isThreadStarted = true } }
    }

    /// Talks with a model that is there already, on the calling thread, until `close`. `ready` comes first and `unloaded` last.
    public func serve(_ model: any ChatModel) {
        emit(.ready(model.info))
        work(model)
        emit(.unloaded)
    }

    /// Says why there will be no conversation.
    public func refuse(_ reason: JobFailure) {
        emit(.failed(reason))
        emit(.unloaded)
    }

    /// Loads the model, adapters and template that the configuration names. A base that is loaded already stays.
    public func load(_ configuration: Configuration) { post(.load(configuration)) }

    /// Asks for an answer to the last message. The model must have been loaded, or be loading.
    public func send(_ lines: [ChatLine], _ configuration: Configuration) {
        let ticket = lastTicket.add(1, ordering: .acquiringAndReleasing).newValue
        post(.send(lines, configuration, ticket: ticket))
    }

    /// Ends the answer that is being made, and those that wait. What was said so far stays; `finished` follows.
    public func cancel() { cancelledTicket.store(lastTicket.load(ordering: .acquiring), ordering: .releasing) }

    /// Switches all adapters on or off: off is the base model, with nothing loaded anew.
    public func setAdapterEnabled(_ isEnabled: Bool) { post(.setAdapterEnabled(isEnabled)) }

    /// Gives the model's memory back.
    public func unload() {
        cancel()
        post(.unload)
    }

    /// Ends the thread after what it is doing. The service cannot be used afterwards.
    public func close() {
        cancel()
        post(.close)
    }

    /// True while an answer is asked for and not finished.
    public var isAnswering: Bool { finishedTicket.load(ordering: .acquiring) < lastTicket.load(ordering: .acquiring) }

    /// Everything that happened since the last call, oldest first.
    public func drain() -> [ChatEvent] {
        contents.withLock { contents in
            defer {
                contents.events = []
                contents.isReaderAwake = false
            }
            return contents.events
        }
    }

    /// Waits until events are there and takes them; for readers without a loop of their own.
    public func waitForEvents() -> [ChatEvent] {
        contents.waitUntil({ !$0.events.isEmpty }) { contents in
            defer {
                contents.events = []
                contents.isReaderAwake = false
            }
            return contents.events
        }
    }

    private func post(_ request: Request) {
        let mustStart = contents.update { contents in
            contents.requests.append(request)
            defer { contents.isThreadStarted = true }
            return !contents.isThreadStarted
        }
        if mustStart { _ = EngineThread(name: "chat", stackSize: 16 * 1024 * 1024) { [self] in work() } }
    }

    private func emit(_ event: ChatEvent) {
        let mustWake = contents.update { contents in
            if case .piece(let text) = event, case .piece(let waiting)? = contents.events.last {
                contents.events[contents.events.count - 1] = .piece(waiting + text)
            } else {
                contents.events.append(event)
            }
            defer { contents.isReaderAwake = true }
            return !contents.isReaderAwake
        }
        if mustWake { wake() }
    }

    private func work(_ given: (any ChatModel)? = nil) {
        var model = given
        while true {
            let request = contents.waitUntil({ !$0.requests.isEmpty }) { $0.requests.removeFirst() }
            switch request {
            case .load(let configuration):
                do {
                    let loaded = try loader(configuration, model) { emit(.loading($0)) }
                    model = loaded
                    emit(.ready(loaded.info))
                } catch {
                    // What was there may be half changed: it goes, and the next load begins anew.
                    model = nil
                    emit(.failed(failure(error)))
                }
            case .send(let lines, let configuration, let ticket):
                let ending = answer(lines, configuration, ticket, model)
                finishedTicket.store(ticket, ordering: .releasing)
                emit(ending)
            case .setAdapterEnabled(let isEnabled):
                model?.setAdapterEnabled(isEnabled)
                emit(.adapter(isEnabled: isEnabled))
            case .unload:
                model = nil
                emit(.unloaded)
            case .close:
                return
            }
        }
    }

    /// Makes one answer and returns the event that ends it.
    private func answer(
        _ lines: [ChatLine], _ configuration: Configuration, _ ticket: Int, _ model: (any ChatModel)?
    ) -> ChatEvent {
        guard let model else { return .failed(JobFailure(what: "No model is loaded.", whatToDo: "Load one first.")) }
        do {
            var statistics = try model.answer(lines, configuration) { piece in
                if !piece.isEmpty { emit(.piece(piece)) }
                return cancelledTicket.load(ordering: .acquiring) < ticket
            }
            if cancelledTicket.load(ordering: .acquiring) >= ticket { statistics.ending = .cancelled }
            return .finished(statistics)
        } catch {
            return .failed(failure(error))
        }
    }

    private func failure(_ error: any Error) -> JobFailure {
        error as? JobFailure ?? JobFailure(what: String(describing: error))
    }
}
