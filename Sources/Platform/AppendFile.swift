/// A log that grows by whole lines, readable by others at any moment.

import Glibc

/// A file opened with O_APPEND. One `write` is one system call as long as the disk takes it whole, so that two processes' lines
/// do not mix. Not meant to be shared between threads without a lock.
public final class AppendFile {
    public let path: String
    private var descriptor: Int32

    public init(path: String) throws(PlatformError) {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
        if descriptor < 0 { throw .cannotOpen(path: path, reason: PlatformError.reason()) }
    }

    deinit { close() }

    /// Appends the text, with a line feed behind it if it has none.
    public func write(_ text: String) throws(PlatformError) {
        var bytes = Array(text.utf8)
        if bytes.last != UInt8(ascii: "\n") { bytes.append(UInt8(ascii: "\n")) }
        try write(bytes: bytes)
    }

    /// Appends bytes as they are.
    public func write(bytes: [UInt8]) throws(PlatformError) {
        let outcome: Result<Void, PlatformError> = bytes.withUnsafeBytes { buffer in
            do throws(PlatformError) { return .success(try writeAll(descriptor, buffer, path: path)) } catch { return .failure(error) }
        }
        try outcome.get()
    }

    /// Waits until the disk has everything.
    public func sync() { if descriptor >= 0 { fdatasync(descriptor) } }

    public func close() {
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }
}
