import Platform

/// Where other threads leave what happened for the board, and how they wake it.
///
/// It also counts the work that was begun and has not answered yet: a test or a script that waits for idle waits for that count
/// to be 0, and never sleeps.
public final class ActionQueue: Sendable {
    private struct Contents: Sendable {
        var actions: [Action] = []
        var pendingWork = 0
    }

    private let contents = Mutex(Contents())
    private let wake: @Sendable () -> Void

    public init(wake: @escaping @Sendable () -> Void) { self.wake = wake }

    /// From any thread.
    public func post(_ action: Action) {
        contents.withLock { $0.actions.append(action) }
        wake()
    }

    /// Makes the board look for news; for sources that keep their own.
    public func wakeUp() { wake() }

    /// Counts a piece of work before it starts.
    public func beginWork() { contents.withLock { $0.pendingWork += 1 } }

    /// The end of a piece of work, with what came of it, if anything.
    public func endWork(_ actions: [Action] = []) {
        contents.withLock { contents in
            contents.actions += actions
            contents.pendingWork -= 1
        }
        wake()
    }

    /// Everything that was posted since the last call, oldest first.
    func drain() -> [Action] {
        contents.withLock { contents in
            defer { contents.actions.removeAll(keepingCapacity: true) }
            return contents.actions
        }
    }

    /// True when nothing waits and nothing is being worked on.
    public var isIdle: Bool { contents.withLock { $0.actions.isEmpty && $0.pendingWork == 0 } }
}
