/// Writing that leaves either the old file or the whole new one: beside, fsync, rename, fsync of the directory.

import Glibc

extension FileSystem {
    /// Replaces `path` by `bytes` in one step; on failure the old file is still there and nothing is left beside it.
    public static func writeAtomically(_ path: String, bytes: UnsafeRawBufferPointer) throws(PlatformError) {
        let beside = temporaryName(for: path)
        do {
            let file = try OutputFile(path: beside)
            try file.write(bytes)
            try file.synchronize()
            file.close()
            try rename(beside, path)
            synchronizeDirectory(Path.directory(path))
        } catch {
            unlink(beside)
            throw error.named(path, insteadOf: beside)
        }
    }

    public static func writeAtomically(_ path: String, bytes: [UInt8]) throws(PlatformError) {
        // The typed error is carried past the rethrowing closure by hand.
        let outcome: Result<Void, PlatformError> = bytes.withUnsafeBytes { buffer in
            do throws(PlatformError) { return .success(try writeAtomically(path, bytes: buffer)) } catch { return .failure(error) }
        }
        try outcome.get()
    }

    public static func writeAtomically(_ path: String, text: String) throws(PlatformError) {
        try writeAtomically(path, bytes: Array(text.utf8))
    }

    /// Copies one file, atomically like every write; the permission bits go along.
    public static func copy(_ from: String, _ to: String) throws(PlatformError) {
        let source = try MappedFile(path: from)
        try source.withBytes { bytes throws(PlatformError) in try writeAtomically(to, bytes: bytes) }
        var found = stat()
        if stat(from, &found) == 0 { chmod(to, found.st_mode & 0o777) }
    }

    /// Makes the folder and proves that files can be written there.
    public static func createWritableDirectory(_ path: String) throws(PlatformError) {
        let probe = Path.join(path, ".tuneboard-probe")
        try createDirectory(path)
        try writeAtomically(probe, text: "")
        try remove(probe)
    }

    /// Makes names that were created, renamed or removed in `directory` survive a loss of power.
    public static func synchronizeDirectory(_ directory: String) {
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }

    /// A name beside `path` that no other process uses.
    public static func temporaryName(for path: String) -> String {
        Path.join(Path.directory(path), ".\(Path.name(path)).\(getpid()).\(UInt32.random(in: 0...UInt32.max)).part")
    }
}

extension PlatformError {
    /// The same failure told about the file the caller knows, not about its temporary neighbour.
    func named(_ path: String, insteadOf temporary: String) -> PlatformError {
        switch self {
        case .cannotOpen(temporary, let reason), .cannotWrite(temporary, let reason): .cannotWrite(path: path, reason: reason)
        case .cannotRename(temporary, _, let reason): .cannotWrite(path: path, reason: reason)
        default: self
        }
    }
}

/// A file being written from its beginning. Writes are complete or throw; nothing is buffered in the process.
public final class OutputFile {
    public let path: String
    private var descriptor: Int32

    /// Creates the file, or empties an existing one.
    public init(path: String) throws(PlatformError) {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        if descriptor < 0 { throw .cannotOpen(path: path, reason: PlatformError.reason()) }
    }

    deinit { close() }

    public func write(_ bytes: UnsafeRawBufferPointer) throws(PlatformError) {
        try writeAll(descriptor, bytes, path: path)
    }

    public func write(_ bytes: [UInt8]) throws(PlatformError) {
        let outcome: Result<Void, PlatformError> = bytes.withUnsafeBytes { buffer in
            do throws(PlatformError) { return .success(try write(buffer)) } catch { return .failure(error) }
        }
        try outcome.get()
    }

    public func write(_ text: String) throws(PlatformError) { try write(Array(text.utf8)) }

    /// Waits until the disk has everything.
    public func synchronize() throws(PlatformError) {
        // EINVAL: a pipe or device that cannot be synchronised has nothing to lose.
        if fsync(descriptor) != 0, errno != EINVAL, errno != ENOTSUP {
            throw .cannotWrite(path: path, reason: PlatformError.reason())
        }
    }

    public func close() {
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }
}

/// Writes every byte or throws; interrupted calls go on.
func writeAll(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, path: String) throws(PlatformError) {
    var offset = 0
    while offset < bytes.count {
        let count = Glibc.write(descriptor, bytes.baseAddress?.advanced(by: offset), min(bytes.count - offset, 1 << 30))
        if count < 0 {
            if errno == EINTR { continue }
            throw .cannotWrite(path: path, reason: PlatformError.reason())
        }
        offset += count
    }
}
