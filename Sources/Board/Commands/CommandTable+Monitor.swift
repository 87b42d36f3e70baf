import Terminal

extension CommandTable {
    private static let needsPoints: @Sendable (BoardState) -> String? = { state in
        state.chartSeries.isEmpty ? say("There are no points to look at yet.") : nil
    }

    private static let reads: @Sendable (BoardState) -> Bool = { $0.chart.view.cursor != nil }
    private static let readsNot: @Sendable (BoardState) -> Bool = { $0.chart.view.cursor == nil }
    private static let isZoomed: @Sendable (BoardState) -> Bool = { $0.chart.view.xRange != nil }

    static let chart: [BoardCommand] = [
        BoardCommand("chart.log", "Logarithmic or linear axis", label: "log-y", keys: keys("l"), in: [.chart], rank: 8, hinted: readsNot) {
            $0.toggleLogarithm()
        },
        BoardCommand("chart.smooth", "Smoothing: 0, 0.6, 0.9, 0.99; finer by , and .", label: "smooth", keys: keys("s"), in: [.chart], rank: 8, hinted: readsNot) {
            $0.cycleSmoothing()
        },
        BoardCommand("chart.zoomIn", "Zoom in", label: "zoom", keys: keys("+"), in: [.chart], rank: 3, refusal: { needsPoints($0) ?? $0.zoomInRefusal() },
            perform: { $0.zoom(by: 0.5) }),
        // The same key compares in the list of runs, from which one comes here; + without Shift elsewhere.
        BoardCommand("chart.compare", "Show where the drawn runs differ; of one run zoom in", label: "compare", keys: keys("="), in: [.chart], rank: 6,
            hinted: { !$0.overlayRuns.isEmpty && readsNot($0) },
            refusal: { $0.overlayRuns.isEmpty ? needsPoints($0) ?? $0.zoomInRefusal() : nil }, perform: { $0.compareDrawnRuns() }),
        BoardCommand("chart.zoomOut", "Zoom out", label: "zoom out", keys: keys("-", "_"), in: [.chart], rank: 1, hinted: isZoomed, refusal: needsPoints) { $0.zoom(by: 2) },
        BoardCommand("chart.left", "Pan left, or move the cursor", label: "earlier", keys: keys("left"), in: [.chart], rank: 1,
            relabelled: { reads($0) ? nil : "pan" }, hinted: { reads($0) || isZoomed($0) }, refusal: needsPoints, perform: { $0.pan(by: -1) }),
        BoardCommand("chart.right", "Pan right, or move the cursor", label: "later", keys: keys("right"), in: [.chart], rank: 1,
            hinted: reads, refusal: needsPoints, perform: { $0.pan(by: 1) }),
        BoardCommand("chart.first", "Go to the start", label: "first", keys: keys("home", "g"), in: [.chart], rank: 2, hinted: reads,
            refusal: needsPoints, perform: { $0.panToEnd(false) }),
        BoardCommand("chart.last", "Go to the end", label: "last", keys: keys("end", "G"), in: [.chart], rank: 2, hinted: reads,
            refusal: needsPoints, perform: { $0.panToEnd(true) }),
        BoardCommand("chart.fit", "Fit the whole run", label: "all", keys: keys("0"), in: [.chart], rank: 1, hinted: isZoomed) { $0.fitChart() },
        BoardCommand("chart.follow", "Follow new steps, or freeze the view", label: "follow", keys: keys("f"), in: [.chart], rank: 11,
            refusal: needsPoints) { $0.toggleFollow() },
        BoardCommand("chart.inspect", "Cursor that reads values", label: "inspect", keys: keys("i"), in: [.chart], rank: 9, hinted: readsNot,
            refusal: needsPoints) { $0.toggleInspect() },
        BoardCommand("chart.metric", "Next metric", label: "metric", keys: keys("m", "down"), in: [.chart], rank: 10) {
            $0.cycleMetric(by: 1)
        },
        BoardCommand("chart.metric.previous", "Previous metric", keys: keys("M", "up"), in: [.chart]) { $0.cycleMetric(by: -1) },
        BoardCommand("chart.grid", "All charts in a grid, or one large", label: "grid", keys: keys("v"), in: [.chart], rank: 9, hinted: readsNot) {
            $0.toggleGrid()
        },
        BoardCommand("chart.large", "Make the chosen chart large", keys: keys("enter"), in: [.chart], refusal: { $0.gridRefusal() },
            perform: { $0.toggleGrid() }),
        BoardCommand("chart.axis", "Over steps, time, tokens or epochs", label: "axis", keys: keys("a"), in: [.chart], rank: 12,
            refusal: needsPoints) { $0.cycleAxis() },
        BoardCommand("chart.smooth.less", "Smooth less", keys: keys(","), in: [.chart]) { $0.adjustSmoothing(isMore: false) },
        BoardCommand("chart.smooth.more", "Smooth more", keys: keys("."), in: [.chart]) { $0.adjustSmoothing(isMore: true) },
        BoardCommand("chart.export", "Write the chart's points to a file", keys: keys("E"), in: [.chart], refusal: needsPoints) {
            $0.promptForChartFile()
        },
        BoardCommand("chart.overlay", "Draw another run over this one", label: "overlay", keys: keys("o"), in: [.chart], rank: 21) {
            $0.toggleOverlayRun()
        },
        BoardCommand("chart.talk", "Hold the training and talk to its weights as they stand", label: "talk", keys: keys("t"), in: [.chart],
            rank: 6, onlyWhenPossible: true, refusal: { $0.talkRefusal() }, perform: { $0.talkToTraining() }),
        BoardCommand("chart.overlay.clear", "Draw this run alone again", label: "alone", keys: keys("O"), in: [.chart], rank: 3, onlyWhenPossible: true,
            refusal: { $0.clearOverlaysRefusal() }, perform: { $0.clearOverlayRuns() }),
        BoardCommand("chart.leave", "Leave the cursor, the zoom, then the opened run", label: "leave", keys: keys("escape"), in: [.chart], rank: 2,
            hinted: { reads($0) || $0.chart.isGrid || ($0.openedRun != nil && !isZoomed($0)) }, perform: { $0.leaveChart() }),
    ]

