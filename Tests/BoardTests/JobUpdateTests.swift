import Configuration
import Events
import Terminal
import Testing

@testable import Board

@Suite struct JobUpdateTests {
    private func running(_ steps: Int = 20) -> BoardState {
        var state = BoardFixture.state(columns: 80, rows: 24)
        _ = update(&state, .jobStarted(.train, .train, title: "quickstart", directory: "saves/demo-model/lora/quickstart"))
        _ = update(&state, .jobEvents(BoardFixture.trainingEvents(steps: steps, of: 100)))
        return state
    }

    private func controls(_ effects: [Effect]) -> [ControlRequest] {
        effects.compactMap { if case .control(let request) = $0 { request } else { nil } }
    }

    @Test func `a started training is shown by the monitor`() {
        let state = running()
        #expect(state.tab == .monitor)
        #expect(state.chartSeries.count == 20)
        #expect(state.monitoredRun?.evaluations.count == 1)
        #expect(state.monitoredRun?.checkpoints.map(\.step) == [20])
    }

    @Test func `x stops and saves, x again aborts`() {
        var state = running()
        #expect(controls(state.press("x")) == [.stopAndSave])
        #expect(controls(state.press("x")) == [.abort])
    }

    @Test func `p and Space pause and resume`() {
        var state = running()
        #expect(controls(state.press("p")) == [.pause])
        _ = update(&state, .jobEvents([.state(.paused)]))
        #expect(controls(state.press("space")) == [.resume])
    }

    @Test func `S asks for a checkpoint`() {
        var state = running()
        #expect(controls(state.press("S")) == [.save])
    }

