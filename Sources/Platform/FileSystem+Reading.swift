/// Reading whole files. Any name may come from somebody else's folder, so what it names is looked at first: a pipe that nobody writes
/// to would never answer, a device might never end.

import Glibc

extension FileSystem {
    /// The most that is read as a whole unless the caller says otherwise.
    public static let largestWholeFile = 1 << 30
    /// The most that a file of settings may hold: the largest known, a run's history of many steps, is far below.
    public static let largestSettingsFile = 256 << 20

    /// Opens a regular file, without waiting for anybody. Pipes are taken only where a descriptor of this process is named
    /// (`/dev/stdin`, the shell's `<(...)`): somebody has handed those over to be read.
    static func openToRead(_ path: String) throws(PlatformError) -> (descriptor: Int32, status: stat) {
        let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { throw .notFound(path: path) }
            throw .cannotOpen(path: path, reason: PlatformError.reason())
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            defer { close(descriptor) }
            throw .cannotRead(path: path, reason: PlatformError.reason())
        }
        let kind = status.st_mode & S_IFMT
        if kind == S_IFREG { return (descriptor, status) }
        if kind == S_IFIFO, namesDescriptor(path) {
            _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK)
            return (descriptor, status)
        }
        close(descriptor)
        throw .notAFile(path: path, kind: name(ofKind: kind))
    }

    private static func namesDescriptor(_ path: String) -> Bool {
        path == "/dev/stdin" || path.hasPrefix("/dev/fd/") || path.hasPrefix("/proc/self/fd/")
    }

    private static func name(ofKind kind: mode_t) -> String {
        switch kind {
        case S_IFDIR: "a directory"
        case S_IFIFO: "a pipe"
        case S_IFSOCK: "a socket"
        default: "a device"
        }
    }

    /// All bytes of a file.
    /// - Parameter limit: a file with more bytes is refused before they fill the memory.
    public static func readBytes(_ path: String, limit: Int = largestWholeFile) throws(PlatformError) -> [UInt8] {
        let (descriptor, status) = try openToRead(path)
        defer { close(descriptor) }
        let expected = max(Int(status.st_size), 0)
        if expected > limit { throw .tooLarge(path: path, bytes: Int64(expected), limit: Int64(limit)) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(expected + 1)
        var chunk = [UInt8](repeating: 0, count: min(max(expected + 1, 4096), 1 << 20))
        while true {
            let count = chunk.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            if count == 0 { return bytes }
            if count < 0 {
                if errno == EINTR { continue }
                throw .cannotRead(path: path, reason: PlatformError.reason())
            }
            bytes.append(contentsOf: chunk[..<count])
            if bytes.count > limit { throw .tooLarge(path: path, bytes: Int64(bytes.count), limit: Int64(limit)) }
        }
    }

    /// A whole file as text. Bytes that are not UTF-8 are an error, not a replacement character.
    public static func readText(_ path: String, limit: Int = largestWholeFile) throws(PlatformError) -> String {
        let bytes = try readBytes(path, limit: limit)
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        throw .notText(path: path, offset: UTF8Check.firstInvalid(bytes) ?? 0)
    }
}