    static let log: [BoardCommand] = [
        BoardCommand("log.search", "Search the log", label: "search", keys: keys("/"), in: [.log], rank: 1) { $0.startLogSearch() },
        BoardCommand("log.next", "Next match", keys: keys("n"), in: [.log], refusal: { $0.searchRefusal() }, perform: { $0.searchLog(-1) }),
        BoardCommand("log.previous", "Previous match", keys: keys("N"), in: [.log], refusal: { $0.searchRefusal() },
            perform: { $0.searchLog(1) }),
        BoardCommand("log.follow", "Follow the end of the log", label: "follow", keys: keys("f"), in: [.log], rank: 2) {
            $0.move(.last)
        },
        BoardCommand("log.level", "Which levels are shown", label: "level", keys: keys("t"), in: [.log], rank: 3) { $0.cycleLogLevel() },
        BoardCommand("log.leave", "Clear the search", keys: keys("escape"), in: [.log]) { $0.clearLogSearch() },
        BoardCommand("logSearch.accept", "Search", label: "search", keys: keys("enter"), in: [.logSearch], rank: 1) {
            $0.acceptLogSearch()
        },
        BoardCommand("logSearch.cancel", "Leave the search", label: "cancel", keys: keys("escape"), in: [.logSearch], rank: 2) {
            $0.clearLogSearch()
        },
    ]

