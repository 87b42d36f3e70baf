import Events
import Runs
import Terminal
import Testing

@testable import Board

@Suite struct FrameTests {
    /// Every size in English and in Chinese.
    /// - Parameter wide: popups look the same on a wide terminal, so the text of most is kept at two sizes only.
    private func eachSize(wide: Bool = true, _ body: (inout BoardState) -> String) {
        for language in [Language.english, .chinese] {
            for size in GoldenFrames.sizes {
                var state = BoardFixture.state(columns: size.columns, rows: size.rows)
                state.wording = Wording(language)
                let name = body(&state)
                let keepsText = language == .english ? wide || size.columns < 100 : size.columns == 80
                GoldenFrames.check(state, name, keepsText: keepsText)
            }
        }
    }

    private func startTraining(_ state: inout BoardState, steps: Int = 40, of total: Int = 100) {
        _ = update(&state, .jobStarted(.train, .train, title: "quickstart", directory: "saves/demo-model/lora/quickstart"))
        _ = update(&state, .jobEvents(BoardFixture.trainingEvents(steps: steps, of: total)))
        state.status = nil
    }

    private func loadChat(_ state: inout BoardState) {
        state.press("3 f5")
        let info = ChatModelInfo(
            modelName: "demo-model", adapterName: "quickstart", templateName: "chatml", contextLength: 512, parameterCount: 4_700_000)
        _ = update(&state, .chat(.ready(info)))
        state.status = nil
    }

    @Test(arguments: Tab.allCases) func `each page while nothing runs`(_ tab: Tab) {
        eachSize { state in
            state.press("\(tab.number)")
            return "idle-\(tab.title.lowercased())"
        }
    }

    @Test func `the monitor while a training runs`() {
        eachSize { state in
            startTraining(&state)
            return "running-monitor"
        }
    }

    @Test func `the monitor with logarithmic axis, cursor and zoom`() {
        eachSize(wide: false) { state in
            startTraining(&state)
            state.press("l s i left left left +")
            state.status = nil
            return "running-inspect"
        }
    }

    @Test func `the log of the monitor being searched`() {
        eachSize(wide: false) { state in
            startTraining(&state)
            state.press("tab /")
            state.type("step 12")
            return "running-log-search"
        }
    }

    @Test func `the train page while a training runs`() {
        eachSize(wide: false) { state in
            startTraining(&state)
            state.press("1")
            return "running-train"
        }
    }

    @Test func `a run of another process in the monitor`() {
        eachSize { state in
            var run = RunDigest(kind: .train, title: "sft", directory: "saves/demo-model/full/sft", origin: .elsewhere)
            run.apply(BoardFixture.trainingEvents(steps: 25, of: 100))
            state.press("5")
            _ = update(&state, .runOpened(run))
            return "elsewhere-monitor"
        }
    }

    @Test func `a chat in two languages while the answer streams`() {
        eachSize { state in
            loadChat(&state)
            state.type("What is LoRA, in one sentence?")
            state.press("enter")
            let answer = "LoRA trains two small low-rank matrices next to each frozen weight matrix, so only a tiny fraction of the "
                + "parameters is updated."
            _ = update(&state, .chat(.piece(answer)))
            _ = update(&state, .chat(.finished(tokenCount: 38, tokensPerSecond: 18.4, contextUsed: 52, wasStopped: false)))
            _ = update(&state, .paste("写一首两行的诗。"))
            state.press("enter")
            _ = update(&state, .chat(.piece("月光落在窗台上，\n风把名字吹远")))
            state.type("Now translate it to English")
            return "chat-streaming"
        }
    }

    @Test func `an empty chat with a model loaded`() {
        eachSize(wide: false) { state in
            loadChat(&state)
            return "chat-empty"
        }
    }

    @Test func `an evaluation with samples`() {
        eachSize { state in
            state.press("2")
            _ = update(&state, .jobStarted(.evaluate, .predict, title: "predicting eval", directory: "saves/demo-model/eval"))
            let sample = PredictionSample(
                index: 0, prompt: "Name three primary colours.", label: "Red, yellow and blue.",
                prediction: "The three primary colours are red, yellow and blue.", scores: ["rouge-l": 71.2, "bleu-4": 40.1])
            _ = update(&state, .jobEvents([
                .state(.running), .progress(ProgressRecord(phase: "generating", completed: 52, total: 500, detail: "00:03:10 left")),
                .sample(sample),
            ]))
            state.press("tab space down space tab")
            state.status = nil
            return "running-evaluate"
        }
    }

