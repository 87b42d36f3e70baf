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
        let inside = box(rect, title: chartTitle(plot), note: note, isFocused: isFocused, pane: .chart)
        // The plot may use the columns beside the margin as well.
        var area = Rect(x: inside.x - 1, y: inside.y, width: inside.width + 2, height: inside.height)
        if showsLegend(plot, in: inside) {
            drawLegend(plot, run, in: inside.row(0))
            area = area.droppingFirstRows(1)
        }
        guard let geometry = plot.draw(into: &grid, area, theme: theme) else {
            text(say("too small for a plot"), in: inside.row(0), "ui.placeholder")
            return
        }
        hits.append(HitRegion(geometry.area, .chart(left: geometry.area.x, width: geometry.area.width)))
    }

    /// `loss  ema 0.9  train ━  eval ●`: what is drawn, how it is smoothed and scaled. Numbers that are none come before names, so
    /// that a narrow title still tells them.
    private func chartTitle(_ plot: LinePlot) -> String {
        var parts = [say(key: state.chart.metric.title)]
        if let series = plot.series.first, series.gapCount > 0 { parts.append(gapWords(series)) }
        parts.append(state.chart.view.isLogarithmic ? say("log y") : say("linear y"))
        let isSmoothed = state.chart.metric.isSmoothed && state.chart.smoothing > 0
        parts.append(isSmoothed ? "ema " + PlotText.factor(state.chart.smoothing) : say("not smoothed"))
        let hasOthers = plot.series.contains { $0.kind == .overlay }
        // With other runs the curves are named by a legend.
        if state.chart.metric == .loss, !hasOthers { parts.append(say("train ━")) }
        if plot.series.count > 1, plot.series[1].kind == .points { parts.append(say("eval ●")) }
        return parts.joined(separator: "  ")
    }

    // MARK: Legend

    private func showsLegend(_ plot: LinePlot, in area: Rect) -> Bool { area.height >= 6 && plot.series.contains { $0.kind == .overlay } }

    /// `━ quickstart  A┄ full/sft`: every curve by its mark. Names lose the folders that all of them lie in, then their beginnings.
    private mutating func drawLegend(_ plot: LinePlot, _ run: RunDigest, in row: Rect) {
        let styles = plot.seriesStyles(theme)
        let shown = plot.series.indices.filter { plot.series[$0].kind != .points }
        let names = RunName.withoutSharedFolders(shown.map { plot.series[$0].kind == .overlay ? plot.series[$0].name : RunName.short(run.directory) })
        let marks = shown.map { plot.mark(ofSeries: $0) + " " }
        let room = row.width - marks.reduce(-2) { $0 + TextWidth.width(of: $1) + 2 }
        let shares = Self.shares(of: room, among: names.map(TextWidth.width(of:)))
        var x = row.x
        for (place, index) in shown.enumerated() {
            let name = TextWidth.truncateStart(names[place], to: max(3, shares[place]))
            x += grid.put(marks[place], in: Rect(x: x, y: row.y, width: row.endX - x, height: 1), style: styles[index])
            x += text(name, x: x, y: row.y, width: row.endX - x, "ui.text") + 2
            guard x < row.endX else { return }
        }
    }

    /// Room divided so that short words keep what they need and the longer ones share the rest.
    static func shares(of room: Int, among needs: [Int]) -> [Int] {
        var shares = needs
        var left = max(0, room)
        for (done, index) in needs.indices.sorted(by: { needs[$0] < needs[$1] }).enumerated() {
            shares[index] = min(needs[index], left / (needs.count - done))
            left -= shares[index]
        }
        return shares
    }

    /// `2 NaN from step 120`.
    private func gapWords(_ series: PlotSeries) -> String {
        guard let first = series.gaps.first, state.chart.axis == .step else { return say("\(series.gapCount) NaN") }
        return say("\(series.gapCount) NaN from step \(NumberText.fixed(first, digits: 0))")
    }

    // MARK: Grid

    /// Every metric in a plot of its own; the chosen one has the heavy border.
    private mutating func drawChartGrid(_ run: RunDigest, in area: Rect) {
        let metrics = state.chartMetrics
        var rect = area
        if case let plot = state.plot(of: state.chart.metric), area.height > 12, showsLegend(plot, in: area) {
            drawLegend(plot, run, in: area.row(0).inset(horizontal: 1, vertical: 0))
            rect = area.droppingFirstRows(1)
        }
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
            LinePlot(series: [series], xLabel: state.chart.axis.title, isXCounted: state.chart.axis.isCounted).draw(
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
