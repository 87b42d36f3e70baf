import Configuration
import Terminal
import Testing

@testable import Board

/// The editor, the history of a field, the pickers and the preview.
@Suite struct FormToolTests {
    private func state(_ field: String = "learning_rate") -> BoardState {
        var state = BoardFixture.state(columns: 80, rows: 24)
        state.forms.train.reveal(field)
        return state
    }

    // MARK: Editor

    @Test func `a field goes to the editor and comes back validated`() {
        var state = state()
        let effects = state.press("E")
        #expect(effects.contains { if case .editText(.field(.train, "learning_rate"), "0.001") = $0 { true } else { false } })
        _ = update(&state, .textEdited(.field(.train, "learning_rate"), before: "0.001", after: "2e-4\n"))
        #expect(state.forms.train.configuration[.learningRate] == 2e-4)
        _ = update(&state, .textEdited(.field(.train, "learning_rate"), before: "2e-4", after: "fast\n"))
        #expect(state.forms.train.configuration[.learningRate] == 2e-4)
        #expect(state.forms.train.edit?.problem != nil, "what was typed stays to be mended")
    }

    @Test func `a form that comes back changed can be undone in one step`() {
        var state = state()
        let before = state.forms.train.configuration
        guard case .editText(.form(.train), let text)? = state.press("ctrl+e").first else {
            Issue.record("no editor was asked for")
            return
        }
        let edited = text.replacing("lora_rank: 16", with: "lora_rank: 4") + "seed: 7\n"
        _ = update(&state, .textEdited(.form(.train), before: text, after: edited))
        #expect(state.forms.train.configuration.text("seed") == "7")
        state.press("u")
        #expect(state.forms.train.configuration == before)
    }

    @Test func `a form with mistakes is not taken, and can be edited again`() {
        var state = state()
        let before = state.forms.train.configuration
        _ = update(&state, .textEdited(.form(.train), before: "x", after: "learning_rate: fast\nno_such_thing: 1\n"))
        #expect(state.forms.train.configuration == before)
        guard case .dialog(let dialog) = state.overlays.last else {
            Issue.record("nothing was asked")
            return
        }
        #expect(dialog.text.contains("learning_rate") && dialog.text.contains("no_such_thing"))
        #expect(state.press("e").contains { if case .editText(.form(.train), let text) = $0 { text.contains("fast") } else { false } })
    }

    @Test(arguments: ["", "# only a comment\n", "\n\n"]) func `an empty file changes nothing`(text: String) {
        var state = state()
        let before = state.forms.train.configuration
        _ = update(&state, .textEdited(.form(.train), before: "x", after: text))
        #expect(state.forms.train.configuration == before)
    }

    @Test func `secrets do not go through a file`() {
        var state = state("hub_token")
        #expect(!state.press("E").contains { if case .editText = $0 { true } else { false } })
    }

    // MARK: History

    @Test func `earlier values of a field are offered, newest first, and kept over sessions`() {
        var state = state()
        for value in ["2e-4", "3e-4"] {
            state.press("enter ctrl+u")
            state.type(value)
            #expect(state.press("enter").contains { if case .rememberValue("learning_rate", _) = $0 { true } else { false } })
        }
        #expect(FieldHistory(json: state.history.json) == state.history)
        state.press("H down enter")
        #expect(state.forms.train.configuration[.learningRate] == 2e-4)
    }

    @Test(arguments: ["", "[]", "{\"learning_rate\": 3, \"unknown\": [\"a\"]}", "{\"seed\": [1, null, \"7\"]", "{\"hub_token\": [\"secret\"]}"])
    func `a damaged history is passed over`(text: String) {
        let history = FieldHistory(json: text)
        #expect(history.values(of: "learning_rate").isEmpty && history.values(of: "hub_token").isEmpty)
    }

    // MARK: Pickers

