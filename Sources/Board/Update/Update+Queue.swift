import Configuration
import Events
import Platform
import Runs
import Terminal

extension BoardState {
    // MARK: Adding

    /// Puts what the page's form describes at the end of the queue; without a job at work it starts at once.
    mutating func enqueue() -> [Effect] {
        let tab = pageForm
        forms[tab].problems = problems(of: tab)
        if let problem = forms[tab].firstError {
            if let name = problem.argument { forms[tab].reveal(name) }
            status = StatusMessage(.failure, problem.words)
            return [.bell]
        }
        let configuration = forms[tab].configuration
        // What lies in the folder of an export is asked about now, when there is somebody to answer.
        if tab == .export, !isTaken(configuration.text("export_dir")) {
            return checkExport(configuration, isQueued: true)
        }
        return enqueue(tab, configuration)
    }

    /// - Parameter replaces: whether a run that lies in its folder may go. Where that was not agreed to, the job comes back with a question
    ///   instead of waiting with one.
    mutating func enqueue(_ tab: Tab, _ configuration: Configuration, replaces: Bool = false) -> [Effect] {
        let folder = configuration.text(tab.folderArgument)
        if isTaken(folder) { return offerFreeFolder(tab, configuration, instead: folder) }
        queueCounter += 1
        var run = QueuedRun(
            tab: tab, title: "\(say(key: tab.title)) \(RunName.short(folder))", recipe: configuration.yaml(),
            identifier: "\(queueOwner)-\(Int(now * 1_000))-\(queueCounter)")
        run.replaces = replaces
        let secrets = ArgumentTable.all.filter { $0.isSecret && !configuration.text($0.name).isEmpty }.map(\.name)
        run.secretNames = secrets
        if !secrets.isEmpty { queueSecrets[run.identifier] = secrets.map { ($0, configuration.text($0)) } }
        queue.append(run)
        let added = Effect.changeQueue(.add(run))
        if runningJob == nil, starting == nil, queueStart == nil, queue.count == 1 { return [added] + startNextInQueue() }
        if runningJob == nil, starting != nil { queueGaveWay = true }
        status =
            secrets.isEmpty
            ? StatusMessage(.success, say("\(queue.count) in the queue; B shows it"))
            : StatusMessage(.success, say("\(queue.count) in the queue; \(secrets.joined(separator: ", ")) is kept by this board alone, not on disk"))
        return [added]
    }

    /// Two jobs that wait cannot share a folder: the next free one is offered. What lies in it on disk is looked at once it is queued.
    private mutating func offerFreeFolder(_ tab: Tab, _ configuration: Configuration, instead folder: String) -> [Effect] {
        let known = catalog.runs.map(\.directory).filter { RunName.isSame(Path.directory($0), Path.directory(folder)) }
        let free = EarlierRun.freeFolder(beside: folder, neighbours: known.map { Path.name($0) }) { isTaken($0) }
        let sentences = [say("\(folder) is taken by a job at work or in the queue."), say("The new folder would be \(Path.name(free)).")]
        let way = Takeover.elsewhere(free)
        return ask(
            DialogState(
                title: say("\(Path.name(folder)) is taken"), text: sentences.joined(separator: Wording.current.language.sentenceSpace),
                choices: [
                    .init(way.label, key: way.key, .takeOver(tab, configuration, way, isQueued: true)), .init(say("Cancel"), key: "c", .dismiss),
                ]))
    }

    func enqueueRefusal() -> String? { pageForm == .chat ? say("A chat cannot be queued.") : nil }

    /// Whether a job at work, one that is being started, or one that waits writes to a folder, however its path is written.
    func isTaken(_ folder: String) -> Bool {
        guard !folder.isEmpty else { return false }
        let others = [queueStart?.run?.folder, starting?.folder, runningJob?.directory].compactMap { $0 }
        return (queue.map(\.folder) + others).contains { !$0.isEmpty && RunName.isSame($0, folder) }
    }

    // MARK: Starting

    /// Claims the first job of the queue that may start. Those that need somebody stay where they are.
    mutating func startNextInQueue() -> [Effect] {
        guard queueStart == nil, starting == nil, let next = queue.first(where: { $0.problem == nil }) else { return [] }
        queueStart = QueueStart(identifier: next.identifier)
        return [.changeQueue(.take(next.identifier))]
    }

