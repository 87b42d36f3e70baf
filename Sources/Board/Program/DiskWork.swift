import Configuration
import Events
import Platform
import Runs

/// Small pieces of work on the disk, each on a thread of its own so that a slow file system never holds up a key.
enum DiskWork {
    /// Runs `body` elsewhere; what it returns goes to the board.
    static func begin(_ queue: ActionQueue, _ body: @escaping @Sendable () -> [Action]) {
        queue.beginWork()
        _ = EngineThread(name: "disk") { queue.endWork(body()) }
    }

    static func failure(_ error: any Error) -> [Action] { [.notify(StatusMessage(.failure, String(describing: error)))] }

    static func loadRecipe(_ tab: Tab, _ path: String, _ queue: ActionQueue) {
        begin(queue) {
            do {
                let configuration = try Configuration.load(file: path, overrides: [])
                let notices = configuration.notices.map { String(describing: $0) }
                return [.recipeLoaded(tab, path: path, configuration, notices: notices)]
            } catch {
                return failure(error)
            }
        }
    }

    static func saveRecipe(_ tab: Tab, _ path: String, _ configuration: Configuration, overwrites: Bool, _ queue: ActionQueue) {
        begin(queue) {
            do {
                guard overwrites || !FileSystem.exists(path) else { return [.recipeExists(tab, path: path)] }
                try prepareDirectory(of: path)
                try FileSystem.writeAtomically(path, text: configuration.yaml())
                return [.recipeSaved(tab, path: path)]
            } catch {
                return failure(error)
            }
        }
    }

    static func write(_ text: String, to path: String, overwrites: Bool, _ queue: ActionQueue) {
        begin(queue) {
            do {
                if FileSystem.isDirectory(path) { return [.notify(StatusMessage(.failure, "\(path) is a folder."))] }
                guard overwrites || !FileSystem.exists(path) else { return [.fileExists(path: path, text: text)] }
                try prepareDirectory(of: path)
                try FileSystem.writeAtomically(path, text: text)
                return [.notify(StatusMessage(.success, "Wrote \(path)"))]
            } catch {
                return failure(error)
            }
        }
    }

    static func control(_ directory: String, _ request: ControlRequest, _ queue: ActionQueue) {
        begin(queue) {
            do {
                try RunDirectory(directory).request(request)
                return []
            } catch {
                return failure(error)
            }
        }
    }

    static func delete(_ directory: String, _ queue: ActionQueue) {
        begin(queue) {
            do {
                try RunDirectory(directory).delete()
                return [.runDeleted(directory: directory)]
            } catch {
                return failure(error)
            }
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

    /// What an export reads and writes, from the sizes of the files.
    static func planExport(_ configuration: Configuration, generation: Int, _ queue: ActionQueue) {
        begin(queue) {
            let model = ModelLocation.folder(configuration.text("model_name_or_path"))
            guard FileSystem.isDirectory(model) else {
                return [.planned(.export, generation: generation, .failed("\(model) is not a folder."))]
            }
            var plan = RunPlan()
            plan.modelName = Path.name(model)
            let base = weightBytes(in: model)
            let adapters = configuration.text("adapter_name_or_path").split(separator: ",").map { ModelLocation.folder(String($0)) }
            let adapterBytes = adapters.reduce(Int64(0)) { $0 + weightBytes(in: $1) }
            plan.memory = [MemoryPart(part: "base", bytes: base), MemoryPart(part: "adapter", bytes: adapterBytes)]
            plan.checkpointBytes = base
            let target = configuration.text("export_dir")
            if !target.isEmpty {
                plan.freeDiskBytes = FileSystem.freeBytes(at: existingAncestor(of: target))
                let files = (try? FileSystem.list(target)) ?? []
                if !files.isEmpty { plan.warnings.append("\(target) exists and holds \(files.count) files") }
            }
            if adapters.isEmpty { plan.warnings.append("no adapter is chosen: the base is written as it is") }
            return [.planned(.export, generation: generation, .ready(plan))]
        }
    }

    private static func weightBytes(in directory: String) -> Int64 {
        let names = (try? FileSystem.list(directory)) ?? []
        return names.filter { $0.hasSuffix(".safetensors") }.reduce(0) {
            $0 + ((try? FileSystem.size(Path.join(directory, $1))) ?? 0)
        }
    }

    private static func existingAncestor(of path: String) -> String {
        var path = Path.absolute(Path.expandingTilde(path))
        while path != "/", !FileSystem.exists(path) { path = Path.directory(path) }
        return path
    }

    static func prepareDirectory(of path: String) throws {
        let directory = Path.directory(path)
        if !directory.isEmpty, directory != ".", !FileSystem.exists(directory) { try FileSystem.createDirectory(directory) }
    }
}
