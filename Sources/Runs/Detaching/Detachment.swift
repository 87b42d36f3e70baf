/// Two processes from the first instant: one that the shell waits for, and one that does the work and can outlive the terminal.
///
/// ```
///   shell ── waits for ── parent (only waits)                                 shell ── has its prompt back
///                           └── child: board, engine       ── detach ──▶      child: own session, no terminal, trains on
/// ```
/// The program forks before it has any thread, because a process with threads cannot be copied whole. The parent keeps nothing
/// but the terminal's settings. It passes signals on, stops when the child stops, and ends with the child's exit code; when the
/// child dies of a signal it puts the terminal back in order. When the child detaches, the parent returns the shell with 0. When
/// the terminal is hung up the parent ends, and the child leaves the session and goes on. A later `tuneboard` finds the run by
/// its state.json.

import CPlatform
import Glibc
import Platform
import Synchronization

/// The child's side of the pair.
public final class Detachment: Sendable {
    /// The waiting parent; 0 when there is none (the fork failed, or none was wanted).
    private let parent: pid_t
    private let hasLetGo = Atomic<Bool>(false)

    private init(parent: pid_t) {
        self.parent = parent
    }

    /// A process that stays alone: for commands that do not detach.
    public static func none() -> Detachment { Detachment(parent: 0) }

    /// Forks. Returns only in the child; the parent waits and exits with the child's code. Call it first of all in `main`:
    /// no thread may exist. If the system refuses to fork, the program goes on alone and cannot detach.
    public static func begin() -> Detachment {
        var waited = sigset_t()
        var before = sigset_t()
        sigemptyset(&waited)
        for signal in WaitingParent.signals { sigaddset(&waited, signal) }
        // Blocked before the fork, so that nothing the child does is missed.
        pthread_sigmask(SIG_BLOCK, &waited, &before)
        let parent = getpid()
        let child = platform_fork()
        if child > 0 { WaitingParent(child: child, signals: waited).run() }
        pthread_sigmask(SIG_SETMASK, &before, nil)
        guard child == 0 else { return Detachment(parent: 0) }
        // Should the parent be killed outright, the terminal is no longer ours to read: that counts as a hang-up.
        platform_signal_on_parent_death(SIGHUP)
        if getppid() != parent { raise(SIGHUP) }
        return Detachment(parent: parent)
    }

    /// False when there is no parent to give the shell back.
    public var canDetach: Bool { parent != 0 }
    /// True once the terminal has been let go.
    public var isDetached: Bool { hasLetGo.load(ordering: .acquiring) }

    /// Lets go of the terminal and returns the shell. The terminal must be back in its normal state before.
    /// - Parameter farewell: a line for the user, written to the terminal last of all; empty for none.
    public func detach(farewell: String = "") {
        guard canDetach, !hasLetGo.exchange(true, ordering: .acquiringAndReleasing) else { return }
        if !farewell.isEmpty {
            let line = Array((farewell + "\n").utf8)
            _ = write(STDOUT_FILENO, line, line.count)
        }
        leaveTerminal()
        kill(parent, SIGUSR1)
    }

    /// The terminal is gone: nothing more is written to it, and the work goes on. The parent ends of the same hang-up.
    public func hangUp() {
        guard !hasLetGo.exchange(true, ordering: .acquiringAndReleasing) else { return }
        leaveTerminal()
        if parent != 0, getppid() == parent { kill(parent, SIGHUP) }
    }

    /// A session of its own, so that no later signal of the old terminal arrives, and nothing on the three standard streams.
    private func leaveTerminal() {
        platform_signal_on_parent_death(0)
        setsid()
        let nothing = open("/dev/null", O_RDWR | O_CLOEXEC)
        guard nothing >= 0 else { return }
        for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] { dup2(nothing, descriptor) }
        close(nothing)
    }
}
