import Configuration
import Terminal
import Testing

@testable import Board

@Suite struct FormUpdateTests {
    private func state() -> BoardState { BoardFixture.state(columns: 80, rows: 24) }

    private func select(_ name: String, in state: inout BoardState) {
        state.press("/")
        state.type(name)
        state.press("enter")
        state.forms.train.selection = .field(name)
    }

    @Test func `a typed value is taken by Enter and shown as a change`() {
        var state = state()
        select("learning_rate", in: &state)
        state.press("enter ctrl+u")
        state.type("2e-4")
        let effects = state.press("enter")
        #expect(state.forms.train.configuration[.learningRate] == 2e-4)
        #expect(state.forms.train.changedNames == ["learning_rate"])
        #expect(effects.contains { if case .plan(.train, _, 1) = $0 { true } else { false } })
        #expect(state.forms.train.plan == .computing)
    }

    @Test func `an opened field is selected: what is typed replaces it, a cursor key keeps it`() {
        for (keys, typed, expected) in [
            ("enter", "5e-4", "5e-4"), ("enter end", "5", "0.0015"), ("enter home", "1", "10.001"), ("enter left", "5", "0.0051"),
            ("enter backspace", "7", "7"), ("enter delete", "7", "7"), ("enter ctrl+u", "7", "7"), ("enter ctrl+w", "8", "8"),
        ] {
            var state = state()
            select("learning_rate", in: &state)
            state.press(keys)
            state.type(typed)
            #expect(state.forms.train.edit?.field.text == expected, "\(keys) \(typed)")
            #expect(state.forms.train.edit?.field.isSelected == false)
        }
        var state = state()
        select("learning_rate", in: &state)
        state.press("enter")
        #expect(state.forms.train.edit?.field.isSelected == true)
        _ = update(&state, .paste("2e-5"))
        #expect(state.forms.train.edit?.field.text == "2e-5")
        state.press("f1")
        #expect(GoldenFrames.lines(state).contains { $0.contains("^U") }, "the help of typing in a field has its keys")
    }

    @Test func `a form that cannot start is not called ready`() {
        var state = BoardFixture.state(columns: 160, rows: 45)
        func verdict() -> String { GoldenFrames.lines(state).first { $0.contains("✗ ") || $0.contains("ready") } ?? "" }
        #expect(verdict().contains("ready: F5 starts"))
        _ = update(&state, .planned(.train, generation: 0, .failed("models/typo holds no config.json.")))
        #expect(verdict().contains("✗ models/typo") && !GoldenFrames.lines(state).contains { $0.contains("ready") })
        _ = update(&state, .planned(.train, generation: 0, .ready(BoardFixture.plan)))
        #expect(verdict().contains("ready"))
        _ = update(&state, .jobRefused(.train, reason: "saves/three is in use.", argument: nil))
        #expect(verdict().contains("✗ saves/three is in use."))
        _ = state.change(.train, "output_dir", to: "saves/four")
        _ = update(&state, .planned(.train, generation: state.forms.train.generation, .ready(BoardFixture.plan)))
        #expect(verdict().contains("ready"))
    }

