import Configuration
import Events
import Runs
import Terminal
import Testing

@testable import Board

/// The Monitor's charts, the runs list and its popups, and the preview, as pictures.
@Suite struct MonitorFrameTests {
    /// - Parameter wide: popups look the same on a wide terminal, so they are kept at two sizes.
    private func eachSize(wide: Bool = true, _ body: (inout BoardState) -> String) {
        for size in GoldenFrames.sizes where wide || size.columns < 100 {
            var state = BoardFixture.state(columns: size.columns, rows: size.rows)
            let name = body(&state)
            state.status = nil
            GoldenFrames.check(state, name)
        }
    }

    private static func run(_ directory: String, worseBy offset: Double = 0) -> RunDigest {
        var run = RunDigest(kind: .train, title: "quickstart", directory: directory, origin: .finished)
        let events = BoardFixture.trainingEvents(steps: 60, of: 60).map { event -> JobEvent in
            guard case .step(var step) = event else { return event }
            step.loss = step.step == 45 ? .nan : step.loss.map { $0 + offset }
            step.extra = ["rewards/accuracies": Double(step.step % 7) / 7, "rewards/margins": Double(step.step) / 60]
            return .step(step)
        }
        run.apply(events + [.state(.finished)])
        return run
    }

    private func open(_ state: inout BoardState) {
        state.press("5")
        _ = update(&state, .runOpened(Self.run("saves/demo-model/lora/quickstart")))
    }

    @Test func `what a log says of a card's memory is a chart with a name, and a log without it says nothing`() {
        var state = BoardFixture.state(columns: 160, rows: 45)
        var run = RunDigest(kind: .train, title: "vram", directory: "saves/vram", origin: .finished)
        for line in 1...3 {
            let text = "{\"current_steps\": \(line), \"total_steps\": 3, \"loss\": 1.5, \"vram_allocated\": 3.25, \"vram_reserved\": 4.5}"
            if let event = TrainerLog.event(line: text) { run.apply([event]) }
        }
        state.press("5")
        _ = update(&state, .runOpened(run))
        #expect(run.metrics.charts == [.loss, .cardMemory, .reservedCardMemory])
        state.press("m")
        #expect(GoldenFrames.lines(state).joined().contains("GPU memory, GiB"))
        #expect(!Self.run("saves/a").metrics.charts.contains(.cardMemory))
    }

    @Test(arguments: [80, 100, 160]) func `the memory of the machine is in view with its unit`(_ columns: Int) {
        var state = BoardFixture.state(columns: columns, rows: 45)
        open(&state)
        state.system.availableBytes = state.system.memoryBytes - 902 << 20
        let text = GoldenFrames.lines(state).joined(separator: "\n")
        #expect(text.contains("902 MiB / 16.0 GiB") || text.contains("0.9/16.0 GiB"))
    }

    @Test func `a grid of every metric`() {
        eachSize { state in
            open(&state)
            state.press("v m")
            return "monitor-grid"
        }
    }

    @Test func `another run under the loss, over tokens, with a value that is no number`() {
        eachSize { state in
            open(&state)
            _ = update(&state, .overlayLoaded(directory: "saves/demo-model/full/sft", Self.run("", worseBy: 0.4).metrics))
            state.press("a a i left left")
            return "monitor-overlay"
        }
    }

    @Test func `the list of runs with marks, an order and a filter`() {
        eachSize { state in
            state.press("5 space s /")
            state.type("demo")
            return "runs-marked"
        }
    }

    private static let comparison = RunComparison(
        directories: ["saves/demo-model/lora/quickstart", "saves/demo-model/full/sft"],
        rows: [
            .init(name: "best loss", values: ["0.4312", "1.204"]), .init(name: "steps", values: ["42", "17"]),
            .init(name: "finetuning_type", values: ["lora", "full"]), .init(name: "learning_rate", values: ["0.001", "5e-05"]),
            .init(name: "output_dir", values: ["saves/demo-model/lora/quickstart", "saves/demo-model/full/sft"]),
        ], equalCount: 11)

    @Test func `where two runs differ`() {
        eachSize(wide: false) { state in
            state.press("5")
            _ = update(&state, .runsCompared(Self.comparison))
            return "runs-compared"
        }
    }

    @Test func `the queue`() {
        eachSize(wide: false) { state in
            state.queue = [
                QueuedRun(tab: .train, title: "Train demo-model/lora/second", recipe: "lora_rank: 4\n"),
                QueuedRun(tab: .export, title: "Export demo-model/merged", recipe: "export_dir: saves/demo-model/merged\n"),
            ]
            state.press("B down")
            return "queue"
        }
    }

    @Test(arguments: [LaunchStyle.factory, .slurm]) func `the preview for others`(style: LaunchStyle) {
        eachSize(wide: false) { state in
            state.press("v")
            while case .preview(let preview) = state.overlays.last, preview.style != style { state.press("a") }
            return "preview-\(style.rawValue)"
        }
    }

    @Test func `the picker of models`() {
        eachSize(wide: false) { state in
            state.forms.train.reveal("model_name_or_path")
            state.press("enter")
            state.type("qwen3-0.6")
            return "picker-models"
        }
    }

    @Test(arguments: ["grid", "marked", "compared", "queue", "slurm"]) func `the same screens in Chinese`(screen: String) {
        for size in GoldenFrames.sizes where size.columns < 100 {
            var state = BoardFixture.state(columns: size.columns, rows: size.rows)
            state.wording = Wording(.chinese)
            switch screen {
            case "grid":
                open(&state)
                state.press("v")
            case "marked": state.press("5 space s /")
            case "compared":
                state.press("5")
                _ = update(&state, .runsCompared(Self.comparison))
            case "queue": state.press("B")
            default:
                state.press("v")
                while case .preview(let preview) = state.overlays.last, preview.style != .slurm { state.press("a") }
            }
            state.status = nil
            GoldenFrames.check(state, "chinese-\(screen)")
        }
    }

    @Test func `numbers that are none, or too large for any, are drawn`() {
        for value in [Double.infinity, -.infinity, .nan, 1e300, -1e308] {
            var state = BoardFixture.state(columns: 80, rows: 24)
            var run = RunDigest(kind: .train, title: "odd", directory: "saves/odd", origin: .finished)
            for step in [Int.min, 1, Int.max] {
                run.apply([
                    .step(
                        StepMetrics(
                            step: step, totalSteps: step, epoch: value, loss: value, gradientNorm: value, learningRate: value,
                            tokensPerSecond: value, tokensSeen: step, elapsedSeconds: value, remainingSeconds: value))
                ])
            }
            _ = update(&state, .runOpened(run))
            state.press("5")
            #expect(GoldenFrames.lines(state).contains { $0.contains("tok/s") })
        }
    }

    /// Every size from the smallest on is drawn without a line that is too long.
    @Test func `nothing breaks between 60x16 and 300x80`() {
        for (columns, rows) in [(60, 16), (61, 17), (79, 20), (100, 24), (139, 29), (140, 30), (200, 60), (300, 80)] {
            var state = BoardFixture.state(columns: columns, rows: rows)
            open(&state)
            for keys in ["", "v", "v R", "esc tab", "B", "esc 1 v", "esc"] {
                state.press(keys)
                for line in GoldenFrames.lines(state) { #expect(TextWidth.width(of: line) <= columns, "\(columns)x\(rows) after \(keys): \(line)") }
            }
        }
    }
}
