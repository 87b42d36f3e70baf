import Configuration
import Events
import Platform
import Terminal
import Testing

@testable import Board

/// Places where somebody took one thing for another: what a key takes, what stands still, whose answer it is.
@Suite struct StumblingTests {
    private func state(columns: Int = 80, rows: Int = 24) -> BoardState { BoardFixture.state(columns: columns, rows: rows) }
    private func text(_ state: BoardState) -> String { GoldenFrames.lines(state).joined(separator: "\n") }
    private func footer(_ state: BoardState) -> String { GoldenFrames.lines(state).last ?? "" }

    // MARK: Pickers

    /// The picker of adapters, with runs whose names differ at their ends only.
    private func adapters(held: String = "saves/demo-model/lora/quickstart") -> BoardState {
        var state = state()
        let names = ["quickstart", "quickstart-2", "quickstart-2/checkpoint-28"]
        state.catalog.adapters = names.map {
            AdapterEntry(path: "saves/demo-model/lora/" + $0, baseModel: "saves/demo-model", rank: 16, loss: 2.358, modified: BoardFixture.now - 300)
        }
        state.press("2")
        try? state.forms.evaluate.configuration.set("adapter_name_or_path", text: held)
        state.forms.evaluate.reveal("adapter_name_or_path")
        state.press("enter")
        return state
    }

    private func adapter(_ state: BoardState) -> String { state.forms.evaluate.configuration.text("adapter_name_or_path") }

    @Test func `names that are too long for a picker lose the folders that all of them lie in`() {
        let state = adapters()
        let lines = GoldenFrames.lines(state)
        for name in [" quickstart ", " quickstart-2 ", " quickstart-2/checkpoint-28 "] {
            #expect(lines.contains { $0.contains("[ ]" + name) || $0.contains("[x]" + name) }, "\(name): \(lines.joined(separator: "\n"))")
        }
        #expect(!lines.contains { $0.contains("saves/demo-model/lora/quickst…") })
        #expect(lines.contains { $0.contains("quickstart-2 ") && $0.contains("demo-model  r=16  loss 2.358  5 min ago") }, "the rest has the room that is left")
        #expect(lines.contains { $0.contains("saves/demo-model/lora/quickstart ") }, "the whole path stands under the list")
    }

    @Test func `Enter takes the line under the cursor until something is marked here`() {
        var state = adapters()
        #expect(text(state).contains("⏎ takes this line"))
        state.press("down")
        var marking = state
        state.press("enter")
        #expect(adapter(state) == "saves/demo-model/lora/quickstart-2", "what the field held is no wish to keep it")
        marking.press("space")
        #expect(text(marking).contains("⏎ takes 2 marked"))
        marking.press("down enter")
        #expect(adapter(marking) == "saves/demo-model/lora/quickstart,saves/demo-model/lora/quickstart-2")
    }

    @Test func `several that the field holds stay when one of them is under the cursor`() {
        let two = "saves/demo-model/lora/quickstart,saves/demo-model/lora/quickstart-2"
        var state = adapters(held: two)
        #expect(text(state).contains("⏎ takes 2 marked"))
        state.press("enter")
        #expect(adapter(state) == two)
    }

    @Test func `Space marks and stays where it is`() {
        var state = adapters()
        state.press("down space space space enter")
        #expect(adapter(state) == "saves/demo-model/lora/quickstart,saves/demo-model/lora/quickstart-2")
        var runs = self.state()
        runs.press("R space down space")
        #expect(runs.runList.marked == BoardFixture.catalog.runs.map(\.directory) && runs.runList.selection == 1)
    }

    @Test func `an evaluation of adapters on top of each other is named after all of them`() throws {
        let folder = ResultFolder.evaluation(model: "saves/demo-model", adapter: "saves/a/one, saves/a/two/checkpoint-28")
        #expect(folder == "saves/demo-model/eval/one+two-checkpoint-28")
        let many = (1...40).map { "saves/a/adapter-\($0)" }.joined(separator: ",")
        #expect(ResultFolder.evaluation(model: "saves/demo-model", adapter: many) == "saves/demo-model/eval/adapter-1+39")
    }

    // MARK: A queue that stands

    private func waiting() -> QueuedRun { QueuedRun(tab: .train, title: "Train two", recipe: "output_dir: saves/two\n", identifier: "two") }