    @Test func `without a job the keys that steer one say so`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        for key in ["x", "p", "S", "d"] {
            #expect(state.press(key).isEmpty)
            #expect(state.status?.kind == .warning, "\(key) said nothing")
        }
    }

    @Test func `a second job is refused while one runs`() {
        var state = running()
        state.press("1")
        #expect(state.press("f5").isEmpty)
        #expect(state.status?.text == "A job is training already. x stops it.")
    }

    @Test func `quitting while a job runs asks, and stop-and-save quits once it has stopped`() {
        var state = running()
        #expect(state.press("q").isEmpty)
        #expect(controls(state.press("enter")) == [.stopAndSave])
        let effects = update(&state, .jobEvents([.state(.stopped)]))
        #expect(effects.contains { if case .quit = $0 { true } else { false } })
    }

    @Test func `quitting stops the own job, also while another run is looked at`() {
        var state = running()
        let other = RunDigest(kind: .train, title: "sft", directory: "saves/demo-model/full/sft", origin: .elsewhere)
        _ = update(&state, .runOpened(other))
        state.press("q")
        #expect(controls(state.press("enter")) == [.stopAndSave])
    }

    @Test func `quitting can detach, and cancelling the question changes nothing`() {
        var state = running()
        state.press("q esc")
        #expect(state.overlays.isEmpty)
        #expect(state.runningJob != nil)
        #expect(state.press("q d").contains { if case .detach = $0 { true } else { false } })
    }

    @Test func `quitting without a job just quits`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        #expect(state.press("q").contains { if case .quit = $0 { true } else { false } })
    }

    @Test func `Ctrl+C cancels the innermost thing, then offers to quit`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        state.forms.train.reveal("learning_rate")
        state.press("enter ctrl+c")
        #expect(state.forms.train.edit == nil)
        state.press("ctrl+p ctrl+c")
        #expect(state.overlays.isEmpty)
        state.press("ctrl+c")
        guard case .dialog = state.overlays.last else {
            Issue.record("Ctrl+C with nothing to cancel should offer to quit")
            return
        }
        #expect(state.press("enter").contains { if case .quit = $0 { true } else { false } })
    }

    @Test func `a hang-up detaches from a job and ends a board without one`() {
        var busy = running()
        #expect(update(&busy, .hangUp).contains { if case .detach = $0 { true } else { false } })
        var idle = BoardFixture.state(columns: 80, rows: 24)
        #expect(update(&idle, .hangUp).contains { if case .quit = $0 { true } else { false } })
    }

    @Test func `suspending asks while a job runs`() {
        var state = running()
        #expect(state.press("ctrl+z").isEmpty)
        #expect(state.press("s").contains { if case .suspend = $0 { true } else { false } })
        var idle = BoardFixture.state(columns: 80, rows: 24)
        #expect(idle.press("ctrl+z").contains { if case .suspend = $0 { true } else { false } })
    }

    @Test func `the trained adapter is chosen for chat, evaluation and export`() {
        var state = running()
        _ = update(&state, .jobEvents([.finished(JobSummary(outputDirectory: "saves/demo-model/lora/quickstart")), .state(.finished)]))
        for tab in [Tab.chat, .evaluate, .export] {
            #expect(state.forms[tab].configuration.text("adapter_name_or_path") == "saves/demo-model/lora/quickstart")
        }
        #expect(state.activeJob == nil)
        #expect(state.status?.kind == .success)
    }

    @Test func `the folders of evaluation and export follow a model that was trained as a whole`() throws {
        var state = BoardFixture.state(columns: 80, rows: 24)
        try state.forms.train.configuration.set("finetuning_type", text: "full")
        _ = update(&state, .jobStarted(.train, .train, title: "full", directory: "saves/demo-model/full/better"))
        _ = update(&state, .jobEvents([.finished(JobSummary(outputDirectory: "saves/demo-model/full/better")), .state(.finished)]))
        #expect(state.forms.export.configuration.text("model_name_or_path") == "saves/demo-model/full/better")
        #expect(state.forms.export.configuration.text("export_dir") == "saves/better/merged")
    }

    @Test func `curves drawn over each other are dropped when their folder is trained into again, not when it is evaluated`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        let under = OverlayRun(directory: "./saves/demo-model/full/sft", metrics: MetricsStore())
        state.overlayRuns = [under]
        _ = update(&state, .jobStarted(.evaluate, .evaluate, title: "eval", directory: "saves/demo-model/full/sft"))
        #expect(state.overlayRuns.count == 1)
        _ = update(&state, .jobEvents([.state(.finished)]))
        _ = update(&state, .jobStarted(.train, .train, title: "sft", directory: "saves/demo-model/full/sft"))
        #expect(state.overlayRuns.isEmpty)
    }

    @Test func `zooming in is offered where there are points to look at, counted in the metric that is shown`() {
        var state = running(20)
        #expect(state.zoomInRefusal() == nil)
        state.chart.metric = .evaluationLoss
        #expect(state.zoomInRefusal() != nil)
        #expect(running(3).zoomInRefusal() != nil)
    }

    @Test func `a field is not gone to over a text that is being written`() throws {
        var state = BoardFixture.state(columns: 80, rows: 24)
        state.press("3")
        _ = state.openEditor(.systemPrompt)
        state.type("Be brief")
        state.press("f1")
        state.type("learning_rate")
        state.press("enter")
        #expect(state.overlays.contains { if case .editor = $0 { true } else { false } }, "what was typed is kept")
        #expect(state.status?.kind == .warning)
    }

    @Test func `a failed job says what to do`() {
        var state = running()
        _ = update(&state, .jobEvents([.failed(JobFailure(what: "The disk is full.", whatToDo: "Free some space.")), .state(.failed)]))
        #expect(state.status == StatusMessage(.failure, "The disk is full. Free some space."))
    }

    @Test func `NaN is kept as a gap and counted`() {
        var state = running(3)
        _ = update(&state, .jobEvents([.step(StepMetrics(step: 4, totalSteps: 100, loss: .nan))]))
        #expect(state.monitoredRun?.nonFiniteSteps == 1)
        #expect(state.chartSeries.gapCount == 1)
        #expect(GoldenFrames.lines(state).joined().contains("NaN"))
    }

    @Test func `a log that was scrolled stays where it is while lines come`() {
        var state = running()
        state.press("tab up up up")
        let before = state.logPane.linesFromEnd
        _ = update(&state, .jobEvents([.log(LogRecord(time: 0, level: .info, text: "more")), .log(LogRecord(time: 0, level: .debug, text: "hidden"))]))
        #expect(state.logPane.linesFromEnd == before + 1)
        state.press("f")
        #expect(state.logPane.isFollowing)
    }

    @Test func `zoom, pan, freeze and fit`() {
        var state = running(100)
        state.press("+")
        #expect(state.chart.view.xRange != nil)
        #expect(state.chart.view.isFollowing)
        state.press("left")
        #expect(!state.chart.view.isFollowing)
        state.press("f")
        #expect(state.chart.view.isFollowing)
        state.press("0")
        #expect(state.chart.view.xRange == nil)
        state.press("i left")
        #expect(state.chart.view.cursor != nil)
        state.press("esc")
        #expect(state.chart.view.cursor == nil)
    }

    @Test func `smoothing cycles and its factor stands in the title`() {
        var state = running()
        for factor in ["ema 0.99", "not smoothed", "ema 0.6", "ema 0.9"] {
            state.press("s")
            #expect(GoldenFrames.lines(state).joined().contains(factor))
        }
    }

    @Test func `m walks through the metrics that were logged`() {
        var state = running()
        var seen: [String] = [state.chart.metric.name]
        for _ in 0..<4 {
            state.press("m")
            seen.append(state.chart.metric.name)
        }
        #expect(seen == ["loss", "learning_rate", "grad_norm", "tokens_per_second", "memory"])
        state.press("m")
        #expect(state.chart.metric == .loss)
    }

    @Test func `a run of another process is steered through its directory`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        state.press("5")
        var run = RunDigest(kind: .train, title: "sft", directory: "saves/demo-model/full/sft", origin: .elsewhere)
        run.apply(BoardFixture.trainingEvents(steps: 5, of: 100))
        _ = update(&state, .runOpened(run))
        let requests = state.press("x").compactMap { effect -> (String, ControlRequest)? in
            if case .controlRun(let directory, let request) = effect { return (directory, request) }
            return nil
        }
        #expect(requests.first?.0 == "saves/demo-model/full/sft")
        #expect(requests.first?.1 == .stopAndSave)
        _ = update(&state, .runGrew(directory: "saves/demo-model/full/sft", [.state(.stopped)], startedOver: false, isAlive: false))
        #expect(state.monitoredRun?.origin == .finished)
        state.press("esc")
        #expect(state.openedRun == nil)
    }

    @Test func `a run is resumed from its last checkpoint with its own arguments`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        state.press("5 down")
        let loading = state.press("r")
        #expect(loading.contains { if case .loadRecipe(.train, "saves/demo-model/full/sft/training_args.yaml") = $0 { true } else { false } })
        let effects = update(
            &state, .recipeLoaded(.train, path: "saves/demo-model/full/sft/training_args.yaml", BoardFixture.training, notices: []))
        let started = effects.compactMap { effect -> String? in
            if case .startJob(.train, .train, let configuration, _) = effect { return configuration.text("resume_from_checkpoint") }
            return nil
        }
        #expect(started == ["true"], "the newest there is when it starts, which may be another by then")
    }

    @Test func `a renamed run is resumed in the folder that it has now`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        state.press("5 down r")
        let effects = update(
            &state, .recipeLoaded(.train, path: "saves/demo-model/full/sft/training_args.yaml", BoardFixture.training, notices: []))
        let folders = effects.compactMap { effect -> String? in
            if case .startJob(.train, .train, let configuration, _) = effect { return configuration.text("output_dir") }
            return nil
        }
        #expect(folders == ["saves/demo-model/full/sft"])
    }

    @Test func `a recipe that is loaded after a failed resuming does not start`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        state.press("5 down r")
        let effects = update(&state, .recipeLoaded(.train, path: "recipes/other.yaml", BoardFixture.training, notices: []))
        #expect(!effects.contains { if case .startJob = $0 { true } else { false } })
    }

    @Test func `deleting a run asks, with keeping it as the first answer`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        state.press("5 delete")
        #expect(state.press("enter").isEmpty)
        state.press("delete")
        #expect(state.press("d").contains { if case .deleteRun("saves/demo-model/lora/quickstart") = $0 { true } else { false } })
    }

    @Test func `the log is bounded`() {
        var log = LogStore()
        for index in 0..<20_000 { log.append(LogRecord(time: 0, level: .info, text: "\(index)")) }
        #expect(log.records.count <= LogStore.limit + 1_000)
        #expect(log.records.last?.text == "19999")
        #expect(log.dropped + log.records.count == 20_000)
    }
}

