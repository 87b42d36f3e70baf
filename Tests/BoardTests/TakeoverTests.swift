import Configuration
import Events
import Platform
import Terminal
import Testing

@testable import Board
@testable import Runs

/// A start in a folder that holds a run asks what becomes of that run.
@Suite struct TakeoverTests {
    private let folder = "saves/demo-model/lora/quickstart"

    private func earlier(state: JobState = .stopped, checkpoint: Int? = 17) -> EarlierRun {
        EarlierRun(folder: folder, state: state, step: 20, totalSteps: 42, checkpointStep: checkpoint, neighbours: ["quickstart", "quickstart-2"])
    }

    private func starts(_ effects: [Effect]) -> [(configuration: Configuration, replaces: Bool)] {
        effects.compactMap { if case .startJob(.train, .train, let configuration, let replaces) = $0 { (configuration, replaces) } else { nil } }
    }

    private func added(_ effects: [Effect]) -> [QueuedRun] {
        effects.compactMap { if case .changeQueue(.add(let run)) = $0 { run } else { nil } }
    }

    private func labels(_ state: BoardState) -> [String] {
        if case .dialog(let dialog) = state.overlays.last { dialog.choices.map(\.label) } else { [] }
    }

    private func asked(_ earlier: EarlierRun) -> BoardState {
        var state = BoardFixture.state(columns: 80, rows: 24)
        let first = starts(state.press("f5"))
        #expect(first.count == 1 && first.first?.replaces == false, "F5 alone agrees to nothing")
        _ = update(&state, .jobWouldReplace(.train, state.forms.train.configuration, earlier))
        return state
    }

    // MARK: By hand

    @Test func `Enter takes a new folder, and the form follows`() throws {
        var state = asked(earlier())
        #expect(labels(state) == ["New folder", "Go on from 17", "Replace", "Cancel"])
        let start = try #require(starts(state.press("enter")).first)
        #expect(start.configuration.text("output_dir") == folder + "-3" && !start.replaces)
        #expect(state.forms.train.configuration.text("output_dir") == folder + "-3")
    }

    @Test func `replacing and going on are for this start alone`() throws {
        var state = asked(earlier())
        let before = state.forms.train.configuration
        let replaced = try #require(starts(state.press("r")).first)
        #expect(replaced.replaces && replaced.configuration.isOn("overwrite_output_dir"))
        #expect(state.forms.train.configuration == before)
        state = asked(earlier())
        let resumed = try #require(starts(state.press("g")).first)
        #expect(resumed.configuration.text("resume_from_checkpoint") == "true" && !resumed.replaces)
        #expect(state.forms.train.configuration == before)
    }

    @Test func `cancelling leaves everything as it is, and the way free`() {
        var state = asked(earlier())
        #expect(starts(state.press("c")).isEmpty && state.overlays.isEmpty)
        state = asked(earlier())
        #expect(starts(state.press("escape")).isEmpty && state.startRefusal() == nil)
    }

    @Test func `going on is offered only where it would train something`() {
        #expect(labels(asked(earlier(checkpoint: 42))) == ["New folder", "Replace", "Cancel"], "all planned steps are done")
        #expect(labels(asked(earlier(checkpoint: nil))) == ["New folder", "Replace", "Cancel"])
        #expect(earlier(state: .stopped).canGoOn(plannedSteps: nil) && !earlier(state: .finished).canGoOn(plannedSteps: nil))
    }

