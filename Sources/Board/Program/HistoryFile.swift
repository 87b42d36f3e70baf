import Platform

/// The values of fields over sessions, kept in the user's state folder. Two boards that run at once add to the same file: each reads
/// it anew before it writes.
final class HistoryFile: Sendable {
    static let name = "history.json"
    private let writing = Mutex(())

    static func load() -> FieldHistory {
        guard let text = try? FileSystem.readText(UserFolders.state(name)) else { return FieldHistory() }
        return FieldHistory(json: text)
    }

    func remember(_ argument: String, _ value: String, _ queue: ActionQueue) {
        DiskWork.begin(queue) { [self] in
            writing.withLock { _ in
                var history = Self.load()
                guard history.remember(argument, value) else { return }
                let path = UserFolders.state(Self.name)
                // Remembering is a comfort: where it cannot be written, nothing is said.
                try? FileSystem.createDirectory(Path.directory(path))
                try? FileSystem.writeAtomically(path, text: history.json)
            }
            return []
        }
    }
}
