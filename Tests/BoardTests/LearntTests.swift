import Configuration
import Events
import Platform
import Runs
import Terminal
import Testing

@testable import Board

/// From a run of another process to the pages that use what it has learnt.
@Suite struct LearntTests {
    private static let folder = "saves/demo-model/lora/away"

    private static let arguments = BoardFixture.configuration([
        ("model_name_or_path", "models/other"), ("stage", "sft"), ("finetuning_type", "lora"), ("dataset", "identity"), ("template", "qwen"),
        ("learning_rate", "2e-4"), ("per_device_train_batch_size", "4"), ("gradient_accumulation_steps", "2"), ("num_train_epochs", "3.0"),
    ])

    private func run(_ origin: RunDigest.Origin, weights: String? = folder) -> RunDigest {
        var run = RunDigest(kind: .train, title: "away", directory: Self.folder, origin: origin)
        run.apply(BoardFixture.trainingEvents(steps: 60, of: 60).filter { if case .planned = $0 { false } else { true } })
        run.facts = RunFacts(arguments: Self.arguments, startTime: BoardFixture.now - 600, weights: weights)
        if origin == .finished { run.apply([.state(.finished)]) }
        return run
    }

    private func monitor(_ run: RunDigest, columns: Int = 80, rows: Int = 24) -> BoardState {
        var state = BoardFixture.state(columns: columns, rows: rows)
        state.press("5")
        _ = update(&state, .runOpened(run))
        state.status = nil
        return state
    }

    private func holdsRun(_ configuration: Configuration, weights: String = folder) -> Bool {
        configuration.text("model_name_or_path") == "models/other" && configuration.text("adapter_name_or_path") == weights
            && configuration.text("template") == "qwen"
    }

    @Test(arguments: [(2, Tab.evaluate), (3, .chat), (4, .export)])
    func `a run that ended in another process is evaluated, talked to and exported like one of this process`(_ number: Int, _ page: Tab) {
        var state = monitor(run(.finished))
        let footer = GoldenFrames.lines(state).last ?? ""
        #expect(footer.contains("2 evaluate") && footer.contains("3 chat") && footer.contains("4 export"), "\(footer)")
        let before = state.forms[page].configuration
        state.press("\(number)")
        #expect(state.tab == page && holdsRun(state.forms[page].configuration))
        #expect(state.status?.text.contains("demo-model/lora/away") == true)
        // What is chosen by hand afterwards stays, however often one goes back to look at the run.
        state.press("u")
        #expect(state.forms[page].configuration == before)
        state.press("5 \(number)")
        #expect(state.forms[page].configuration == before)
    }

    @Test func `a run that is watched offers the next steps once it has ended`() {
        var state = monitor(run(.elsewhere, weights: nil))
        #expect(GoldenFrames.lines(state).last?.contains("3 chat") == false)
        _ = update(&state, .runGrew(directory: Self.folder, [.state(.finished)], startedOver: false, isAlive: false))
        _ = update(&state, .runFactsRead(directory: Self.folder, RunFacts(arguments: Self.arguments, weights: Self.folder), for: nil))
        state.status = nil
        #expect(GoldenFrames.lines(state).last?.contains("3 chat") == true)
        state.press("3")
        #expect(holdsRun(state.forms.chat.configuration))
    }

    @Test func `the list of runs leads to the chat with the run under the cursor`() {
        for keys in ["5", "R"] {
            var state = BoardFixture.state(columns: 80, rows: 24)
            state.press(keys)
            let directory = state.selectedRun?.directory ?? ""
            let effects = state.press("3")
            #expect(state.tab == .chat && state.overlays.isEmpty)
            #expect(effects.contains { if case .readFacts(directory, .chat) = $0 { true } else { false } }, "\(keys): \(effects)")
            let checkpoint = Self.folder + "/checkpoint-40"
            _ = update(&state, .runFactsRead(directory: directory, RunFacts(arguments: Self.arguments, weights: checkpoint), for: .chat))
            #expect(holdsRun(state.forms.chat.configuration, weights: checkpoint))
            _ = update(&state, .runFactsRead(directory: directory, RunFacts(), for: .chat))
            #expect(state.status?.kind == .warning && holdsRun(state.forms.chat.configuration, weights: checkpoint))
        }
    }

    @Test func `a model that was trained as a whole is taken without an adapter`() {
        var whole = run(.finished)
        try? whole.facts?.arguments?.set("finetuning_type", text: "full")
        var state = monitor(whole)
        state.press("3")
        let form = state.forms.chat.configuration
        #expect(form.text("model_name_or_path") == Self.folder && form.text("adapter_name_or_path").isEmpty)
    }

    @Test func `what a folder tells of its run is read with the weights that it holds`() throws {
        let folder = try FileSystem.createTemporaryDirectory(prefix: "facts-")
        defer { try? FileSystem.removeTree(folder) }
        try FileSystem.writeAtomically(Path.join(folder, "training_args.yaml"), text: Self.arguments.yaml())
        #expect(RunFacts.read(folder).arguments?.text("template") == "qwen")
        #expect(RunFacts.read(folder).weights == nil)
        try FileSystem.writeAtomically(Path.join(folder, "adapter_model.safetensors"), text: "x")
        try FileSystem.writeAtomically(Path.join(folder, "adapter_config.json"), text: "{}")
        let facts = RunFacts.read(folder)
        #expect(facts.weights.map { Path.absolute($0) } == folder && facts.method == "lora" && facts.model == "models/other")
        #expect(RunFacts.read(folder + "/none") == RunFacts())
    }

    @Test func `an opened run says what it was and how it went`() {
        var state = monitor(run(.finished), columns: 160, rows: 45)
        let text = GoldenFrames.lines(state).joined(separator: "\n")
        for words in ["model         other", "stage         sft", "dataset       identity", "learning_rate 0.0002", "batch         8 per step", "10 min ago", "best loss"] {
            #expect(text.contains(words), "\(words)")
        }
        for words in ["grad 0.", "s/step 0.4000", "elapsed 00:00:24", "tokens 24.0 k"] { #expect(text.contains(words), "\(words)") }
        GoldenFrames.check(state, "opened-monitor")
        state.wording = Wording(.chinese)
        GoldenFrames.check(state, "opened-monitor", keepsText: false)
    }
}
