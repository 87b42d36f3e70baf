import Configuration
import Events
import Platform
import Runs
import Terminal
import Testing

@testable import Board

/// What somebody who has never seen the board stumbles over, or finds without being told.
@Suite struct NewcomerTests {
    private func state(columns: Int = 80, rows: Int = 24) -> BoardState { BoardFixture.state(columns: columns, rows: rows) }

    private func training(_ steps: Int = 20, columns: Int = 80, rows: Int = 24) -> BoardState {
        var state = state(columns: columns, rows: rows)
        _ = update(&state, .jobStarted(.train, .train, title: "quickstart", directory: "saves/demo-model/lora/quickstart"))
        _ = update(&state, .jobEvents(BoardFixture.trainingEvents(steps: steps, of: 100)))
        return state
    }

    private func chatting() -> BoardState {
        var state = state()
        state.press("3 f5")
        let info = ChatModelInfo(
            modelName: "demo-model", adapterName: "quickstart", templateName: "chatml", contextLength: 512, parameterCount: 4_700_000)
        _ = update(&state, .chat(.ready(info)))
        return state
    }

    /// What work on another thread comes back with.
    private func answer(_ queue: ActionQueue) -> Action? {
        for _ in 0..<2_000 {
            if let action = queue.drain().first { return action }
            Clock.sleep(seconds: 0.005)
        }
        return nil
    }

    private func footer(_ state: BoardState) -> String { GoldenFrames.lines(state).last ?? "" }

    // MARK: Help

