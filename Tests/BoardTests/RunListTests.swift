import Configuration
import Events
import Platform
import Runs
import Terminal
import Testing

@testable import Board

@Suite struct RunListTests {
    private func state() -> BoardState {
        var state = BoardFixture.state(columns: 80, rows: 24)
        state.press("5")
        return state
    }

    @Test func `runs are ordered as asked, and the cursor stays on its run`() {
        var state = state()
        state.press("down")
        let selected = state.selectedRun?.directory
        for _ in RunListState.Order.allCases {
            state.press("s")
            #expect(state.selectedRun?.directory == selected)
        }
        #expect(state.runList.order == .newest)
        state.press("s")
        #expect(state.visibleRuns.map(\.directory) == state.catalog.runs.map(\.directory).sorted())
    }

    @Test func `the filter is typed, kept by Enter and cleared by Esc`() {
        var state = state()
        state.press("/")
        state.type("full")
        #expect(state.visibleRuns.count == 1)
        state.press("enter")
        #expect(!state.runList.isFiltering)
        #expect(state.selectedRun?.directory == "saves/demo-model/full/sft")
        state.press("/ esc")
        #expect(state.visibleRuns.count == 2)
    }

    @Test func `two marked runs are compared`() {
        var state = state()
        state.press("space down space")
        let effects = state.press("=")
        #expect(effects.contains { if case .compareRuns(let runs) = $0 { runs.count == 2 } else { false } })
        let row = RunComparison.Row(name: "learning_rate", values: ["0.001", "5e-05"])
        _ = update(&state, .runsCompared(RunComparison(directories: ["saves/a", "saves/b"], rows: [row], equalCount: 7)))
        #expect(GoldenFrames.lines(state).contains { $0.contains("learning_rate") && $0.contains("5e-05") })
        state.press("q")
        #expect(state.overlays.isEmpty)
    }

    @Test func `marks count more than which runs the filter shows`() {
        var state = state()
        let other = RunEntry(directory: "saves/other/lora/three", state: .finished)
        state.catalog.runs.append(other)
        state.runList.marked = [state.catalog.runs[0].directory, other.directory]
        state.press("/")
        state.type("demo")
        state.press("enter")
        #expect(state.visibleRuns.count == 2)
        let compared = state.press("=").compactMap { if case .compareRuns(let runs) = $0 { runs } else { nil } }
        #expect(compared == [["saves/demo-model/lora/quickstart", "saves/other/lora/three"]])
    }

    @Test func `marked runs are drawn over each other`() {
        var state = state()
        state.press("space down space")
        let effects = state.press("v")
        #expect(effects.contains { if case .openRun("saves/demo-model/lora/quickstart") = $0 { true } else { false } })
        #expect(effects.contains { if case .loadOverlay("saves/demo-model/full/sft") = $0 { true } else { false } })
        #expect(state.status?.text.contains("= shows where they differ") == true)
        // The one that is shown already is over no other.
        state = self.state()
        _ = update(&state, .jobStarted(.train, .train, title: "one", directory: "saves/demo-model/lora/quickstart"))
        state.status = nil
        #expect(state.press("v").isEmpty && state.status == nil && state.tab == .monitor)
    }

    @Test func `a name alone renames within the folder`() {
        var state = state()
        state.press("m ctrl+u")
        state.type("better")
        let effects = state.press("enter")
        let from = "saves/demo-model/lora/quickstart"
        #expect(effects.contains { if case .renameRun(from, "saves/demo-model/lora/better") = $0 { true } else { false } })
    }

    @Test func `a finished run is made longer from its last checkpoint`() {
        var state = state()
        state.press("e")
        state.type("9")
        let effects = state.press("enter")
        let recipe = "saves/demo-model/lora/quickstart/training_args.yaml"
        #expect(effects.contains { if case .loadRecipe(.train, recipe) = $0 { true } else { false } })
        let start = update(&state, .recipeLoaded(.train, path: recipe, BoardFixture.training, notices: []))
        #expect(state.forms.train.configuration.text("num_train_epochs") == "9")
        #expect(state.forms.train.configuration.text("resume_from_checkpoint") == "true")
        #expect(start.contains { if case .startJob = $0 { true } else { false } })
    }

    @Test func `words that say nothing and fewer steps than there are stay in the prompt`() {
        var state = state()
        state.press("e ctrl+u")
        state.type("steps=10")
        state.press("enter")
        guard case .prompt(let prompt) = state.overlays.last else {
            Issue.record("the prompt is gone")
            return
        }
        #expect(prompt.problem != nil)
    }

