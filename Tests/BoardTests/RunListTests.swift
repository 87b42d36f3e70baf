import Configuration
import Events
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
        #expect(state.press("=").isEmpty)
        state.press("space space")
        let effects = state.press("=")
        #expect(effects.contains { if case .compareRuns(let runs) = $0 { runs.count == 2 } else { false } })
        let row = RunComparison.Row(name: "learning_rate", values: ["0.001", "5e-05"])
        _ = update(&state, .runsCompared(RunComparison(directories: ["saves/a", "saves/b"], rows: [row], equalCount: 7)))
        #expect(GoldenFrames.lines(state).contains { $0.contains("learning_rate") && $0.contains("5e-05") })
        state.press("q")
        #expect(state.overlays.isEmpty)
    }

    @Test func `marked runs are drawn over each other`() {
        var state = state()
        state.press("space space")
        let effects = state.press("v")
        #expect(effects.contains { if case .openRun("saves/demo-model/lora/quickstart") = $0 { true } else { false } })
        #expect(effects.contains { if case .loadOverlay("saves/demo-model/full/sft") = $0 { true } else { false } })
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
        #expect(state.forms.train.configuration.text("resume_from_checkpoint").hasSuffix("checkpoint-40"))
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

    // MARK: Queue

    @Test func `jobs wait for each other and start in their order`() throws {
        var state = BoardFixture.state(columns: 80, rows: 24)
        #expect(state.press("A").contains { if case .startJob = $0 { true } else { false } })
        _ = update(&state, .jobStarted(.train, .train, title: "one", directory: "saves/demo-model/lora/quickstart"))
        state.press("1 A")
        #expect(state.queue.isEmpty, "the folder is taken")
        for name in ["two", "three"] {
            try state.forms.train.configuration.set("output_dir", text: "saves/\(name)")
            #expect(state.press("A").contains { if case .saveQueue = $0 { true } else { false } })
        }
        #expect(state.queue.map(\.folder) == ["saves/two", "saves/three"])
        state.press("B J")
        #expect(state.queue.map(\.folder) == ["saves/three", "saves/two"])
        state.press("esc")
        let effects = update(&state, .jobEvents([.state(.finished)]))
        #expect(effects.contains { if case .startJob(.train, .train, let next) = $0 { next.text("output_dir") == "saves/three" } else { false } })
        #expect(state.queue.count == 1)
    }

    @Test func `a stop by the user stops the queue too`() throws {
        var state = BoardFixture.state(columns: 80, rows: 24)
        _ = update(&state, .jobStarted(.train, .train, title: "one", directory: "saves/one"))
        state.press("1 A")
        #expect(state.queue.count == 1)
        let effects = update(&state, .jobEvents([.state(.stopped)]))
        #expect(!effects.contains { if case .startJob = $0 { true } else { false } })
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
