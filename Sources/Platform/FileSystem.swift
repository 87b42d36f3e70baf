/// Files and directories: looking, making, removing. Reading is in FileSystem+Reading.swift, writing that must not be lost in
/// FileSystem+Writing.swift.

import CPlatform
import Glibc

public enum FileSystem {
    // MARK: Looking

    public static func exists(_ path: String) -> Bool { information(path) != nil }

    /// Whether the name is taken, also by a link that leads nowhere.
    public static func isThere(_ path: String) -> Bool { linkInformation(path) != nil }

    public static func isDirectory(_ path: String) -> Bool {
        guard let found = information(path) else { return false }
        return found.st_mode & S_IFMT == S_IFDIR
    }

    public static func isFile(_ path: String) -> Bool {
        guard let found = information(path) else { return false }
        return found.st_mode & S_IFMT == S_IFREG
    }

    public static func isWritable(_ path: String) -> Bool { access(path, W_OK) == 0 }
    public static func isReadable(_ path: String) -> Bool { access(path, R_OK) == 0 }
    public static func isExecutable(_ path: String) -> Bool { access(path, X_OK) == 0 }

    /// Names in a directory, sorted by bytes, without "." and "..".
    public static func list(_ directory: String) throws(PlatformError) -> [String] {
        guard let stream = opendir(directory) else {
            if errno == ENOENT { throw .notFound(path: directory) }
            throw .cannotRead(path: directory, reason: PlatformError.reason())
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { field in
                field.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: field.pointee)) {
                    String(cString: $0)
                }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// Bytes of a file.
    public static func size(_ path: String) throws(PlatformError) -> Int64 {
        guard let found = information(path) else { throw .notFound(path: path) }
        return Int64(found.st_size)
    }

    /// Bytes of everything below a directory (or of one file); what vanishes meanwhile counts nothing.
    public static func treeSize(_ path: String) -> Int64 {
        guard let found = linkInformation(path) else { return 0 }
        guard found.st_mode & S_IFMT == S_IFDIR else { return Int64(found.st_size) }
        let names = (try? list(path)) ?? []
        return names.reduce(0) { $0 + treeSize(Path.join(path, $1)) }
    }

    /// Seconds since 1970, with the fraction the file system keeps; nil when there is no such file.
    public static func modificationTime(_ path: String) -> Double? {
        guard let found = information(path) else { return nil }
        return Double(found.st_mtim.tv_sec) + Double(found.st_mtim.tv_nsec) * 1e-9
    }

    /// What a path leads to, whatever it is called: a directory that is reached by two paths is one place.
    public struct Place: Hashable, Sendable {
        fileprivate let device: dev_t
        fileprivate let node: ino_t
    }

    /// Nil when there is nothing.
    public static func place(_ path: String) -> Place? { information(path).map { Place(device: $0.st_dev, node: $0.st_ino) } }

    /// What tells one version of a file from another without reading it: device, inode, size and time of change.
    public static func identity(_ path: String) -> String? {
        guard let found = information(path) else { return nil }
        return "\(found.st_dev):\(found.st_ino):\(found.st_size):\(found.st_mtim.tv_sec).\(found.st_mtim.tv_nsec)"
    }

    /// Bytes that this user may still write to the file system of `path` (or of its nearest existing parent).
    public static func freeBytes(at path: String) -> Int64 {
        var candidate = Path.absolute(path)
        while !exists(candidate), candidate != "/" { candidate = Path.directory(candidate) }
        var answer = statvfs()
        guard statvfs(candidate, &answer) == 0 else { return 0 }
        return Int64(answer.f_bavail) * Int64(answer.f_frsize)
    }

    // MARK: Known places

    public static var currentDirectory: String {
        guard let buffer = getcwd(nil, 0) else { return "." }
        defer { free(buffer) }
        return String(cString: buffer)
    }

    public static var homeDirectory: String {
        if let home = Environment.value("HOME"), !home.isEmpty { return home }
        guard let entry = getpwuid(getuid()), let home = entry.pointee.pw_dir else { return "/" }
        return String(cString: home)
    }

    public static var temporaryDirectory: String {
        if let named = Environment.value("TMPDIR"), !named.isEmpty { return named }
        return "/tmp"
    }

    /// Where the running program lies, links resolved; nil without /proc.
    public static var executablePath: String? { linkTarget("/proc/self/exe") }

    /// What a symbolic link says, or nil when it is none.
    public static func linkTarget(_ path: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let length = buffer.withUnsafeMutableBytes { bytes -> Int in
            guard let start = bytes.baseAddress else { return -1 }
            return readlink(path, start.assumingMemoryBound(to: CChar.self), bytes.count)
        }
        return length > 0 ? String(decoding: buffer[..<length], as: UTF8.self) : nil
    }

    /// The path with every link resolved, or nil when it does not exist.
    public static func realPath(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    // MARK: Making and removing

    /// Makes the directory and its missing parents; an existing one is fine. `missing/..` is refused: making `missing` would turn a path
    /// that led nowhere, to whoever looked at it before, into one that leads to something.
    public static func createDirectory(_ path: String) throws(PlatformError) {
        if isDirectory(path) { return }
        guard Path.name(path) != ".." else {
            throw .cannotCreateDirectory(path: path, reason: "the folder that it leads through does not exist")
        }
        let parent = Path.directory(path)
        if parent != path, !isDirectory(parent) { try createDirectory(parent) }
        if mkdir(path, 0o777) != 0, errno != EEXIST || !isDirectory(path) {
            throw .cannotCreateDirectory(path: path, reason: PlatformError.reason())
        }
    }

    /// Makes a new, empty directory under the temporary directory and returns its path.
    public static func createTemporaryDirectory(prefix: String = "tuneboard-") throws(PlatformError) -> String {
        let template = Path.join(temporaryDirectory, prefix + "XXXXXX")
        var bytes = Array(template.utf8) + [0]
        let made = bytes.withUnsafeMutableBytes { buffer -> Bool in
            guard let start = buffer.baseAddress else { return false }
            return mkdtemp(start.assumingMemoryBound(to: CChar.self)) != nil
        }
        guard made else { throw .cannotCreateDirectory(path: template, reason: PlatformError.reason()) }
        return String(decoding: bytes.dropLast(), as: UTF8.self)
    }

    /// Removes one file or empty directory; one that is gone already is fine.
    public static func remove(_ path: String) throws(PlatformError) {
        if Glibc.remove(path) != 0, errno != ENOENT {
            throw .cannotRemove(path: path, reason: PlatformError.reason())
        }
    }

    /// Removes a directory with everything in it. Links are removed, never followed.
    public static func removeTree(_ path: String) throws(PlatformError) {
        guard let found = linkInformation(path) else { return }
        if found.st_mode & S_IFMT == S_IFDIR {
            for name in try list(path) { try removeTree(Path.join(path, name)) }
        }
        try remove(path)
    }

    public static func rename(_ from: String, _ to: String) throws(PlatformError) {
        if Glibc.rename(from, to) != 0 {
            throw .cannotRename(from: from, to: to, reason: PlatformError.reason())
        }
    }

    /// Gives a name free that something else has to have: `a` becomes `a.old`, or `a.old-2`, `a.old-3`, ... where that is taken.
    /// - Parameter ending: ".old"
    public static func putAside(_ path: String, ending: String) throws(PlatformError) {
        var free = path + ending, number = 1
        while isThere(free) {
            number += 1
            free = "\(path)\(ending)-\(number)"
        }
        try rename(path, free)
    }

    /// Swaps two names in one instant; false where the file system cannot.
    public static func exchange(_ first: String, _ second: String) -> Bool { platform_exchange(first, second) == 0 }

    private static func information(_ path: String) -> stat? {
        var found = stat()
        return stat(path, &found) == 0 ? found : nil
    }

    private static func linkInformation(_ path: String) -> stat? {
        var found = stat()
        return lstat(path, &found) == 0 ? found : nil
    }
}