    @Test(arguments: Language.allCases) func `every answer is in view at every size`(_ language: Language) {
        for size in GoldenFrames.sizes {
            var state = asked(earlier())
            state.wording = Wording(language)
            // Asked anew, in the language.
            state.press("escape")
            _ = update(&state, .jobWouldReplace(.train, state.forms.train.configuration, earlier()))
            _ = update(&state, .resize(Size(columns: size.columns, rows: size.rows)))
            let text = GoldenFrames.lines(state).joined(separator: "\n")
            for label in labels(state) { #expect(text.contains("[ \(label)"), "\(label)") }
            #expect(text.contains("quickstart-3"))
        }
    }

    // MARK: Queue

    @Test func `a job is asked about when it is queued, and waits with the answer`() throws {
        var state = BoardFixture.state(columns: 80, rows: 24)
        _ = update(&state, .jobStarted(.train, .train, title: "one", directory: "saves/one"))
        let run = try #require(added(state.press("1 A")).first)
        #expect(!run.replaces)
        _ = update(&state, .queueWouldReplace(run, earlier()))
        #expect(state.queue.isEmpty, "it waits for the answer, not in the queue")
        let again = try #require(added(state.press("r")).first)
        #expect(again.replaces && again.recipe.contains("overwrite_output_dir: true"))
        #expect(state.queue.map(\.replaces) == [true])
    }

    @Test func `a secret of a queued job survives the question`() throws {
        var state = BoardFixture.state(columns: 80, rows: 24)
        _ = update(&state, .jobStarted(.train, .train, title: "one", directory: "saves/one"))
        try state.forms.train.configuration.set("hf_hub_token", text: "hush")
        let run = try #require(added(state.press("1 A")).first)
        _ = update(&state, .queueWouldReplace(run, earlier()))
        state.press("n")
        #expect(state.queue.map(\.folder) == [folder + "-3"] && state.queue.first?.secretNames == ["hf_hub_token"])
    }

    @Test func `a queued job whose folder was taken meanwhile waits for somebody`() throws {
        var state = BoardFixture.state(columns: 80, rows: 24)
        state.press("A")
        let run = try #require(state.queue.first)
        _ = update(&state, .queueTaken(identifier: run.identifier, run, waiting: []))
        let start = starts(update(&state, .queuePlanned(identifier: run.identifier, .ready(BoardFixture.plan))))
        #expect(start.first?.replaces == false)
        _ = update(&state, .jobWouldReplace(.train, state.forms.train.configuration, earlier()))
        #expect(state.overlays.isEmpty)
        #expect(state.queue.first?.problem?.contains("holds a run") == true)
    }

    @Test func `the queue goes on when a start by hand comes to nothing`() throws {
        var state = BoardFixture.state(columns: 80, rows: 24)
        state.press("f5")
        try state.forms.train.configuration.set("output_dir", text: "saves/two")
        state.press("A")
        let effects = update(&state, .jobRefused(.train, reason: "No such model.", argument: nil))
        #expect(effects.contains { if case .changeQueue(.take) = $0 { true } else { false } })
        // One that stands still because its user has stopped it does not.
        var stopped = BoardFixture.state(columns: 80, rows: 24)
        _ = update(&stopped, .jobStarted(.train, .train, title: "one", directory: "saves/one"))
        stopped.press("1 A")
        _ = update(&stopped, .jobEvents([.state(.stopped)]))
        stopped.press("1 f5")
        let refused = update(&stopped, .jobRefused(.train, reason: "No such model.", argument: nil))
        #expect(!refused.contains { if case .changeQueue = $0 { true } else { false } })
    }

    // MARK: On disk

    /// A folder with a finished run in it, and a configuration that would train there.
    private func finishedRun(_ root: String) throws -> Configuration {
        var configuration = BoardFixture.training
        let output = Path.join(root, "run")
        try configuration.set("output_dir", text: output)
        try configuration.set("overwrite_output_dir", text: "true")
        try FileSystem.createDirectory(output)
        try FileSystem.writeAtomically(Path.join(output, "adapter_model.safetensors"), text: "weights")
        try FileSystem.writeAtomically(Path.join(output, "trainer_log.jsonl"), text: "{\"current_steps\": 5, \"total_steps\": 5, \"loss\": 1.0}\n")
        return configuration
    }

    private func outcome(_ configuration: Configuration, replaces: Bool) throws -> (asked: [EarlierRun], started: Bool) {
        let folder = try FileSystem.createTemporaryDirectory(prefix: "takeover-queue-")
        defer { try? FileSystem.removeTree(folder) }
        let queue = ActionQueue(wake: {})
        let effects = RunsEffects(
            runner: JobRunner(body: { _, _, _, _ in JobSummary() }), detachment: .none(), queueFile: QueueFile(folder: folder), findProblem: { _ in nil })
        effects.attach(queue)
        effects.perform(.startJob(.train, .train, configuration, replaces: replaces))
        var actions: [Action] = []
        let deadline = Clock.monotonicSeconds() + 10
        while actions.isEmpty, Clock.monotonicSeconds() < deadline {
            _ = effects.poll()
            actions += queue.drain()
            Clock.sleep(seconds: 0.002)
        }
        effects.job?.wait()
        return (
            actions.compactMap { if case .jobWouldReplace(.train, _, let earlier) = $0 { earlier } else { nil } },
            actions.contains { if case .jobStarted = $0 { true } else { false } }
        )
    }

    @Test func `a finished run is not replaced without a word, whatever overwrite_output_dir says`() throws {
        let root = try FileSystem.createTemporaryDirectory(prefix: "takeover-")
        defer { try? FileSystem.removeTree(root) }
        var configuration = try finishedRun(root)
        for overwrites in ["true", "false"] {
            try configuration.set("overwrite_output_dir", text: overwrites)
            let first = try outcome(configuration, replaces: false)
            #expect(first.asked.first?.totalSteps == 5 && !first.started, "overwrite_output_dir: \(overwrites)")
            #expect(FileSystem.exists(Path.join(root, "run/adapter_model.safetensors")))
        }
        #expect(try outcome(configuration, replaces: true).started)
        try configuration.set("resume_from_checkpoint", text: "true")
        #expect(try outcome(configuration, replaces: false).asked.isEmpty, "it says itself what becomes of the run")
        try configuration.set("resume_from_checkpoint", text: "")
        try configuration.set("output_dir", text: Path.join(root, "fresh"))
        #expect(try outcome(configuration, replaces: false).started)
    }

    @Test func `what the queue file holds agrees to no more than was said`() throws {
        let root = try FileSystem.createTemporaryDirectory(prefix: "takeover-")
        defer { try? FileSystem.removeTree(root) }
        let file = QueueFile(folder: root)
        let queue = ActionQueue(wake: {})
        let keeper = QueueKeeper(file)
        var run = QueuedRun(tab: .train, title: "t", recipe: try finishedRun(root).yaml(), identifier: "a")
        keeper.request(.add(run), queue)
        keeper.finish()
        #expect(queue.drain().contains { if case .queueWouldReplace(run, _) = $0 { true } else { false } })
        #expect(file.load().isEmpty)
        run.replaces = true
        keeper.request(.add(run), queue)
        keeper.finish()
        #expect(file.load().map(\.replaces) == [true])
    }

    // MARK: Folders in use

    @Test func `a folder that another process writes to is told on its field, in the words of the refusal`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        var catalog = BoardFixture.catalog
        catalog.usedFolders = [RunName.absolute(folder): 4711]
        _ = update(&state, .catalogScanned(catalog))
        #expect(state.forms.train.problem(of: "output_dir")?.message == RunError.directoryInUse(path: folder, processIdentifier: 4711).description)
        #expect(starts(state.press("f5")).isEmpty)
        #expect(state.forms.train.selection == .field("output_dir"))
        state.wording = Wording(.chinese)
        #expect(GoldenFrames.lines(state).joined().contains("正被进程 4711"))
        let freed = update(&state, .catalogScanned(BoardFixture.catalog))
        #expect(state.forms.train.problem(of: "output_dir") == nil)
        #expect(freed.contains { if case .plan(.train, _, _) = $0 { true } else { false } })
    }

