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
        let effects = update(&state, .planned(.train, generation: state.forms.train.generation, .ready(BoardFixture.plan)))
        #expect(starts(effects).isEmpty && state.queue.map(\.identifier) == [run.identifier])
        _ = update(&state, .jobStarted(.evaluate, .evaluate, title: "eval", directory: "saves/demo-model/eval"))
        _ = update(&state, .jobEvents([.state(.running)]))
        #expect(state.queue.count == 1)
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