    @Test func `models on disk come first, well-known ones follow with how to get them`() {
        var state = state("model_name_or_path")
        state.press("enter")
        guard case .picker(let picker) = state.overlays.last else {
            Issue.record("no picker")
            return
        }
        let items = state.items(of: picker)
        #expect(items.first?.value == "saves/demo-model")
        #expect(items.count > 400)
        state.type("Qwen2.5-0.5B-Instruct")
        state.press("enter")
        #expect(state.forms.train.configuration.text("model_name_or_path") == "Qwen/Qwen2.5-0.5B-Instruct")
        #expect(state.status?.text.contains("hf download Qwen/Qwen2.5-0.5B-Instruct") == true)
    }

    @Test func `a known model brings its template where the form has none`() throws {
        var state = state("model_name_or_path")
        state.catalog.templates = ["qwen", "llama3"]
        try state.forms.train.configuration.set("template", text: "null")
        _ = state.changeModel(.train, "model_name_or_path", to: "Qwen/Qwen2.5-7B-Instruct", template: "qwen")
        #expect(state.forms.train.configuration.text("template") == "qwen")
        try state.forms.train.configuration.set("template", text: "llama3")
        _ = state.changeModel(.train, "model_name_or_path", to: "meta-llama/Meta-Llama-3-8B-Instruct", template: "qwen")
        #expect(state.forms.train.configuration.text("template") == "llama3", "the user's own choice stays")
    }

    // MARK: Preview and export

    @Test func `every style can be shown, copied and written`() {
        var state = state()
        state.press("v")
        for style in LaunchStyle.allCases {
            guard case .preview(let preview) = state.overlays.last else {
                Issue.record("the preview is gone")
                return
            }
            #expect(preview.style == style)
            let text = CommandPreview.launch(state.forms.train, style).text
            #expect(state.press("y").contains { if case .copy(text, _) = $0 { true } else { false } })
            state.press("Y")
            #expect(state.press("enter").contains { if case .writeText(_, _, false) = $0 { true } else { false } })
            state.press("a")
        }
    }

    @Test func `a file that exists is replaced only when somebody says so`() {
        var state = state()
        _ = update(&state, .fileExists(path: "run.sh", text: "new"))
        #expect(!state.press("enter").contains { if case .writeText = $0 { true } else { false } }, "the cautious answer is the first")
        _ = update(&state, .fileExists(path: "run.sh", text: "new"))
        #expect(state.press("r").contains { if case .writeText("run.sh", "new", true) = $0 { true } else { false } })
    }

    @Test func `an export is offered the folders of earlier exports, each once, and never the model's own`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        state.catalog.models += [
            ModelEntry(path: "saves/other/gguf-q8_0/a.gguf", isExport: true), ModelEntry(path: "saves/other/gguf-q8_0/b.gguf", isExport: true),
            ModelEntry(path: "models/somewhere", isExport: true), ModelEntry(path: "saves/source", isExport: true),
        ]
        try? state.forms.export.configuration.set("model_name_or_path", text: "./saves/source")
        state.press("4")
        _ = state.openPicker(.outputDirectories, tab: .export, argument: ArgumentTable.argument(named: "export_dir"))
        guard case .picker(let picker) = state.overlays.last else { return #expect(Bool(false), "no picker") }
        #expect(state.items(of: picker).map(\.value) == ["saves/source/merged", "saves/other/gguf-q8_0", "models/somewhere"])
    }

    @Test func `an export into a folder that is not empty asks first`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        state.press("4")
        let effects = state.press("f5")
        #expect(effects.contains { if case .checkExportTarget("saves/demo-model/merged") = $0 { true } else { false } })
        var empty = state
        #expect(update(&empty, .exportTargetChecked(path: "saves/demo-model/merged", fileCount: 0)).contains { if case .startJob(.export, _, _, _) = $0 { true } else { false } })
        _ = update(&state, .exportTargetChecked(path: "saves/demo-model/merged", fileCount: 3))
        guard case .dialog = state.overlays.last else {
            Issue.record("nothing was asked")
            return
        }
        #expect(state.press("r").contains { if case .startJob(.export, _, _, _) = $0 { true } else { false } })
    }
}
