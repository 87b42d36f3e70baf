/// Ctrl+C, SIGTERM and a closed terminal, as requests to the job.

import Events
import Glibc
import Platform
import Runs
import Synchronization

/// Takes the signals that would end the program and asks the job to end instead. Signals are blocked for every thread, so
/// `block` comes before the first thread starts; one thread of its own waits for them.
final class SignalListener: Sendable {
    /// Set once somebody asked for an end by Ctrl+C or SIGTERM.
    private let interruptions = Atomic<Int>(0)
    private let hasTerminal = Atomic<Bool>(true)
    private let handler = Mutex<(@Sendable (_ count: Int) -> Void)?>(nil)

    /// Two interrupts within this time are one: a terminal, a wrapper and a parent process may each pass the same one on.
    private static let sameInterruptSeconds = 0.1

    private static var signals: sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] { sigaddset(&set, signal) }
        return set
    }

    /// Blocks the signals in this thread and in all that it starts. A pipe whose reader went away is an error, not a death.
    static func block() {
        var set = signals
        pthread_sigmask(SIG_BLOCK, &set, nil)
        Glibc.signal(SIGPIPE, SIG_IGN)
    }

    /// Starts to listen.
    init() {
        _ = EngineThread(name: "signals", stackSize: 128 * 1024) { [self] in listen() }
    }

    /// What happens on an interruption: the first, the second, ... Called on the listener's thread. Without a handler, as while a
    /// model is being loaded for a chat, an interruption ends the program.
    func onInterruption(_ body: (@Sendable (_ count: Int) -> Void)?) { handler.withLock { $0 = body } }

    var wasInterrupted: Bool { interruptions.load(ordering: .acquiring) > 0 }
    /// False once the terminal was closed.
    var isTerminalThere: Bool { hasTerminal.load(ordering: .acquiring) }

    private func listen() {
        var set = Self.signals
        var lastTime = -1.0
        while true {
            var signal: Int32 = 0
            guard sigwait(&set, &signal) == 0 else { continue }
            if signal == SIGHUP {
                hasTerminal.store(false, ordering: .releasing)
                Detachment.none().hangUp()
                continue
            }
            let now = Clock.monotonicSeconds()
            defer { lastTime = now }
            guard now - lastTime > Self.sameInterruptSeconds else { continue }
            let count = interruptions.add(1, ordering: .acquiringAndReleasing).newValue
            guard let handler = handler.withLock({ $0 }) else {
                Output.message("")
                _exit(ExitCode.interrupted)
            }
            handler(count)
        }
    }
}
