import Events
import Platform
import Terminal

extension BoardState {
    /// The series of the metric in the chart.
    public var chartSeries: PlotSeries { monitoredRun?.metrics[chart.metric] ?? PlotSeries(name: chart.metric.title) }

    /// The large plot: the metric, evaluations over the loss, and the other runs under it.
    public var chartPlot: LinePlot { plot(of: chart.metric) }

    /// The plot of a metric as the charts are looked at now.
    func plot(of metric: Metric) -> LinePlot {
        var own = monitoredRun?.metrics[metric] ?? PlotSeries(name: metric.title)
        own.name = metric.title
        var series = [own]
        if metric == .loss, var evaluations = monitoredRun?.metrics[.evaluationLoss], !evaluations.isEmpty {
            evaluations.name = say("eval")
            series.append(evaluations)
        }
        for run in overlayRuns where !isMonitored(run.directory) {
            var other = run.metrics[metric]
            guard !other.isEmpty else { continue }
            other.name = RunName.short(run.directory)
            other.kind = .overlay
            series.append(other)
        }
        var plot = LinePlot(series: series, view: chart.view, xLabel: chart.axis.title, isXCounted: chart.axis.isCounted)
        plot.placeholder = say("no data yet")
        return plot
    }

    /// Whether a folder is that of the run in the Monitor, however its path is written.
    func isMonitored(_ directory: String) -> Bool { monitoredRun.map { RunName.isSame($0.directory, directory) } ?? false }

    /// The metrics that there are charts of: this run's, and what only the runs under it have.
    var chartMetrics: [Metric] {
        var metrics = monitoredRun?.metrics.charts ?? [.loss]
        for run in overlayRuns { metrics += run.metrics.charts.filter { !metrics.contains($0) } }
        return metrics
    }

    mutating func cycleMetric(by count: Int) -> [Effect] {
        let metrics = chartMetrics
        let current = metrics.firstIndex(of: chart.metric) ?? 0
        chart.metric = metrics[((current + count) % metrics.count + metrics.count) % metrics.count]
        return []
    }

    mutating func toggleGrid() -> [Effect] {
        chart.isGrid.toggle()
        return []
    }

    func gridRefusal() -> String? { chart.isGrid ? nil : say("One chart is large already: v shows all of them.") }

    mutating func press(_ metric: Metric) -> [Effect] {
        focus = .chart
        // A second click makes it large.
        if chart.metric == metric { chart.isGrid = false }
        chart.metric = metric
        return []
    }

    // MARK: Smoothing

    mutating func cycleSmoothing() -> [Effect] {
        chart.cycleSmoothing()
        smoothSeries()
        return []
    }

    mutating func adjustSmoothing(isMore: Bool) -> [Effect] {
        chart.adjustSmoothing(isMore: isMore)
        smoothSeries()
        status = StatusMessage(.note, say("Smoothing \(PlotText.factor(chart.smoothing))"))
        return []
    }

    /// Smooths whatever is shown by the chosen factor, and lays it out over the chosen axis.
    mutating func smoothSeries() {
        jobs[.train]?.metrics.setSmoothing(chart.smoothing)
        jobs[.train]?.metrics.setAxis(chart.axis)
        openedRun?.metrics.setSmoothing(chart.smoothing)
        openedRun?.metrics.setAxis(chart.axis)
        for index in overlayRuns.indices {
            overlayRuns[index].metrics.setSmoothing(chart.smoothing)
            overlayRuns[index].metrics.setAxis(chart.axis)
        }
    }

    // MARK: Axis

    /// Goes on to the next axis that the runs know about.
    mutating func cycleAxis() -> [Effect] {
        var axis = chart.axis.next
        while axis != .step, monitoredRun?.metrics.covers(axis) != true { axis = axis.next }
        guard axis != chart.axis else {
            status = StatusMessage(.note, say("This run says neither when its steps were nor how many tokens they took."))
            return []
        }
        chart.axis = axis
        chart.view.fit()
        chart.view.cursor = nil
        smoothSeries()
        status = StatusMessage(.note, say("Over \(axis.title)"))
        return []
    }

    // MARK: Other runs

    mutating func toggleOverlayRun() -> [Effect] { openPicker(.overlayRun) }

    func clearOverlaysRefusal() -> String? { overlayRuns.isEmpty ? say("No other run is drawn: o picks one.") : nil }

    mutating func clearOverlayRuns() -> [Effect] {
        overlayRuns = []
        status = StatusMessage(.note, say("The other runs are no longer drawn"))
        return []
    }

    /// With other runs drawn: where they differ from the one that is shown. A run alone is zoomed into.
    mutating func compareDrawnRuns() -> [Effect] {
        guard !overlayRuns.isEmpty else { return zoom(by: 0.5) }
        let own = monitoredRun.map { [$0.directory] } ?? []
        let others = overlayRuns.map(\.directory).filter { !isMonitored($0) }
        return [.compareRuns(Array((own + others).prefix(4)))]
    }

    /// Draws a run, or takes it away again when it is drawn already.
    mutating func toggleOverlay(_ directory: String) -> [Effect] {
        if let index = overlayRuns.firstIndex(where: { $0.directory == directory }) {
            overlayRuns.remove(at: index)
            return []
        }
        return [.loadOverlay(directory: directory)]
    }

    mutating func layUnder(_ directory: String, _ metrics: MetricsStore) -> [Effect] {
        overlayRuns.removeAll { $0.directory == directory }
        overlayRuns.append(OverlayRun(directory: directory, metrics: metrics))
        smoothSeries()
        return []
    }

    // MARK: Data

    mutating func promptForChartFile() -> [Effect] {
        let run = monitoredRun?.directory ?? ""
        let folder = run.isEmpty ? "" : run + "/"
        let name = chart.metric.name.map { $0.isLetter || $0.isNumber || $0 == "_" ? $0 : "-" }
        overlays.append(
            .prompt(PromptState(title: say("Write the chart's points to"), text: folder + String(name) + ".csv", purpose: .exportChart)))
        return []
    }
}

/// Words about plots.
enum PlotText {
    /// `0.9`, `0.995`.
    static func factor(_ value: Double) -> String {
        var text = NumberText.fixed(value, digits: 3)
        while text.hasSuffix("0") { text.removeLast() }
        return text.hasSuffix(".") ? String(text.dropLast()) : text
    }
}
