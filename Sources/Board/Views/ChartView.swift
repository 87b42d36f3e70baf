import Terminal

extension Painter {
    /// The large plot, with legend, smoothing and scale in its title.
    mutating func drawChart(_ run: RunDigest, in rect: Rect) {
        let plot = state.chartPlot
        let title = chartTitle(plot)
        var note = ""
        if plot.view.xRange != nil { note = plot.view.isFollowing ? "following" : "zoomed" }
        let isFocused = state.focus == .chart && state.overlays.isEmpty
        let inside = box(rect, title: title, note: note, isFocused: isFocused, pane: .chart)
        // The plot may use the columns beside the margin as well.
        let area = Rect(x: inside.x - 1, y: inside.y, width: inside.width + 2, height: inside.height)
        guard let geometry = plot.draw(into: &grid, area, theme: theme) else {
            text(say("too small for a plot"), in: inside.row(0), "ui.placeholder")
            return
        }
        hits.append(HitRegion(geometry.area, .chart(left: geometry.area.x, width: geometry.area.width)))
    }

    /// `loss  ema 0.9  train ━  eval ●`: what is drawn, how it is smoothed and scaled.
    private func chartTitle(_ plot: LinePlot) -> String {
        var parts = [state.chart.metric.title]
        let factor = state.chart.metric.isSmoothed ? ["", "0.6", "0.9", "0.99"][state.chart.smoothingIndex] : ""
        parts.append(state.chart.view.isLogarithmic ? say("log y") : say("linear y"))
        parts.append(factor.isEmpty ? say("not smoothed") : "ema " + factor)
        if state.chart.metric == .loss { parts.append(say("train ━")) }
        if plot.series.count > 1, plot.series[1].kind == .points { parts.append(say("eval ●")) }
        if let overlay = state.overlayRun, state.chart.metric == .loss { parts.append(RunName.short(overlay.directory) + " ┄") }
        if plot.gapCount > 0 { parts.append(say("\(plot.gapCount) NaN")) }
        return parts.joined(separator: "  ")
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
            let inside = box(column, title: metric.title)
            LinePlot(series: [run.metrics[metric]]).draw(
                into: &grid, Rect(x: inside.x - 1, y: inside.y, width: inside.width + 2, height: inside.height), theme: theme)
        }
    }
}