    @Test func `after a stop the status, the bar at the top and the list say that jobs wait`() throws {
        var state = state()
        _ = update(&state, .jobStarted(.train, .train, title: "quickstart", directory: "saves/one"))
        _ = update(&state, .jobEvents(BoardFixture.trainingEvents(steps: 20, of: 100)))
        state.queue = [waiting()]
        #expect(GoldenFrames.lines(state)[0].hasSuffix("quickstart 20% +1 ") || GoldenFrames.lines(state)[0].contains("20% +1"))
        state.press("B")
        #expect(!text(state).contains("stands still"), "it goes on by itself")
        state.press("escape")
        _ = update(&state, .jobEvents([.state(.stopped)]))
        #expect(state.status?.text.contains("1 job waits: B, then F5, starts it.") == true, "\(state.status?.text ?? "")")
        #expect(GoldenFrames.lines(state)[0].contains("1 queued"))
        state.press("B")
        #expect(text(state).contains("The queue stands still"))
        #expect(state.press("f5").contains { if case .changeQueue(.take("two")) = $0 { true } else { false } })
    }

    @Test func `a board that is opened says once what waits from before`() {
        var state = state()
        _ = update(&state, .queueChanged([waiting()]))
        #expect(state.status?.text == "1 job waits: B, then F5, starts it.")
        state.status = nil
        _ = update(&state, .queueChanged([waiting()]))
        #expect(state.status == nil)
        var busy = self.state()
        busy.catalog.runs[1].isAlive = true
        _ = update(&busy, .queueChanged([waiting()]))
        #expect(busy.status == nil, "another process may be at it")
    }

    @Test func `an export into a folder in use is asked about when it is queued`() throws {
        var state = state()
        _ = update(&state, .jobStarted(.train, .train, title: "one", directory: "saves/one"))
        state.press("4 A")
        #expect(state.queue.isEmpty)
        let folder = "saves/demo-model/merged"
        var empty = state
        _ = update(&empty, .exportTargetChecked(path: folder, fileCount: 0))
        #expect(empty.queue.map(\.folder) == [folder] && empty.overlays.isEmpty)
        _ = update(&state, .exportTargetChecked(path: folder, fileCount: 4, neighbours: ["merged", "merged-2"]))
        var replacing = state
        state.press("enter")
        #expect(state.queue.map(\.folder) == [folder + "-3"])
        #expect(state.forms.export.configuration.text("export_dir") == folder + "-3")
        replacing.press("r")
        #expect(replacing.queue.map(\.folder) == [folder] && replacing.queue.first?.replaces == true)
        // What was agreed to is not asked again when its turn comes.
        _ = update(&replacing, .jobEvents([.state(.finished)]))
        let run = try #require(replacing.queue.first)
        _ = update(&replacing, .queueTaken(identifier: run.identifier, run, waiting: []))
        let effects = update(&replacing, .exportTargetChecked(path: folder, fileCount: 4))
        #expect(effects.contains { if case .startJob(.export, _, _, _) = $0 { true } else { false } })
    }