    @Test func `what the plan meets on the disk marks its field, which n finds; a start looks again`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        _ = update(&state, .planned(.train, generation: 0, .failed("There is no data set nosuchset.", argument: "dataset")))
        #expect(GoldenFrames.lines(state).contains { $0.contains("1 error") })
        state.press("n")
        #expect(state.forms.train.selection == .field("dataset") && state.status?.text == "There is no data set nosuchset.")
        #expect(state.press("f5").contains { if case .startJob = $0 { true } else { false } })
        _ = update(&state, .planned(.train, generation: 0, .ready(BoardFixture.plan)))
        #expect(state.forms.train.allProblems.isEmpty)
    }

    @Test func `Esc leaves the field as it was`() {
        var state = state()
        select("learning_rate", in: &state)
        state.press("enter ctrl+u 7 esc")
        #expect(state.forms.train.configuration[.learningRate] == 1e-3)
        #expect(!state.forms.train.isModified)
    }

    @Test func `a wrong value is named while it is typed, and Enter does not take it`() {
        var state = state()
        select("learning_rate", in: &state)
        state.press("enter ctrl+u")
        state.type("abc")
        let problem = state.forms.train.edit?.problem ?? ""
        #expect(problem.contains("abc"))
        state.press("enter")
        #expect(state.forms.train.edit != nil)
        #expect(state.status?.kind == .failure)
        #expect(state.forms.train.configuration[.learningRate] == 1e-3)
    }

    @Test func `undo and redo walk through the changes`() {
        var state = state()
        select("lora_rank", in: &state)
        for value in ["4", "32"] {
            state.press("enter ctrl+u")
            state.type(value)
            state.press("enter")
        }
        state.press("esc u")
        #expect(state.forms.train.configuration.text("lora_rank") == "4")
        state.press("u")
        #expect(state.forms.train.configuration.text("lora_rank") == "16")
        #expect(!state.forms.train.isModified)
        state.press("u")
        #expect(state.status?.text == "There is nothing to undo.")
        state.press("U U")
        #expect(state.forms.train.configuration.text("lora_rank") == "32")
    }

    @Test func `Space toggles a flag and the arrows walk through choices`() {
        var state = state()
        select("plot_loss", in: &state)
        let before = state.forms.train.configuration.isOn("plot_loss")
        state.press("space")
        #expect(state.forms.train.configuration.isOn("plot_loss") != before)
        state.press("esc")
        select("lr_scheduler_type", in: &state)
        state.press("right")
        let next = state.forms.train.configuration.text("lr_scheduler_type")
        #expect(next != "cosine")
        state.press("left")
        #expect(state.forms.train.configuration.text("lr_scheduler_type") == "cosine")
    }

    @Test func `D sets a field back to its default`() {
        var state = state()
        select("lora_rank", in: &state)
        state.press("D")
        #expect(state.forms.train.configuration.text("lora_rank") == "8")
    }

    @Test func `every argument of the command can be found`() {
        let state = state()
        for tab in [Tab.train, .evaluate, .chat, .export] {
            let shown = Set(FormSections.allArguments(for: tab).map(\.name))
            let expected = Set(ArgumentTable.arguments(of: tab.command).map(\.name))
            #expect(shown == expected, "\(tab) lacks \(expected.subtracting(shown).sorted()), adds \(shown.subtracting(expected).sorted())")
            let names = FormSections.allArguments(for: tab).map(\.name)
            #expect(names.count == Set(names).count, "\(tab) shows an argument twice")
        }
        #expect(!state.forms.train.rows.isEmpty)
    }

    @Test func `every name in a layout is an argument`() {
        for tab in [Tab.train, .evaluate, .chat, .export] {
            for name in FormLayout.layout(for: tab).sections.flatMap(\.arguments) {
                #expect(ArgumentTable.argument(named: name) != nil, "\(tab): \(name)")
            }
        }
    }

    @Test func `fields that do not apply are folded with the reason`() {
        var state = state()
        _ = state.change(.train, "finetuning_type", to: "full")
        let folded = state.forms.train.rows.compactMap { row -> (String, String)? in
            if case .inapplicable(let section, let names, let reason, _) = row, names.contains("lora_rank") { return (section, reason) }
            return nil
        }
        #expect(folded.first?.0 == "LoRA")
        #expect(folded.first?.1.isEmpty == false)
    }

    @Test func `an argument that is not available here says why instead of opening`() {
        var state = state()
        guard let later = ArgumentTable.all.first(where: { argument in
            if case .elsewhere = argument.support { return argument.commands.contains(.train) && argument.applies(BoardFixture.training) == nil }
            return false
        }) else { return }
        state.forms.train.reveal(later.name)
        state.press("enter")
        #expect(state.forms.train.edit == nil)
        #expect(state.status?.text.hasPrefix("\(later.name) is not available here: ") == true)
    }

    @Test func `the filter finds a field by its letters and Esc shows all again`() {
        var state = state()
        state.press("/")
        state.type("lorark")
        #expect(state.forms.train.selectedField?.name == "lora_rank")
        state.press("esc")
        #expect(state.forms.train.filter == nil)
        #expect(state.forms.train.selection == .field("lora_rank"))
    }

    @Test func `Enter on a filter without hits opens no field, and a filter that is opened again is replaced by what is typed`() {
        var state = state()
        state.press("/")
        state.type("zzqqxx")
        #expect(state.forms.train.rows.isEmpty && state.forms.train.elsewhere == nil)
        state.press("enter enter")
        #expect(state.forms.train.edit == nil && state.overlays.isEmpty && state.forms.train.isFiltering)
        #expect(state.status?.text.contains("Esc clears the filter") == true)
        state.press("ctrl+u")
        state.type("rank")
        state.press("enter /")
        #expect(state.forms.train.filter?.text == "rank" && state.forms.train.filter?.isSelected == true)
        state.type("cutoff")
        #expect(state.forms.train.filter?.text == "cutoff")
    }

    @Test func `letters are text while a field is typed in`() {
        var state = state()
        select("output_dir", in: &state)
        state.press("e ctrl+u")
        state.type("q15x?")
        #expect(state.forms.train.edit?.field.text == "q15x?")
        #expect(state.tab == .train)
    }

    @Test func `Start with an error goes to it instead of starting`() {
        var state = state()
        _ = state.change(.train, "dataset", to: "")
        state.press("esc")
        let effects = state.press("f5")
        #expect(!effects.contains { if case .startJob = $0 { true } else { false } })
        #expect(state.status?.kind == .failure)
        if let name = state.forms.train.firstError?.argument { #expect(state.forms.train.selection == .field(name)) }
    }

    @Test func `Start without errors starts what the form describes`() {
        var state = state()
        let effects = state.press("f5")
        let started = effects.compactMap { effect -> Configuration? in
            if case .startJob(.train, .train, let configuration, _) = effect { return configuration }
            return nil
        }
        #expect(started == [state.forms.train.configuration])
    }

    @Test func `the command that is shown reads back to the form's configuration`() throws {
        var state = state()
        _ = state.change(.train, "learning_rate", to: "3e-4")
        _ = state.change(.train, "output_dir", to: "saves/with space/run")
        let words = state.forms.train.configuration.arguments(.train, style: .full)
        let back = try Configuration.load(file: nil, overrides: Array(words.dropFirst(2)))
        #expect(back == state.forms.train.configuration)
        let lines = CommandPreview.wrapped(state.forms.train, style: .full, width: 60)
        let joined = lines.map { $0.hasSuffix("\\") ? String($0.dropLast()) : $0 }.joined()
        #expect(joined.contains("'saves/with space/run'"))
        for line in lines { #expect(TextWidth.width(of: line) <= 60 || line.split(separator: " ").count <= 3) }
    }

    @Test func `a late estimate of an older configuration is thrown away`() {
        var state = state()
        _ = state.change(.train, "learning_rate", to: "3e-4")
        _ = update(&state, .planned(.train, generation: 0, .failed("old")))
        #expect(state.forms.train.plan == .computing)
        _ = update(&state, .planned(.train, generation: state.forms.train.generation, .failed("new")))
        #expect(state.forms.train.plan == .failed("new"))
    }

    @Test func `several datasets are taken in the order of their marks`() {
        var state = state()
        state.forms.train.reveal("dataset")
        state.press("enter down space up up space enter")
        #expect(state.forms.train.configuration.text("dataset") == "facts" || state.forms.train.configuration.text("dataset") == "identity,facts")
    }

    @Test func `what is typed into a picker can be taken`() {
        var state = state()
        state.forms.train.reveal("model_name_or_path")
        state.press("enter")
        _ = update(&state, .paste("models/mine"))
        state.press("enter")
        #expect(state.forms.train.configuration.text("model_name_or_path") == "models/mine")
    }

    @Test func `a line takes no book, and says so`() {
        var state = state()
        state.press("/")
        _ = update(&state, .paste(String(repeating: "word ", count: 20_000)))
        #expect(state.forms.train.filter?.text.count == 200 && state.status?.kind == .warning && state.status?.text.contains("200") == true)
        _ = update(&state, .pasteWasCut(limit: 1 << 20))
        #expect(state.status?.text.contains("200") == true)
        state.press("esc esc 3 f5")
        let info = ChatModelInfo(modelName: "demo-model", adapterName: nil, templateName: "chatml", contextLength: 512, parameterCount: 1)
        _ = update(&state, .chat(.ready(info)))
        _ = update(&state, .pasteWasCut(limit: 1 << 20))
        #expect(state.status?.text.contains("1,048,576") == true)
    }

    @Test func `an entry with a problem cannot be taken`() {
        var state = state()
        state.forms.train.reveal("model_name_or_path")
        state.press("enter down enter")
        #expect(state.forms.train.configuration.text("model_name_or_path") == "saves/demo-model")
        #expect(state.status?.text == "config.json has no model_type")
    }

    @Test func `loading a recipe over unsaved changes asks first, and undo brings them back`() {
        var state = state()
        _ = state.change(.train, "learning_rate", to: "3e-4")
        state.press("L down enter")
        guard case .dialog = state.overlays.last else {
            Issue.record("no question was asked")
            return
        }
        let effects = state.press("l")
        #expect(effects.contains { if case .loadRecipe(.train, "recipes/full_sft.yaml") = $0 { true } else { false } })
        _ = update(&state, .recipeLoaded(.train, path: "recipes/full_sft.yaml", Configuration(), notices: []))
        #expect(state.forms.train.recipePath == "recipes/full_sft.yaml")
        state.press("u")
        #expect(state.forms.train.configuration[.learningRate] == 3e-4)
    }

    @Test func `saving over a recipe asks because its comments are lost`() {
        var state = state()
        let first = state.press("w enter")
        #expect(first.contains { if case .saveRecipe(.train, "recipes/quickstart.yaml", _, overwrites: false) = $0 { true } else { false } })
        _ = update(&state, .recipeExists(.train, path: "recipes/quickstart.yaml"))
        guard case .dialog = state.overlays.last else {
            Issue.record("no question was asked")
            return
        }
        #expect(state.press("r").contains { if case .saveRecipe(.train, "recipes/quickstart.yaml", _, overwrites: true) = $0 { true } else { false } })
    }

    @Test(arguments: [
        ("lr", "learning_rate"), ("learning rate", "learning_rate"), ("rank", "lora_rank"), ("batch", "per_device_train_batch_size"),
        ("epochs", "num_train_epochs"), ("seed", "seed"), ("template", "template"), ("output", "output_dir"), ("cutoff", "cutoff_len"),
        ("dataset", "dataset"), ("alpha", "lora_alpha"), ("warmup", "warmup_ratio"), ("model", "model_name_or_path"), ("bf16", "bf16"),
    ]) func `the field that is meant comes first`(query: String, name: String) {
        var state = BoardFixture.state(columns: 80, rows: 24)
        state.press("/")
        state.type(query)
        guard case .field(let first)? = state.forms.train.rows.first else { return #expect(Bool(false), "nothing found") }
        #expect(first.name == name)
    }
}