    static let runs: [BoardCommand] = [
        BoardCommand("runs.show", "Runs under saves/", label: "runs", keys: keys("R"), in: [.page], rank: 5, hinted: { $0.focus != .runs }, perform: { $0.openRuns() }),
        BoardCommand("runs.open", "Open the run in the Monitor", label: "open", keys: keys("enter"), in: [.runs], rank: 1, onlyWhenPossible: true,
            refusal: { $0.runRefusal() }, perform: { $0.openSelectedRun() }),
        BoardCommand("runs.evaluate", "Evaluate what the run has learnt", label: "evaluate", keys: keys("2"), in: [.runs], rank: 7,
            hinted: { $0.selectedRun.map($0.canTake) ?? false }, perform: { $0.goOn(to: .evaluate) }),
        BoardCommand("runs.chat", "Talk to what the run has learnt", label: "chat", keys: keys("3"), in: [.runs], rank: 5,
            hinted: { $0.selectedRun.map($0.canTake) ?? false }, perform: { $0.goOn(to: .chat) }),
        BoardCommand("runs.export", "Export what the run has learnt", label: "export", keys: keys("4"), in: [.runs], rank: 7,
            hinted: { $0.selectedRun.map($0.canTake) ?? false }, perform: { $0.goOn(to: .export) }),
        BoardCommand("runs.resume", "Resume the run from its last checkpoint", label: "resume", keys: keys("r"), in: [.runs], rank: 5, onlyWhenPossible: true,
            ranked: { $0.selectedRun?.state == .finished ? nil : 1 }, refusal: { $0.resumeRefusal() }, perform: { $0.resumeSelectedRun() }),
        BoardCommand("runs.load", "Load the run's configuration into the form", label: "load", keys: keys("c"), in: [.runs], rank: 6, onlyWhenPossible: true,
            refusal: { $0.loadRunRefusal() }, perform: { $0.loadSelectedRun() }),
        BoardCommand("runs.extend", "Make a finished run longer", label: "extend", keys: keys("e"), in: [.runs], rank: 7,
            onlyWhenPossible: true, refusal: { $0.extendRefusal() }, perform: { $0.promptToExtend() }),
        BoardCommand("runs.mark", "Mark the run for comparison", label: "mark", keys: keys("space"), in: [.runs], rank: 2, onlyWhenPossible: true,
            refusal: { $0.runRefusal() }, perform: { $0.markRun() }),
        BoardCommand("runs.compare", "Show where the marked runs differ", label: "compare", keys: keys("="), in: [.runs], rank: 3,
            onlyWhenPossible: true, refusal: { $0.runComparisonRefusal() }, perform: { $0.compareRuns() }),
        BoardCommand("runs.draw", "Draw the marked runs over each other", label: "draw", keys: keys("v"), in: [.runs], rank: 4, onlyWhenPossible: true,
            refusal: { $0.drawMarkedRefusal() }, perform: { $0.drawMarkedRuns() }),
        BoardCommand("runs.filter", "Find a run", label: "find", keys: keys("/"), in: [.runs], rank: 8, onlyWhenPossible: true,
            refusal: { $0.catalog.runs.isEmpty ? $0.runRefusal() : nil }, perform: { $0.startRunFilter() }),
        BoardCommand("runs.sort", "Order the runs otherwise (best: lowest eval loss, else training loss)", label: "sort", keys: keys("s"), in: [.runs], rank: 9, hinted: { $0.catalog.runs.count > 1 }) { $0.cycleRunOrder() },
        BoardCommand("runs.rename", "Rename the run", label: "rename", keys: keys("m"), in: [.runs], rank: 10, onlyWhenPossible: true,
            refusal: { $0.renameRefusal() }, perform: { $0.promptToRename() }),
        BoardCommand("runs.path", "Copy the path of the run's folder", label: "path", keys: keys("y"), in: [.runs], rank: 12, onlyWhenPossible: true,
            refusal: { $0.runRefusal() }, perform: { $0.copyRunPath() }),
        BoardCommand("runsFilter.accept", "Keep the filter and go to the runs", label: "keep", keys: keys("enter"), in: [.runsFilter],
            rank: 1) { $0.acceptRunFilter() },
        BoardCommand("runsFilter.cancel", "Show all runs again", label: "clear", keys: keys("escape"), in: [.runsFilter], rank: 2) {
            $0.clearRunFilter()
        },
        BoardCommand("runs.delete", "Delete the run; asks", label: "delete", keys: keys("delete", "backspace"), in: [.runs], rank: 11, onlyWhenPossible: true,
            refusal: { $0.deleteRefusal() }, perform: { $0.askToDeleteRun() }),
        BoardCommand("runs.close", "Back to this program's own run", keys: keys("escape"), in: [.monitor, .runs]) { $0.closeOpenedRun() },
    ]

