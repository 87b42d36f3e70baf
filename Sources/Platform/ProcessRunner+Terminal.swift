/// Programs that take over the terminal for a while, such as an editor.

import Glibc

extension ProcessRunner {
    /// Runs a program on the controlling terminal, whatever our own streams are, and waits until it is left.
    ///
    /// A program that stops itself (Ctrl+Z in an editor) is continued: nobody would be there to take the terminal.
    /// - Returns: its exit code, or 128 plus the signal that ended it.
    public static func runInTerminal(_ arguments: [String]) throws(PlatformError) -> Int32 {
        let terminal = open("/dev/tty", O_RDWR | O_CLOEXEC)
        guard terminal >= 0 else { throw .cannotStart(program: arguments.first ?? "", reason: "there is no terminal") }
        defer { close(terminal) }
        let process = try spawn(arguments, output: terminal, input: terminal)
        while true {
            var status: Int32 = 0
            guard waitpid(process, &status, WUNTRACED) >= 0 else {
                if errno == EINTR { continue }
                return 127
            }
            // The low byte of a stopped child is 0x7F.
            if status & 0xFF == 0x7F {
                kill(process, SIGCONT)
                continue
            }
            let signal = status & 0x7F
            return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
        }
    }
}
