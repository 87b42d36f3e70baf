/// Threads, locks and waiting, on pthreads.

import CPlatform
import Glibc

/// A mutex and a condition variable in one. The lock must be held while waiting.
public final class Condition: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let variable: UnsafeMutablePointer<pthread_cond_t>

    public init() {
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
        variable = .allocate(capacity: 1)
        variable.initialize(to: pthread_cond_t())
        // Timed waits count on the clock that never jumps.
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(variable, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(variable)
        pthread_mutex_destroy(mutex)
        variable.deallocate()
        mutex.deallocate()
    }

    public func lock() { pthread_mutex_lock(mutex) }
    public func unlock() { pthread_mutex_unlock(mutex) }

    public func withLock<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        lock()
        defer { unlock() }
        return try body()
    }

    /// Gives the lock up, sleeps until signalled (or for no reason at all), and has the lock again.
    public func wait() { pthread_cond_wait(variable, mutex) }

    /// The same, for at most so long. False when the time ran out.
    @discardableResult
    public func wait(seconds: Double) -> Bool {
        let end = Clock.monotonicSeconds() + max(0, seconds)
        let whole = end.rounded(.down)
        var deadline = timespec(tv_sec: Int(whole), tv_nsec: Int((end - whole) * 1e9))
        return pthread_cond_timedwait(variable, mutex, &deadline) == 0
    }

    public func signal() { pthread_cond_signal(variable) }
    public func broadcast() { pthread_cond_broadcast(variable) }
}

/// A value that only one thread at a time can see.
public final class Mutex<Value>: @unchecked Sendable {
    private var value: Value
    private let condition = Condition()

    public init(_ value: Value) { self.value = value }

    public func withLock<Result, Failure: Error>(_ body: (inout Value) throws(Failure) -> Result) throws(Failure) -> Result {
        condition.lock()
        defer { condition.unlock() }
        return try body(&value)
    }

    /// Waits until `isReady` says yes, then runs `body` under the same lock. Whoever changes the value calls `notify`.
    public func waitUntil<Result>(_ isReady: (Value) -> Bool, then body: (inout Value) -> Result) -> Result {
        condition.lock()
        defer { condition.unlock() }
        while !isReady(value) { condition.wait() }
        return body(&value)
    }

    /// Changes the value and wakes everybody who waits for it.
    public func update<Result>(_ body: (inout Value) -> Result) -> Result {
        condition.lock()
        defer {
            condition.broadcast()
            condition.unlock()
        }
        return body(&value)
    }
}

/// A stack for signal handlers, apart from the thread's own: without it a stack overflow leaves no room to restore the terminal.
/// Every `EngineThread` has one; other threads ask for theirs.
public enum SignalStack {
    /// For the calling thread.
    public static func install() { platform_install_signal_stack() }

    /// For the calling thread, before it ends.
    public static func remove() { platform_remove_signal_stack() }
}

/// How a thread and the others that want its processor take turns. Fair shares stay fair; only the turns differ.
///
/// Linux gives the processor to the thread that has waited long enough and whose turn would end first (EEVDF). With turns of the same
/// length for all, a thread that wakes up for a key waits until the next clock tick, 4 ms, behind one that computes; with a short turn
/// of its own it goes first at once.
public enum ThreadTurns {
    /// Short turns, for a thread that answers people: it gets the processor as soon as it wakes. Threads that it starts have the usual
    /// ones.
    public static func short() { _ = platform_set_time_slice(100_000, 0) }

    /// Long turns, for a thread that computes for hours: whatever wakes beside it goes first.
    public static func long() { _ = platform_set_time_slice(20_000_000, 1) }
}

/// A thread with a name and a stack of its own size.
public final class EngineThread: @unchecked Sendable {
    public let name: String
    private let body: @Sendable () -> Void
    private let finished = Mutex(false)
    private var identifier = pthread_t()
    private var isRunning = false

    /// Starts at once.
    /// - Parameter stackSize: bytes; raised to 64 KiB where less is asked.
    public init(name: String, stackSize: Int = 8 << 20, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setstacksize(&attributes, max(stackSize, 64 << 10))
        let argument = Unmanaged.passRetained(self).toOpaque()
        isRunning = pthread_create(&identifier, &attributes, engineThreadEntry, argument) == 0
        pthread_attr_destroy(&attributes)
        if !isRunning {
            // Without a thread the work is still done, here.
            Unmanaged<EngineThread>.fromOpaque(argument).release()
            run()
        }
    }

    deinit { if isRunning { pthread_detach(identifier) } }

    public var isFinished: Bool { finished.withLock { $0 } }

    /// Waits until the body has returned. May be called from several threads.
    public func join() { finished.waitUntil({ $0 }, then: { _ in }) }

    fileprivate func run() {
        body()
        finished.update { $0 = true }
    }

    fileprivate func takeName() {
        // The kernel keeps 15 bytes.
        platform_name_thread(String(decoding: name.utf8.prefix(15), as: UTF8.self))
    }
}

/// The entry is a free function: a closure literal could be inferred to belong to the main actor.
private func engineThreadEntry(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    let thread = Unmanaged<EngineThread>.fromOpaque(argument).takeRetainedValue()
    thread.takeName()
    SignalStack.install()
    thread.run()
    SignalStack.remove()
    return nil
}
