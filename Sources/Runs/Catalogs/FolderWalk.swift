/// Walks folder trees for the catalogs: bounded in depth and number, so that a stray link or a home directory costs little.

import Platform

enum FolderWalk {
    private static let mostFolders = 4000

    /// Calls `visit` for the root and every folder below it, parents first. Hidden folders are left out. `visit` says whether to
    /// go on below the folder.
    ///
    /// A folder that several paths lead to is visited once. Links come after everything that is reached without them, so that it goes by
    /// its own name.
    static func visit(_ root: String, depth: Int, _ visit: (_ path: String, _ names: [String]) -> Bool) {
        var walk = Walk()
        walk.go(root, depth: depth, visit)
        while let link = walk.links.popFirst() { walk.go(link.path, depth: link.depth, visit) }
    }

    private struct Walk {
        var left = mostFolders
        var seen: Set<FileSystem.Place> = []
        /// Where links were found, and how deep to go from there.
        var links: ArraySlice<(path: String, depth: Int)> = []

        mutating func go(_ path: String, depth: Int, _ visit: (String, [String]) -> Bool) {
            guard left > 0, FileSystem.isDirectory(path), let place = FileSystem.place(path), seen.insert(place).inserted,
                let names = try? FileSystem.list(path)
            else { return }
            left -= 1
            guard visit(path, names), depth > 0 else { return }
            for name in names where !name.hasPrefix(".") {
                let below = Path.join(path, name)
                guard FileSystem.isDirectory(below) else { continue }
                if FileSystem.linkTarget(below) != nil { links.append((below, depth - 1)) } else { go(below, depth: depth - 1, visit) }
            }
        }
    }
}