    @Test func `an export at work`() {
        eachSize { state in
            state.press("4")
            _ = update(&state, .jobStarted(.export, .export, title: "export merged", directory: "saves/demo-model/merged"))
            _ = update(&state, .jobEvents([
                .state(.running), .progress(ProgressRecord(phase: "load base", completed: 1, total: 1, detail: "0.1 s")),
                .progress(ProgressRecord(phase: "load adapter", completed: 1, total: 1, detail: "0.0 s")),
                .progress(ProgressRecord(phase: "merge", completed: 3, total: 6, detail: "layer 3")),
            ]))
            state.status = nil
            return "running-export"
        }
    }

    @Test func `a field being edited with a mistake`() {
        eachSize(wide: false) { state in
            state.press("/")
            state.type("learning_rate")
            state.press("enter enter ctrl+u")
            state.type("abc")
            return "edit-mistake"
        }
    }

    @Test func `changed fields and the command that they make`() {
        eachSize(wide: false) { state in
            state.press("/")
            state.type("learning_rate")
            state.press("enter enter ctrl+u")
            state.type("5e-5")
            state.press("enter esc")
            return "changed-train"
        }
    }

    @Test func `help`() {
        eachSize(wide: false) { state in
            state.press("?")
            return "help"
        }
    }

    @Test func `the palette with a filter`() {
        eachSize(wide: false) { state in
            state.press("ctrl+p")
            state.type("ckpt")
            state.press("backspace backspace backspace")
            return "palette"
        }
    }

    @Test func `the picker of datasets with marks`() {
        eachSize(wide: false) { state in
            state.press("/")
            state.type("dataset")
            state.press("enter")
            while state.forms.train.selection != .field("dataset") { state.press("down") }
            state.press("enter")
            state.press("down space")
            return "picker-datasets"
        }
    }

    @Test func `the question before leaving a running job`() {
        eachSize(wide: false) { state in
            startTraining(&state)
            state.press("q")
            return "quit-dialog"
        }
    }

    @Test func `the preview as YAML`() {
        eachSize(wide: false) { state in
            state.press("v a a")
            return "preview-yaml"
        }
    }

    @Test func `the options of the chat`() {
        eachSize(wide: false) { state in
            loadChat(&state)
            state.press("ctrl+o")
            return "chat-options"
        }
    }

    @Test func `an empty machine says what to do`() {
        eachSize(wide: false) { state in
            state.catalog = Catalog()
            state.catalog.isScanned = true
            state.press("5")
            return "empty-monitor"
        }
    }

    // MARK: Popups and dialogs

    @Test func `the rows of a dataset`() {
        eachSize(wide: false) { state in
            state.press("P")
            let tokens = [("<|im_start|>", 1, false), ("user\n", 2, false), ("你好", 3, false), ("\n", 4, false), ("Hello", 5, true), (" there", 6, true)]
            let preview = DatasetPreview(
                dataset: "identity", row: 0, rowCount: 91, raw: "{\"instruction\": \"你好\", \"output\": \"Hello there\"}",
                tokens: tokens.map { .init(id: Int32($0.1), text: $0.0, isLearnt: $0.2) }, lengths: [6, 20, 40, 300, 90, 20], cutoff: 256)
            _ = update(&state, .datasetPreviewed(preview))
            return "dataset-prompt"
        }
        eachSize(wide: false) { state in
            state.press("P shift+tab")
            _ = update(&state, .datasetPreviewed(
                DatasetPreview(dataset: "identity", row: 0, rowCount: 91, raw: "{}", tokens: [], lengths: [6, 20, 40, 300, 90, 20], cutoff: 256)))
            return "dataset-lengths"
        }
    }

    @Test func `jump labels`() {
        eachSize(wide: false) { state in
            state.press(";")
            return "jump"
        }
    }

    @Test func `themes to choose from`() {
        eachSize(wide: false) { state in
            state.themeNames = ["auto", "contrast", "dark", "harbour", "light"]
            state.press("T down")
            return "themes"
        }
    }

    @Test func `tools with a mistake`() {
        eachSize(wide: false) { state in
            loadChat(&state)
            state.press("alt+t")
            state.type("[{\"name\": \"clock\"}, 3]")
            return "editor-tools"
        }
    }

    @Test func `an answer in Markdown with its thinking folded`() {
        eachSize { state in
            loadChat(&state)
            state.type("Compare")
            state.press("enter")
            _ = update(&state, .chat(.piece(Self.markdown)))
            _ = update(&state, .chat(.finished(tokenCount: 80, tokensPerSecond: 20.5, contextUsed: 90, wasStopped: false)))
            return "chat-markdown"
        }
    }