    @Test func `a run with no steps left is not resumed, and is told what makes it longer`() {
        var state = state()
        #expect(state.press("r").isEmpty && state.resumesAfterLoading == nil)
        #expect(state.status?.kind == .warning && state.status?.text.contains("nothing is left to train. e makes it longer.") == true)
        // One that ended early has steps left.
        state.catalog.runs[0].step = 30
        #expect(state.press("r").contains { if case .loadRecipe = $0 { true } else { false } })
    }

    @Test func `undo and redo of a loaded recipe take the title along`() throws {
        var state = state()
        state.press("down r")
        let path = "saves/demo-model/full/sft/training_args.yaml"
        var other = BoardFixture.training
        try other.set("learning_rate", text: "5e-4")
        _ = update(&state, .recipeLoaded(.train, path: path, other, notices: []))
        _ = update(&state, .jobRefused(.train, reason: "not now", argument: nil))
        state.overlays.removeAll()
        state.press("1")
        func title() -> String { GoldenFrames.lines(state).first { $0.contains(".yaml") } ?? "" }
        #expect(state.forms.train.recipePath == path)
        let loaded = state.forms.train.configuration
        state.press("u")
        #expect(state.forms.train.recipePath == "recipes/quickstart.yaml" && state.forms.train.changedNames.isEmpty)
        #expect(title().contains("recipes/quickstart.yaml") && !title().contains("change"), "\(title())")
        state.press("U")
        #expect(state.forms.train.recipePath == path && state.forms.train.configuration == loaded)
        #expect(!state.forms.train.isModified)
    }

    @Test func `checkpoints that are gone from the disk are no longer listed`() {
        var state = state()
        let folder = "saves/demo-model/lora/quickstart"
        _ = update(&state, .jobStarted(.train, .train, title: "quickstart", directory: folder))
        _ = update(&state, .jobEvents([50, 100, 150].map { .checkpoint(CheckpointRecord(step: $0, path: "\(folder)/checkpoint-\($0)", bytes: 9)) }))
        var catalog = state.catalog
        catalog.runs[0].checkpointSteps = [100]
        _ = update(&state, .catalogScanned(catalog))
        #expect(state.jobs[.train]?.checkpoints.map(\.step) == [100, 150], "one made after the look stays")
    }

    @Test func `a stopped run is resumed, not made longer`() {
        var state = state()
        state.press("down e")
        #expect(state.overlays.isEmpty)
        #expect(state.status?.kind == .warning)
    }

    @Test func `the path of a run is copied`() {
        var state = state()
        let effects = state.press("y")
        #expect(effects.contains { if case .copy(let path, _) = $0 { path.hasSuffix("/saves/demo-model/lora/quickstart") } else { false } })
    }

    @Test func `a run is not extended to what it is already`() throws {
        var state = state()
        state.resumesAfterLoading = ResumeRequest(
            recipe: "saves/demo-model/lora/quickstart/training_args.yaml", checkpoint: "saves/demo-model/lora/quickstart/checkpoint-40",
            changes: [("num_train_epochs", "3")])
        let loaded = Action.recipeLoaded(.train, path: "saves/demo-model/lora/quickstart/training_args.yaml", BoardFixture.training, notices: [])
        #expect(!update(&state, loaded).contains { if case .startJob = $0 { true } else { false } })
        #expect(state.status?.text.contains("3 epochs already") == true)
        state.resumesAfterLoading = ResumeRequest(
            recipe: "saves/demo-model/lora/quickstart/training_args.yaml", checkpoint: "saves/demo-model/lora/quickstart/checkpoint-40",
            changes: [("num_train_epochs", "4")])
        #expect(update(&state, loaded).contains { if case .startJob = $0 { true } else { false } })
    }

    @Test func `a run that could not be renamed or deleted is watched on`() {
        let effects = RunsEffects(detachment: .none())
        let queue = ActionQueue(wake: {})
        effects.attach(queue)
        effects.perform(.openRun(directory: "saves/none"))
        effects.perform(.deleteRun(directory: "saves/none"))
        let run = RunDigest(kind: .train, title: "", directory: "saves/none", origin: .elsewhere)
        #expect(!effects.isStale(.runOpened(run)))
        effects.perform(.closeRun)
        #expect(effects.isStale(.runOpened(run)), "an answer that nobody waits for any more")
    }

