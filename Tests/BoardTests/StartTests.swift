import Configuration
import Events
import Platform
import Terminal
import Testing

@testable import Board
@testable import Runs

/// Between the key that starts a job and the engine's word that it has begun.
@Suite struct StartTests {
    private func starts(_ effects: [Effect]) -> [Tab] { effects.compactMap { if case .startJob(let tab, _, _, _) = $0 { tab } else { nil } } }

    private func takes(_ effects: [Effect]) -> Bool { effects.contains { if case .changeQueue(.take) = $0 { true } else { false } } }

    @Test func `while a job is being started no other one is`() throws {
        var state = BoardFixture.state(columns: 80, rows: 24)
        #expect(starts(state.press("f5")) == [.train])
        #expect(starts(state.press("f5")).isEmpty)
        #expect(state.status?.kind == .warning)
        let added = state.press("2 A")
        #expect(!takes(added) && state.queue.count == 1, "it waits in the queue")
        try state.forms.train.configuration.set("learning_rate", text: "0.5")
        state.press("1 A")
        #expect(state.queue.count == 1, "the folder of the job that is being started is taken")
        state.press("c")
        _ = update(&state, .jobStarted(.train, .train, title: "one", directory: "saves/demo-model/lora/quickstart"))
        _ = update(&state, .jobEvents([.state(.running)]))
        #expect(state.queue.count == 1, "another job's beginning does not remove it")
        #expect(takes(update(&state, .jobEvents([.state(.finished)]))))
    }

