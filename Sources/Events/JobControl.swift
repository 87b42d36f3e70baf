/// What other threads ask of a running job: one word that the engine reads at every micro-batch without taking a lock.

import Platform
import Synchronization

/// What is asked of the job.
public enum ControlRequest: UInt8, Sendable, Equatable, CaseIterable {
    case none = 0
    /// Hold between two micro-batches until `resume`.
    case pause = 1
    case resume = 2
    /// Write a checkpoint, then go on.
    case save = 3
    case stopAndSave = 4
    /// Stop at once, write nothing.
    case abort = 5
}

/// The word between a job and those who steer it. Stronger requests are never overwritten by weaker ones:
/// once an abort is posted, nothing takes it back.
public final class JobControl: Sendable {
    private let word = Atomic<UInt8>(ControlRequest.none.rawValue)
    private let paused = Atomic<Bool>(false)
    private let condition = Condition()
    /// Somebody who wants the engine's thread while the job holds; guarded by the condition.
    private let visitor = Mutex<Visitor?>(nil)

    /// Gets what the job lends while it holds, on the engine's thread, and keeps the thread until it returns. Nil when the job ended
    /// before it could lend anything.
    public typealias Visit = (_ host: AnyObject?) -> Void

    private struct Visitor {
        var visit: Visit?
        let leave: @Sendable () -> Void
    }

    public init() {}

    /// Asks for something. May be called on any thread, often.
    public func post(_ request: ControlRequest) {
        // Whoever sits in the engine must leave before it can obey.
        if request == .stopAndSave || request == .abort { visitor.withLock { $0?.leave }?() }
        condition.lock()
        defer { condition.unlock() }
        let current = ControlRequest(rawValue: word.load(ordering: .acquiring)) ?? .none
        switch request {
        case .none:
            return
        case .pause:
            if current == .stopAndSave || current == .abort { return }
            paused.store(true, ordering: .releasing)
        case .resume:
            paused.store(false, ordering: .releasing)
        case .save:
            if current == .stopAndSave || current == .abort { return }
            word.store(request.rawValue, ordering: .releasing)
        case .stopAndSave:
            if current == .abort { return }
            paused.store(false, ordering: .releasing)
            word.store(request.rawValue, ordering: .releasing)
        case .abort:
            paused.store(false, ordering: .releasing)
            word.store(request.rawValue, ordering: .releasing)
        }
        condition.broadcast()
    }

    /// What the engine should do next. `pause` as long as the job is to hold.
    public var pending: ControlRequest {
        let request = ControlRequest(rawValue: word.load(ordering: .acquiring)) ?? .none
        if request == .none, paused.load(ordering: .acquiring) { return .pause }
        return request
    }

    /// Whether anything is asked of the job, a visit included.
    public var wantsAttention: Bool { pending != .none || hasVisitWaiting }

    public var isAborted: Bool { word.load(ordering: .acquiring) == ControlRequest.abort.rawValue }
    /// True when the job was asked to end, either way.
    public var isStopping: Bool { isAborted || word.load(ordering: .acquiring) == ControlRequest.stopAndSave.rawValue }
    public var isPaused: Bool { paused.load(ordering: .acquiring) }

    /// Takes a `save` request, so that it is carried out once. Pause, stop and abort stay.
    public func takeSave() -> Bool {
        word.compareExchange(
            expected: ControlRequest.save.rawValue, desired: ControlRequest.none.rawValue, ordering: .acquiringAndReleasing
        ).exchanged
    }

    // MARK: Visits

    /// Asks for the engine's thread at the next micro-batch, where the weights are those of the last step.
    /// - Parameter leave: called when the job is asked to end: the visit is to return.
    /// - Returns: false when another visit is asked for or under way.
    public func askForVisit(_ visit: @escaping @Sendable (_ host: AnyObject?) -> Void, leave: @escaping @Sendable () -> Void) -> Bool {
        let isFirst = visitor.update { visitor in
            guard visitor == nil else { return false }
            visitor = Visitor(visit: visit, leave: leave)
            return true
        }
        condition.lock()
        condition.broadcast()
        condition.unlock()
        return isFirst
    }

    /// The visit that waits, to be received once; `endVisit` follows.
    public func takeVisit() -> Visit? {
        visitor.update { visitor in
            let visit = visitor?.visit
            visitor?.visit = nil
            return visit
        }
    }

    public func endVisit() { visitor.withLock { $0 = nil } }

    private var hasVisitWaiting: Bool { visitor.withLock { $0?.visit != nil } }

    /// Sleeps while the job is paused and nothing else is asked; returns at once when it is not.
    /// - Parameter canSave: a request to save is one to go on for. Where nothing can be saved before the work is done, it waits too.
    public func waitWhilePaused(canSave: Bool = true) {
        guard isPaused else { return }
        condition.lock()
        defer { condition.unlock() }
        while paused.load(ordering: .acquiring), isQuiet(canSave: canSave), !hasVisitWaiting { condition.wait() }
    }

    private func isQuiet(canSave: Bool) -> Bool {
        switch ControlRequest(rawValue: word.load(ordering: .acquiring)) ?? .none {
        case .none, .pause, .resume: true
        case .save: !canSave
        case .stopAndSave, .abort: false
        }
    }
}
