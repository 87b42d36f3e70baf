import Configuration
import Events
import Platform
import Runs

/// Carries out effects with the engine: jobs, plans, chat, followed runs and the disk, each on a thread of its own.
public final class RunsEffects: EffectHandler {
    let runner: JobRunner
    private let detachment: Detachment
    private(set) var queue: ActionQueue?
    private var chat: ChatService?
    /// The conversation with a training that holds, while there is one.
    private var talk: ChatService?
    private var isTalkReady = false
    /// Who answers now: a training only once it holds, until then the model of the Chat page.
    private var answering: ChatService? { isTalkReady ? talk : chat }
    private var planner: Planner?
    private var processor = CPUSampler()
    private let cards = GPUSampler()

    var job: JobHandle?
    /// Jobs that follow the one at work: the evaluation after a training.
    var waitingJobs: [PlannedJob] = []
    private var askedPlan: (configuration: Configuration, generation: Int)?
    private var follower: FollowedRun?
    private let catalogScan = CatalogScan()
    private let history = HistoryFile()
    let queueFile: QueueFile
    let queueKeeper: QueueKeeper
    /// A resumed run whose curves so far have been read, ready to be started.
    private let prepared = Mutex<PreparedJob?>(nil)
    private var isPreparing = false
    /// What keeps a job from starting, found out on a thread of its own.
    private let findProblem: @Sendable ([PlannedJob]) -> StartProblem?
    private let previewer = DatasetPreviewer()

    public convenience init(runner: JobRunner = JobRunner(), detachment: Detachment) {
        self.init(runner: runner, detachment: detachment, queueFile: QueueFile(), findProblem: StartProblem.find)
    }

    /// - Parameters:
    ///   - queueFile: where the jobs wait.
    ///   - findProblem: what keeps a job from starting; tests take the time that they need.
    init(
        runner: JobRunner, detachment: Detachment, queueFile: QueueFile, findProblem: @escaping @Sendable ([PlannedJob]) -> StartProblem?
    ) {
        self.runner = runner
        self.detachment = detachment
        self.queueFile = queueFile
        queueKeeper = QueueKeeper(queueFile)
        self.findProblem = findProblem
    }

    deinit { cards.stop() }

    public func attach(_ queue: ActionQueue) {
        self.queue = queue
        catalogScan.queue = queue
    }

    public var canDetach: Bool { detachment.canDetach }

    public func sampleSystem() -> SystemSample {
        let load = processor.sample().processors
        var sample = SystemSample(
            cpuModel: SystemInfo.cpuModel, cpuCount: SystemInfo.cpuCount,
            cpuBusy: load.isEmpty ? 0 : load.reduce(0, +) / Double(load.count), memoryBytes: SystemInfo.physicalMemoryBytes,
            availableBytes: SystemInfo.availableMemoryBytes, residentBytes: SystemInfo.residentBytes(),
            peakResidentBytes: SystemInfo.peakResidentBytes())
        sample.gpus = cards.latest()
        sample.hasLookedForGPUs = cards.hasLooked
        return sample
    }