    @Test func `adapter and base side by side`() {
        eachSize(wide: false) { state in
            loadChat(&state)
            state.press("alt+b")
            state.type("Who are you?")
            state.press("enter")
            _ = update(&state, .chat(.piece("I am Tuneboard, a small model that lives in your terminal.")))
            _ = update(&state, .chat(.finished(tokenCount: 14, tokensPerSecond: 19, contextUsed: 20, wasStopped: false)))
            _ = update(&state, .chat(.piece("I am a language")))
            state.status = nil
            return "chat-compare"
        }
    }

    @Test func `talking to a training that holds`() {
        eachSize(wide: false) { state in
            startTraining(&state)
            _ = update(&state, .talkBegan(ChatModelInfo(
                modelName: "demo-model", adapterName: "step 40", templateName: "chatml", contextLength: 512, parameterCount: 4_700_000,
                isInTraining: true)))
            return "chat-training"
        }
    }

    @Test func `answers of two runs side by side`() {
        eachSize(wide: false) { state in
            state.press("2 tab space down space")
            for effect in state.press("enter") {
                guard case .loadPredictions(let directory) = effect else { continue }
                let samples = [
                    PredictionSample(
                        index: 0, prompt: "Name three primary colours.", label: "Red, yellow and blue.", prediction: "From " + directory,
                        scores: ["rouge-l": 40])
                ]
                _ = update(&state, .predictionsLoaded(directory: directory, samples))
            }
            state.status = nil
            return "samples-two"
        }
    }

    @Test func `questions`() {
        eachSize(wide: false) { state in
            startTraining(&state)
            state.press("ctrl+z")
            return "suspend-dialog"
        }
        eachSize(wide: false) { state in
            state.press("ctrl+c")
            return "leave-dialog"
        }
        eachSize(wide: false) { state in
            state.press("R delete")
            return "delete-dialog"
        }
        eachSize(wide: false) { state in
            state.press("f5")
            let earlier = EarlierRun(
                folder: "saves/demo-model/lora/quickstart", state: .stopped, step: 20, totalSteps: 42, checkpointStep: 20, neighbours: ["quickstart"])
            _ = update(&state, .jobWouldReplace(.train, state.forms.train.configuration, earlier))
            return "replace-dialog"
        }
        eachSize(wide: false) { state in
            loadChat(&state)
            state.type("hello")
            state.press("enter")
            _ = update(&state, .chat(.finished(tokenCount: 0, tokensPerSecond: 0, contextUsed: 0, wasStopped: true)))
            state.press("ctrl+k")
            return "clear-dialog"
        }
        eachSize(wide: false) { state in
            state.press("w")
            return "save-prompt"
        }
    }

    private static let markdown = """
        <think>
        The user wants a table.
        </think>

        ## Two ways
        Use **LoRA** when *memory* is short, `full` otherwise:

        | method | memory | 说明 |
        |---|---:|---|
        | LoRA | 2 GiB | 只训练小矩阵 |
        | full | 18 GiB | 全部权重 |

        1. Pick a model
        2. Run:

        ```sh
        tuneboard train recipes/quickstart.yaml
        ```
        > It takes a minute.
        """

    @Test func `a terminal that is too small says what it needs`() {
        let state = BoardFixture.state(columns: 40, rows: 10)
        let text = GoldenFrames.lines(state).joined(separator: "\n")
        #expect(text.contains("40 x 10"))
        #expect(text.contains("60 x 16"))
        for (columns, rows) in [(0, 0), (1, 1), (5, 3), (20, 5), (59, 16), (60, 15)] {
            _ = BoardView.draw(BoardFixture.state(columns: columns, rows: rows), theme: .dark())
        }
    }

    @Test func `every size draws without a line that is too long`() {
        for columns in stride(from: 60, through: 300, by: 17) {
            for rows in stride(from: 16, through: 80, by: 9) {
                var state = BoardFixture.state(columns: columns, rows: rows)
                startTraining(&state)
                for tab in Tab.allCases {
                    state.press("\(tab.number)")
                    for line in GoldenFrames.lines(state) { #expect(TextWidth.width(of: line) <= columns) }
                }
            }
        }
    }

    @Test func `the same frame in no colour differs only in its styles`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        startTraining(&state)
        let coloured = BoardView.draw(state, theme: .dark()).grid.text()
        guard let mono = Theme.builtIn("mono", depth: .mono) else { return }
        #expect(BoardView.draw(state, theme: mono).grid.text() == coloured)
    }
}