    @Test func `a training is offered another training to compare with, past evaluations`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        state.catalog.runs.insert(RunEntry(directory: "saves/demo-model/eval/base", kind: .evaluate, state: .finished), at: 1)
        state.press("5 =")
        #expect(state.selectedRun?.directory == "saves/demo-model/full/sft")
        state.runList.marked = []
        state.press("=")
        #expect(state.selectedRun?.directory == "saves/demo-model/lora/quickstart", "from the last one back")
    }

    // MARK: Queue

    @Test func `jobs wait for each other and start in their order`() throws {
        var state = BoardFixture.state(columns: 80, rows: 24)
        let added = state.press("A")
        #expect(changes(added).map(\.word) == ["add", "take"], "without a job at work it starts at once")
        let first = try #require(state.queue.first)
        _ = update(&state, .queueTaken(identifier: first.identifier, first, waiting: []))
        #expect(starts(update(&state, .queuePlanned(identifier: first.identifier, .ready(BoardFixture.plan)))) == ["saves/demo-model/lora/quickstart"])
        _ = update(&state, .jobStarted(.train, .train, title: "one", directory: "saves/demo-model/lora/quickstart"))
        #expect(changes(update(&state, .jobEvents([.state(.running)]))) == [.remove(first.identifier)], "what has begun waits no longer")
        state.press("1 A")
        #expect(state.queue.isEmpty, "the folder is taken")
        state.press("c")
        try state.forms.train.configuration.set("output_dir", text: "./saves/demo-model/lora/quickstart/")
        state.press("A")
        #expect(state.queue.isEmpty, "however it is written")
        state.press("c")
        for name in ["two", "three"] {
            try state.forms.train.configuration.set("output_dir", text: "saves/\(name)")
            #expect(changes(state.press("A")).map(\.word) == ["add"])
        }
        #expect(state.queue.map(\.folder) == ["saves/two", "saves/three"])
        state.press("B J")
        #expect(state.queue.map(\.folder) == ["saves/three", "saves/two"])
        state.press("esc")
        let effects = update(&state, .jobEvents([.state(.finished)]))
        #expect(changes(effects) == [.take(state.queue[0].identifier)])
        #expect(take(&state) == ["saves/three"])
        #expect(state.queue.map(\.folder) == ["saves/two"])
    }

    /// Lets the first job of the queue be claimed and its plan be known.
    private func take(_ state: inout BoardState, plan: PlanState = .ready(BoardFixture.plan)) -> [String] {
        guard let first = state.queue.first(where: { $0.problem == nil }) else { return [] }
        let rest = state.queue.filter { $0.identifier != first.identifier }
        var effects = update(&state, .queueTaken(identifier: first.identifier, first, waiting: rest))
        effects += update(&state, .queuePlanned(identifier: first.identifier, plan))
        return starts(effects)
    }

    private func starts(_ effects: [Effect]) -> [String] {
        effects.compactMap { if case .startJob(.train, .train, let next, _) = $0 { next.text("output_dir") } else { nil } }
    }

    private func changes(_ effects: [Effect]) -> [QueueChange] {
        effects.compactMap { if case .changeQueue(let change) = $0 { change } else { nil } }
    }

    /// A board with a job at work and two that wait.
    private func queued() throws -> BoardState {
        var state = BoardFixture.state(columns: 80, rows: 24)
        _ = update(&state, .jobStarted(.train, .train, title: "one", directory: "saves/one"))
        state.press("1")
        for name in ["two", "three"] {
            try state.forms.train.configuration.set("output_dir", text: "saves/\(name)")
            state.press("A")
        }
        return state
    }

    @Test func `a queued job that would ask somebody waits for them, and the next one goes first`() throws {
        var state = try queued()
        _ = update(&state, .jobEvents([.state(.finished)]))
        var plan = BoardFixture.plan
        plan.peakBytes = 64 << 30
        #expect(take(&state, plan: .ready(plan)) == [])
        #expect(state.queue.first?.problem?.contains("64") == true)
        #expect(state.queueStart?.identifier == state.queue.last?.identifier)
        #expect(take(&state) == ["saves/three"])
        #expect(state.queue.map(\.folder) == ["saves/two"])
        state.press("1 B")
        #expect(GoldenFrames.lines(state).joined(separator: "\n").contains("needs you"))
        state.press("enter")
        #expect(state.queue.isEmpty && state.forms.train.configuration.text("output_dir") == "saves/two")
    }

    @Test func `a queued job that fails before it begins stays in the queue`() throws {
        var state = try queued()
        _ = update(&state, .jobEvents([.state(.finished)]))
        let identifier = state.queue[0].identifier
        #expect(take(&state) == ["saves/two"])
        _ = update(&state, .jobStarted(.train, .train, title: "two", directory: "saves/two"))
        let effects = update(&state, .jobEvents([.state(.loading), .failed(JobFailure(what: "No such data.")), .state(.failed)]))
        #expect(state.queue.first?.identifier == identifier && state.queue.first?.problem == "No such data.")
        #expect(changes(effects).map(\.word) == ["release", "take"], "the next one is claimed")
        // One that the engine refuses stays as well.
        #expect(take(&state) == ["saves/three"])
        _ = update(&state, .jobRefused(.train, reason: "saves/three is in use.", argument: nil))
        #expect(state.queue.map(\.problem) == ["saves/three is in use.", "No such data."])
        #expect(state.queueStart == nil)
    }

    @Test func `a job that another board has claimed is passed over`() throws {
        var state = try queued()
        _ = update(&state, .jobEvents([.state(.finished)]))
        let effects = update(&state, .queueTaken(identifier: state.queue[0].identifier, nil, waiting: [state.queue[1]]))
        #expect(changes(effects) == [.take(state.queue[0].identifier)])
        #expect(take(&state) == ["saves/three"])
    }

    @Test func `a queue does not keep secrets on disk and asks for them when they are gone`() throws {
        var state = BoardFixture.state(columns: 120, rows: 24)
        _ = update(&state, .jobStarted(.train, .train, title: "one", directory: "saves/one"))
        state.press("1")
        try state.forms.train.configuration.set("hf_hub_token", text: "hush")
        state.press("A")
        let run = try #require(state.queue.first)
        #expect(run.secretNames == ["hf_hub_token"] && !run.recipe.contains("hush"))
        #expect(state.status?.text.contains("hf_hub_token") == true)
        var other = BoardFixture.state(columns: 120, rows: 24)
        other.queue = [run]
        _ = other.startNextInQueue()
        _ = update(&other, .queueTaken(identifier: run.identifier, run, waiting: []))
        #expect(other.queue.first?.problem?.contains("hf_hub_token") == true)
        _ = update(&state, .jobEvents([.state(.finished)]))
        _ = update(&state, .queueTaken(identifier: run.identifier, run, waiting: []))
        #expect(state.queueStart?.configuration.text("hf_hub_token") == "hush")
    }

    @Test func `two boards change one queue without losing each other's jobs`() throws {
        let folder = try FileSystem.createTemporaryDirectory(prefix: "queue-")
        defer { try? FileSystem.removeTree(folder) }
        let file = QueueFile(folder: folder)
        let threads = (0..<4).map { board in
            EngineThread(name: "board \(board)") {
                for number in 0..<10 {
                    _ = try? file.change(.add(QueuedRun(tab: .train, title: "t", recipe: "lora_rank: 4\n", identifier: "\(board)-\(number)")))
                }
            }
        }
        threads.forEach { $0.join() }
        #expect(Set(file.load().map(\.identifier)).count == 40)
        #expect(try file.change(.take("2-3")).taken?.identifier == "2-3")
        #expect(try file.change(.take("2-3")).taken == nil, "it is claimed already")
        #expect(file.load().count == 39)
        let held = QueuedRun(tab: .train, title: "t", recipe: "lora_rank: 4\n", identifier: "2-3")
        #expect(try file.change(.release(held, problem: "no room")).waiting.first?.problem == "no room")
        for run in file.load() { _ = try file.change(.remove(run.identifier)) }
        #expect(!FileSystem.exists(file.path))
    }

    @Test func `a queue that cannot be read is put aside and not lost`() throws {
        let folder = try FileSystem.createTemporaryDirectory(prefix: "queue-")
        defer { try? FileSystem.removeTree(folder) }
        let file = QueueFile(folder: folder)
        try FileSystem.writeAtomically(file.path, text: "[{\"id\": \"one\"")
        #expect(try file.change(.look).waiting.isEmpty)
        #expect(FileSystem.exists(file.path))
        #expect(try file.change(.add(QueuedRun(tab: .train, title: "t", recipe: "lora_rank: 4\n", identifier: "two"))).waiting.count == 1)
        #expect(try FileSystem.readText(file.path + ".unreadable") == "[{\"id\": \"one\"")
        try FileSystem.writeAtomically(file.path, text: "{}")
        _ = try file.change(.remove("two"))
        #expect(try FileSystem.readText(file.path + ".unreadable-2") == "{}")
    }

    @Test func `a stop by the user stops the queue too`() throws {
        var state = BoardFixture.state(columns: 80, rows: 24)
        _ = update(&state, .jobStarted(.train, .train, title: "one", directory: "saves/one"))
        state.press("1 A")
        #expect(state.queue.count == 1)
        let effects = update(&state, .jobEvents([.state(.stopped)]))
        #expect(changes(effects).isEmpty)
        #expect(state.queue.count == 1)
    }

    @Test func `a queued job goes back into its form to be changed`() throws {
        var state = BoardFixture.state(columns: 80, rows: 24)
        _ = update(&state, .jobStarted(.train, .train, title: "one", directory: "saves/one"))
        state.press("1")
        try state.forms.train.configuration.set("learning_rate", text: "0.5")
        state.press("A")
        try state.forms.train.configuration.set("learning_rate", text: "0.25")
        state.press("B enter")
        #expect(state.queue.isEmpty)
        #expect(state.forms.train.configuration.text("learning_rate") == "0.5")
        #expect(state.tab == .train)
    }
}

extension QueueChange {
    fileprivate var word: String { String(String(describing: self).prefix { $0.isLetter }) }
}