    public func perform(_ effect: Effect) {
        guard let queue else { return }
        switch effect {
        case .scanCatalog(let directory, let outputs):
            catalogScan.request(datasetDirectory: directory, outputs: outputs, ours: job?.runDirectory)
        case .plan(let tab, let configuration, let generation): plan(tab, configuration, generation, queue)
        case .planQueued(let identifier, let configuration): DiskWork.planQueued(identifier, configuration, queue)
        case .loadRecipe(let tab, let path): DiskWork.loadRecipe(tab, path, queue)
        case .saveRecipe(let tab, let path, let configuration, let overwrites):
            DiskWork.saveRecipe(tab, path, configuration, overwrites: overwrites, queue)
        case .writeText(let path, let text, let overwrites): DiskWork.write(text, to: path, overwrites: overwrites, queue)
        case .rememberValue(let argument, let value): history.remember(argument, value, queue)
        case .renameRun(let directory, let name): DiskWork.rename(directory, to: name, queue)
        case .readFacts(let directory, let tab): DiskWork.readFacts(directory, tab, queue)
        case .compareRuns(let directories): DiskWork.compare(directories, queue)
        case .changeQueue(let change): queueKeeper.request(change, queue)
        case .checkExportTarget(let path): DiskWork.checkExportTarget(path, queue)
        case .exportChart(let path, let series, let axis): DiskWork.exportChart(series, axis: axis, to: path, queue)
        case .startJob(let tab, let kind, let configuration, let replaces): start(tab, kind, configuration, replaces: replaces, queue)
        case .control(let request): job?.request(request)
        case .controlRun(let directory, let request): DiskWork.control(directory, request, queue)
        case .logOutput(let line): job?.log(.output, line)
        case .openRun(let directory): openRun(directory, queue)
        case .closeRun: closeRun()
        case .loadOverlay(let directory): DiskWork.loadOverlay(directory, queue)
        case .deleteRun(let directory): DiskWork.delete(directory, queue)
        case .loadChat(let configuration): chatService(queue).load(configuration)
        case .unloadChat: chat?.unload()
        case .sendChat(let request): send(request, queue)
        case .cancelChat: answering?.cancel()
        case .setAdapter(let isEnabled): answering?.setAdapterEnabled(isEnabled)
        case .listConversations: DiskWork.listConversations(in: UserFolders.state("conversations"), queue)
        case .loadConversation(let path): DiskWork.loadConversation(path, queue)
        case .previewDataset(let configuration, let name, let row): preview(configuration, name, row, queue)
        case .loadPredictions(let directory):
            DiskWork.attempt(queue) { [.predictionsLoaded(directory: directory, try PredictionCatalog.read(directory: directory))] }
        case .talkToTraining(let configuration): beginTalk(configuration, queue)
        case .endTalk: talk?.close()
        case .useTheme, .copy, .editText, .repaint, .bell, .suspend, .detach, .quit: break
        }
    }

    /// The run that is followed may have been changed for another while its follower spoke.
    public func isStale(_ action: Action) -> Bool {
        switch action {
        case .runOpened(let run): follower?.directory != run.directory
        case .runGrew(let directory, _, _, _): follower?.directory != directory
        default: false
        }
    }

    public func poll() -> [Action] {
        var actions: [Action] = []
        if let queue, let ready = takePrepared() { begin(ready, queue) }
        if let job {
            let events = jobEvents(job)
            if !events.isEmpty { actions.append(.jobEvents(events)) }
        }
        if let queue, let asked = askedPlan, let outcome = planner?.takeOutcome() {
            askedPlan = nil
            switch outcome {
            case .success(let plan): queue.endWork([.planned(.train, generation: asked.generation, .ready(plan))])
            case .failure(let failure):
                DiskWork.explain(failure, asked.configuration, generation: asked.generation, queue)
                queue.endWork()
            }
        }
        // While one talks to a training, what the model of the Chat page says waits.
        if !isTalkReady, let chat { actions += chat.drain().compactMap(chatUpdate).map(Action.chat) }
        if let talk { actions += talk.drain().flatMap(talkActions) }
        return actions
    }

    // MARK: Jobs

    private func start(_ tab: Tab, _ kind: JobKind, _ configuration: Configuration, replaces: Bool, _ queue: ActionQueue) {
        let sequence =
            switch kind {
            case .train: JobSequence.train(configuration)
            case .evaluate, .predict: JobSequence.evaluate(configuration)
            case .export, .chat: [PlannedJob(kind: kind, configuration: configuration)]
            }
        guard !sequence.isEmpty, !isPreparing else {
            queue.post(.jobRefused(tab, reason: sequence.isEmpty ? say("There is nothing to do.") : say("Another job is being started."), argument: nil))
            return
        }
        let asked = PreparedJob(tab: tab, sequence: sequence, history: [])
        // Paths are looked up, and a long log takes a while: it must be read before the engine goes on writing it.
        isPreparing = true
        queue.beginWork()
        _ = EngineThread(name: "prepare") { [prepared, findProblem] in
            var ready = asked
            ready.earlier = replaces ? nil : EarlierRun.inTheWay(of: asked.sequence)
            // That the folder is taken will be asked about; anything else that is wrong comes first.
            var checked = asked.sequence
            if ready.earlier != nil { try? checked[0].configuration.set("overwrite_output_dir", text: "true") }
            ready.problem = findProblem(checked)
            if asked.isResumed, ready.problem == nil { ready.history = Self.history(of: asked.sequence[0]) }
            prepared.withLock { $0 = ready }
            queue.endWork()
        }
    }

