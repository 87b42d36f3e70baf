/// Walks folder trees for the catalogs: bounded in depth and number, so that a stray link or a home directory costs little.

import Platform

enum FolderWalk {
    private static let mostFolders = 4000

    /// Calls `visit` for the root and every folder below it, parents first. Hidden folders are left out. `visit` says whether to
    /// go on below the folder.
    static func visit(_ root: String, depth: Int, _ visit: (_ path: String, _ names: [String]) -> Bool) {
        var left = mostFolders
        walk(root, depth: depth, left: &left, visit)
    }

    private static func walk(_ path: String, depth: Int, left: inout Int, _ visit: (String, [String]) -> Bool) {
        guard left > 0, FileSystem.isDirectory(path), let names = try? FileSystem.list(path) else { return }
        left -= 1
        guard visit(path, names), depth > 0 else { return }
        for name in names where !name.hasPrefix(".") {
            let below = Path.join(path, name)
            if FileSystem.isDirectory(below) { walk(below, depth: depth - 1, left: &left, visit) }
        }
    }
}
