/// The process that the shell waits for. It has one thread, opens nothing and only reacts to signals.

import Glibc

struct WaitingParent {
    static let signals = [SIGCHLD, SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1]

    private let child: pid_t
    private var signals: sigset_t
    private var settings = termios()
    private let hasTerminal: Bool

    init(child: pid_t, signals: sigset_t) {
        self.child = child
        self.signals = signals
        hasTerminal = tcgetattr(STDIN_FILENO, &settings) == 0
    }

    /// Waits for the child's end, or until it detaches.
    func run() -> Never {
        var parent = self
        while true {
            var information = siginfo_t()
            let signal = sigwaitinfo(&parent.signals, &information)
            switch signal {
            case SIGCHLD:
                parent.lookAtChild()
            case SIGUSR1:
                // The child sends it, nobody else: it has let go of the terminal.
                if information._sifields._kill.si_pid == child { _exit(0) }
            case SIGHUP:
                kill(child, SIGHUP)
                _exit(128 + SIGHUP)
            case SIGINT, SIGQUIT, SIGTERM:
                // What the terminal sends goes to the whole group, the child included; what a process sends comes here only.
                if information.si_code <= 0 { kill(child, signal) }
            default:
                break
            }
        }
    }

    private mutating func lookAtChild() {
        var status: Int32 = 0
        guard waitpid(child, &status, WNOHANG | WUNTRACED) == child else { return }
        let lowBits = status & 0x7f
        if status & 0xff == 0x7f {
            // Stopped. Stop as well, so that the shell sees it; once continued, so is the child.
            kill(getpid(), SIGSTOP)
            kill(child, SIGCONT)
        } else if lowBits == 0 {
            _exit((status >> 8) & 0xff)
        } else {
            restoreTerminal(after: lowBits)
            _exit(128 + lowBits)
        }
    }

    /// The child died of a signal and may have left the terminal in any state.
    private mutating func restoreTerminal(after signal: Int32) {
        if hasTerminal {
            // Mouse and paste reports off, the normal screen, a visible cursor, plain text.
            let reset = "\u{1b}[?1000l\u{1b}[?1002l\u{1b}[?1003l\u{1b}[?1006l\u{1b}[?2004l\u{1b}[?1049l\u{1b}[?25h\u{1b}[0m\r"
            if isatty(STDOUT_FILENO) == 1 { writeText(reset, to: STDOUT_FILENO) }
            tcsetattr(STDIN_FILENO, TCSANOW, &settings)
        }
        let name = strsignal(signal).map { String(cString: $0) } ?? "signal \(signal)"
        writeText("tuneboard: ended by \(name)\n", to: STDERR_FILENO)
    }

    private func writeText(_ text: String, to descriptor: Int32) {
        let bytes = Array(text.utf8)
        _ = write(descriptor, bytes, bytes.count)
    }
}
