import Platform

/// Saved conversations on disk.
enum ConversationFiles {
    static func list(in folder: String, _ queue: ActionQueue) {
        queue.beginWork()
        _ = EngineThread(name: "disk") {
            let names = (try? FileSystem.list(folder)) ?? []
            let stored = names.filter { $0.hasSuffix(".json") }.map { name -> StoredConversation in
                let path = Path.join(folder, name)
                return StoredConversation(path: path, title: String(name.dropLast(5)), modified: FileSystem.modificationTime(path) ?? 0)
            }
            queue.endWork([.conversationsListed(stored.sorted { $0.modified > $1.modified })])
        }
    }

    static func load(_ path: String, _ queue: ActionQueue) {
        queue.beginWork()
        _ = EngineThread(name: "disk") {
            do {
                let conversation = try Conversation(json: try FileSystem.readText(path), name: path)
                queue.endWork([.conversationLoaded(conversation, path: path)])
            } catch {
                queue.endWork([.notify(StatusMessage(.failure, String(describing: error)))])
            }
        }
    }
}
