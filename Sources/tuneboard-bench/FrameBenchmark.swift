/// `tuneboard-bench frame`: what one frame of the board costs while a long run is shown, drawn and sent to a pseudo-terminal.

import Board
import Configuration
import Events
import Formats
import Platform
import Terminal

struct FrameBenchmark {
    private let size: Size
    private let steps: Int
    private let frames: Int

    static let argumentNames = ["columns", "rows", "steps", "frames"]

    init(_ arguments: BenchArguments) {
        size = Size(columns: max(60, arguments.integer("columns", 200)), rows: max(16, arguments.integer("rows", 60)))
        steps = max(2, arguments.integer("steps", 5_000))
        frames = max(1, arguments.integer("frames", 200))
    }

    func run() throws -> JSONObject {
        let terminal = try PseudoTerminal(size: size)
        let reader = EngineThread(name: "terminal") { terminal.discardOutput() }
        var options = NcursesBackend.Options()
        options.descriptors = (terminal.program, terminal.program)
        options.terminalType = "xterm-256color"
        options.capturesOutput = false
        let backend = try NcursesBackend(options: options)
        var state = monitor(size: backend.size)
        let theme = Theme.builtIn("dark", depth: .indexed256) ?? .dark()
        var drawn: [Double] = []
        var sent: [Double] = []
        for frame in 0..<frames {
            _ = update(&state, .jobEvents([.step(Self.step(steps + frame, of: 2 * steps))]))
            let start = Clock.monotonicSeconds()
            let picture = BoardView.draw(state, theme: theme)
            let middle = Clock.monotonicSeconds()
            backend.present(picture.grid, cursor: picture.cursor)
            drawn.append(middle - start)
            sent.append(Clock.monotonicSeconds() - middle)
        }
        backend.close()
        terminal.close()
        reader.join()
        let whole = zip(drawn, sent).map(+)
        return JSONObject([
            ("case", "frame"), ("columns", .integer(backend.size.columns)), ("rows", .integer(backend.size.rows)),
            ("steps", .integer(steps)), ("frames", .integer(frames)),
            ("draw_milliseconds", .number(Statistics.median(drawn) * 1_000)),
            ("send_milliseconds", .number(Statistics.median(sent) * 1_000)),
            ("frame_milliseconds", .number(Statistics.median(whole) * 1_000)),
            // The first frame fills the whole screen; the others send what changed.
            ("first_milliseconds", .number((whole.first ?? 0) * 1_000)),
            ("slowest_later_milliseconds", .number((whole.dropFirst().max() ?? 0) * 1_000)),
        ])
    }

    /// The Monitor in the middle of a run.
    private func monitor(size: Size) -> BoardState {
        let empty = Configuration()
        var state = BoardState(
            size: size,
            forms: Forms(
                train: FormState(tab: .train, configuration: empty), evaluate: FormState(tab: .evaluate, configuration: empty),
                chat: FormState(tab: .chat, configuration: empty), export: FormState(tab: .export, configuration: empty)))
        _ = update(&state, .jobStarted(.train, .train, title: "long", directory: "saves/long"))
        var events: [JobEvent] = [.state(.running)]
        for step in 1..<steps {
            events.append(.step(Self.step(step, of: 2 * steps)))
            events.append(.log(LogRecord(time: Double(step), level: .info, text: "step \(step): a line as long as the log's lines are")))
            if step % 100 == 0 { events.append(.evaluation(EvaluationMetrics(step: step, loss: Self.loss(step) + 0.1))) }
        }
        _ = update(&state, .jobEvents(events))
        _ = update(&state, .run(commandIdentifier: "tab.monitor"))
        return state
    }

    private static func loss(_ step: Int) -> Double {
        2 / (1 + Double(step) / 500) + Double(step &* 7_919 % 101) / 300
    }

    private static func step(_ step: Int, of total: Int) -> StepMetrics {
        StepMetrics(
            step: step, totalSteps: total, epoch: Double(step) / 1_000, loss: loss(step), gradientNorm: 1 + loss(step) / 3,
            learningRate: 1e-4 * (1 - Double(step) / Double(total)), tokensPerSecond: 3_000 + Double(step % 97),
            tokensSeen: step * 512, elapsedSeconds: Double(step) / 5, remainingSeconds: Double(total - step) / 5)
    }
}