    @Test func `a folder outside of saves is looked at when a form names it`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        let effects = state.change(.train, "output_dir", to: "/tmp/elsewhere")
        #expect(effects.contains { if case .scanCatalog(_, ["/tmp/elsewhere"]) = $0 { true } else { false } })
    }

    // MARK: What is measured

    @Test func `an evaluation on the training set says what it shows`() throws {
        var state = BoardFixture.state(columns: 160, rows: 45)
        state.press("2")
        #expect(!GoldenFrames.lines(state).joined().contains("memory, not skill"), "the base has not seen the data")
        try state.forms.evaluate.configuration.set("adapter_name_or_path", text: folder + "/checkpoint-40")
        #expect(GoldenFrames.lines(state).joined().contains("training set"))
        state.forms.evaluate.reveal("eval_dataset")
        #expect(GoldenFrames.lines(state).joined().contains("the training set: shows"), "beside the field in full")
        _ = update(&state, .jobStarted(.evaluate, .evaluate, title: "evaluating quickstart", directory: "saves/demo-model/eval/quickstart"))
        #expect(state.status?.text.contains("memory, not skill") == true, "also where the field is out of view")
        _ = update(&state, .jobEvents([.state(.finished)]))
        _ = update(&state, .resize(Size(columns: 60, rows: 16)))
        #expect(GoldenFrames.lines(state).joined().contains("training set"))
        try state.forms.evaluate.configuration.set("eval_dataset", text: "facts")
        #expect(!GoldenFrames.lines(state).joined().contains("training set"))
    }
}
