/// Memory that lies in a file without a name: the system writes its pages there when memory is short, and the file is gone with the
/// process.

import Glibc

public final class MappedScratch: @unchecked Sendable {
    /// Zeroed, readable and writable, aligned to pages; valid as long as this object is.
    public let address: UnsafeMutableRawPointer
    public let byteCount: Int

    /// - Returns: nil where the folder cannot hold such a file.
    public init?(directory: String, byteCount: Int) {
        guard byteCount > 0 else { return nil }
        var template = Array((Path.join(directory, ".scratch-XXXXXX")).utf8CString)
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else { return nil }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        defer { close(descriptor) }
        unlink(template)
        // Reserves the blocks, so that a full disk is found here and not by a signal later.
        guard posix_fallocate(descriptor, 0, byteCount) == 0,
            let start = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0), start != MAP_FAILED
        else { return nil }
        address = start
        self.byteCount = byteCount
    }

    deinit { munmap(address, byteCount) }
}
