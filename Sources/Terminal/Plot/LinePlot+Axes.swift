import Glibc

/// A place on an axis with what stands beside it.
struct AxisMark: Equatable, Sendable {
    var value: Double
    var label: String
}

/// The axes: round numbers, and the two ends, so that even a small plot tells its scale.
extension LinePlot {
    /// The marks of the y axis from the top down: round values, and the ends where no round value stands near them.
    func yMarks(_ axis: PlotAxis, rows: Int, width: Int) -> [AxisMark] {
        var ticks = axis.ticks(count: max(2, rows / (axis.isLogarithmic ? 2 : 3)))
        // One mark does not tell a scale.
        for count in 3...6 where ticks.count < 2 && rows > 3 { ticks = axis.ticks(count: count) }
        let step = ticks.count > 1 && !axis.isLogarithmic ? ticks[1] - ticks[0] : 0
        let round = ticks.map { AxisMark(value: $0, label: axis.isLogarithmic ? PlotAxis.short($0, digits: 3) : PlotAxis.label($0, step: step)) }
        let taken = round.map { row(of: $0.value, on: axis, rows: rows) }
        let ends = [(axis.range.upperBound, 0), (axis.range.lowerBound, rows - 1)].compactMap { value, row -> AxisMark? in
            guard rows > 2, taken.allSatisfy({ abs($0 - row) > 1 }) else { return nil }
            let label = axis.isLogarithmic ? PlotAxis.short(value, digits: 2) : PlotAxis.endLabel(value, step: step, span: axis.span)
            return round.contains { $0.label == label } ? nil : AxisMark(value: value, label: label)
        }
        return (ends + round).sorted { $0.value > $1.value }
    }

    /// The marks of the x axis from left to right: its ends and the round values between them.
    func xMarks(_ axis: PlotAxis, columns: Int) -> [AxisMark] {
        let ticks = axis.ticks(count: max(1, columns / 12), isCounted: isXCounted)
        // A single point has no scale but its own place.
        if let only = series.first(where: { !$0.isEmpty })?.xs.first, dataRange == (only - 1)...(only + 1), view.xRange == nil {
            return [AxisMark(value: only, label: PlotAxis.label(only, step: 0))]
        }
        let step = ticks.count > 1 ? ticks[1] - ticks[0] : 0
        let (low, high) = (axis.range.lowerBound, axis.range.upperBound)
        func end(_ value: Double) -> AxisMark {
            AxisMark(value: value, label: PlotAxis.endLabel(isXCounted ? value.rounded() : value, step: step, span: axis.span))
        }
        let between = ticks.filter { $0 > low && $0 < high }.map { AxisMark(value: $0, label: PlotAxis.label($0, step: step)) }
        return [end(low)] + between + [end(high)]
    }

    private func row(of value: Double, on axis: PlotAxis, rows: Int) -> Int {
        Int(((1 - axis.share(of: value)) * Double(rows * 4 - 1) / 4).rounded(.down))
    }

    func drawAxes(into grid: inout CellGrid, _ area: Rect, labelWidth: Int, _ yAxis: PlotAxis, _ yMarks: [AxisMark], _ theme: Theme) {
        let axis = theme.style("plot.axis")
        let axisX = area.x - 1
        for y in area.y..<area.endY { grid.set("│", at: Point(x: axisX, y: y), style: axis) }
        for x in area.x..<area.endX { grid.set("─", at: Point(x: x, y: area.endY), style: axis) }
        grid.set("└", at: Point(x: axisX, y: area.endY), style: axis)
        for mark in yMarks {
            let row = row(of: mark.value, on: yAxis, rows: area.height)
            guard row >= 0, row < area.height else { continue }
            grid.set("┤", at: Point(x: axisX, y: area.y + row), style: axis)
            let place = Rect(x: axisX - labelWidth, y: area.y + row, width: labelWidth, height: 1)
            grid.put(mark.label, in: place, style: theme.style("plot.label"), alignment: .trailing)
        }
    }

    /// `1      10        20     step 28`: the last number carries the name of the axis, and those that would touch another are left out.
    func drawStepAxis(into grid: inout CellGrid, _ area: Rect, _ axis: PlotAxis, _ marks: [AxisMark], _ theme: Theme) {
        let y = area.endY + 1
        let style = theme.style("plot.label")
        func column(_ mark: AxisMark) -> Int { area.x + Int((axis.share(of: mark.value) * Double(area.width * 2 - 1) / 2).rounded(.down)) }
        func tick(_ mark: AxisMark) { grid.set("┬", at: Point(x: min(max(column(mark), area.x), area.endX - 1), y: area.endY), style: theme.style("plot.axis")) }
        guard let first = marks.first, let last = marks.last else { return }
        if marks.count == 1 {
            tick(first)
            let text = xLabel + " " + first.label
            let width = TextWidth.width(of: text)
            grid.put(text, at: Point(x: max(area.x - 1, min(column(first) - width / 2, area.endX - width)), y: y), style: style)
            return
        }
        let firstWidth = TextWidth.width(of: first.label)
        var end = xLabel + " " + last.label
        if TextWidth.width(of: end) + firstWidth + 2 > area.width { end = last.label }
        let endX = area.endX - TextWidth.width(of: end)
        grid.put(end, at: Point(x: endX, y: y), style: style)
        tick(last)
        var free = area.x - 1
        for mark in marks.dropLast() {
            let width = TextWidth.width(of: mark.label)
            let start = max(area.x - 1, min(column(mark) - width / 2, area.endX - width))
            guard start >= free, start + width + 2 <= endX else { continue }
            tick(mark)
            grid.put(mark.label, at: Point(x: start, y: y), style: style)
            free = start + width + 1
        }
    }
}

extension PlotAxis {
    var span: Double { range.upperBound - range.lowerBound }

    /// The label of an end, which is seldom round: to a tenth or so of the distance between ticks.
    static func endLabel(_ value: Double, step: Double, span: Double) -> String {
        if value == value.rounded(), abs(value) < 10_000 { return fixed(value, digits: 0) }
        let unit = pow(10, floor(log10((step > 0 ? step : span) / 5) + 1e-9))
        guard unit.isFinite, unit > 0, case let rounded = (value / unit).rounded() * unit, rounded.isFinite else { return short(value) }
        return label(rounded, step: unit)
    }
}