    /// What would ask somebody about a claimed job is looked up first. Its configuration is its own: no form is touched.
    mutating func queueTaken(_ identifier: String, _ run: QueuedRun?, waiting: [QueuedRun]) -> [Effect] {
        queue = waiting
        guard queueStart?.identifier == identifier else { return run.map { [.changeQueue(.release($0, problem: nil))] } ?? [] }
        guard let run else {
            // Another board was faster.
            queueStart = nil
            return runningJob == nil ? startNextInQueue() : []
        }
        queueStart?.run = run
        guard startRefusal() == nil else { return holdQueued(nil) }
        let secrets = queueSecrets[identifier] ?? []
        let missing = run.secretNames.filter { name in !secrets.contains { $0.name == name } }
        if !missing.isEmpty { return holdQueued(say("\(missing.joined(separator: ", ")) is not kept on disk: enter it anew.")) }
        do {
            var configuration = try Configuration.parse(run.recipe, name: run.title)
            for secret in secrets { try? configuration.set(secret.name, text: secret.value) }
            return check(configuration, of: run)
        } catch {
            return holdQueued(say(engine: error.description))
        }
    }

    private mutating func check(_ configuration: Configuration, of run: QueuedRun) -> [Effect] {
        let tab = run.tab
        queueStart?.configuration = configuration
        queueStart?.stage = .checking
        if let problem = problems(of: tab, configuration).first(where: { $0.severity == .error }) { return holdQueued(problem.words) }
        switch tab {
        case .export: return [.checkExportTarget(path: configuration.text("export_dir"))]
        case .train: return [.planQueued(run.identifier, configuration)]
        case .evaluate, .chat, .monitor: return startQueued()
        }
    }

    /// What a run would need is known: enough, or somebody has to decide.
    mutating func queuedPlanned(_ identifier: String, _ plan: PlanState) -> [Effect] {
        guard let start = queueStart, start.stage == .checking, start.identifier == identifier else { return [] }
        switch plan {
        case .ready(let plan):
            queueStart?.plan = plan
            guard let reason = memoryShortage(plan) else { return startQueued() }
            return holdQueued(reason)
        case .failed(let reason, _): return holdQueued(say(engine: reason))
        case .none, .computing: return []
        }
    }

    /// Whether an export of the queue may go where it is to go.
    /// - Returns: nil when the question came from the page itself.
    mutating func queuedExportChecked(_ path: String, fileCount: Int) -> [Effect]? {
        guard let start = queueStart, start.stage == .checking, start.run?.tab == .export, start.configuration.text("export_dir") == path else { return nil }
        return fileCount > 0 && start.run?.replaces != true ? holdQueued(say("\(path) holds \(fileCount) files.")) : startQueued()
    }

    private mutating func startQueued() -> [Effect] {
        guard let start = queueStart, let run = start.run else { return [] }
        // Another was started by hand while this one's needs were looked up.
        guard startRefusal() == nil else { return holdQueued(nil) }
        queueStart?.stage = .starting
        return handOver(run.tab, start.configuration, queued: start.identifier, replaces: run.replaces)
    }

    /// Gives the claimed job back, with what keeps it, and goes on with the next.
    mutating func holdQueued(_ problem: String?) -> [Effect] {
        guard var run = queueStart?.run else { return [] }
        queueStart = nil
        run.problem = problem
        queue.insert(run, at: 0)
        let released = Effect.changeQueue(.release(run, problem: problem))
        guard let problem else {
            queueGaveWay = true
            return [released]
        }
        status = StatusMessage(.failure, say("\(run.title) waits for you: \(problem)"))
        return [released, .bell] + (runningJob == nil ? startNextInQueue() : [])
    }

    /// The engine could not begin with a job.
    mutating func jobRefused(_ page: Tab, _ reason: String, _ argument: String?) -> [Effect] {
        let reason = say(engine: reason)
        status = StatusMessage(.failure, reason)
        // Of a page whose job is not the one being started: that one is not concerned.
        guard starting == nil || starting?.tab == page else { return [.bell] }
        let queued = starting?.queued
        starting = nil
        if let queued, queued == queueStart?.identifier { return holdQueued(reason) }
        forms[page].refusal = reason
        // To what has to be put right, unless the user has gone elsewhere meanwhile.
        if let argument, tab == page, overlays.isEmpty, forms[page].edit == nil {
            focus = .form
            forms[page].reveal(argument)
        }
        return [.bell] + resumeQueue()
    }

    /// The queue goes on where it had stood back for a start by hand that came to nothing. One that the user has stopped stays where it is.
    mutating func resumeQueue() -> [Effect] {
        guard queueGaveWay, runningJob == nil else { return [] }
        queueGaveWay = false
        return startNextInQueue()
    }

    /// A job of the queue has begun, or has failed before it did: then it stays in the queue.
    mutating func followQueued(_ run: RunDigest) -> [Effect] {
        guard let start = queueStart, start.stage == .begun, let queued = start.run else { return [] }
        switch run.state {
        case .waiting, .loading: return []
        case .failed:
            queueStart = nil
            return putBack(queued, problem: run.failure?.words ?? say("The job failed; the log says why."))
        case .aborted:
            queueStart = nil
            return putBack(queued, problem: nil)
        case .running, .paused, .stopping, .finished, .stopped:
            queueStart = nil
            queueSecrets[queued.identifier] = nil
            return [.changeQueue(.remove(queued.identifier))]
        }
    }

