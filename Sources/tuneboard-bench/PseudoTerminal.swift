/// A terminal that nobody looks at.

import Glibc
import Platform
import Terminal

final class PseudoTerminal: @unchecked Sendable {
    /// The end that shows, here.
    private let screen: Int32
    /// The end that a program writes to.
    let program: Int32
    private let path: String
    private var isOpen = true
    private var home: String?

    /// TIOCSPTLCK and TIOCGPTN of <asm-generic/ioctls.h>, which are macros with a size in them.
    private static let setLock: UInt = 0x4004_5431
    private static let getNumber: UInt = 0x8004_5430
    /// POSIX_SPAWN_SETSID of <spawn.h>, an extension of glibc.
    private static let newSession: Int16 = 0x80

    init(size: Size) throws(BenchError) {
        // As openpty(3) does it on Linux: unlock the other end, ask for its number.
        var lock: Int32 = 0
        var number: UInt32 = 0
        screen = open("/dev/ptmx", O_RDWR | O_NOCTTY)
        guard screen >= 0, ioctl(screen, Self.setLock, &lock) == 0, ioctl(screen, Self.getNumber, &number) == 0 else {
            throw .noPseudoTerminal(String(cString: strerror(errno)))
        }
        path = "/dev/pts/\(number)"
        program = open(path, O_RDWR | O_NOCTTY)
        guard program >= 0 else { throw .noPseudoTerminal(String(cString: strerror(errno))) }
        var shape = winsize(ws_row: UInt16(size.rows), ws_col: UInt16(size.columns), ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(screen, UInt(TIOCSWINSZ), &shape)
        _ = fcntl(screen, F_SETFD, FD_CLOEXEC)
        _ = fcntl(program, F_SETFD, FD_CLOEXEC)
    }

    /// Starts a program with this terminal as its own, with an empty home: it remembers nothing of earlier times.
    func spawn(_ executable: String) throws -> pid_t {
        let home = try FileSystem.createTemporaryDirectory()
        self.home = home
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawnattr_setflags(&attributes, Self.newSession)
        // The first terminal that the leader of a session opens becomes the session's.
        for descriptor in 0...2 { posix_spawn_file_actions_addopen(&actions, Int32(descriptor), path, O_RDWR, 0) }
        var process = pid_t()
        let arguments: [UnsafeMutablePointer<CChar>?] = [strdup(executable), nil]
        let environment: [UnsafeMutablePointer<CChar>?] = [strdup("TERM=xterm-256color"), strdup("LC_ALL=C.UTF-8"), strdup("HOME=\(home)"), nil]
        defer { for text in arguments + environment { free(text) } }
        let result = posix_spawn(&process, executable, &actions, &attributes, arguments, environment)
        guard result == 0 else { throw BenchError.cannotSpawn(executable, String(cString: strerror(result))) }
        return process
    }

    func end(_ process: pid_t) {
        kill(process, SIGTERM)
        discardUntilGone(process)
    }

    /// Reads until all the words have been shown. Escape sequences between a word's letters would hide it.
    func await(_ words: [String], seconds: Int32) -> Bool {
        readUntil(seconds: seconds) { shown in words.allSatisfy { shown.contains(bytesOf: $0) } }
    }

    /// Reads until one of the words has been shown.
    func await(anyOf words: [String], seconds: Int32) -> Bool {
        readUntil(seconds: seconds) { shown in words.contains { shown.contains(bytesOf: $0) } }
    }

    /// Bytes, not characters: a search by characters takes longer than the program takes to draw them.
    private func readUntil(seconds: Int32, _ isShown: ([UInt8]) -> Bool) -> Bool {
        var shown: [UInt8] = []
        var hasAnswered = false
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let deadline = Clock.monotonicSeconds() + Double(seconds)
        while Clock.monotonicSeconds() < deadline {
            var poll = pollfd(fd: screen, events: Int16(POLLIN), revents: 0)
            guard Glibc.poll(&poll, 1, seconds * 1_000) > 0 else { return false }
            let count = read(screen, &buffer, buffer.count)
            guard count > 0 else { return false }
            shown += buffer[0..<count]
            if !hasAnswered, shown.contains(bytesOf: "\u{1B}[c") {
                // Every real terminal says at once what it is.
                hasAnswered = true
                type("\u{1B}[?62;22c")
            }
            if isShown(shown) { return true }
        }
        return false
    }

    /// Sends keys to the program.
    func type(_ text: String) {
        let bytes = Array(text.utf8)
        _ = write(screen, bytes, bytes.count)
    }

    /// Reads and forgets for a while.
    func settle(milliseconds: Int32) {
        let deadline = Clock.monotonicSeconds() + Double(milliseconds) / 1_000
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while Clock.monotonicSeconds() < deadline {
            var poll = pollfd(fd: screen, events: Int16(POLLIN), revents: 0)
            if Glibc.poll(&poll, 1, 5) > 0 { _ = read(screen, &buffer, buffer.count) }
        }
    }

    /// Reads and forgets until the other end is closed.
    func discardOutput() {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while read(screen, &buffer, buffer.count) > 0 {}
        Glibc.close(screen)
    }

    func close() {
        guard isOpen else { return }
        isOpen = false
        Glibc.close(program)
        if let home { try? FileSystem.removeTree(home) }
    }

    /// A program that still writes must not wait for us while we wait for it.
    private func discardUntilGone(_ process: pid_t) {
        var status: Int32 = 0
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while waitpid(process, &status, WNOHANG) == 0 {
            var poll = pollfd(fd: screen, events: Int16(POLLIN), revents: 0)
            if Glibc.poll(&poll, 1, 5) > 0, read(screen, &buffer, buffer.count) <= 0 { usleep(1_000) }
        }
    }
}

extension [UInt8] {
    fileprivate func contains(bytesOf text: String) -> Bool {
        let wanted = Array(text.utf8)
        guard let first = wanted.first, count >= wanted.count else { return false }
        return (0...count - wanted.count).contains { self[$0] == first && self[$0..<$0 + wanted.count].elementsEqual(wanted) }
    }
}
