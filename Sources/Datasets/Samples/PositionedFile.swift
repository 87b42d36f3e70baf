import Glibc
import Platform

/// Writing at a place in a file, dropping what lay behind it.
enum PositionedFile {
    static func write(_ bytes: [UInt8], to path: String, at offset: Int64) throws(PlatformError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o666)
        if descriptor < 0 { throw .cannotOpen(path: path, reason: String(cString: strerror(errno))) }
        defer { close(descriptor) }
        if ftruncate(descriptor, off_t(offset)) != 0 { throw .cannotWrite(path: path, reason: String(cString: strerror(errno))) }
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                pwrite(descriptor, buffer.baseAddress?.advanced(by: written), bytes.count - written, off_t(offset) + off_t(written))
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw .cannotWrite(path: path, reason: String(cString: strerror(errno)))
            }
            written += count
        }
        if fdatasync(descriptor) != 0, errno != EINVAL { throw .cannotWrite(path: path, reason: String(cString: strerror(errno))) }
    }
}
