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

    /// Reads on, at most about `limit` bytes.
    mutating func read(limit: Int = 4 << 20) -> Batch {
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
        var bytes = [UInt8](repeating: 0, count: count)
        let readCount = pread(descriptor, &bytes, count, offset)
        guard readCount > 0 else { return batch }
        offset += off_t(readCount)
        batch.hasMore = offset < status.st_size
        take(bytes[..<readCount], into: &batch.lines)
        return batch
    }

    private mutating func skipToTail(_ descriptor: Int32, size: off_t) {
        guard let tailBytes, size > off_t(tailBytes) else { return }
        var byte: UInt8 = 0
        offset = size - off_t(tailBytes)
        while offset < size, pread(descriptor, &byte, 1, offset) == 1 {
            offset += 1
            if byte == UInt8(ascii: "\n") { return }
        }
    }

    private mutating func take(_ bytes: ArraySlice<UInt8>, into lines: inout [String]) {
        var start = bytes.startIndex
        while let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
            unfinished += bytes[start..<end]
            if unfinished.last == UInt8(ascii: "\r") { unfinished.removeLast() }
            lines.append(String(decoding: unfinished, as: UTF8.self))
            unfinished.removeAll(keepingCapacity: true)
            start = end + 1
        }
        let room = Self.longestLine - unfinished.count
        if room > 0 { unfinished += bytes[start...].prefix(room) }
    }
}
