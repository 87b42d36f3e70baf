/// Ctrl+C, SIGTERM and a closed terminal, as requests to the job.

import CPlatform
import Glibc
import Platform
import Runs
import Synchronization

/// Takes the signals that would end the program and hands them to somebody who can end the job instead.
///
/// A handler writes the signal's number into a pipe and a thread reads it. Blocking and `sigwait` would not do: OpenBLAS starts
/// threads of its own before `main`, which do not inherit what is blocked here.
final class SignalListener: Sendable {
    private let interruptions = Atomic<Int>(0)
    private let handler = Mutex<(@Sendable (_ count: Int) -> Void)?>(nil)

    /// Two interrupts within this time are one: a terminal, a wrapper and a parent process may each pass the same one on.
    private static let sameInterruptSeconds = 0.1
    private static let signals = [SIGINT, SIGTERM, SIGHUP, SIGQUIT]

    /// Starts to listen. Signals that the caller of the program ignores, as nohup does with SIGHUP, stay ignored. A pipe whose
    /// reader went away becomes an error instead of a death.
    init() {
        var ends: [Int32] = [-1, -1]
        guard platform_pipe(&ends) == 0 else { return }
        signalPipe.store(ends[1], ordering: .releasing)
        let readEnd = ends[0]
        Glibc.signal(SIGPIPE, SIG_IGN)
        for signal in Self.signals {
            let before = Glibc.signal(signal, noteSignal)
            if unsafeBitCast(before, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self) { Glibc.signal(signal, SIG_IGN) }
        }
        // Last: a signal that waits is delivered as soon as this thread lets it in, and would end the program without a handler.
        _ = EngineThread(name: "signals", stackSize: 128 * 1024) { [self] in listen(readEnd) }
    }

    /// What happens on an interruption: the first, the second, ... Called on the listener's thread. Without a handler, as while a
    /// model is being loaded for a chat, an interruption ends the program.
    func onInterruption(_ body: (@Sendable (_ count: Int) -> Void)?) { handler.withLock { $0 = body } }

    /// True once somebody asked for an end by Ctrl+C or SIGTERM.
    var wasInterrupted: Bool { interruptions.load(ordering: .acquiring) > 0 }

    private func listen(_ readEnd: Int32) {
        // Where a screen has blocked them in all threads, they still arrive here.
        var set = sigset_t()
        sigemptyset(&set)
        for signal in Self.signals { sigaddset(&set, signal) }
        pthread_sigmask(SIG_UNBLOCK, &set, nil)
        var lastTime = -1.0
        while true {
            var signal: UInt8 = 0
            let count = read(readEnd, &signal, 1)
            if count < 0, errno == EINTR { continue }
            guard count == 1 else { return }
            if Int32(signal) == SIGHUP {
                Detachment.none().hangUp()
                continue
            }
            let now = Clock.monotonicSeconds()
            defer { lastTime = now }
            guard now - lastTime > Self.sameInterruptSeconds else { continue }
            interrupt(interruptions.add(1, ordering: .acquiringAndReleasing).newValue)
        }
    }

    private func interrupt(_ count: Int) {
        guard let handler = handler.withLock({ $0 }) else {
            Output.message("")
            _exit(ExitCode.interrupted)
        }
        handler(count)
    }
}

/// Where the handler writes; set before the handler is installed.
private let signalPipe = Atomic<Int32>(-1)

/// Runs as a signal handler: nothing but a write is allowed here.
private func noteSignal(_ signal: Int32) {
    let saved = errno
    var number = UInt8(truncatingIfNeeded: signal)
    _ = write(signalPipe.load(ordering: .relaxed), &number, 1)
    errno = saved
}