    @Test func `a job that is refused leaves the way free`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        state.press("f5")
        _ = update(&state, .jobRefused(.evaluate, reason: "Another job is being started.", argument: nil))
        #expect(state.startRefusal() != nil, "that was another page's")
        _ = update(&state, .jobRefused(.train, reason: "No such model.", argument: "model_name_or_path"))
        #expect(starts(state.press("f5")) == [.train])
    }

    @Test func `a job of the queue waits on when another was started by hand while its needs were looked up`() throws {
        var state = BoardFixture.state(columns: 80, rows: 24)
        state.press("A")
        let run = try #require(state.queue.first)
        _ = update(&state, .queueTaken(identifier: run.identifier, run, waiting: []))
        #expect(starts(state.press("2 f5")) == [.evaluate])
        let effects = update(&state, .queuePlanned(identifier: run.identifier, .ready(BoardFixture.plan)))
        #expect(starts(effects).isEmpty && state.queue.map(\.identifier) == [run.identifier])
        _ = update(&state, .jobStarted(.evaluate, .evaluate, title: "eval", directory: "saves/demo-model/eval"))
        _ = update(&state, .jobEvents([.state(.running)]))
        #expect(state.queue.count == 1)
    }

    /// The first job of the queue is claimed, planned and begun.
    private func begin(_ state: inout BoardState) throws {
        let run = try #require(state.queue.first)
        _ = update(&state, .queueTaken(identifier: run.identifier, run, waiting: Array(state.queue.dropFirst())))
        _ = update(&state, .queuePlanned(identifier: run.identifier, .ready(BoardFixture.plan)))
        _ = update(&state, .jobStarted(run.tab, .train, title: Path.name(run.folder), directory: run.folder))
        _ = update(&state, .jobEvents([.state(.running)]))
    }

    @Test func `a job that starts from the queue leaves the page and what is being typed`() throws {
        var state = BoardFixture.state(columns: 80, rows: 24)
        _ = update(&state, .jobStarted(.train, .train, title: "one", directory: "saves/one"))
        state.press("1 A 3")
        let info = ChatModelInfo(modelName: "demo-model", adapterName: nil, templateName: "chatml", contextLength: 512, parameterCount: 1)
        _ = update(&state, .chat(.ready(info)))
        state.focus = .message
        state.type("hello ")
        _ = update(&state, .jobEvents([.state(.finished)]))
        try begin(&state)
        state.type("xd")
        #expect(state.tab == .chat && state.chat.input.text == "hello xd")
        #expect(state.runningJob?.title == "quickstart" && state.runningJob?.pendingRequest == ControlRequest.none && state.overlays.isEmpty)
    }

    @Test func `A where nothing runs says that it started and stays`() throws {
        var state = BoardFixture.state(columns: 80, rows: 24)
        state.press("A")
        try begin(&state)
        #expect(state.tab == .train && state.status?.text == "Started quickstart")
        state.press("5")
        #expect(state.focus == .chart && state.monitoredRun?.title == "quickstart")
    }

    @Test func `a start by hand moves to the Monitor unless something else has the keys by then`() {
        let started = Action.jobStarted(.train, .train, title: "quickstart", directory: "saves/demo-model/lora/quickstart")
        func tab(after keys: String) -> Tab {
            var state = BoardFixture.state(columns: 80, rows: 24)
            state.press(keys)
            _ = update(&state, started)
            return state.tab
        }
        #expect(tab(after: "f5") == .monitor)
        #expect(tab(after: "f5 /") == .train)
        #expect(tab(after: "f5 ?") == .train)
        #expect(tab(after: "f5 2") == .evaluate)
    }

    @Test func `a job of the queue runs from its own configuration and touches no form`() throws {
        var state = BoardFixture.state(columns: 80, rows: 24)
        _ = update(&state, .jobStarted(.train, .train, title: "one", directory: "saves/one"))
        state.press("1")
        try state.forms.train.configuration.set("output_dir", text: "saves/g2")
        state.press("A")
        try state.forms.train.configuration.set("output_dir", text: "saves/g3")
        state.forms.train.reveal("output_dir")
        state.press("e")
        let undoable = state.forms.train.undoStack.count
        _ = update(&state, .jobEvents([.state(.finished)]))
        let chat = state.forms.chat.configuration
        try begin(&state)
        #expect(state.jobs[.train]?.plan == BoardFixture.plan)
        #expect(state.forms.train.edit?.field.text == "saves/g3" && state.forms.train.undoStack.count == undoable)
        state.press("ctrl+u")
        state.type("g4")
        state.press("enter")
        #expect(state.forms.train.configuration.text("output_dir") == "g4" && state.activeStart?.folder == "saves/g2")
        _ = update(&state, .jobEvents([.failed(JobFailure(what: "No such data.")), .state(.failed)]))
        #expect(state.forms.train.refusal == nil)
        state.press("A")
        _ = update(&state, .jobEvents([.state(.finished)]))
        #expect(state.forms.chat.configuration == chat)
    }

    @Test func `a folder that a job has is answered with a free one`() throws {
        var state = BoardFixture.state(columns: 80, rows: 24)
        _ = update(&state, .jobStarted(.train, .train, title: "one", directory: "saves/one"))
        state.press("1 A A")
        guard case .dialog(let dialog) = state.overlays.last else { return #expect(Bool(false), "nothing is asked") }
        let folder = state.queue[0].folder
        #expect(dialog.text.contains("is taken by a job at work or in the queue."))
        state.press("n")
        #expect(state.queue.count == 2 && state.queue[1].folder.hasPrefix(folder + "-"))
        #expect(state.forms.train.configuration.text("output_dir") == state.queue[1].folder)
        // An export's folder has another name.
        state.press("4 A")
        _ = update(&state, .exportTargetChecked(path: state.forms.export.configuration.text("export_dir"), fileCount: 0))
        state.press("A n")
        #expect(state.queue.count == 4 && state.queue[3].folder.hasPrefix(state.queue[2].folder + "-"))
    }

    @Test func `a page says what F5 will do while a job is at work, and leaving tells of the queue`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        _ = update(&state, .jobStarted(.train, .train, title: "one", directory: "saves/one"))
        state.press("1")
        let drawn = GoldenFrames.lines(state)
        #expect(drawn.contains { $0.contains("✓ ready when the job at work ends; A queues it") })
        #expect(drawn.last?.contains("F5 start") == false && drawn.last?.contains("A queue") == true)
        state.press("A q")
        guard case .dialog(let dialog) = state.overlays.last else { return #expect(Bool(false), "nothing is asked") }
        #expect(dialog.text.contains("Waiting in the queue: 1."))
    }

    @Test func `a look at the disk counts the queue anew`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        let effects = update(&state, .catalogScanned(BoardFixture.catalog))
        #expect(effects.contains { if case .changeQueue(.look) = $0 { true } else { false } })
    }

    @Test func `a terminal that hangs up takes nothing along that is being started`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        state.press("f5")
        #expect(update(&state, .hangUp).contains { if case .detach = $0 { true } else { false } })
        var queued = BoardFixture.state(columns: 80, rows: 24)
        queued.press("A")
        #expect(update(&queued, .hangUp).contains { if case .detach = $0 { true } else { false } })
    }

    // MARK: Without a board

    /// A queue in a folder of its own, an engine that only notes what it is given, and a look at a job's needs that takes its time.
    private final class Alone {
        let folder: String
        let file: QueueFile
        let queue = ActionQueue(wake: {})
        let effects: RunsEffects
        let done = Mutex<[String]>([])

        init(problem: @escaping @Sendable (Configuration) -> String? = { _ in nil }) throws {
            folder = try FileSystem.createTemporaryDirectory(prefix: "start-")
            file = QueueFile(folder: folder)
            let done = self.done
            effects = RunsEffects(
                runner: JobRunner(body: { _, configuration, _, _ in
                    done.withLock { $0.append(Path.name(configuration.text("output_dir"))) }
                    return JobSummary(outputDirectory: configuration.text("output_dir"))
                }), detachment: .none(), queueFile: file,
                findProblem: { jobs in
                    Clock.sleep(seconds: 0.05)
                    return jobs.first.flatMap { problem($0.configuration) }.map { StartProblem("eval_dataset", JobFailure(what: $0)) }
                })
            effects.attach(queue)
        }

        deinit { try? FileSystem.removeTree(folder) }

        func configuration(_ name: String) -> Configuration {
            var configuration = BoardFixture.evaluation
            try? configuration.set("output_dir", text: Path.join(folder, name))
            return configuration
        }

        func add(_ name: String) throws -> QueuedRun {
            let run = QueuedRun(tab: .evaluate, title: name, recipe: configuration(name).yaml(), identifier: name)
            _ = try file.change(.add(run))
            return run
        }

        func start(_ name: String) { effects.perform(.startJob(.evaluate, .evaluate, configuration(name), replaces: false)) }
        var ran: [String] { done.withLock { $0 } }
    }

    @Test func `a second start is answered, not dropped`() throws {
        let alone = try Alone()
        alone.start("one")
        alone.start("two")
        let refused = alone.queue.drain().contains { if case .jobRefused(.evaluate, _, _) = $0 { true } else { false } }
        #expect(refused)
        alone.effects.waitForJobs(isAtWork: false, claimed: nil, secrets: [:])
        #expect(alone.ran == ["one"], "the first goes on without a board")
    }

    @Test func `jobs of the queue go on when the board goes while one of them is being started`() throws {
        let alone = try Alone()
        let first = try alone.add("one")
        _ = try alone.add("two")
        _ = try alone.file.change(.take("one"))
        alone.start("one")
        alone.effects.waitForJobs(isAtWork: false, claimed: QueueStart(identifier: "one", stage: .starting, run: first), secrets: [:])
        #expect(alone.ran == ["one", "two"])
        #expect(alone.file.load().isEmpty)
    }

    @Test func `one that cannot be started stays with its reason, and the next goes on`() throws {
        let alone = try Alone { $0.text("output_dir").hasSuffix("one") ? "No such data." : nil }
        let first = try alone.add("one")
        _ = try alone.add("two")
        _ = try alone.file.change(.take("one"))
        alone.start("one")
        alone.effects.waitForJobs(isAtWork: false, claimed: QueueStart(identifier: "one", stage: .starting, run: first), secrets: [:])
        #expect(alone.ran == ["two"])
        #expect(alone.file.load().map(\.problem) == ["No such data."])
    }

    @Test func `why a job waits is written in the language of the board that was left`() throws {
        let alone = try Alone { $0.text("output_dir").hasSuffix("one") ? "no sample is left of dataset saves/a." : nil }
        let first = try alone.add("one")
        var second = QueuedRun(tab: .evaluate, title: "two", recipe: alone.configuration("two").yaml(), identifier: "two")
        second.secretNames = ["hf_hub_token"]
        _ = try alone.file.change(.add(second))
        _ = try alone.file.change(.take("one"))
        alone.start("one")
        Wording.$current.withValue(Wording(.chinese)) {
            alone.effects.waitForJobs(isAtWork: false, claimed: QueueStart(identifier: "one", stage: .starting, run: first), secrets: [:])
        }
        let reasons = alone.file.load().map { $0.problem ?? "" }
        #expect(reasons.count == 2 && reasons.contains { $0.contains("没有剩下任何样本") }, "\(reasons)")
        #expect(reasons.allSatisfy { !$0.contains("kept on disk") && !$0.contains("no sample") }, "\(reasons)")
    }

    @Test(arguments: [true, false]) func `one that was only being claimed is started all the same`(isKnown: Bool) throws {
        let alone = try Alone()
        let first = try alone.add("one")
        var claimed = QueueStart(identifier: "one")
        if isKnown {
            _ = try alone.file.change(.take("one"))
            claimed.run = first
            claimed.stage = .checking
        } else {
            alone.effects.perform(.changeQueue(.take("one")))
        }
        alone.effects.waitForJobs(isAtWork: false, claimed: claimed, secrets: [:])
        #expect(alone.ran == ["one"])
        #expect(alone.file.load().isEmpty)
    }
}