    private func takePrepared() -> PreparedJob? {
        guard isPreparing else { return nil }
        let ready = prepared.withLock { contents in
            defer { contents = nil }
            return contents
        }
        if ready != nil { isPreparing = false }
        return ready
    }

    /// What is being prepared, once it is; nil when nothing is.
    func waitForPrepared() -> PreparedJob? {
        while isPreparing {
            if let ready = takePrepared() { return ready }
            Clock.sleep(seconds: 0.002)
        }
        return nil
    }

    private func begin(_ prepared: PreparedJob, _ queue: ActionQueue) {
        let first = prepared.sequence[0]
        if let problem = prepared.problem {
            queue.post(.jobRefused(prepared.tab, reason: problem.description, argument: problem.argument))
            return
        }
        if let earlier = prepared.earlier {
            queue.post(.jobWouldReplace(prepared.tab, first.configuration, earlier))
            return
        }
        do {
            let handle = try runner.start(first.kind, first.configuration, wake: { queue.wakeUp() })
            job = handle
            waitingJobs = Array(prepared.sequence.dropFirst())
            let directory = handle.runDirectory.map { Path.relative($0.path, to: FileSystem.currentDirectory) }
            let target = directory ?? first.configuration.text("export_dir")
            queue.post(.jobStarted(prepared.tab, first.kind, title: title(first.kind, target), directory: target))
            if !prepared.history.isEmpty { queue.post(.jobHistory(prepared.tab, prepared.history)) }
        } catch {
            var argument: String?
            if case .directoryInUse = error { argument = "output_dir" }
            queue.post(.jobRefused(prepared.tab, reason: error.description, argument: argument))
        }
    }

    /// The curves of a run that is to be resumed, as far as it came.
    private static func history(of job: PlannedJob) -> [JobEvent] {
        let follower = RunFollower(RunDirectory(job.configuration.text("output_dir")))
        var events: [JobEvent] = []
        var update = follower.poll()
        events += update.events
        while update.hasMore {
            update = follower.poll()
            events += update.events
        }
        return events.filter { event in
            switch event {
            case .step(let step): step.isLogged
            case .evaluation, .checkpoint: true
            case .phase, .planned, .log, .progress, .sample, .state, .finished, .failed: false
            }
        }
    }

    private func title(_ kind: JobKind, _ directory: String) -> String {
        let name = Path.name(directory)
        switch kind {
        case .train: return name.isEmpty ? "training" : name
        case .evaluate, .predict: return name.isEmpty ? kind.activity : "\(kind.activity) \(name)"
        case .export: return name.isEmpty ? "export" : say("export \(name)")
        case .chat: return "chat"
        }
    }

    /// What the job says. While other jobs wait for it to end well, its end is not the end.
    func jobEvents(_ handle: JobHandle) -> [JobEvent] {
        var events = handle.drain()
        guard !waitingJobs.isEmpty, let queue else { return events }
        let hasFinished = events.contains { $0 == .state(.finished) }
        guard hasFinished else {
            if events.contains(where: { if case .state(let state) = $0 { state.isFinal } else { false } }) { waitingJobs = [] }
            return events
        }
        events.removeAll { $0 == .state(.finished) }
        handle.wait()
        let next = waitingJobs.removeFirst()
        do {
            job = try runner.start(next.kind, next.configuration, wake: { queue.wakeUp() })
        } catch {
            waitingJobs = []
            events += [.failed(JobFailure(what: error.description)), .state(.failed)]
        }
        return events
    }

    // MARK: Plans

    private func plan(_ tab: Tab, _ configuration: Configuration, _ generation: Int, _ queue: ActionQueue) {
        if tab == .export {
            DiskWork.planExport(configuration, generation: generation, queue)
            return
        }
        if planner == nil { planner = Planner(wake: { queue.wakeUp() }) }
        // The answer to the older question will never come: its work ends here.
        if askedPlan != nil { queue.endWork() }
        queue.beginWork()
        askedPlan = (configuration, generation)
        planner?.plan(configuration)
    }

    // MARK: Chat

