import Configuration
import Events
import Platform
import Runs

/// Small pieces of work on the disk, each on a thread of its own so that a slow file system never holds up a key.
enum DiskWork {
    /// Runs `body` elsewhere, in the board's language; what it returns goes to the board.
    static func begin(_ queue: ActionQueue, _ body: @escaping @Sendable () -> [Action]) {
        queue.beginWork()
        let wording = Wording.current
        _ = EngineThread(name: "disk") { queue.endWork(Wording.$current.withValue(wording, operation: body)) }
    }

    /// The same for work that may fail: why it did is told.
    static func attempt(_ queue: ActionQueue, _ body: @escaping @Sendable () throws -> [Action]) {
        begin(queue) {
            do { return try body() } catch { return failure(error) }
        }
    }

    static func failure(_ error: any Error) -> [Action] { [.notify(StatusMessage(.failure, say(engine: String(describing: error))))] }

    static func loadRecipe(_ tab: Tab, _ path: String, _ queue: ActionQueue) {
        attempt(queue) {
            let configuration = try Configuration.load(file: path, overrides: [])
            let notices = configuration.notices.map { String(describing: $0) }
            return [.recipeLoaded(tab, path: path, configuration, notices: notices)]
        }
    }

    static func saveRecipe(_ tab: Tab, _ path: String, _ configuration: Configuration, overwrites: Bool, _ queue: ActionQueue) {
        attempt(queue) {
            guard overwrites || !FileSystem.exists(path) else { return [.recipeExists(tab, path: path)] }
            try prepareDirectory(of: path)
            try FileSystem.writeAtomically(path, text: configuration.yaml())
            return [.recipeSaved(tab, path: path)]
        }
    }

    static func write(_ text: String, to path: String, overwrites: Bool, _ queue: ActionQueue) {
        attempt(queue) { try writing(text, to: path, overwrites: overwrites) }
    }

    /// Writes a file, or comes back with the question whether to replace one.
    static func writing(_ text: String, to path: String, overwrites: Bool) throws -> [Action] {
        if FileSystem.isDirectory(path) { return [.notify(StatusMessage(.failure, say("\(path) is a folder.")))] }
        guard overwrites || !FileSystem.exists(path) else { return [.fileExists(path: path, text: text)] }
        try prepareDirectory(of: path)
        try FileSystem.writeAtomically(path, text: text)
        return [.fileWritten(path: path, text: text)]
    }

    static func control(_ directory: String, _ request: ControlRequest, _ queue: ActionQueue) {
        attempt(queue) {
            try RunDirectory(directory).request(request)
            return []
        }
    }

    static func delete(_ directory: String, _ queue: ActionQueue) {
        attempt(queue) {
            try RunDirectory(directory).delete()
            return [.runDeleted(directory: directory)]
        }
    }

    static func loadOverlay(_ directory: String, _ queue: ActionQueue) {
        begin(queue) {
            let follower = RunFollower(RunDirectory(directory))
            var run = RunDigest(kind: .train, title: "", directory: directory, origin: .finished)
            var update = follower.poll()
            run.apply(update.events)
            while update.hasMore {
                update = follower.poll()
                run.apply(update.events)
            }
            return [.overlayLoaded(directory: directory, run.metrics)]
        }
    }

    // MARK: Conversations

    static func listConversations(in folder: String, _ queue: ActionQueue) {
        begin(queue) {
            let names = (try? FileSystem.list(folder)) ?? []
            let stored = names.filter { $0.hasSuffix(".json") }.map { name -> StoredConversation in
                let path = Path.join(folder, name)
                return StoredConversation(path: path, title: String(name.dropLast(5)), modified: FileSystem.modificationTime(path) ?? 0)
            }
            return [.conversationsListed(stored.sorted { $0.modified > $1.modified })]
        }
    }

    static func loadConversation(_ path: String, _ queue: ActionQueue) {
        attempt(queue) { [.conversationLoaded(try Conversation(json: try FileSystem.readText(path), name: path), path: path)] }
    }

    // MARK: Plans

    /// What a job of the queue would need. Apart from the planner of the forms, where a newer question takes the place of an older one.
    static func planQueued(_ identifier: String, _ configuration: Configuration, _ queue: ActionQueue) {
        begin(queue) {
            do {
                return [.queuePlanned(identifier: identifier, .ready(try EngineJobs.plan(configuration, JobControl())))]
            } catch {
                let reason = (error as? JobFailure)?.description ?? String(describing: error)
                return [.queuePlanned(identifier: identifier, .failed(reason))]
            }
        }
    }

    /// Which argument keeps a training from being planned.
    static func explain(_ failure: JobFailure, _ configuration: Configuration, generation: Int, _ queue: ActionQueue) {
        begin(queue) {
            var checked = JobSequence.train(configuration)
            // A start asks about a folder that is taken.
            for index in checked.indices { try? checked[index].configuration.set("overwrite_output_dir", text: "true") }
            return [.planned(.train, generation: generation, .failed(failure.description, argument: StartProblem.find(checked)?.argument))]
        }
    }

    // MARK: Exports

    /// What an export reads and writes, from the headers of the files.
    static func planExport(_ configuration: Configuration, generation: Int, _ queue: ActionQueue) {
        begin(queue) {
            do {
                let forecast = try ExportForecast(configuration)
                var plan = forecast.plan
                if forecast.replacesExport, let warning = lossOfOtherKind(forecast.directory, configuration) { plan.warnings.insert(warning, at: 0) }
                return [.planned(.export, generation: generation, .ready(plan))]
            } catch {
                let jobs = [PlannedJob(kind: .export, configuration: configuration)]
                return [.planned(.export, generation: generation, .failed(String(describing: error), argument: StartProblem.find(jobs)?.argument))]
            }
        }
    }

    /// One who exports the same model in two forms wants both.
    private static func lossOfOtherKind(_ directory: String, _ configuration: Configuration) -> String? {
        let isGGUFThere = ((try? FileSystem.list(directory)) ?? []).contains { $0.hasSuffix(".gguf") }
        let isGGUFWanted = !configuration.text("export_gguf").isEmpty
        guard isGGUFThere != isGGUFWanted else { return nil }
        return isGGUFWanted
            ? "The safetensors there would be replaced by the GGUF file: another export_dir keeps both."
            : "The GGUF file there would be replaced by safetensors: another export_dir keeps both."
    }

    static func prepareDirectory(of path: String) throws {
        let directory = Path.directory(path)
        if !directory.isEmpty, directory != ".", !FileSystem.exists(directory) { try FileSystem.createDirectory(directory) }
    }
}
