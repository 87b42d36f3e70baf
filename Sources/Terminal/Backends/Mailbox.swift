import Glibc
import CNcurses

/// A wake-up flag that another thread can raise and its owner can wait for: an event counter of the kernel.
final class Mailbox: Sendable {
    let descriptor: Int32

    init() { descriptor = terminal_make_event_descriptor() }

    deinit { Glibc.close(descriptor) }

    func wake() {
        var one: UInt64 = 1
        _ = write(descriptor, &one, 8)
    }

    /// Whether it was raised since the last call.
    func takeWake() -> Bool {
        var count: UInt64 = 0
        return read(descriptor, &count, 8) == 8
    }

    /// - Returns: whether it is raised now.
    func wait(milliseconds: Int32) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, milliseconds) > 0
    }
}
