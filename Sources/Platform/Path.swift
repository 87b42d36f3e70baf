/// Paths as text: joined, split and made absolute without looking at the disk.

import Glibc

public enum Path {
    /// `join("saves", "run")` is "saves/run"; an absolute second part replaces the first.
    public static func join(_ first: String, _ rest: String...) -> String {
        rest.reduce(first) { joined, part in
            if part.isEmpty { return joined }
            if part.utf8.first == UInt8(ascii: "/") || joined.isEmpty { return part }
            return joined.utf8.last == UInt8(ascii: "/") ? joined + part : joined + "/" + part
        }
    }

    /// All but the last component: "a/b/c" gives "a/b", "c" gives ".", "/c" gives "/".
    public static func directory(_ path: String) -> String {
        let trimmed = withoutTrailingSlashes(path)
        guard let slash = trimmed.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        if slash == trimmed.utf8.startIndex { return "/" }
        return withoutTrailingSlashes(String(trimmed[..<slash]))
    }

    /// The last component: "a/b/c" gives "c".
    public static func name(_ path: String) -> String {
        let trimmed = withoutTrailingSlashes(path)
        if trimmed == "/" { return trimmed }
        guard let slash = trimmed.utf8.lastIndex(of: UInt8(ascii: "/")) else { return trimmed }
        return String(trimmed[trimmed.utf8.index(after: slash)...])
    }

    /// What follows the last dot of the name, without the dot: "a.tar.gz" gives "gz", ".profile" gives "".
    public static func `extension`(_ path: String) -> String {
        let name = name(path)
        guard let dot = name.utf8.lastIndex(of: UInt8(ascii: ".")), dot != name.utf8.startIndex else { return "" }
        return String(name[name.utf8.index(after: dot)...])
    }

    /// The name without its extension.
    public static func stem(_ path: String) -> String {
        let name = name(path)
        guard let dot = name.utf8.lastIndex(of: UInt8(ascii: ".")), dot != name.utf8.startIndex else { return name }
        return String(name[..<dot])
    }

    public static func isAbsolute(_ path: String) -> Bool { path.utf8.first == UInt8(ascii: "/") }

    /// From the root, without "." and ".." and double slashes. Symbolic links are not resolved.
    public static func absolute(_ path: String) -> String {
        let whole = isAbsolute(path) ? path : join(FileSystem.currentDirectory, path)
        var parts: [Substring] = []
        for part in whole.split(separator: "/", omittingEmptySubsequences: true) where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }

    /// "~" and "~/models" with the home directory in place of the tilde.
    public static func expandingTilde(_ path: String) -> String {
        if path == "~" { return FileSystem.homeDirectory }
        guard path.hasPrefix("~/") else { return path }
        return join(FileSystem.homeDirectory, String(path.dropFirst(2)))
    }

    /// The path seen from `directory` when it lies inside it, else the path itself.
    public static func relative(_ path: String, to directory: String) -> String {
        let base = directory == "/" ? "/" : withoutTrailingSlashes(directory) + "/"
        return path.hasPrefix(base) ? String(path.dropFirst(base.count)) : path
    }

    private static func withoutTrailingSlashes(_ path: String) -> String {
        var end = path.utf8.endIndex
        while end > path.utf8.startIndex {
            let before = path.utf8.index(before: end)
            if before == path.utf8.startIndex || path.utf8[before] != UInt8(ascii: "/") { break }
            end = before
        }
        return String(path[..<end])
    }
}