    @Test(arguments: Language.allCases) func `the answers about an export are in view at every size`(_ language: Language) {
        for size in GoldenFrames.sizes {
            var state = BoardFixture.state(columns: size.columns, rows: size.rows)
            state.wording = Wording(language)
            state.press("4 f5")
            _ = update(&state, .exportTargetChecked(path: "saves/demo-model/merged", fileCount: 4, neighbours: ["merged"]))
            guard case .dialog(let dialog)? = state.overlays.last else { return #expect(Bool(false), "nothing is asked") }
            for choice in dialog.choices { #expect(text(state).contains("[ " + choice.label), "\(choice.label)") }
            #expect(text(state).contains("merged-2"))
        }
    }

    // MARK: Results

    @Test func `a result of generation stands with its scores beside results that have a loss`() {
        var state = state()
        state.catalog.results = [
            ResultEntry(directory: "saves/demo-model/eval/one", values: [NamedValue("eval_loss", 1.5), NamedValue("eval_perplexity", 4.5)], modified: 1),
            ResultEntry(directory: "saves/demo-model/eval/two", values: [NamedValue("predict_bleu-4", 33), NamedValue("predict_rouge-l", 44)], modified: 2),
        ]
        #expect(EvaluationScores.columns(for: state.evaluationResults, count: 2).map(\.title) == ["loss", "rougeL"])
        #expect(EvaluationScores.columns(for: [state.catalog.results[0]], count: 2).map(\.title) == ["loss", "ppl"])
        #expect(EvaluationScores.columns(for: [state.catalog.results[1]], count: 2).map(\.title) == ["rougeL", "bleu4"])
        state.press("2")
        let lines = GoldenFrames.lines(state)
        #expect(lines.contains { $0.contains("two") && $0.contains("44") } && !lines.contains { $0.contains("-       -") }, "\(lines.joined(separator: "\n"))")
    }

    @Test func `both marked results stay in view above their difference`() {
        var state = state()
        state.press("2 tab space down space tab tab")
        #expect(state.focus == .form)
        let lines = GoldenFrames.lines(state)
        for part in ["● base", "● eval", "difference: "] { #expect(lines.contains { $0.contains(part) }, "\(part): \(lines.joined(separator: "\n"))") }
    }

    @Test func `two results that were measured differently are said to have nothing in common`() {
        var state = state()
        state.catalog.results[0].values = [NamedValue("eval_loss", 1.5)]
        state.catalog.results[1].values = [NamedValue("predict_rouge-l", 44)]
        state.press("2 tab space down space")
        #expect(text(state).contains("no score in common") && !text(state).contains("difference"))
    }

    // MARK: Chat

    private func chatting(adapter: String? = "quickstart") -> BoardState {
        var state = state()
        state.press("3 f5")
        load(&state, adapter)
        return state
    }

    private func load(_ state: inout BoardState, _ adapter: String?) {
        let info = ChatModelInfo(modelName: "demo-model", adapterName: adapter, templateName: "chatml", contextLength: 512, parameterCount: 1)
        _ = update(&state, .chat(.ready(info)))
    }

    private func answer(_ state: inout BoardState, _ text: String) {
        _ = update(&state, .chat(.piece(text)))
        _ = update(&state, .chat(.finished(tokenCount: 3, tokensPerSecond: 10, contextUsed: 20, wasStopped: false)))
    }

    private func headings(_ state: BoardState) -> [String] {
        TranscriptLines(of: state.chat, width: 40).all.filter { $0.spans.first?.scope == "chat.assistant" }.map(\.text)
    }

    @Test func `side by side each answer stands with its own side, whoever answered first`() {
        var state = chatting()
        state.type("Who are you?")
        state.press("enter")
        answer(&state, "Tuneboard")
        state.press("ctrl+t ctrl+r")
        answer(&state, "a model")
        #expect(headings(state) == ["Assistant  adapter", "Assistant  base"], "two that answered once each: neither is early or new")
        state.press("alt+b")
        #expect(headings(state) == ["Assistant"], "the base's answer stands on its own side")
        let other = TranscriptLines(of: state.chat, state.chat.otherTurns ?? [], width: 40).all.map(\.text)
        #expect(other.contains { $0.contains("a model") } && !other.contains { $0.contains("earlier") })
        state.press("alt+b")
        #expect(headings(state) == ["Assistant  base", "Assistant  adapter"], "nothing is lost")
    }

    @Test func `an answer of another model than the loaded one is named`() {
        var state = chatting()
        state.type("Who are you?")
        state.press("enter")
        answer(&state, "Tuneboard")
        #expect(headings(state) == ["Assistant"])
        load(&state, "quickstart-2")
        #expect(headings(state) == ["Assistant  quickstart"])
        state.press("ctrl+r")
        answer(&state, "Two")
        #expect(headings(state) == ["Assistant  quickstart", "Assistant  adapter"])
        load(&state, nil)
        #expect(headings(state) == ["Assistant  quickstart", "Assistant  quickstart-2"])
    }

    @Test func `what Ctrl+D does to a paused training is said before it is pressed`() {
        let info = ChatModelInfo(
            modelName: "demo-model", adapterName: "step 3", templateName: "chatml", contextLength: 512, parameterCount: 1, isInTraining: true)
        for wasPaused in [true, false] {
            var state = chatting()
            _ = update(&state, .jobStarted(.train, .train, title: "run", directory: "saves/run"))
            _ = update(&state, .jobEvents(BoardFixture.trainingEvents(steps: 3, of: 10)))
            if wasPaused { _ = update(&state, .jobEvents([.state(.paused)])) }
            state.tab = .monitor
            state.press("t")
            _ = update(&state, .talkBegan(info))
            #expect(state.status?.text.contains("stays paused") == wasPaused)
            #expect(footer(state).contains(wasPaused ? "^D leave talk" : "^D go on training"), "\(footer(state))")
        }
    }

    @Test func `help for the chat names the end of a talk only during one`() {
        var state = chatting()
        state.press("f1")
        guard case .help(let list)? = state.overlays.last else { return #expect(Bool(false), "no help") }
        #expect(!state.helpGroups(of: list).flatMap(\.commands).contains { $0.identifier == "chat.endTalk" })
    }

    @Test func `why a model could not be loaded goes with that model`() {
        var state = state()
        state.press("3")
        _ = state.change(.chat, "model_name_or_path", to: "saves/nothere")
        _ = update(&state, .chat(.failed("saves/nothere is no folder.")))
        #expect(text(state).contains("✗ saves/nothere"))
        state.press("u")
        state.status = nil
        #expect(!text(state).contains("nothere") && state.chat.engine == .empty)
    }

    @Test(arguments: Language.allCases) func `the footer names no action twice`(_ language: Language) {
        var state = BoardFixture.state(columns: 160, rows: 45)
        state.press("3 f5")
        load(&state, "quickstart")
        state.type("Who are you?")
        state.press("enter")
        answer(&state, "Tuneboard")
        state.press("escape")
        state.wording = Wording(language)
        let word = Wording(language).translation(of: "compare") ?? "compare"
        #expect(footer(state).components(of: " " + word) == 1, "\(footer(state))")
    }

    // MARK: Runs

    @Test func `a run that has nothing left to train says so where one is`() throws {
        var state = state()
        try state.forms.train.configuration.set("resume_from_checkpoint", text: "true")
        state.catalog.runs[0].checkpoint = "saves/demo-model/lora/quickstart/checkpoint-42"
        let generation = state.forms.train.generation
        _ = update(&state, .planned(.train, generation: generation, .ready(BoardFixture.plan)))
        #expect(state.forms.train.problem(of: "resume_from_checkpoint")?.severity == .warning)
        let effects = state.press("f5")
        #expect(!effects.contains { if case .startJob = $0 { true } else { false } } && state.tab == .train)
        #expect(state.status?.text.contains("nothing is left to train") == true && text(state).contains("resume_from_checkpoint."))
        state.wording = Wording(.chinese)
        state.press("f5")
        #expect(state.status?.text.contains("nothing is left") == false)
        // A run that was cut off before its results has those to make.
        state.catalog.runs[0].state = .aborted
        #expect(state.nothingLeft(.train) == nil)
        state.catalog.runs[0].state = .finished
        #expect(state.nothingLeft(.train) != nil)
        // More steps than were done are worth a start.
        var plan = BoardFixture.plan
        plan.totalSteps = 84
        _ = update(&state, .planned(.train, generation: state.forms.train.generation, .ready(plan)))
        #expect(state.press("f5").contains { if case .startJob = $0 { true } else { false } })
    }

    @Test func `the footer of a run that was stopped names the key that resumes it`() {
        var state = state()
        state.press("5 down")
        state.status = nil
        #expect(state.selectedRun?.state == .stopped && footer(state).contains("r resume"), "\(footer(state))")
    }

    @Test func `with curves drawn over each other the key that compares runs does so in the chart too`() {
        var state = state()
        _ = update(&state, .jobStarted(.train, .train, title: "quickstart", directory: "saves/demo-model/lora/quickstart"))
        _ = update(&state, .jobEvents(BoardFixture.trainingEvents(steps: 20, of: 100)))
        state.press("=")
        #expect(state.chart.view.xRange != nil, "one run is zoomed into")
        state.press("0")
        let metrics = state.monitoredRun?.metrics ?? MetricsStore()
        _ = update(&state, .overlayLoaded(directory: "saves/demo-model/full/sft", metrics))
        let compared = state.press("=").compactMap { if case .compareRuns(let runs) = $0 { runs } else { nil } }
        #expect(compared == [["saves/demo-model/lora/quickstart", "saves/demo-model/full/sft"]])
        #expect(state.chart.view.xRange == nil)
    }

    @Test func `after drawing marked runs the status says where the keys lead`() {
        var state = state()
        state.press("5 space down space v")
        #expect(state.status?.text.contains("= shows where they differ") == true)
    }

    // MARK: Export

    @Test(arguments: 40...120) func `no sentence ends in a number that stands alone`(_ width: Int) {
        let sentence = "✓ verified on 1,024 tokens: largest logit difference 0.00213, same best token 100 %"
        let lines = TextWidth.wrap(sentence, to: Painter.evenWidth(sentence, width))
        #expect(lines.count <= TextWidth.wrap(sentence, to: width).count)
        if lines.count > 1 { #expect((lines.last?.count ?? 0) > 10, "\(lines)") }
    }

    @Test func `the plan of an export shows a file's name whole`() {
        var state = state()
        let name = "demo-model-quickstart-q4_k_m.gguf"
        var plan = RunPlan(modelName: "demo-model", checkpointBytes: 9_400_000, freeDiskBytes: 100 << 30)
        plan.outputs = [MemoryPart(part: "saves-" + name, bytes: 9_400_000)]
        state.forms.export.plan = .ready(plan)
        state.press("4")
        #expect(text(state).contains("q4_k_m.gguf"), "\(text(state))")
    }

    // MARK: Names

    @Test(arguments: [
        ("epochs", "num_train_epochs"), ("num_train_epochs", "num_train_epochs"), ("batch_size", "per_device_train_batch_size"), ("model", "model_name_or_path"),
        ("lr", "learning_rate"), ("Learning Rate", "learning_rate"),
    ]) func `a field is known by the name that the board shows`(name: String, argument: String) {
        #expect(FieldLabel.argument(called: name, on: .train)?.name == argument)
        #expect(FieldLabel.argument(called: "no such thing", on: .train) == nil)
    }
}

extension String {
    /// How often a part occurs.
    fileprivate func components(of part: String) -> Int {
        var count = 0
        var rest = Substring(self)
        while let range = rest.firstRange(of: part) {
            count += 1
            rest = rest[range.upperBound...]
        }
        return count
    }
}
