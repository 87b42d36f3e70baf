/// Where things are on a drawn plot: for the mouse.
public struct PlotGeometry: Hashable, Sendable {
    /// The cells that curves are drawn in.
    public let area: Rect
    public let xRange: ClosedRange<Double>
    public let yRange: ClosedRange<Double>

    /// A column of the screen as a share of the plotted width, for `zoomIn(around:)` and `setCursor(share:)`; `nil` outside.
    public func share(of point: Point) -> Double? {
        guard area.contains(point), area.width > 1 else { return nil }
        return Double(point.x - area.x) / Double(area.width - 1)
    }
}

extension LinePlot {
    /// Draws axes, curves, cursor and readings.
    ///
    /// - Returns: `nil` when the rectangle is too small for a plot (less than 12 by 4 cells).
    @discardableResult
    public func draw(into grid: inout CellGrid, _ rect: Rect, theme: Theme) -> PlotGeometry? {
        guard rect.width >= 12, rect.height >= 4 else { return nil }
        if isEmpty {
            grid.put(placeholder, in: rect.row(rect.height / 2), style: theme.style("ui.placeholder"), alignment: .center)
            return PlotGeometry(area: rect, xRange: dataRange, yRange: 0...1)
        }
        let xRange = view.visible(data: dataRange)
        let yRange = visibleBounds(xRange)
        let yAxis = PlotAxis(low: yRange.low, high: yRange.high, isLogarithmic: view.isLogarithmic)
        let xAxis = PlotAxis(low: xRange.lowerBound, high: xRange.upperBound)

        var yTicks = yAxis.ticks(count: max(2, (rect.height - 2) / (view.isLogarithmic ? 2 : 3)))
        // One mark does not tell a scale.
        for count in 3...6 where yTicks.count < 2 && rect.height > 5 { yTicks = yAxis.ticks(count: count) }
        let step = yTicks.count > 1 && !view.isLogarithmic ? yTicks[1] - yTicks[0] : 0
        let labels = yTicks.map { view.isLogarithmic ? PlotAxis.short($0, digits: 3) : PlotAxis.label($0, step: step) }
        let labelWidth = min(rect.width / 3, max(3, labels.map { TextWidth.width(of: $0) }.max() ?? 3))
        let area = Rect(x: rect.x + labelWidth + 1, y: rect.y, width: rect.width - labelWidth - 1, height: rect.height - 2)

        drawAxes(into: &grid, area, labelWidth: labelWidth, xAxis: xAxis, yAxis: yAxis, yTicks: yTicks, labels: labels, theme: theme)
        drawMarkers(into: &grid, area, xAxis, theme)
        drawCursorLine(into: &grid, area, xAxis, theme)
        drawSeries(into: &grid, area, xAxis, yAxis, theme)
        drawGaps(into: &grid, area, xAxis, theme)
        drawReadings(into: &grid, area, theme)
        return PlotGeometry(area: area, xRange: xAxis.range, yRange: yAxis.range)
    }

    /// The least and greatest value to be seen, with a little air above and below.
    private func visibleBounds(_ xRange: ClosedRange<Double>) -> (low: Double, high: Double) {
        var bounds = MinMaxPyramid.Bounds()
        for one in series {
            let indices = visibleIndices(one, xRange)
            if one.smoothing == 0 || view.showsRaw { bounds.take(one.raw.bounds(indices)) }
            if one.smoothing > 0 { bounds.take(one.smooth.bounds(indices)) }
        }
        if bounds.isEmpty { return (0, 1) }
        if view.isLogarithmic {
            if bounds.low <= 0 { bounds.low = leastPositive(xRange) ?? 1e-3 }
            return (bounds.low, max(bounds.high, bounds.low))
        }
        let air = (bounds.high - bounds.low) * 0.02
        return (bounds.low - (bounds.low == 0 ? 0 : air), bounds.high + air)
    }

    private func leastPositive(_ xRange: ClosedRange<Double>) -> Double? {
        series.compactMap { one in one.raw.values[visibleIndices(one, xRange)].filter { $0 > 0 && $0.isFinite }.min() }.min()
    }

    private func visibleIndices(_ one: PlotSeries, _ xRange: ClosedRange<Double>) -> Range<Int> {
        let first = one.firstIndex(atOrAfter: xRange.lowerBound)
        var end = one.firstIndex(atOrAfter: xRange.upperBound)
        while end < one.count, one.xs[end] <= xRange.upperBound { end += 1 }
        return first..<max(first, end)
    }

    // MARK: Axes

