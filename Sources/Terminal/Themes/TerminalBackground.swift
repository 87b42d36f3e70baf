import Glibc

extension Theme {
    /// What a terminal said of its background.
    public enum Background: Sendable, Equatable { case dark, light }
}

/// Asks the terminal for its background colour (OSC 11), so that a light one gets the light theme.
///
/// A question about the terminal's kind follows at once: every terminal answers that one, so one that knows no OSC 11 costs a round
/// trip and not the whole wait. Keys that were typed meanwhile cannot be put back and are few; an answer that comes later is swallowed
/// by the `InputDecoder`.
public enum TerminalBackground {
    /// How long a slow line may take; without an answer the background counts as unknown.
    private static let waitMilliseconds: Int32 = 150

    public static func ask() -> Theme.Background? {
        let term = Theme.environment("TERM") ?? ""
        guard !term.isEmpty, term != "dumb", term != "linux", !term.hasPrefix("vt") else { return nil }
        let terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)
        guard terminal >= 0 else { return nil }
        defer { close(terminal) }
        // A process in the background must not touch the line.
        guard tcgetpgrp(terminal) == getpgrp() else { return nil }
        var saved = termios()
        guard tcgetattr(terminal, &saved) == 0 else { return nil }
        var raw = saved
        cfmakeraw(&raw)
        guard tcsetattr(terminal, TCSANOW, &raw) == 0 else { return nil }
        defer { _ = tcsetattr(terminal, TCSANOW, &saved) }
        let question = Array("\u{1B}]11;?\u{1B}\\\u{1B}[c".utf8)
        guard write(terminal, question, question.count) == question.count else { return nil }
        return background(in: answer(from: terminal))
    }

    /// Everything up to the end of the answer to the second question.
    private static func answer(from terminal: Int32) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 256)
        let end = milliseconds() + Int64(waitMilliseconds)
        while bytes.count < 4096 {
            let left = end - milliseconds()
            var entry = pollfd(fd: terminal, events: Int16(POLLIN), revents: 0)
            guard left > 0, poll(&entry, 1, Int32(left)) > 0 else { break }
            let count = read(terminal, &chunk, chunk.count)
            guard count > 0 else { break }
            bytes += chunk[..<count]
            if hasDeviceAttributes(bytes) { break }
        }
        return bytes
    }

    private static func milliseconds() -> Int64 {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return Int64(now.tv_sec) * 1_000 + Int64(now.tv_nsec) / 1_000_000
    }

    /// `ESC [ ? ... c`
    static func hasDeviceAttributes(_ bytes: [UInt8]) -> Bool {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let start = text.utf8.lastIndex(of: UInt8(ascii: "?")), start > text.startIndex else { return false }
        return text[start...].utf8.contains(UInt8(ascii: "c")) && text.hasSuffix("c")
    }

    /// `ESC ] 11 ; rgb:ffff/ffff/ffff`: light where the perceived brightness is above a half.
    static func background(in bytes: [UInt8]) -> Theme.Background? {
        let text = String(decoding: bytes, as: UTF8.self)
        let parts = text.split(separator: "]")
        guard let part = parts.first(where: { $0.hasPrefix("11;rgb") }), let colon = part.firstIndex(of: ":") else { return nil }
        let channels = part[part.index(after: colon)...].split(separator: "/", maxSplits: 3).prefix(3).map { channel -> Double? in
            let digits = channel.prefix { $0.isHexDigit }
            guard !digits.isEmpty, digits.count <= 4, let value = Int(digits, radix: 16) else { return nil }
            return Double(value) / Double((1 << (4 * digits.count)) - 1)
        }
        guard channels.count == 3, let red = channels[0], let green = channels[1], let blue = channels[2] else { return nil }
        return 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 ? .light : .dark
    }
}