    private mutating func putBack(_ run: QueuedRun, problem: String?) -> [Effect] {
        var run = run
        run.problem = problem
        queue.insert(run, at: 0)
        return [.changeQueue(.release(run, problem: problem))]
    }

    // MARK: The list

    mutating func openQueue() -> [Effect] {
        overlays.append(.queue(selection: 0))
        // Another board of this folder may have changed it.
        return [.changeQueue(.look)]
    }

    /// How many jobs could start, and do not: nothing is at work, and the queue waits for a key. That of another process may be at it.
    var standingJobs: Int {
        guard runningJob == nil, starting == nil, queueStart == nil else { return 0 }
        return queue.count { $0.problem == nil }
    }

    static func standingWords(_ count: Int) -> String {
        count == 1 ? say("1 job waits: B, then F5, starts it.") : say("\(count) jobs wait: B, then F5, starts them.")
    }

    mutating func queueChanged(_ waiting: [QueuedRun]) -> [Effect] {
        queue = waiting
        // Left from an earlier session: a board that opens starts nothing by itself.
        if !hasSeenQueue, standingJobs > 0, status == nil, !catalog.runs.contains(where: { $0.isAlive && !$0.isOurs }) {
            status = StatusMessage(.note, Self.standingWords(standingJobs))
        }
        hasSeenQueue = true
        if let place = overlays.lastIndex(where: { if case .queue = $0 { true } else { false } }), case .queue(let selection) = overlays[place] {
            overlays[place] = .queue(selection: min(selection, max(0, queue.count - 1)))
        }
        return []
    }

    func queueRefusal() -> String? { queue.isEmpty ? say("Nothing waits: A adds the page's form to the queue.") : nil }

    func startQueueRefusal() -> String? {
        if let reason = queueRefusal() ?? startRefusal() { return reason }
        return queue.contains { $0.problem == nil } ? nil : say("Every job here waits for you: ⏎ takes one back into its form.")
    }

    mutating func startQueue() -> [Effect] {
        overlays.removeAll()
        return startNextInQueue()
    }

    private var queueSelection: Int? {
        guard case .queue(let selection) = overlays.last, queue.indices.contains(selection) else { return nil }
        return selection
    }

    mutating func moveInQueue(_ movement: Movement, page: Int) {
        guard case .queue(let selection) = overlays.last else { return }
        overlays[overlays.count - 1] = .queue(selection: movement.applied(to: selection, count: queue.count, page: page))
    }

    /// Moves the job under the cursor forwards or backwards.
    mutating func shiftInQueue(by count: Int) -> [Effect] {
        guard let selection = queueSelection, queue.indices.contains(selection + count) else { return [] }
        let identifier = queue[selection].identifier
        queue.swapAt(selection, selection + count)
        overlays[overlays.count - 1] = .queue(selection: selection + count)
        return [.changeQueue(.move(identifier, by: count))]
    }

    mutating func askToDequeue() -> [Effect] {
        guard let selection = queueSelection else { return [] }
        return ask(
            DialogState(
                title: say("Take it out of the queue?"), text: queue[selection].title,
                choices: [
                    .init(say("Take out"), key: "t", .dequeue(queue[selection].identifier)), .init(say("Keep"), key: "k", .dismiss),
                ], selection: 1))
    }

    mutating func dequeue(_ identifier: String) -> [Effect] {
        queueSecrets[identifier] = nil
        _ = queueChanged(queue.filter { $0.identifier != identifier })
        return [.changeQueue(.remove(identifier))]
    }

    /// Takes a job out of the queue and into its form, to be changed.
    mutating func editQueued() -> [Effect] {
        guard let selection = queueSelection else { return [] }
        let job = queue[selection]
        let secrets = queueSecrets[job.identifier] ?? []
        let removal = dequeue(job.identifier)
        guard var configuration = try? Configuration.parse(job.recipe, name: job.title) else { return removal }
        overlays.removeAll()
        tab = job.tab
        focus = .form
        for secret in secrets {
            try? configuration.set(secret.name, text: secret.value)
            try? forms[tab].configuration.set(secret.name, text: secret.value)
        }
        let effects = removal + adoptEditedForm(job.tab, configuration)
        if let problem = job.problem { status = StatusMessage(.warning, problem) }
        return effects
    }
}

extension RunName {
    /// A run's folder in the one way in which it can be compared.
    static func absolute(_ directory: String) -> String { Path.absolute(Path.expandingTilde(directory)) }

    /// Whether two paths mean one folder, however they are written.
    static func isSame(_ one: String, _ other: String) -> Bool { one == other || absolute(one) == absolute(other) }
}
