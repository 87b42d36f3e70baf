import Configuration
import Formats
import Platform
import Runs

/// The jobs that wait, kept beside the runs that they are about, for every board of the folder.
///
/// ```
/// [{"id": "...", "command": "train", "title": "...", "recipe": "...yaml...", "problem": "...", "holder": {"pid": 12, ...}}, ...]
/// ```
struct QueueFile: Sendable {
    private struct Entry {
        var run: QueuedRun
        /// The process that starts it now.
        var holder: ProcessIdentity?

        /// Of a machine that cannot be asked the holder is believed.
        var isFree: Bool { holder.map { $0.isAlive == false } ?? true }
    }

    let path: String
    private let lockPath: String

    init(folder: String = "saves") {
        path = Path.join(folder, ".queue.json")
        lockPath = Path.join(folder, ".queue.lock")
    }

    /// The jobs that wait as the file has them; entries that cannot be read are passed over.
    func load() -> [QueuedRun] { read().filter(\.isFree).map(\.run) }

    /// Makes a change while no other board makes one.
    /// - Returns: the jobs that wait afterwards, and the claimed one; nil when it was there no longer.
    func change(_ change: QueueChange) throws -> (waiting: [QueuedRun], taken: QueuedRun?) {
        if change == .look, !FileSystem.exists(path) { return ([], nil) }
        try FileSystem.createDirectory(Path.directory(path))
        return try FileLock.withLock(lockPath) {
            var entries = read()
            var taken: QueuedRun?
            switch change {
            case .look: break
            case .add(let run): entries.append(Entry(run: run))
            case .remove(let identifier): entries.removeAll { $0.run.identifier == identifier }
            case .move(let identifier, let count):
                guard let index = entries.firstIndex(where: { $0.run.identifier == identifier }) else { break }
                // Those that are being started are not seen, so they are stepped over.
                let places = entries.indices.filter { entries[$0].isFree || $0 == index }
                guard let place = places.firstIndex(of: index), places.indices.contains(place + count) else { break }
                entries.swapAt(index, places[place + count])
            case .take(let identifier):
                guard let index = entries.firstIndex(where: { $0.run.identifier == identifier && $0.isFree }) else { break }
                entries[index].holder = .current()
                taken = entries[index].run
            case .release(var run, let problem):
                entries.removeAll { $0.run.identifier == run.identifier }
                run.problem = problem
                entries.insert(Entry(run: run), at: 0)
            }
            if change != .look {
                try putDamagedAside()
                try write(entries)
            }
            return (entries.filter(\.isFree).map(\.run), taken)
        }
    }

    // MARK: The file

    /// Nil where there is no file, or one that is no list.
    private func list() -> [JSONValue]? {
        (try? FileSystem.readBytes(path)).flatMap { try? JSONValue.parse($0, name: path) }?.arrayValue
    }

    /// What is no list is kept under another name. A file that cannot be read at all is left where it is, and is an error.
    private func putDamagedAside() throws {
        guard FileSystem.exists(path) else { return }
        let bytes = try FileSystem.readBytes(path)
        guard (try? JSONValue.parse(bytes, name: path))?.arrayValue == nil else { return }
        try FileSystem.putAside(path, ending: ".unreadable")
    }

    private func read() -> [Entry] {
        (list() ?? []).enumerated().compactMap { index, entry in
            guard let object = entry.objectValue, let recipe = object["recipe"]?.stringValue,
                let tab = [Tab.train, .evaluate, .export].first(where: { $0.command.rawValue == object["command"]?.stringValue })
            else { return nil }
            var run = QueuedRun(
                tab: tab, title: object["title"]?.stringValue ?? tab.title, recipe: recipe,
                identifier: object["id"]?.stringValue ?? "entry \(index)",
                secretNames: object["secrets"]?.arrayValue?.compactMap(\.stringValue) ?? [], problem: object["problem"]?.stringValue)
            run.replaces = object["replaces"]?.boolValue ?? false
            return Entry(run: run, holder: object["holder"]?.objectValue.map(Self.process))
        }
    }