@Suite struct ResumedRunTests {
    @Test func `a resumed run shows the curve it had, and repeated steps replace the old ones`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        _ = update(&state, .jobStarted(.train, .train, title: "quickstart", directory: "saves/demo-model/lora/quickstart"))
        _ = update(&state, .jobHistory(.train, (1...50).map { .step(StepMetrics(step: $0, totalSteps: 100, loss: 2)) }))
        #expect(state.chartSeries.count == 50)
        #expect(state.monitoredRun?.latest == nil)
        _ = update(&state, .jobEvents([.step(StepMetrics(step: 41, totalSteps: 100, loss: 1, elapsedSeconds: 0.5))]))
        #expect(state.chartSeries.count == 41)
        #expect(state.chartSeries.ys.last == 1)
        #expect(state.monitoredRun?.firstStep == 40)
    }

    @Test func `seconds per step are those of the session, while it runs and when it is over`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        _ = update(&state, .jobStarted(.train, .train, title: "quickstart", directory: "saves/demo-model/lora/quickstart"))
        _ = update(&state, .jobHistory(.train, (1...150).map { .step(StepMetrics(step: $0, totalSteps: 183, loss: 2, elapsedSeconds: Double($0))) }))
        let steps = (151...183).map { JobEvent.step(StepMetrics(step: $0, totalSteps: 183, loss: 1, elapsedSeconds: Double($0 - 150) * 0.1)) }
        _ = update(&state, .jobEvents(steps))
        #expect(abs((state.monitoredRun?.secondsPerStep ?? 0) - 0.1) < 1e-9)
        _ = update(&state, .jobEvents([.state(.finished)]))
        #expect(state.monitoredRun?.origin == .finished)
        #expect(abs((state.monitoredRun?.secondsPerStep ?? 0) - 0.1) < 1e-9)
    }

    @Test func `so are those of a run that is read from its log, however sparse`() {
        var run = RunDigest(kind: .train, title: "run", directory: "saves/run", origin: .finished)
        func line(_ step: Int, _ seconds: Double) -> JobEvent { .step(StepMetrics(step: step, totalSteps: 200, loss: 1, elapsedSeconds: seconds)) }
        run.apply([line(10, 5), line(20, 10)])
        #expect(run.secondsPerStep == 0.5, "all steps of the first session, logged or not")
        run.apply([line(30, 1), line(40, 2)])
        #expect(run.secondsPerStep == 0.1)
        // The file was begun anew.
        run.apply([line(10, 4)])
        #expect(run.secondsPerStep == 0.4)
    }
}
