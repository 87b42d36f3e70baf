/// Standard output and standard error, written to directly so that lines appear whole and at once.

import CPlatform
import Glibc

/// The two streams. Results go to standard output; messages, progress and errors go to standard error.
enum Output {
    static func print(_ text: String, terminator: String = "\n") { write(text + terminator, to: STDOUT_FILENO) }
    static func message(_ text: String, terminator: String = "\n") { write(text + terminator, to: STDERR_FILENO) }

    static var isInputTerminal: Bool { isatty(STDIN_FILENO) == 1 }
    static var isOutputTerminal: Bool { isatty(STDOUT_FILENO) == 1 }
    static var isMessageTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    /// Columns of the terminal behind standard error, 80 when unknown.
    static var columns: Int {
        var columns: Int32 = 0
        var rows: Int32 = 0
        return platform_window_size(STDERR_FILENO, &columns, &rows) == 0 ? Int(columns) : 80
    }

    /// Writes everything. A reader that went away (EPIPE) or a full disk ends the writing, not the program.
    static func write(_ text: String, to descriptor: Int32) {
        let bytes = Array(text.utf8)
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress?.advanced(by: offset), bytes.count - offset) }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN {
                usleep(2000)
                continue
            }
            guard count > 0 else { return }
            offset += count
        }
    }
}

/// Exit codes of every command.
enum ExitCode {
    static let done: Int32 = 0
    static let failed: Int32 = 1
    static let usage: Int32 = 2
    static let interrupted: Int32 = 130
}

/// A wrong command line: what is wrong, shown with a pointer to the command's help. Ends the program with 2.
struct UsageError: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
}
