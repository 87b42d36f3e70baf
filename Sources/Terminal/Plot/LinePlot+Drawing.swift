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

        let (yMarks, xMarks) = (yMarks(yAxis, rows: rect.height - 2, width: rect.width), xMarks(xAxis, columns: rect.width))
        let labelWidth = min(rect.width / 3, max(3, yMarks.map { TextWidth.width(of: $0.label) }.max() ?? 3))
        let area = Rect(x: rect.x + labelWidth + 1, y: rect.y, width: rect.width - labelWidth - 1, height: rect.height - 2)

        drawAxes(into: &grid, area, labelWidth: labelWidth, yAxis, yMarks, theme)
        drawStepAxis(into: &grid, area, xAxis, xMarks, theme)
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

    // MARK: Marks

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
        // Without colours the raw values would be one curve more among those of the other runs.
        let hidesRaw = theme.depth == .mono && series.contains { $0.kind == .overlay }
        for (one, style) in zip(series, styles) where one.kind == .line && one.smoothing > 0 && view.showsRaw && !hidesRaw {
            drawLine(one, one.raw, into: &grid, area, xAxis, yAxis, theme.style("plot.raw").over(Style(foreground: style.foreground)))
        }
        for (place, index) in overlayIndices.enumerated() {
            let one = series[index]
            drawLine(one, one.smoothing > 0 ? one.smooth : one.raw, into: &grid, area, xAxis, yAxis, styles[index], dash: Dash(place: place))
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
        drawLetters(into: &grid, area, xAxis, yAxis, styles)
    }

    /// Series without a scope take the theme's series colours in turn.
    public func seriesStyles(_ theme: Theme) -> [Style] {
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
        _ one: PlotSeries, _ values: MinMaxPyramid, into grid: inout CellGrid, _ area: Rect, _ xAxis: PlotAxis, _ yAxis: PlotAxis, _ style: Style,
        dash: Dash? = nil
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
        if let dash { canvas.clearColumns { !dash.isOn(atDot: $0) } }
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
        for (index, (one, style)) in zip(series, seriesStyles(theme)).enumerated() {
            guard let reading = reading(of: one) else { continue }
            var text = (letter(ofSeries: index).map { "\($0) " } ?? "") + one.name + " " + PlotAxis.reading(reading.y)
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
        var parts = series.indices.filter { !series[$0].isEmpty || series[$0].kind == .line }.map { series[$0].name + " " + mark(ofSeries: $0) }
        if let factor = series.map(\.smoothing).max(), factor > 0 { parts.append("ema " + PlotAxis.short(factor)) }
        if view.isLogarithmic { parts.append("log y") }
        if gapCount > 0 { parts.append("\(gapCount) NaN") }
        return parts.joined(separator: "  ")
    }
}
