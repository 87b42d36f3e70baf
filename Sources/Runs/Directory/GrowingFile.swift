/// Reads a text file that another process is still writing, one batch of whole lines at a time.

import Glibc

/// Remembers how far it has read. A line counts when its line end is there: what a writer has half written waits for the next
/// read. A file that shrank or was replaced is read again from its start.
struct GrowingFile {
    struct Batch {
        var lines: [String] = []
        /// The file is another one than before: what was read earlier no longer counts.
        var startedOver = false
        /// More can be read at once.
        var hasMore = false
    }

    let path: String
    private var offset: off_t = 0
    private var inode: ino_t = 0
    private var unfinished: [UInt8] = []
    private var tailBytes: Int?

    /// - Parameter tailBytes: where to begin in a file that is already long: this far before its end; nil reads all of it.
    init(path: String, tailBytes: Int? = nil) {
        self.path = path
        self.tailBytes = tailBytes
    }

    /// Lines longer than this are cut off: no log of ours has them, and a broken file must not fill the memory.
    private static let longestLine = 1 << 20

    /// Reads on, at most about `limit` bytes, and gives the lines as text.
    mutating func read(limit: Int = 4 << 20) -> Batch {
        var lines: [String] = []
        var batch = readLines(limit: limit) { lines.append(String(decoding: $0, as: UTF8.self)) }
        batch.lines = lines
        return batch
    }

    /// Reads on and hands over each line as bytes, without its end. A byte of value 0 or a line end follows each line in memory, so
    /// that C functions stop there. The batch's own `lines` stay empty.
    mutating func readLines(limit: Int = 4 << 20, _ line: (UnsafeRawBufferPointer) -> Void) -> Batch {
        var batch = Batch()
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return batch }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return batch }
        if inode != status.st_ino || status.st_size < offset {
            batch.startedOver = inode != 0
            inode = status.st_ino
            offset = 0
            unfinished = []
            if !batch.startedOver { skipToTail(descriptor, size: status.st_size) }
        }
        let count = min(limit, Int(status.st_size - offset))
        guard count > 0 else { return batch }
        let kept = unfinished.count
        var readCount = 0
        // One byte more than there is to read: the 0 at the end.
        let bytes = [UInt8](unsafeUninitializedCapacity: kept + count + 1) { buffer, initialized in
            for index in 0..<kept { buffer[index] = unfinished[index] }
            readCount = max(0, pread(descriptor, buffer.baseAddress?.advanced(by: kept), count, offset))
            buffer[kept + readCount] = 0
            initialized = kept + readCount + 1
        }
        guard readCount > 0 else { return batch }
        offset += off_t(readCount)
        batch.hasMore = offset < status.st_size
        bytes.withUnsafeBytes { take($0, count: kept + readCount, line) }
        return batch
    }

    private mutating func skipToTail(_ descriptor: Int32, size: off_t) {
        guard let tailBytes, size > off_t(tailBytes) else { return }
        var block = [UInt8](repeating: 0, count: 1 << 16)
        offset = size - off_t(tailBytes)
        while offset < size {
            let count = pread(descriptor, &block, block.count, offset)
            guard count > 0 else { return }
            if let end = block[..<count].firstIndex(of: UInt8(ascii: "\n")) {
                offset += off_t(end + 1)
                return
            }
            offset += off_t(count)
        }
    }

    private mutating func take(_ bytes: UnsafeRawBufferPointer, count: Int, _ line: (UnsafeRawBufferPointer) -> Void) {
        guard let base = bytes.baseAddress else { return }
        var start = 0
        while start < count, let found = memchr(base + start, Int32(UInt8(ascii: "\n")), count - start) {
            let end = UnsafeRawPointer(found) - base
            let last = end > start && bytes[end - 1] == UInt8(ascii: "\r") ? end - 1 : end
            line(UnsafeRawBufferPointer(rebasing: bytes[start..<last]))
            start = end + 1
        }
        unfinished = Array(bytes[start..<min(count, start + Self.longestLine)])
    }
}