    static let queue: [BoardCommand] = [
        BoardCommand("queue.add", "Add the form to the queue, or start it when nothing runs", label: "queue", keys: keys("A"), in: [.formPage], rank: 16,
            ranked: { $0.startRefusal() == nil ? nil : 3 },
            refusal: { $0.enqueueRefusal() }, perform: { $0.enqueue() }),
        BoardCommand("queue.show", "Jobs that wait in the queue", keys: keys("B"), in: [.page]) { $0.openQueue() },
        BoardCommand("queue.start", "Start the queue", label: "start", keys: keys("f5", "ctrl+r"), in: [.queue], rank: 1, onlyWhenPossible: true,
            refusal: { $0.startQueueRefusal() }, perform: { $0.startQueue() }),
        BoardCommand("queue.edit", "Take the job back into its form", label: "edit", keys: keys("enter"), in: [.queue], rank: 2, onlyWhenPossible: true,
            refusal: { $0.queueRefusal() }, perform: { $0.editQueued() }),
        BoardCommand("queue.earlier", "Move the job forwards", label: "earlier", keys: keys("K"), in: [.queue], rank: 3, onlyWhenPossible: true,
            refusal: { $0.queueRefusal() }, perform: { $0.shiftInQueue(by: -1) }),
        BoardCommand("queue.later", "Move the job backwards", label: "later", keys: keys("J"), in: [.queue], rank: 4, onlyWhenPossible: true,
            refusal: { $0.queueRefusal() }, perform: { $0.shiftInQueue(by: 1) }),
        BoardCommand("queue.remove", "Take the job out of the queue; asks", label: "take out", keys: keys("delete", "backspace"), in: [.queue], rank: 5, onlyWhenPossible: true,
            refusal: { $0.queueRefusal() }, perform: { $0.askToDequeue() }),
    ]

    static let evaluate: [BoardCommand] = [
        BoardCommand("results.mark", "Mark a result for comparison", label: "mark", keys: keys("space"), in: [.results], rank: 1,
            refusal: { $0.evaluationResults.isEmpty ? say("There are no results to mark yet.") : nil }, perform: { $0.markResult() }),
        BoardCommand("results.browse", "Look through the answers of the result, or of the two marked", label: "answers", keys: keys("enter"),
            in: [.results], rank: 2, refusal: { $0.browseRefusal() }, perform: { $0.browseResults() }),
        BoardCommand("samples.worst", "The worst answers first, or in order", label: "worst first", keys: keys("s"), in: [.samples, .results],
            rank: 4, refusal: { $0.sampleRefusal() }, perform: { $0.toggleWorstFirst() }),
        BoardCommand("samples.leave", "Back to the results", keys: keys("escape"), in: [.samples]) { $0.leaveSamples() },
        BoardCommand("samples.next", "Next sample", label: "sample", keys: keys("n", "right"), in: [.samples, .results], rank: 2,
            refusal: { $0.sampleRefusal() }, perform: { $0.moveSample(by: 1) }),
        BoardCommand("samples.previous", "Previous sample", keys: keys("N", "left"), in: [.samples, .results],
            refusal: { $0.sampleRefusal() }, perform: { $0.moveSample(by: -1) }),
    ]
}