    private func chatService(_ queue: ActionQueue) -> ChatService {
        if let chat { return chat }
        let service = ChatService(wake: { queue.wakeUp() })
        chat = service
        return service
    }

    private func send(_ request: ChatRequest, _ queue: ActionQueue) {
        var lines: [ChatLine] = request.system.isEmpty ? [] : [ChatLine(.system, request.system)]
        if !request.tools.isEmpty { lines.append(ChatLine(.tools, request.tools)) }
        lines += request.messages.map { ChatLine($0.isUser ? .user : .assistant, $0.text) }
        (answering ?? chatService(queue)).send(lines, request.configuration)
    }

    /// Talking to the training of this process: its engine's thread answers, between two steps.
    private func beginTalk(_ configuration: Configuration, _ queue: ActionQueue) {
        guard talk == nil, let job else { return }
        let service = ChatService(
            loader: { _, _, _ in throw JobFailure(what: "The training waits for this conversation.", whatToDo: "Let it go on first.") },
            hasThread: false, wake: { queue.wakeUp() })
        isTalkReady = false
        talk = service
        queue.beginWork()
        if !job.talk(service, configuration) { service.refuse(JobFailure(what: "The training cannot be talked to now.")) }
    }

    private func talkActions(_ event: ChatEvent) -> [Action] {
        switch event {
        case .ready(let info):
            isTalkReady = true
            queue?.endWork()
            return [.talkBegan(modelInfo(info, isInTraining: true))]
        case .unloaded:
            talk = nil
            isTalkReady = false
            return [.talkEnded]
        case .failed(let failure) where !isTalkReady:
            queue?.endWork()
            return [.notify(StatusMessage(.failure, failure.words))]
        case .loading, .piece, .finished, .failed, .adapter: return chatUpdate(event).map { [.chat($0)] } ?? []
        }
    }

    private func modelInfo(_ info: ChatInfo, isInTraining: Bool) -> ChatModelInfo {
        let adapters = info.adapterNames.map { Path.name($0) }
        return ChatModelInfo(
            modelName: Path.name(info.modelName), adapterName: adapters.isEmpty ? nil : adapters.joined(separator: " + "),
            templateName: info.templateName, contextLength: info.contextLength, parameterCount: info.parameterCount,
            isInTraining: isInTraining)
    }

    private func chatUpdate(_ event: ChatEvent) -> ChatUpdate? {
        switch event {
        case .loading(let what): return .loading(what)
        case .ready(let info): return .ready(modelInfo(info, isInTraining: false))
        case .piece(let text): return .piece(text)
        case .finished(let statistics):
            return .finished(
                tokenCount: statistics.answerTokens, tokensPerSecond: statistics.tokensPerSecond, contextUsed: statistics.contextUsed,
                wasStopped: statistics.ending == .cancelled)
        case .failed(let failure): return .failed(failure.description)
        case .adapter, .unloaded: return nil
        }
    }

    // MARK: Data and answers

    private func preview(_ configuration: Configuration, _ name: String, _ row: Int, _ queue: ActionQueue) {
        queue.beginWork()
        _ = EngineThread(name: "preview", stackSize: 16 << 20) { [previewer] in
            do {
                queue.endWork([.datasetPreviewed(try previewer.preview(configuration, dataset: name, row: row))])
            } catch {
                queue.endWork([.datasetFailed(name: name, reason: String(describing: error))])
            }
        }
    }

    // MARK: Runs of others

    private func openRun(_ directory: String, _ queue: ActionQueue) {
        follower?.stop()
        follower = FollowedRun(directory: directory, queue: queue)
    }

    private func closeRun() {
        follower?.stop()
        follower = nil
    }

    /// True while a job is at work.
    public var isBusy: Bool { runner.isBusy }
}

/// A job as it is handed to the engine.
struct PreparedJob: Sendable {
    var tab: Tab
    /// Never empty: what is started, and what follows it.
    var sequence: [PlannedJob]
    /// What a run that is taken up again had logged.
    var history: [JobEvent]
    /// Why it is not to be started.
    var problem: StartProblem?
    /// The run that it would replace; nil where that was agreed to.
    var earlier: EarlierRun?

    var isResumed: Bool { sequence[0].kind == .train && !sequence[0].configuration.text("resume_from_checkpoint").isEmpty }
}
