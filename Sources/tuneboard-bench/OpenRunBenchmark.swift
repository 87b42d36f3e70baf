/// `tuneboard-bench open-run --steps N`: from the decision to open a long run to its first picture, and to all of it.

import Board
import Configuration
import Events
import Formats
import Platform
import Runs
import Terminal

struct OpenRunBenchmark {
    private let size: Size
    private let steps: Int
    private let repetitions: Int

    static let argumentNames = ["columns", "rows", "steps", "repetitions"]

    init(_ arguments: BenchArguments) {
        size = Size(columns: max(60, arguments.integer("columns", 200)), rows: max(16, arguments.integer("rows", 60)))
        steps = max(2, arguments.integer("steps", 100_000))
        repetitions = max(1, arguments.integer("repetitions", 10))
    }

    func run() throws -> JSONObject {
        let folder = try FileSystem.createTemporaryDirectory()
        defer { try? FileSystem.removeTree(folder) }
        let path = Path.join(folder, "trainer_log.jsonl")
        try FileSystem.writeAtomically(path, text: log())
        var first: [Double] = []
        var whole: [Double] = []
        for _ in 0..<repetitions {
            let times = open(folder)
            first.append(times.first)
            whole.append(times.whole)
        }
        return JSONObject([
            ("case", "open-run"), ("columns", .integer(size.columns)), ("rows", .integer(size.rows)), ("steps", .integer(steps)),
            ("log_bytes", .integer(Int(try FileSystem.size(path)))), ("repetitions", .integer(repetitions)),
            ("first_picture_milliseconds", .number(Statistics.median(first) * 1_000)),
            ("whole_run_milliseconds", .number(Statistics.median(whole) * 1_000)),
            ("slowest_milliseconds", .number((whole.max() ?? 0) * 1_000)),
        ])
    }

    /// Reads the run as the board does, and draws it after the first piece and at the end.
    private func open(_ folder: String) -> (first: Double, whole: Double) {
        let theme = Theme.builtIn("dark", depth: .indexed256) ?? .dark()
        let empty = Configuration()
        var state = BoardState(
            size: size,
            forms: Forms(
                train: FormState(tab: .train, configuration: empty), evaluate: FormState(tab: .evaluate, configuration: empty),
                chat: FormState(tab: .chat, configuration: empty), export: FormState(tab: .export, configuration: empty)))
        _ = update(&state, .run(commandIdentifier: "tab.monitor"))
        let start = Clock.monotonicSeconds()
        let follower = RunFollower(RunDirectory(folder))
        var run = RunDigest(kind: .train, title: "long", directory: folder, origin: .finished)
        run.metrics.setSmoothing(ChartState().smoothing)
        var piece = follower.poll()
        run.apply(piece.events)
        _ = update(&state, .runOpened(run))
        _ = BoardView.draw(state, theme: theme)
        let first = Clock.monotonicSeconds() - start
        while piece.hasMore {
            piece = follower.poll()
            run.apply(piece.events)
        }
        _ = update(&state, .runOpened(run))
        _ = BoardView.draw(state, theme: theme)
        return (first, Clock.monotonicSeconds() - start)
    }

    private func log() -> String {
        var text = ""
        text.reserveCapacity(steps * 230)
        for step in 1...steps {
            let loss = 2 / (1 + Double(step) / 5_000) + Double(step &* 7_919 % 101) / 300
            text += "{\"current_steps\": \(step), \"total_steps\": \(2 * steps), \"loss\": \(NumberText.pythonFloat(loss)), \"lr\": "
            text += "\(NumberText.pythonFloat(1e-4 * (1 - Double(step) / Double(2 * steps)))), \"epoch\": \(NumberText.fixed(Double(step) / 1_000, digits: 3)), "
            text += "\"percentage\": 50.0, \"elapsed_time\": \"\(step / 18_000):\(10 + step / 300 % 50):\(10 + step / 5 % 50)\", "
            text += "\"remaining_time\": \"1:00:00\", \"throughput\": \(3_000 + step % 97).25, \"total_tokens\": \(step * 512), \"grad_norm\": 1.25}\n"
            if step % 1_000 == 0 { text += "{\"current_steps\": \(step), \"total_steps\": \(2 * steps), \"eval_loss\": \(NumberText.pythonFloat(loss)), \"epoch\": 1.0}\n" }
        }
        return text
    }
}