    @Test(arguments: [
        ("R", "?"), ("5 R", "?"), ("B", "?"), ("v", "?"), ("P", "?"), ("ctrl+c", "?"), (";", "?"), ("L", "f1"), ("w", "f1"), ("enter", "f1"), ("T", "f1"),
    ]) func `help opens over everything and comes back to it`(keys: String, help: String) {
        var state = state()
        state.press(keys)
        let depth = state.overlays.count
        let before = GoldenFrames.lines(state)
        state.press(help)
        guard case .help(let list)? = state.overlays.last else { return #expect(Bool(false), "no help after \(keys)") }
        #expect(state.overlays.count == depth + 1)
        for entry in state.entries(of: list) { if case .command(let command) = entry { #expect(state.isHere(command, list)) } }
        state.press("esc")
        #expect(state.overlays.count == depth)
        #expect(GoldenFrames.lines(state) == before)
    }

    @Test func `where two runs differ has help as well`() {
        var state = state()
        state.press("5")
        _ = update(&state, .runsCompared(RunComparison(directories: ["saves/a", "saves/b"], rows: [], equalCount: 7)))
        state.press("?")
        guard case .help? = state.overlays.last else { return #expect(Bool(false), "no help") }
        state.press("esc")
        guard case .comparison? = state.overlays.last else { return #expect(Bool(false), "the comparison is gone") }
    }

    @Test(arguments: ["3 f5", "/", "w", "L", "5 /"]) func `where letters are text the footer names the key of the help`(keys: String) {
        var state = keys == "3 f5" ? chatting() : self.state()
        if keys != "3 f5" { state.press(keys) }
        #expect(footer(state).contains("F1 help"), "\(keys): \(footer(state))")
    }

    @Test func `what cannot be done is not what the help begins with`() {
        var state = state()
        state.press("5 ?")
        guard case .help(let list)? = state.overlays.last else { return #expect(Bool(false), "no help") }
        for group in state.helpGroups(of: list) {
            let refused = group.commands.map { $0.refusal(state.beneathList) != nil }
            if refused.contains(false) { #expect(refused.first == false, "\(group.title)") }
        }
    }

    @Test func `a question says which answer Enter takes`() {
        var state = state()
        state.press("q")
        state = training()
        state.press("q")
        #expect(GoldenFrames.lines(state).contains { $0.contains("⏎ Stop and save") })
        state.press("right")
        #expect(GoldenFrames.lines(state).contains { $0.contains("⏎ Detach") })
    }

    @Test func `a zoomed chart names the ways back`() {
        var state = training()
        state.status = nil
        state.press("+")
        #expect(footer(state).contains("- zoom out") && footer(state).contains("0 all"), "\(footer(state))")
        #expect(!footer(state).contains("O alone"))
        let metrics = state.monitoredRun?.metrics ?? MetricsStore()
        _ = update(&state, .overlayLoaded(directory: "saves/demo-model/full/sft", metrics))
        state.press("0")
        state.status = nil
        #expect(footer(state).contains("O alone"), "\(footer(state))")
    }

    @Test func `from the differences of two runs one key leads to their curves`() {
        for key in ["v", "o"] {
            var state = state()
            state.press("5")
            let names = ["saves/demo-model/lora/quickstart", "saves/demo-model/full/sft"]
            _ = update(&state, .runsCompared(RunComparison(directories: names, rows: [], equalCount: 7)))
            #expect(footer(state).contains("v draw"))
            let effects = state.press(key)
            #expect(state.overlays.isEmpty && state.tab == .monitor)
            #expect(effects.contains { if case .openRun(names[0]) = $0 { true } else { false } })
            #expect(effects.contains { if case .loadOverlay(names[1]) = $0 { true } else { false } })
        }
    }

    @Test func `a picker lets the old path be edited, and F5 takes what is chosen and starts`() {
        var state = state()
        state.forms.train.reveal("output_dir")
        state.press("enter")
        #expect(footer(state).contains("Alt+e edit"), "\(footer(state))")
        var starting = state
        state.press("alt+e")
        #expect(state.overlays.isEmpty && state.forms.train.edit?.field.text == "saves/demo-model/lora/quickstart")
        starting.type("saves/new")
        let effects = starting.press("f5")
        #expect(effects.contains { if case .startJob(.train, _, let configuration, _) = $0 { configuration.text("output_dir") == "saves/new" } else { false } })
        state = self.state()
        state.press("T f5")
        #expect(state.status?.kind == .warning, "a theme starts nothing")
    }

    @Test func `memory in the short plan is whole or left out`() {
        let lines = GoldenFrames.lines(state())
        #expect(lines.contains { $0.contains("memory   82.0 MiB ") && !$0.contains("of 1…") }, "\(lines)")
    }

    @Test func `a board that opens elsewhere than at its form says which run goes on`() {
        var state = state()
        var catalog = BoardFixture.catalog
        catalog.runs[1].isAlive = true
        state.catalog.isScanned = false
        state.tab = .export
        _ = update(&state, .catalogScanned(catalog))
        #expect(state.tab == .export && state.status?.text.contains("demo-model/full/sft goes on in another process: R shows it.") == true)
    }

    @Test func `the list of runs opens on the run that is shown`() {
        var state = training()
        state.catalog.runs = state.catalog.runs.reversed()
        state.runList.selection = 0
        state.press("R")
        #expect(state.selectedRun?.directory == "saves/demo-model/lora/quickstart")
        state.press("up esc R")
        #expect(state.selectedRun?.directory == "saves/demo-model/full/sft", "after that it stays where it was put")
        // Another run was looked at and left again: the list opens on the one in view.
        state.press("up")
        let visited = state.selectedRun?.directory ?? ""
        state.press("down enter")
        state.openedRun = RunDigest(kind: .train, title: "sft", directory: "saves/demo-model/full/sft", origin: .finished)
        state.press("R")
        #expect(state.selectedRun?.directory == "saves/demo-model/full/sft", "\(visited)")
        state.press("esc")
        state.openedRun = nil
        state.press("R")
        #expect(state.selectedRun?.directory == "saves/demo-model/lora/quickstart")
    }

    @Test func `a run of another process is named with the key that shows it`() {
        var state = state()
        state.catalog.runs[1].isAlive = true
        #expect(GoldenFrames.lines(state).first?.contains("● in another process") == true)
    }

    // MARK: Footer

    @Test func `the footers lead to starting, zooming, comparing, chatting and exporting`() {
        for (columns, rows) in [(80, 24), (60, 16)] {
            var state = state(columns: columns, rows: rows)
            #expect(footer(state).contains("F5 start") && footer(state).contains("R runs"), "\(footer(state))")
            state.press("R")
            #expect(footer(state).contains("= compare"), "\(footer(state))")
            state = training(columns: columns, rows: rows)
            #expect(footer(state).contains("+ zoom") && footer(state).contains("R runs"), "\(footer(state))")
            _ = update(&state, .jobEvents([.state(.finished)]))
            state.status = nil
            #expect(footer(state).contains("3 chat") && footer(state).contains("4 export"), "\(footer(state))")
        }
    }

    @Test func `the key of the panes is named where there are several`() {
        var state = state()
        #expect(!footer(state).contains("Tab pane"))
        state.press("2")
        #expect(footer(state).contains("Tab pane"))
        #expect(footer(training(columns: 60, rows: 16)).contains("Tab pane"), "the log is out of sight there")
    }

    @Test func `one key marks the first run and compares it with the second`() {
        var state = state()
        #expect(state.press("5 =").contains { if case .compareRuns(let runs) = $0 { runs.count == 2 } else { false } }, "of two there is nothing to choose")
        state.catalog.runs.append(RunEntry(directory: "saves/third", state: .finished))
        state.press("=")
        #expect(state.runList.marked == ["saves/demo-model/lora/quickstart"])
        #expect(state.status?.text.contains("press = again") == true)
        #expect(state.runList.selection == 1, "the cursor has moved on to another run")
        state.press("down")
        let effects = state.press("=")
        #expect(effects.contains { if case .compareRuns(let runs) = $0 { runs.count == 2 } else { false } })
    }

    @Test func `Esc is offered to stop an answer, not to stop nothing`() {
        var state = chatting()
        #expect(!footer(state).contains("Esc stop"))
        state.type("hello")
        state.press("enter")
        #expect(footer(state).contains("Esc stop"))
    }

    @Test func `only where several can be taken does the space mark`() {
        var state = state()
        state.press("T")
        #expect(!footer(state).contains("mark"))
        state.press("esc L")
        state.type("full sft")
        guard case .picker(let picker)? = state.overlays.last else { return #expect(Bool(false), "no picker") }
        #expect(picker.filter.text == "full sft")
        #expect(state.items(of: picker).first?.value == "recipes/full_sft.yaml")
        state.press("esc")
        state.forms.train.reveal("dataset")
        state.press("enter")
        #expect(footer(state).contains("space mark"))
    }

    // MARK: Fields in help and palette

    @Test(arguments: [
        ("gguf", "export_gguf", Tab.export), ("lora rank", "lora_rank", .train), ("template", "template", .train), ("lr", "learning_rate", .train),
        ("rank of lora", "lora_rank", .train), ("llama.cpp", "export_gguf", .export), ("temperature", "temperature", .train),
    ]) func `help and palette lead to fields`(query: String, name: String, tab: Tab) throws {
        for key in ["?", ":"] {
            var state = state()
            state.press("5 \(key)")
            state.type(query)
            let list = try #require(found(state), "\(query) opens a list")
            let first = field(state, list)
            #expect(first?.argument.name == name && first?.tab == tab, "\(query): \(first?.argument.name ?? "nothing")")
            let index = try #require(state.entries(of: list).firstIndex { if case .field(let field) = $0 { field.argument.name == name } else { false } })
            for _ in 0..<index { state.press("down") }
            state.press("enter")
            #expect(state.tab == tab && state.overlays.isEmpty && state.forms[tab].selection == .field(name))
        }
    }

    /// The first field among what was found.
    private func field(_ state: BoardState, _ list: CommandListState) -> FoundField? {
        for case .field(let field) in state.entries(of: list) { return field }
        return nil
    }

    /// The list of help or palette that lies on top.
    private func found(_ state: BoardState) -> CommandListState? {
        switch state.overlays.last {
        case .help(let list), .palette(let list): list
        default: nil
        }
    }

    @Test func `a command that says what is typed comes before fields`() throws {
        var state = state()
        state.press(":")
        state.type("theme")
        let first = try state.entries(of: #require(found(state))).first
        guard case .command(let command)? = first else {
            Issue.record("no command comes first but \(String(describing: first))")
            return
        }
        #expect(command.identifier == "board.theme")
    }

    @Test func `fields are found by their names in the board's language`() throws {
        var state = state()
        state.wording = Wording(.chinese)
        state.press(":")
        state.type("对话模板")
        #expect(field(state, try #require(found(state)))?.argument.name == "template")
    }

    @Test func `a form that has no such field says which page has it`() {
        var state = state()
        state.press("/")
        state.type("gguf")
        #expect(GoldenFrames.lines(state).contains { $0.contains("⏎ goes to export_gguf in Export") })
        state.press("enter")
        #expect(state.tab == .export && state.forms.export.selection == .field("export_gguf"))
        #expect(state.forms.train.filter == nil)
    }

    // MARK: Messages

    @Test func `a message hides neither the log's end nor the numbers`() {
        for (columns, rows) in [(60, 16), (80, 24), (160, 45)] {
            var state = training(columns: columns, rows: rows)
            state.status = nil
            let last = columns == 60 ? "tok/s " : "step 20 loss"
            for text in ["Short.", String(repeating: "A long message goes over several lines. ", count: 6)] {
                state.status = StatusMessage(.warning, text)
                let lines = GoldenFrames.lines(state)
                #expect(lines.contains { $0.contains(last) }, "\(columns)x\(rows) hides \(last)")
                #expect(lines.contains { $0.contains("! " + text.prefix(6)) })
                #expect(lines.last?.contains("x stop") == true)
            }
        }
    }

    @Test func `a message goes away after a moment, a failure when somebody has seen it`() {
        var state = state()
        state.status = StatusMessage(.success, "Saved")
        func wait(_ seconds: Int) { for second in 0..<seconds { _ = update(&state, .tick(now: BoardFixture.now + Double(second), BoardFixture.system)) } }
        wait(3)
        #expect(state.status != nil && state.hasPassingStatus)
        wait(6)
        #expect(state.status == nil)
        state.status = StatusMessage(.failure, "The disk is full.")
        wait(60)
        #expect(state.status?.text == "The disk is full." && !state.hasPassingStatus)
        state.press("down")
        #expect(state.status == nil)
    }

    @Test func `the end of a training is told in whole sentences`() {
        var state = chatting()
        _ = update(&state, .jobStarted(.train, .train, title: "quickstart", directory: "saves/demo-model/lora/quickstart"))
        _ = update(&state, .jobEvents([
            .state(.running), .finished(JobSummary(outputDirectory: "saves/demo-model/lora/quickstart", text: "42 steps in 3 s.")), .state(.finished),
        ]))
        #expect(state.status?.text == "42 steps in 3 s. In Chat, F5 loads the new adapter.")
    }

    @Test func `what the engine reports at its end is said in the board's language`() throws {
        var state = training()
        state.wording = Wording(.chinese)
        let text = "Finished after 70 of 70 steps, training loss 0.7065, in saves/demo-model/lora/quickstart."
        _ = update(&state, .jobEvents([.finished(JobSummary(text: text)), .state(.finished)]))
        #expect(state.status?.text == "已完成 70 步中的 70 步，训练损失 0.7065，位于 saves/demo-model/lora/quickstart。")
        state.press("4")
        _ = update(&state, .jobStarted(.export, .export, title: "export", directory: "saves/demo-model/merged"))
        _ = update(&state, .jobEvents([
            .state(.running), .phase("writing weights"), .phase("verifying"),
            .finished(JobSummary(text: "exported 9.0 MiB in bfloat16, to saves/demo-model/merged")), .state(.finished),
        ]))
        let drawn = GoldenFrames.lines(state).joined(separator: "\n")
        #expect(drawn.contains("写入权重") && drawn.contains("已导出 9.0 MiB（bfloat16）") && !drawn.contains("exported"))
    }

    // MARK: Runs

    @Test func `a run that is started again is no longer drawn over itself`() {
        var state = training()
        let metrics = state.monitoredRun?.metrics ?? MetricsStore()
        _ = update(&state, .jobEvents([.state(.finished)]))
        for directory in ["saves/demo-model/full/sft", "./saves/other"] { _ = update(&state, .overlayLoaded(directory: directory, metrics)) }
        #expect(state.chartPlot.series.count { $0.kind == .overlay } == 2)
        _ = update(&state, .jobStarted(.train, .train, title: "other", directory: "saves/other"))
        #expect(state.overlayRuns.map(\.directory) == ["saves/demo-model/full/sft"], "the other one stays to be compared with")
        _ = update(&state, .jobEvents([.state(.finished)]))
        var opened = RunDigest(kind: .train, title: "sft", directory: "saves/demo-model/full/sft", origin: .finished)
        opened.apply(BoardFixture.trainingEvents(steps: 5, of: 5))
        _ = update(&state, .runOpened(opened))
        #expect(!state.chartPlot.series.contains { $0.kind == .overlay }, "what is opened is not drawn twice")
    }

    @Test func `a run whose arguments are not known is not called equal`() throws {
        let folder = try FileSystem.createTemporaryDirectory(prefix: "compare-")
        defer { try? FileSystem.removeTree(folder) }
        func write(_ run: String, _ name: String, _ text: String) throws {
            try FileSystem.createDirectory(Path.join(folder, run))
            try FileSystem.writeAtomically(Path.join(folder, run, name), text: text)
        }
        try write("good", "training_args.yaml", "model_name_or_path: saves/demo-model\nlora_rank: 4\nfinetuning_type: lora\nstage: sft\n")
        try write("bad", "state.json", """
            {"kind": "train", "status": "failed", "pid": 1, "model": "models/typo", "stage": "sft", "finetuning_type": "lora", "message": "no"}
            """)
        let queue = ActionQueue(wake: {})
        DiskWork.compare([Path.join(folder, "good"), Path.join(folder, "bad")], queue)
        guard case .runsCompared(let comparison)? = answer(queue) else { return #expect(Bool(false), "nothing came") }
        #expect(comparison.equalCount == nil)
        #expect(comparison.remarks.count == 1 && comparison.remarks[0].contains("training_args.yaml"))
        #expect(comparison.rows.first { $0.name == "model_name_or_path" }?.values == ["saves/demo-model", "models/typo"])
        #expect(!comparison.rows.contains { $0.name == "stage" }, "what is known of both and the same is no difference")
        #expect(comparison.rows.first?.values.last == "failed")
        var state = state()
        state.press("5")
        _ = update(&state, .runsCompared(comparison))
        let text = GoldenFrames.lines(state).joined(separator: "\n")
        #expect(!text.contains("equal") && text.contains("not known"))
    }

    // MARK: Starting

    @Test func `a start that is refused leads to what is wrong`() {
        var state = state()
        state.press("f5")
        #expect(state.forms.train.selection != .field("eval_dataset"))
        _ = update(&state, .jobRefused(.train, reason: "there is no data set lost.", argument: "eval_dataset"))
        #expect(state.tab == .train && state.forms.train.selection == .field("eval_dataset"))
        #expect(GoldenFrames.lines(state).contains { $0.contains("eval_dataset") }, "its section is open")
        #expect(state.status == StatusMessage(.failure, "there is no data set lost."))
        state.press("5")
        _ = update(&state, .jobRefused(.train, reason: "no", argument: "dataset"))
        #expect(state.tab == .monitor && state.forms.train.selection == .field("eval_dataset"), "one who has gone elsewhere stays there")
    }

    // MARK: Exporting

    @Test func `each form of an export has a folder of its own, unless one was chosen`() {
        var state = state()
        state.press("4")
        func set(_ name: String, _ text: String) { _ = state.change(.export, name, to: text) }
        func folder() -> String { state.forms.export.configuration.text("export_dir") }
        set("export_gguf", "q4_k_m")
        #expect(folder() == "saves/demo-model/gguf-q4_k_m")
        set("export_gguf", "f16")
        #expect(folder() == "saves/demo-model/gguf-f16")
        set("export_gguf_adapter", "true")
        #expect(folder() == "saves/demo-model/gguf-adapter-f16")
        set("export_gguf_adapter", "false")
        set("export_gguf", "")
        #expect(folder() == "saves/demo-model/merged")
        set("export_dir", "elsewhere")
        set("export_gguf", "q8_0")
        #expect(folder() == "elsewhere")
    }

    @Test func `the plan of an export is that of what is written`() throws {
        let folder = try FileSystem.createTemporaryDirectory(prefix: "export-")
        defer { try? FileSystem.removeTree(folder) }
        let model = Path.join(Path.directory(Path.directory(Path.directory(#filePath))), "saves/demo-model")
        func plan(_ values: [(String, String)]) throws -> PlanState {
            let queue = ActionQueue(wake: {})
            DiskWork.planExport(BoardFixture.configuration([("model_name_or_path", model), ("template", "chatml")] + values), generation: 1, queue)
            guard case .planned(.export, 1, let plan)? = answer(queue) else { return .none }
            return plan
        }
        let target = Path.join(folder, "merged")
        guard case .ready(let merged) = try plan([("export_dir", target)]), case .ready(let small) = try plan([("export_dir", target), ("export_gguf", "q8_0")])
        else { return #expect(Bool(false), "no plan") }
        #expect(merged.checkpointBytes > small.checkpointBytes && small.checkpointBytes > 0)
        #expect(small.outputs.map(\.part) == ["demo-model-Q8_0.gguf"] && small.outputFormat == "GGUF Q8_0")
        // Somebody's folder, and an earlier export of the other form.
        try FileSystem.createDirectory(target)
        try FileSystem.writeAtomically(Path.join(target, "notes.txt"), text: "mine")
        guard case .failed(let reason, _) = try plan([("export_dir", target)]) else { return #expect(Bool(false), "somebody's folder is taken") }
        #expect(reason.contains("not empty"))
        try FileSystem.remove(Path.join(target, "notes.txt"))
        for (name, text) in [("config.json", "{}"), ("model.safetensors", ""), ("README.md", "- tuneboard\n")] {
            try FileSystem.writeAtomically(Path.join(target, name), text: text)
        }
        guard case .ready(let warned) = try plan([("export_dir", target), ("export_gguf", "q8_0")]) else { return #expect(Bool(false), "no plan") }
        #expect(warned.warnings.contains { $0.contains("another export_dir keeps both") })
    }

    @Test func `the first plans are those of the forms as they are shown`() throws {
        var state = state()
        // As a session begins with what an earlier one left in the form.
        try state.forms.export.configuration.set("export_gguf", text: "q8_0")
        state.forms.export.plan = .none
        let plans = FirstState.lookups(&state).compactMap { effect -> String? in
            guard case .plan(.export, let configuration, let generation) = effect, generation == state.forms.export.generation else { return nil }
            return configuration.text("export_gguf")
        }
        #expect(plans == ["q8_0"] && state.forms.export.plan == .computing)
    }

    // MARK: Cards

    @Test(arguments: [(60, 16), (80, 24), (160, 45)]) func `a card is shown with its load, memory, power and temperature`(columns: Int, rows: Int) {
        var state = training(40, columns: columns, rows: rows)
        var system = BoardFixture.system
        system.gpus = [
            GPUReading(
                name: "NVIDIA H100 80GB HBM3", busy: 0.98, usedBytes: 61 << 30, totalBytes: 80 << 30, temperature: 71, watts: 612.4, wattLimit: 700, clock: 1_755)
        ]
        _ = update(&state, .tick(now: BoardFixture.now, system))
        state.status = nil
        GoldenFrames.check(state, "monitor-gpu")
        guard columns >= 80 else { return }
        let text = GoldenFrames.lines(state).joined(separator: "\n")
        for word in ["H100", "98%", "71 °C", columns < 100 ? "61.0 GiB / 80.0 GiB" : "61.0/80.0 GiB", "612"] { #expect(text.contains(word), "\(word) is missing at \(columns)x\(rows)") }
        #expect(!text.contains("no GPU"))
    }

    @Test func `many cards, and cards that tell nothing, break nothing`() {
        for count in [1, 2, 8, 64] {
            for size in GoldenFrames.sizes {
                var state = training(5, columns: size.columns, rows: size.rows)
                var system = BoardFixture.system
                system.gpus = (0..<count).map { index in
                    index % 2 == 0 ? GPUReading(name: "") : GPUReading(name: "卡\u{1B}[31m", busy: .nan, usedBytes: 5, totalBytes: 0, watts: .infinity, wattLimit: 0)
                }
                _ = update(&state, .tick(now: BoardFixture.now, system))
                for line in GoldenFrames.lines(state) { #expect(TextWidth.width(of: line) <= size.columns && !line.contains("\u{1B}")) }
            }
        }
    }
}