    private func drawAxes(
        into grid: inout CellGrid, _ area: Rect, labelWidth: Int, xAxis: PlotAxis, yAxis: PlotAxis, yTicks: [Double], labels: [String],
        theme: Theme
    ) {
        let axis = theme.style("plot.axis")
        let label = theme.style("plot.label")
        let axisX = area.x - 1
        for y in area.y..<area.endY { grid.set("│", at: Point(x: axisX, y: y), style: axis) }
        for x in area.x..<area.endX { grid.set("─", at: Point(x: x, y: area.endY), style: axis) }
        grid.set("└", at: Point(x: axisX, y: area.endY), style: axis)
        for (tick, text) in zip(yTicks, labels) {
            let row = Int(((1 - yAxis.share(of: tick)) * Double(area.height * 4 - 1) / 4).rounded(.down))
            guard row >= 0, row < area.height else { continue }
            grid.set("┤", at: Point(x: axisX, y: area.y + row), style: axis)
            let place = Rect(x: axisX - labelWidth, y: area.y + row, width: labelWidth, height: 1)
            grid.put(text, in: place, style: label, alignment: .trailing)
        }
        var ticks = xAxis.ticks(count: max(1, area.width / 12))
        // A single point has no scale but its own place.
        if let only = series.first(where: { !$0.isEmpty })?.xs.first, dataRange == (only - 1)...(only + 1), view.xRange == nil { ticks = [only] }
        let step = ticks.count > 1 ? ticks[1] - ticks[0] : 0
        var free = area.x - 1
        let nameStart = area.endX - TextWidth.width(of: xLabel)
        grid.put(xLabel, at: Point(x: nameStart, y: area.endY + 1), style: label)
        for tick in ticks {
            let x = area.x + Int((xAxis.share(of: tick) * Double(area.width * 2 - 1) / 2).rounded(.down))
            guard x >= area.x, x < area.endX else { continue }
            grid.set("┬", at: Point(x: x, y: area.endY), style: axis)
            let text = PlotAxis.label(tick, step: step)
            let width = TextWidth.width(of: text)
            let start = max(axisX, min(x - width / 2, area.endX - width))
            guard start >= free, start + width < nameStart else { continue }
            grid.put(text, at: Point(x: start, y: area.endY + 1), style: label)
            free = start + width + 1
        }
    }

    private func drawMarkers(into grid: inout CellGrid, _ area: Rect, _ xAxis: PlotAxis, _ theme: Theme) {
        for marker in markers where xAxis.range.contains(marker) {
            let x = area.x + Int((xAxis.share(of: marker) * Double(area.width - 1)).rounded())
            for y in area.y..<area.endY { grid.set("┊", at: Point(x: x, y: y), style: theme.style("plot.axis")) }
        }
    }

    private func drawCursorLine(into grid: inout CellGrid, _ area: Rect, _ xAxis: PlotAxis, _ theme: Theme) {
        guard let cursor = view.cursor, xAxis.range.contains(cursor) else { return }
        let x = area.x + Int((xAxis.share(of: cursor) * Double(area.width - 1)).rounded())
        for y in area.y..<area.endY { grid.set("│", at: Point(x: x, y: y), style: theme.style("plot.cursor")) }
    }

    /// A cross on the axis under every place where the first series had no number.
    private func drawGaps(into grid: inout CellGrid, _ area: Rect, _ xAxis: PlotAxis, _ theme: Theme) {
        for gap in series.first?.gaps ?? [] where xAxis.range.contains(gap) {
            let x = area.x + Int((xAxis.share(of: gap) * Double(area.width - 1)).rounded())
            grid.set("×", at: Point(x: x, y: area.endY), style: theme.style("ui.error"))
        }
    }

    // MARK: Curves

    private func drawSeries(into grid: inout CellGrid, _ area: Rect, _ xAxis: PlotAxis, _ yAxis: PlotAxis, _ theme: Theme) {
        let styles = seriesStyles(theme)
        for (one, style) in zip(series, styles) where one.kind == .line && one.smoothing > 0 && view.showsRaw {
            drawLine(one, one.raw, into: &grid, area, xAxis, yAxis, theme.style("plot.raw").over(Style(foreground: style.foreground)))
        }
        for (one, style) in zip(series, styles) where one.kind == .overlay {
            drawLine(one, one.smoothing > 0 ? one.smooth : one.raw, into: &grid, area, xAxis, yAxis, style)
        }
        for (one, style) in zip(series, styles).reversed() where one.kind == .line {
            drawLine(one, one.smoothing > 0 ? one.smooth : one.raw, into: &grid, area, xAxis, yAxis, style)
        }
        for (one, style) in zip(series, styles) where one.kind == .points {
            for index in visibleIndices(one, xAxis.range) {
                let share = yAxis.share(of: one.raw.values[index])
                guard share.isFinite, share >= 0, share <= 1 else { continue }
                let x = Int((xAxis.share(of: one.xs[index]) * Double(area.width - 1)).rounded())
                let y = Int(((1 - share) * Double(area.height - 1)).rounded())
                grid.set("●", at: area.origin.offset(x: x, y: y), style: style)
            }
        }
    }

    /// Series without a scope take the theme's series colours in turn.
    func seriesStyles(_ theme: Theme) -> [Style] {
        var next = 0
        return series.map { one in
            if let scope = one.scope { return theme.style(scope) }
            switch one.kind {
            case .points: return theme.style("plot.points")
            case .line, .overlay:
                defer { next += 1 }
                return theme.seriesStyle(next)
            }
        }
    }

