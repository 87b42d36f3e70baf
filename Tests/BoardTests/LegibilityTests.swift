import Configuration
import Events
import Platform
import Runs
import Terminal
import Testing

@testable import Board

/// Nothing that matters is cut off, covered, or told by colour alone.
@Suite struct LegibilityTests {
    private func state(_ columns: Int = 80, _ rows: Int = 24, _ language: Language = .english) -> BoardState {
        var state = BoardFixture.state(columns: columns, rows: rows)
        state.wording = Wording(language)
        return state
    }

    private func training(_ columns: Int = 80, _ rows: Int = 24, _ language: Language = .english) -> BoardState {
        var state = state(columns, rows, language)
        _ = update(&state, .jobStarted(.train, .train, title: "quickstart", directory: "saves/demo-model/lora/quickstart"))
        _ = update(&state, .jobEvents(BoardFixture.trainingEvents(steps: 40, of: 100)))
        state.status = nil
        return state
    }

    private func text(_ state: BoardState) -> String { GoldenFrames.lines(state).joined(separator: "\n") }

    // MARK: Changes

    @Test(arguments: [Tab.train, .evaluate, .chat, .export]) func `one edit is one change, and what follows it is said to follow`(_ tab: Tab) {
        for argument in FormSections.allArguments(for: tab) where !argument.isSecret {
            let start = state().forms[tab]
            let now = start.configuration.text(argument.name)
            let values = argument.isFlag ? ["true", "false"] : argument.choices.isEmpty ? ["3", "0.25", "saves/other", "1,2", "{\"a\": 1}"] : argument.choices
            guard let value = values.first(where: { $0 != now && start.problemWithText($0, for: argument.name) == nil }) else { continue }
            var state = state()
            state.tab = tab
            _ = state.change(tab, argument.name, to: value)
            let form = state.forms[tab]
            #expect(form.changedNames.count - form.followingNames.count == 1, "\(argument.name): \(form.changedNames), \(form.followingNames)")
            #expect(!form.followingNames.contains(argument.name))
        }
    }

    @Test func `the title names the field that followed another`() {
        var state = state()
        state.press("4")
        _ = state.change(.export, "export_gguf", to: "q8_0")
        #expect(state.forms.export.configuration.text("export_dir") == "saves/demo-model/gguf-q8_0")
        #expect(text(state).contains("● 1 change (export_dir follows)"))
        #expect(text(state).contains("saves/demo-model/gguf-q8_0") || text(state).contains("gguf-q8_0"))
        _ = state.change(.export, "export_dir", to: "saves/mine")
        #expect(text(state).contains("● 2 changes "))
    }

    // MARK: Charts

