import Configuration
import Events
import Terminal
import Testing

@testable import Board

@Suite struct MonitorUpdateTests {
    private func monitoring(_ events: [JobEvent]) -> BoardState {
        var state = BoardFixture.state(columns: 160, rows: 45)
        var run = RunDigest(kind: .train, title: "sft", directory: "saves/sft", origin: .finished)
        run.apply(events)
        state.press("5")
        _ = update(&state, .runOpened(run))
        return state
    }

    private func step(_ step: Int, loss: Double, seconds: Double = 0, tokens: Int = 0, extra: [String: Double] = [:]) -> JobEvent {
        .step(StepMetrics(step: step, totalSteps: 100, loss: loss, tokensSeen: tokens, elapsedSeconds: seconds, extra: extra))
    }

    private func metrics(_ events: [JobEvent]) -> MetricsStore {
        var run = RunDigest(kind: .train, title: "", directory: "", origin: .finished)
        run.apply(events)
        return run.metrics
    }

    @Test func `every logged metric has a chart`() {
        let state = monitoring([step(1, loss: 2, extra: ["rewards/margins": 0.5, "z_loss": 1])])
        #expect(state.chartMetrics.map(\.name) == ["loss", "rewards/margins", "z_loss"])
    }

    @Test func `charts go over time and tokens where the run knows them`() {
        var state = monitoring([step(1, loss: 3, seconds: 10, tokens: 100), step(2, loss: 2, seconds: 30, tokens: 250)])
        state.press("a")
        #expect(state.chart.axis == .time)
        #expect(state.chartSeries.xs == [10, 30])
        state.press("a")
        #expect(state.chart.axis == .tokens)
        #expect(state.chartSeries.xs == [100, 250])
        state.press("a")
        #expect(state.chart.axis == .step)
        #expect(state.chartSeries.xs == [1, 2])
    }

    @Test func `an axis that the run knows nothing about is refused`() {
        var state = monitoring([step(1, loss: 3), step(2, loss: 2)])
        state.press("a")
        #expect(state.chart.axis == .step)
        #expect(state.status != nil)
    }

    @Test func `seconds of a resumed run go on from where it was`() {
        var store = metrics([step(1, loss: 3, seconds: 10), step(2, loss: 2, seconds: 20), step(3, loss: 2, seconds: 4)])
        store.setAxis(.time)
        #expect(store[.loss].xs == [10, 20, 24])
    }

    @Test func `steps that are repeated take the place of the old ones on every axis`() {
        let events = [step(1, loss: 3, seconds: 10), step(2, loss: 2, seconds: 20), step(3, loss: 9, seconds: 30), step(2, loss: 1, seconds: 21)]
        var store = metrics(events)
        #expect(store[.loss].ys == [3, 1])
        store.setAxis(.time)
        #expect(store[.loss].xs.count == 2)
        #expect(store.steps(of: .loss) == [1, 2])
    }

    @Test func `points within the same second stay apart`() {
        var store = metrics((1...5).map { step($0, loss: Double($0), seconds: 1) })
        store.setAxis(.time)
        #expect(store[.loss].ys == [1, 2, 3, 4, 5])
    }

    @Test func `a value that is no number is a gap that is called out`() {
        let state = monitoring([step(1, loss: 3), step(2, loss: .nan), step(3, loss: 2)])
        #expect(state.chartSeries.gaps == [2])
        let lines = GoldenFrames.lines(state)
        #expect(lines.contains { $0.contains("1 NaN from step 2") })
        #expect(lines.contains { $0.contains("×") })
    }

    @Test func `smoothing goes by the usual steps and by finer ones`() {
        var state = monitoring([step(1, loss: 3), step(2, loss: 1)])
        #expect(state.chart.smoothing == 0.9)
        state.press(".")
        #expect(state.chart.smoothing == 0.93)
        state.press(", ,")
        #expect(state.chart.smoothing == 0.85)
        state.press("s")
        #expect(state.chart.smoothing == 0.9)
        #expect(state.chartSeries.smoothing == 0.9)
        state.press("s s")
        #expect(state.chart.smoothing == 0)
        #expect(state.chartSeries.smoothedValues.isEmpty)
    }

    @Test func `other runs are drawn under every chart and taken away again`() {
        var state = monitoring([step(1, loss: 3, extra: ["x": 1]), step(2, loss: 2, extra: ["x": 2])])
        _ = update(&state, .overlayLoaded(directory: "saves/a", metrics([step(1, loss: 5, extra: ["x": 7])])))
        _ = update(&state, .overlayLoaded(directory: "saves/b", metrics([step(1, loss: 6)])))
        #expect(state.chartPlot.series.filter { $0.kind == .overlay }.count == 2)
        #expect(state.plot(of: Metric("x")).series.filter { $0.kind == .overlay }.map(\.ys) == [[7]])
        #expect(state.overlayRuns.allSatisfy { $0.metrics[.loss].smoothing == 0.9 })
        state.press("O")
        #expect(state.overlayRuns.isEmpty)
    }

    @Test func `the grid shows all charts, and Enter makes one large`() {
        var state = monitoring([step(1, loss: 3, extra: ["a": 1, "b": 2])])
        state.press("v down enter")
        #expect(!state.chart.isGrid)
        #expect(state.chart.metric == Metric("a"))
    }

    @Test func `points of the chart are written where the user says`() {
        var state = monitoring([step(1, loss: 3)])
        state.press("E")
        let effects = state.press("enter")
        #expect(effects.contains { if case .exportChart("saves/sft/loss.csv", let series, "step") = $0 { series.count == 1 } else { false } })
    }

    @Test func `another program's run is watched and not steered`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        var run = RunDigest(kind: .train, title: "lf", directory: "saves/lf", origin: .elsewhere)
        run.isControllable = false
        run.apply([.state(.running), step(1, loss: 2)])
        state.press("5")
        _ = update(&state, .runOpened(run))
        #expect(!state.press("x").contains { if case .controlRun = $0 { true } else { false } })
        #expect(state.status?.kind == .warning)
    }

    @Test(arguments: [
        ("{'loss': 1.39012, 'learning_rate': 4.1100e-05}", "loss 1.39012  lr 4.11e-05"),
        ("{'loss': '1.390123456789', 'epoch': 0.25}", "loss 1.39012  epoch 0.25"),
        ("llamafactory.train.callbacks:143 >> {'loss': 2, 'epoch': 1}", "loss 2  epoch 1"),
        ("saved a {'strange': [1, 2]} thing", "saved a {'strange': [1, 2]} thing"), ("{'open", "{'open"), ("{}", "{}"), ("a: b >> c", "a: b >> c"),
    ])
    func `log lines are for people`(line: String, shown: String) {
        #expect(LogText.readable(line) == shown)
    }
}
