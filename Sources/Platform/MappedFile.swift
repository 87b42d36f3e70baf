/// A whole file as read-only memory: opening costs nothing, and pages come in when they are touched.

import Glibc

/// A file mapped privately and read-only; the mapping lives as long as the object. The bytes are immutable from this side; a
/// file cut short by another process while mapped raises SIGBUS, as with every mapping.
public final class MappedFile: @unchecked Sendable {
    public let path: String
    /// Valid as long as this object is: whoever keeps the pointer keeps the object too (Swift may let go of an object right after
    /// its last use, even before the end of the scope).
    public let bytes: UnsafeRawBufferPointer
    public var count: Int { bytes.count }

    public init(path: String) throws(PlatformError) {
        self.path = path
        let (descriptor, found) = try FileSystem.openToRead(path)
        defer { close(descriptor) }
        guard found.st_mode & S_IFMT == S_IFREG else { throw .cannotMap(path: path, reason: "not a regular file") }
        let size = Int(found.st_size)
        guard size > 0 else {
            bytes = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        guard let start = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED else {
            throw .cannotMap(path: path, reason: PlatformError.reason())
        }
        bytes = UnsafeRawBufferPointer(start: UnsafeRawPointer(start), count: size)
    }

    deinit {
        if let start = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: start), bytes.count) }
    }

    /// Lends the bytes and holds the mapping meanwhile.
    public func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        defer { withExtendedLifetime(self) {} }
        return try body(bytes)
    }

    /// Tells the system that the whole file will be read soon, from front to back.
    public func willNeed() {
        if let start = bytes.baseAddress { madvise(UnsafeMutableRawPointer(mutating: start), bytes.count, MADV_WILLNEED) }
    }

    /// Has a thread map what the files' pages hold, in order and a stretch at a time: many pages at once cost a fifth of touching them one by one, and
    /// the processors are busy with other things meanwhile. What is small, or would fill much of the memory together, is left to
    /// come in as it is touched.
    public static func mapAhead(_ files: [MappedFile]) {
        let total = files.reduce(0) { $0 + $1.bytes.count }
        guard total > 16 << 20, Int64(total) < SystemInfo.availableMemoryBytes / 2 else { return }
        _ = EngineThread(name: "map ahead", stackSize: 1 << 16) {
            for file in files where !file.populate() { return }
        }
    }

    /// - Returns: whether the system knows how.
    private func populate() -> Bool {
        let stretch = 4 << 20
        for offset in stride(from: 0, to: bytes.count, by: stretch) {
            guard let start = bytes.baseAddress else { return true }
            let address = UnsafeMutableRawPointer(mutating: start + offset)
            // Older kernels do not.
            if madvise(address, min(stretch, bytes.count - offset), 22 /* MADV_POPULATE_READ */) != 0 { return false }
        }
        return true
    }

    /// Gives back the memory of the pages that lie wholly in `range`; the file's bytes come again when they are touched.
    public func forget(_ range: UnsafeRawBufferPointer) {
        guard let start = range.baseAddress else { return }
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let first = (Int(bitPattern: start) + page - 1) / page * page, end = (Int(bitPattern: start) + range.count) / page * page
        if end > first, let address = UnsafeMutableRawPointer(bitPattern: first) { madvise(address, end - first, MADV_DONTNEED) }
    }

    /// How many bytes are in the page cache right now.
    public var residentBytes: Int {
        guard let start = bytes.baseAddress else { return 0 }
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let pages = (bytes.count + page - 1) / page
        var states = [UInt8](repeating: 0, count: pages)
        guard mincore(UnsafeMutableRawPointer(mutating: start), bytes.count, &states) == 0 else { return 0 }
        return states.reduce(0) { $0 + Int($1 & 1) } * page
    }
}