    @Test(arguments: [60, 80, 160]) func `every curve over others is named by its mark, without colours too`(_ columns: Int) {
        var state = training(columns, columns == 60 ? 16 : columns == 80 ? 24 : 45)
        let names = ["full/sft", "lora/pissa-long-name"]
        for (index, name) in names.enumerated() {
            var run = RunDigest(kind: .train, title: name, directory: "saves/demo-model/" + name, origin: .finished)
            run.apply(BoardFixture.trainingEvents(steps: 60, of: 60).map { event in
                guard case .step(var step) = event else { return event }
                step.loss = step.loss.map { $0 + 0.6 + Double(index) * 0.5 }
                return .step(step)
            })
            _ = update(&state, .overlayLoaded(directory: run.directory, run.metrics))
        }
        state.status = nil
        let grid = BoardView.draw(state, theme: Theme.builtIn("mono", depth: .mono) ?? .dark()).grid
        let lines = grid.text()
        let legend = lines.first { $0.contains("━ ") && $0.contains("A┄") } ?? ""
        #expect(legend.contains("quickstart") && legend.contains("A┄ full/sft") && legend.contains("B┄") && legend.contains("long-name"), "\(lines)")
        let plot = lines.drop { $0 != legend }.dropFirst().prefix { !$0.contains("└") }.joined()
        for letter in ["A", "B"] { #expect(plot.contains(letter), "no \(letter) on its curve:\n\(lines.joined(separator: "\n"))") }
        GoldenFrames.check(state, "monitor-overlays")
    }

    @Test func `names of overlaid runs lose the folders that they share`() {
        #expect(RunName.withoutSharedFolders(["demo/lora/a", "demo/full/a"]) == ["lora/a", "full/a"])
        #expect(RunName.withoutSharedFolders(["demo/a", "demo/a"]) == ["a", "a"])
        #expect(RunName.withoutSharedFolders(["x/only"]) == ["x/only"])
        #expect(RunName.withoutSharedFolders(["/data/a", "/other/b"]) == ["/data/a", "/other/b"])
        #expect(RunName.withoutSharedFolders(["/data/a", "/data/b"]) == ["a", "b"])
    }

    @Test(arguments: [ChartAxis.step, .time, .tokens, .epoch]) func `both axes tell where they begin and end`(_ axis: ChartAxis) {
        for language in [Language.english, .chinese] {
            var state = training(60, 16, language)
            state.chart.axis = axis
            state.smoothSeries()
            let lines = GoldenFrames.lines(state)
            guard let row = lines.firstIndex(where: { $0.contains("└┬") }) else { return #expect(Bool(false), "\(lines)") }
            let labels = lines[row + 1].dropFirst().split(separator: " ").map(String.init)
            let last = [ChartAxis.step: "40", .time: "16", .tokens: "16k", .epoch: "1.2"][axis] ?? ""
            let name = Wording.$current.withValue(Wording(language)) { axis.title }
            #expect(labels.count >= 4 && Double(labels[0]) != nil, "\(labels)")
            #expect(lines[row + 1].contains("\(name) \(last)"), "\(lines[row + 1])")
            let marks = lines[..<row].filter { $0.contains("┤") }
            #expect(marks.count >= 3, "\(lines)")
        }
    }

    // MARK: Texts

    @Test(arguments: [Language.english, .chinese]) func `fields, help and plan are read to their ends at 80x24`(_ language: Language) {
        for tab in [Tab.train, .evaluate, .chat, .export] {
            var state = state(80, 24, language)
            state.press("\(tab.number)")
            let page = text(state)
            let folded = page.split(separator: "\n").filter { $0.contains("▸") && $0.contains("quantization_bit") }
            #expect(!folded.isEmpty && folded.allSatisfy { !$0.contains("…") }, "\(folded)")
            if tab == .train { #expect(page.contains("184 k/4.70 M"), "\(page)") }
            let help = language == .english ? "cache." : "称。"
            #expect(page.contains(help) || page.contains("缓存中的名称。"), "\(page)")
        }
    }

    @Test func `a folded line says what it hides`() {
        var state = state()
        state.forms.train.selection = .inapplicable("Model")
        let page = text(state)
        #expect(page.contains("Only with") && page.contains("quant_method"), "\(page)")
    }

    @Test func `what a picker or the help cuts off stands whole under the list`() {
        var state = state(60, 16)
        let summary = "LoRA with noise on the embeddings (NEFTune), for small sets of instructions that would be learnt by heart."
        state.catalog.recipes = [RecipeEntry(path: "recipes/neftune.yaml", summary: summary)]
        state.press("L")
        let shown = GoldenFrames.lines(state).map { $0.filter { !"┃│".contains($0) }.trimmingSpaces }.joined(separator: " ")
        #expect(shown.contains("that would be learnt by heart."), "\(shown)")
        state.press("esc ctrl+p")
        state.type("suspend")
        state.press("ctrl+u")
        state.type("order the runs")
        #expect(text(state).contains("training loss)"), "\(text(state))")
    }

    @Test func `why a model could not be loaded is read to its end`() {
        var state = state()
        state.press("3")
        let reason = "saves/demo-model: this is not a model folder (there is no config.json in it). Give a folder with config.json, the weights and the tokenizer."
        _ = update(&state, .chat(.failed(reason)))
        state.status = nil
        let page = GoldenFrames.lines(state).map(\.trimmingSpaces).joined(separator: " ")
        #expect(page.contains("the weights and the tokenizer."), "\(page)")
        #expect(state.layout.chatForm.form.y == 3)
    }

    @Test func `a run of another process is looked after until it has ended`() {
        var state = state()
        state.press("5")
        state.openedRun = RunDigest(kind: .train, title: "sft", directory: "saves/demo-model/full/sft", origin: .finished)
        state.focusByTab[.monitor] = .chart
        #expect(!state.showsDisk)
        state.catalog.runs[1].isAlive = true
        #expect(state.showsDisk)
        func scans(_ now: Double) -> Bool {
            update(&state, .tick(now: now, BoardFixture.system)).contains { if case .scanCatalog = $0 { true } else { false } }
        }
        _ = scans(BoardFixture.now)
        #expect(!scans(BoardFixture.now + 5) && scans(BoardFixture.now + 16))
    }

    @Test(arguments: [Language.english, .chinese]) func `a warning of the export leaves its sizes in view`(_ language: Language) {
        var state = state(80, 24, language)
        let warning = Wording.$current.withValue(Wording(language)) { say(engine: "saves/demo-model/merged holds an earlier export, which will be replaced.") }
        state.forms.export.plan = .ready(
            RunPlan(
                modelName: "demo-model", parameterCount: 4_700_000,
                memory: [MemoryPart(part: "base", bytes: 9_400_000), MemoryPart(part: "adapter", bytes: 760_000)], peakBytes: 50 << 20,
                checkpointBytes: 9_400_000, freeDiskBytes: 100 << 30, warnings: [warning]))
        state.press("4")
        let page = text(state)
        for words in ["9.0 MiB", "742 KiB", "100 GiB", warning] { #expect(page.contains(words), "\(words) in\n\(page)") }
        GoldenFrames.check(state, "export-warning")
    }

    // MARK: Languages

    private static let told = [
        "Computing on CPU, AVX-512, 2 threads.", "Data set identity: 110 rows, alpaca", "identity: 110 samples, 2616 tokens, 930 of them learnt, longest 31",
        "Num examples = 110, evaluation 0", "Total train batch size (with accumulation) = 8", "Optimization steps = 560, 14 per epoch",
        "Tokens = 2,616, 930 of them learnt, longest sample 31", "Trainable parameters = 373,760 of 4,737,792",
        "Memory = 89.4 MiB (weights 9.0 MiB, adapter 1.4 MiB), 21.9 GiB free", "Saved checkpoint saves/a.", "Resuming from saves/a at step 3.",
        "Finished after 70 of 70 steps, training loss 0.8066, in saves/a.",
        "The driver offers no GPU: x (Y). Look at nvidia-smi and CUDA_VISIBLE_DEVICES, or use device: cpu. Computing on the processor.",
        "1 row is left out: row 3 has no answer", "3 rows are left out: row 3 has no answer", "12 samples were cut at cutoff_len (256).",
        "A checkpoint takes about 3 MiB and only 1 MiB of disk are free at output_dir.", "The longest sample has 900 tokens, the model knows 512 positions.",
        "About 3 GiB of memory are needed and 1 GiB are free. With gradient_checkpointing: true it would be about 0.9 GiB, which fits.",
    ]

    @Test(arguments: Language.allCases.filter { $0 != .english }) func `what a run says and warns of is shown in the board's language`(_ language: Language) {
        Wording.$current.withValue(Wording(language)) {
            for sentence in Self.told {
                let shown = LogText.readable(sentence)
                #expect(shown != sentence, "\(sentence)")
                for word in [" of them", "Computing", "free", "learnt", " which ", "Saved ", " rows"] { #expect(!shown.contains(word), "\(shown)") }
            }
        }
        var state = training(160, 45, language)
        _ = update(&state, .jobEvents([.log(LogRecord(time: BoardFixture.now, level: .info, text: "Saved checkpoint saves/a."))]))
        state.forms.train.plan = .ready(RunPlan(modelName: "demo-model", warnings: ["12 samples were cut at cutoff_len (256)."]))
        #expect(!text(state).contains("Saved checkpoint"))
        state.press("1")
        state.status = nil
        #expect(!text(state).contains("samples were cut"))
    }

    // MARK: Help

    @Test func `Esc clears what is typed into the help and then closes it, and closes it at once where nothing is`() {
        for key in ["?", "ctrl+p"] {
            var state = state()
            state.press("\(key) esc")
            #expect(state.overlays.isEmpty)
            state.press(key)
            state.type("zoo")
            state.press("esc")
            #expect(state.overlays.count == 1 && !state.hasListSearch)
            state.press("esc")
            #expect(state.overlays.isEmpty)
        }
    }

    @Test func `why a command cannot be done stands under the list of the help, beside what else is there`() {
        var state = state()
        _ = state.change(.train, "learning_rate", to: "0.5")
        _ = state.change(.train, "output_dir", to: "")
        state.press("f5 ?")
        let opened = GoldenFrames.lines(state)
        let top = opened.firstIndex { $0.contains("━ Help ━") } ?? 0
        #expect(!opened[top...(top + 3)].contains { $0.contains("output_dir") || $0.contains("! ") }, "\(opened)")
        state.press("esc ctrl+p")
        state.type("redo")
        let lines = GoldenFrames.lines(state)
        let row = lines.firstIndex { $0.contains("Not now: There is nothing to redo.") } ?? 0
        #expect(row > (lines.firstIndex { $0.contains("Redo") } ?? 99), "\(lines)")
    }

    // MARK: Elsewhere

    @Test func `a run of another process is told in plain words`() {
        for (columns, rows, words) in [(160, 45, "● sft is at work in another process: R shows it"), (80, 24, "● in another process")] {
            var state = state(columns, rows)
            state.catalog.runs[1].isAlive = true
            #expect(GoldenFrames.lines(state)[0].contains(words), "\(GoldenFrames.lines(state)[0])")
            #expect(!GoldenFrames.lines(state)[0].contains("elsewhere"))
        }
    }

    // MARK: Talking

    @Test func `p during a talk decides what follows it and leaves the talk alone`() {
        var state = training()
        state.press("t")
        _ = update(&state, .jobEvents([.state(.paused)]))
        let info = ChatModelInfo(
            modelName: "demo-model", adapterName: "step 40", templateName: "chatml", contextLength: 512, parameterCount: 1, isInTraining: true)
        _ = update(&state, .talkBegan(info))
        state.press("esc 5")
        state.status = nil
        #expect(text(state).contains("held for the talk"))
        func requests(_ effects: [Effect]) -> [ControlRequest] { effects.compactMap { if case .control(let request) = $0 { request } else { nil } } }
        #expect(requests(state.press("p")) == [.pause])
        #expect(state.isTalking && state.status?.text == "The talk goes on; after it the training stays paused.")
        #expect(state.farewell.hasPrefix("The run stays paused."))
        #expect(requests(state.press("p")) == [.resume])
        #expect(state.isTalking && state.status?.text == "The talk goes on; after it the training goes on too.")
        #expect(requests(state.press("p")) == [.pause])
        #expect(state.farewell.hasPrefix("The run stays paused."))
    }
}
