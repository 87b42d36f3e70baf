import Glibc
import Platform

/// What a job that never began leaves behind: its own signs of life in a folder that was made for it. Whoever started it has been told
/// why it did not begin; a folder that says so as well is only in the way.
struct Litter: Sendable {
    private let directory: RunDirectory
    /// Folders that were not there before, the innermost first.
    private let madeFolders: [String]

    /// To be made before the folder is. Nil when there is something in the folder already.
    init?(_ directory: RunDirectory) {
        self.directory = directory
        if let names = try? FileSystem.list(directory.path), !names.isEmpty { return nil }
        var missing: [String] = []
        var path = directory.path
        while !path.isEmpty, path != "/", !FileSystem.exists(path) {
            missing.append(path)
            path = Path.directory(path)
        }
        madeFolders = missing
    }

    /// Removes the job's own files, and the folders that were made for them, unless something else has come into the folder.
    func remove() {
        let own = [directory.statePath, directory.evaluationStatePath, directory.runningLogPath, directory.controlPath]
        guard let names = try? FileSystem.list(directory.path), Set(names).isSubset(of: own.map(Path.name)) else { return }
        for name in names { unlink(Path.join(directory.path, name)) }
        // Only empty folders can be removed so.
        for folder in madeFolders { guard rmdir(folder) == 0 else { return } }
    }
}