    private func write(_ entries: [Entry]) throws {
        if entries.isEmpty {
            if FileSystem.exists(path) { try FileSystem.remove(path) }
            return
        }
        let list = entries.map { entry -> JSONValue in
            var pairs: [(String, JSONValue)] = [
                ("id", .string(entry.run.identifier)), ("command", .string(entry.run.tab.command.rawValue)), ("title", .string(entry.run.title)),
                ("recipe", .string(entry.run.recipe)),
            ]
            if !entry.run.secretNames.isEmpty { pairs.append(("secrets", .array(entry.run.secretNames.map { .string($0) }))) }
            if entry.run.replaces { pairs.append(("replaces", .bool(true))) }
            if let problem = entry.run.problem { pairs.append(("problem", .string(problem))) }
            if let holder = entry.holder { pairs.append(("holder", Self.json(holder))) }
            return .object(JSONObject(pairs))
        }
        try FileSystem.writeAtomically(path, text: JSONValue.array(list).text(style: .indented(2)) + "\n")
    }

    private static func json(_ process: ProcessIdentity) -> JSONValue {
        .object(
            JSONObject([
                ("pid", .integer(Int64(process.processIdentifier))), ("process_start", .integer(Int64(process.startTicks))),
                ("host", .string(process.host)), ("boot_id", .string(process.bootIdentifier)),
            ]))
    }

    private static func process(_ object: JSONObject) -> ProcessIdentity {
        ProcessIdentity(
            processIdentifier: Int32(truncatingIfNeeded: object["pid"]?.intValue ?? 0), startTicks: object["process_start"]?.intValue ?? 0,
            host: object["host"]?.stringValue ?? "", bootIdentifier: object["boot_id"]?.stringValue ?? "")
    }
}

extension QueuedRun {
    /// The run that lies in its folder; nil where there is none or somebody has agreed to its end.
    var runInTheWay: EarlierRun? {
        guard tab == .train, !replaces, let configuration = try? Configuration.parse(recipe, name: title) else { return nil }
        return EarlierRun.inTheWay(of: JobSequence.train(configuration))
    }
}

/// Makes the board's changes to the queue in their order, on a thread of its own.
final class QueueKeeper: Sendable {
    private struct Contents {
        var changes: [QueueChange] = []
        var isWorking = false
    }

    private let contents = Mutex(Contents())
    private let file: QueueFile

    init(_ file: QueueFile) { self.file = file }

    func request(_ change: QueueChange, _ queue: ActionQueue) {
        queue.beginWork()
        let mustStart = contents.withLock { contents in
            contents.changes.append(change)
            defer { contents.isWorking = true }
            return !contents.isWorking
        }
        if mustStart { _ = EngineThread(name: "queue") { [self] in work(queue) } }
    }

    /// Returns once every change that was asked for is made.
    func finish() {
        while contents.withLock({ $0.isWorking }) { Clock.sleep(seconds: 0.002) }
    }

    private func work(_ queue: ActionQueue) {
        while let change = next() { queue.endWork(outcome(of: change)) }
    }

    private func next() -> QueueChange? {
        contents.withLock { contents in
            guard !contents.changes.isEmpty else {
                contents.isWorking = false
                return nil
            }
            return contents.changes.removeFirst()
        }
    }

    private func outcome(of change: QueueChange) -> [Action] {
        if case .add(let run) = change, let earlier = run.runInTheWay {
            return [.queueChanged(file.load()), .queueWouldReplace(run, earlier)]
        }
        do {
            let (waiting, taken) = try file.change(change)
            if case .take(let identifier) = change { return [.queueTaken(identifier: identifier, taken, waiting: waiting)] }
            return [.queueChanged(waiting)]
        } catch {
            let told = DiskWork.failure(error)
            if case .take(let identifier) = change { return told + [.queueTaken(identifier: identifier, nil, waiting: file.load())] }
            return told
        }
    }
}
