/// Lines of a file, one at a time, however large the file is.

import Glibc

/// Streams a file line by line. A line is bytes without its "\n" or "\r\n"; the last one needs no line feed.
public final class LineReader {
    public let path: String
    /// Number of the line that was returned last, counted from 1.
    public private(set) var lineNumber = 0
    /// Byte offset of the line that was returned last, and of what follows it.
    public private(set) var lineOffset: Int64 = 0
    public private(set) var nextOffset: Int64 = 0

    private var descriptor: Int32
    private var buffer: [UInt8]
    private var start = 0
    private var end = 0
    private var isAtEnd = false

    /// - Parameter offset: where to begin, in bytes; the line number then counts from there.
    public init(path: String, offset: Int64 = 0) throws(PlatformError) {
        self.path = path
        buffer = [UInt8](repeating: 0, count: 1 << 18)
        descriptor = try FileSystem.openToRead(path).descriptor
        if offset > 0 {
            if lseek(descriptor, off_t(offset), SEEK_SET) < 0 { throw .cannotRead(path: path, reason: PlatformError.reason()) }
            nextOffset = offset
        }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// The next line, or nil at the end of the file.
    public func next() throws(PlatformError) -> [UInt8]? {
        var searched = start
        while true {
            if let feed = indexOfLineFeed(from: searched) { return take(upTo: feed, consumed: feed + 1) }
            searched = end
            if isAtEnd {
                return start < end ? take(upTo: end, consumed: end) : nil
            }
            searched -= makeRoom()
            try fill()
        }
    }

    private func indexOfLineFeed(from position: Int) -> Int? {
        guard position < end else { return nil }
        return buffer.withUnsafeBytes { bytes -> Int? in
            guard let base = bytes.baseAddress, let hit = memchr(base + position, 10, end - position) else { return nil }
            return base.distance(to: UnsafeRawPointer(hit))
        }
    }

    private func take(upTo lineEnd: Int, consumed: Int) -> [UInt8] {
        var last = lineEnd
        if last > start, buffer[last - 1] == UInt8(ascii: "\r") { last -= 1 }
        let line = Array(buffer[start..<last])
        lineNumber += 1
        lineOffset = nextOffset
        nextOffset += Int64(consumed - start)
        start = consumed
        return line
    }

    /// Moves what is unread to the front and doubles a full buffer. Returns by how much the unread part moved.
    private func makeRoom() -> Int {
        let moved = start
        if start > 0 {
            buffer.withUnsafeMutableBytes { bytes in
                if let base = bytes.baseAddress { memmove(base, base + start, end - start) }
            }
            end -= start
            start = 0
        }
        if end == buffer.count { buffer.append(contentsOf: repeatElement(0, count: buffer.count)) }
        return moved
    }

    private func fill() throws(PlatformError) {
        while true {
            let count = buffer.withUnsafeMutableBytes { bytes in
                read(descriptor, bytes.baseAddress?.advanced(by: end), bytes.count - end)
            }
            if count > 0 { end += count } else if count == 0 { isAtEnd = true } else {
                if errno == EINTR { continue }
                throw .cannotRead(path: path, reason: PlatformError.reason())
            }
            return
        }
    }
}