    private func drawLine(
        _ one: PlotSeries, _ values: MinMaxPyramid, into grid: inout CellGrid, _ area: Rect, _ xAxis: PlotAxis, _ yAxis: PlotAxis, _ style: Style
    ) {
        var canvas = BrailleCanvas(columns: area.width, rows: area.height)
        let indices = visibleIndices(one, xAxis.range)
        let (right, bottom) = (Double(canvas.width - 1), Double(canvas.height - 1))
        func dotY(_ value: Double) -> Double { (1 - yAxis.share(of: value)) * bottom }
        func dotX(_ index: Int) -> Double { xAxis.share(of: one.xs[index]) * right }
        if indices.count <= canvas.width * 2 {
            // Few points: straight lines between neighbours, with one more on either side so that lines leave the view as they should.
            let first = max(0, indices.lowerBound - 1)
            let end = min(one.count, indices.upperBound + 1)
            guard first < end else { return }
            var previous: (x: Double, y: Double)?
            for index in first..<end {
                let y = dotY(values.values[index])
                guard y.isFinite else {
                    previous = nil
                    continue
                }
                let here = (x: dotX(index), y: y)
                if let previous { canvas.line(previous.x, previous.y, here.x, here.y) } else { canvas.line(here.x, here.y, here.x, here.y) }
                previous = here
            }
        } else {
            drawDense(one, values, &canvas, indices, xAxis, dotY)
        }
        canvas.draw(into: &grid, at: area.origin, style: style)
    }

    /// Many points: each column of dots is a stroke from the least to the greatest value in it, so no spike is lost.
    private func drawDense(
        _ one: PlotSeries, _ values: MinMaxPyramid, _ canvas: inout BrailleCanvas, _ indices: Range<Int>, _ xAxis: PlotAxis,
        _ dotY: (Double) -> Double
    ) {
        var start = indices.lowerBound
        var previous: (low: Int, high: Int)?
        for x in 0..<canvas.width {
            let limit = xAxis.value(at: (Double(x) + 0.5) / Double(canvas.width - 1))
            let end = x == canvas.width - 1 ? indices.upperBound : min(indices.upperBound, max(start, one.firstIndex(atOrAfter: limit)))
            defer { start = end }
            let bounds = values.bounds(start..<end)
            guard start < end else { continue }
            let high = dotY(bounds.high)
            guard !bounds.isEmpty, high.isFinite else {
                previous = nil
                continue
            }
            let low = dotY(bounds.low)
            var top = Int(high.rounded())
            var bottom = low.isFinite ? Int(low.rounded()) : canvas.height - 1
            let own = (low: bottom, high: top)
            // Joined to its neighbour.
            if let previous {
                if previous.low < top { top = previous.low + 1 }
                if previous.high > bottom { bottom = previous.high - 1 }
            }
            canvas.stroke(x: x, from: min(top, own.high), to: max(bottom, own.low))
            previous = own
        }
    }

    // MARK: Words

    private func drawReadings(into grid: inout CellGrid, _ area: Rect, _ theme: Theme) {
        guard let first = readings().first else { return }
        var lines: [(text: String, style: Style)] = [(xLabel + " " + PlotAxis.reading(first.x), theme.style("plot.cursor"))]
        for (one, style) in zip(series, seriesStyles(theme)) {
            guard let reading = reading(of: one) else { continue }
            var text = one.name + " " + PlotAxis.reading(reading.y)
            if let smoothed = reading.smoothed { text += "  ema " + PlotAxis.reading(smoothed) }
            lines.append((text, style))
        }
        let width = lines.map { TextWidth.width(of: $0.text) }.max() ?? 0
        guard width + 2 < area.width, lines.count <= area.height else { return }
        // On the side where the cursor is not.
        let geometry = (view.cursor ?? 0) - (view.xRange ?? dataRange).lowerBound
        let isRight = geometry * 2 > (view.xRange ?? dataRange).upperBound - (view.xRange ?? dataRange).lowerBound
        let x = isRight ? area.x + 1 : area.endX - width - 2
        for (row, line) in lines.enumerated() {
            let place = Rect(x: x, y: area.y + row, width: width + 1, height: 1)
            grid.fill(place, style: theme.style("ui.text"))
            grid.put(line.text, in: place, style: line.style)
        }
    }

    /// The names of the series with their marks, for a title: `loss ━  eval ●`; and a word on smoothing, scale and gaps.
    public func legend() -> String {
        var parts = series.filter { !$0.isEmpty || $0.kind == .line }.map { one in
            switch one.kind {
            case .line: one.name + " ━"
            case .points: one.name + " ●"
            case .overlay: one.name + " ┄"
            }
        }
        if let factor = series.map(\.smoothing).max(), factor > 0 { parts.append("ema " + PlotAxis.short(factor)) }
        if view.isLogarithmic { parts.append("log y") }
        if gapCount > 0 { parts.append("\(gapCount) NaN") }
        return parts.joined(separator: "  ")
    }
}
