import Platform
import Terminal

extension Painter {
    /// The large plot, with legend, smoothing and scale in its title; or all of them in a grid.
    mutating func drawChart(_ run: RunDigest, in rect: Rect) {
        if state.chart.isGrid {
            drawChartGrid(run, in: rect)
            return
        }
        let plot = state.chartPlot
        var note = ""
        if plot.view.xRange != nil { note = plot.view.isFollowing ? say("following") : say("zoomed") }
        let isFocused = state.focus == .chart && state.overlays.isEmpty
        let inside = box(rect, title: chartTitle(plot, width: rect.width - 6), note: note, isFocused: isFocused, pane: .chart)
        // The plot may use the columns beside the margin as well.
        let area = Rect(x: inside.x - 1, y: inside.y, width: inside.width + 2, height: inside.height)
        guard let geometry = plot.draw(into: &grid, area, theme: theme) else {
            text(say("too small for a plot"), in: inside.row(0), "ui.placeholder")
            return
        }
        hits.append(HitRegion(geometry.area, .chart(left: geometry.area.x, width: geometry.area.width)))
    }

    /// `loss  ema 0.9  train ━  eval ●`: what is drawn, how it is smoothed and scaled. Numbers that are none come before names, so
    /// that a narrow title still tells them.
    private func chartTitle(_ plot: LinePlot, width: Int) -> String {
        var parts = [say(key: state.chart.metric.title)]
        if let series = plot.series.first, series.gapCount > 0 { parts.append(gapWords(series)) }
        parts.append(state.chart.view.isLogarithmic ? say("log y") : say("linear y"))
        let isSmoothed = state.chart.metric.isSmoothed && state.chart.smoothing > 0
        parts.append(isSmoothed ? "ema " + PlotText.factor(state.chart.smoothing) : say("not smoothed"))
        if state.chart.metric == .loss { parts.append(say("train ━")) }
        if plot.series.count > 1, plot.series[1].kind == .points { parts.append(say("eval ●")) }
        let others = plot.series.filter { $0.kind == .overlay }
        for other in others { parts.append(other.name + " ┄") }
        let title = parts.joined(separator: "  ")
        guard others.count > 1, TextWidth.width(of: title) > width else { return title }
        return parts.dropLast(others.count).joined(separator: "  ") + "  " + say("\(others.count) runs ┄")
    }

    /// `2 NaN from step 120`.
    private func gapWords(_ series: PlotSeries) -> String {
        guard let first = series.gaps.first, state.chart.axis == .step else { return say("\(series.gapCount) NaN") }
        return say("\(series.gapCount) NaN from step \(NumberText.fixed(first, digits: 0))")
    }

    // MARK: Grid

    /// Every metric in a plot of its own; the chosen one has the heavy border.
    private mutating func drawChartGrid(_ run: RunDigest, in rect: Rect) {
        let metrics = state.chartMetrics
        let cells = ChartGrid(rect: rect, count: metrics.count)
        let selected = metrics.firstIndex(of: state.chart.metric) ?? 0
        let first = selected / cells.perPage * cells.perPage
        for (place, metric) in metrics.dropFirst(first).prefix(cells.perPage).enumerated() {
            let cell = cells.rect(at: place)
            let isChosen = metric == state.chart.metric && state.focus == .chart && state.overlays.isEmpty
            var title = say(key: metric.title)
            let series = run.metrics[metric]
            if let last = series.ys.last { title += "  " + Words.metric(last) }
            let hidden = metrics.count - cells.perPage
            let note = hidden > 0 && place == 0 ? say("\(first + 1)-\(min(metrics.count, first + cells.perPage)) of \(metrics.count)") : ""
            let inside = box(cell, title: title, note: note, isFocused: isChosen, pane: .chart)
            var plot = state.plot(of: metric)
            plot.view.cursor = nil
            plot.draw(into: &grid, Rect(x: inside.x - 1, y: inside.y, width: inside.width + 2, height: inside.height), theme: theme)
            hits.append(HitRegion(cell, .metric(metric)))
        }
    }

    /// The other metrics, side by side.
    mutating func drawSmallCharts(_ run: RunDigest, in rect: Rect) {
        let metrics = run.metrics.charts.filter { $0 != state.chart.metric }.prefix(3)
        guard !metrics.isEmpty else {
            let inside = box(rect, title: say("Metrics"))
            text(say("Learning rate, gradient norm and speed appear here."), in: inside.row(0), "ui.placeholder")
            return
        }
        let columns = rect.columns(metrics.map { _ in .fill })
        for (metric, column) in zip(metrics, columns) {
            let inside = box(column, title: say(key: metric.title))
            var series = run.metrics[metric]
            series.name = metric.title
            LinePlot(series: [series], xLabel: state.chart.axis.title).draw(
                into: &grid, Rect(x: inside.x - 1, y: inside.y, width: inside.width + 2, height: inside.height), theme: theme)
            hits.append(HitRegion(column, .metric(metric)))
        }
    }
}

/// How a rectangle is divided among charts.
struct ChartGrid {
    let rect: Rect
    let columns: Int
    let rows: Int

    var perPage: Int { columns * rows }

    init(rect: Rect, count: Int) {
        self.rect = rect
        let most = max(1, rect.width / 36)
        let mostRows = max(1, rect.height / 7)
        let wanted = max(1, count)
        // As many columns as there is room for, unless fewer give a full last row.
        columns = min(most, wanted <= 4 && most >= 2 ? 2 : wanted, wanted)
        rows = min(mostRows, (wanted + columns - 1) / columns)
    }

    func rect(at index: Int) -> Rect {
        let band = rect.rows(Array(repeating: .fill, count: rows))[min(index / columns, rows - 1)]
        return band.columns(Array(repeating: .fill, count: columns))[index % columns]
    }
}
