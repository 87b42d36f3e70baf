/// Where the dots of a broken line are: what tells the runs under a chart apart where there are no colours.
struct Dash: Sendable {
    private let on: Int
    private let off: Int

    /// - Parameter place: the run's place among those that are drawn under the chart.
    init(place: Int) {
        let patterns = [(5, 3), (2, 2), (1, 3), (8, 2)]
        (on, off) = patterns[place % patterns.count]
    }

    func isOn(atDot x: Int) -> Bool { x % (on + off) < on }
}

/// Runs under the chart's own: a broken line with a letter on it, and the same letter before the name.
extension LinePlot {
    var overlayIndices: [Int] { series.indices.filter { series[$0].kind == .overlay } }

    /// A, B, C, … of the runs under the chart; nil for its own series.
    public func letter(ofSeries index: Int) -> Unicode.Scalar? {
        guard let place = overlayIndices.firstIndex(of: index) else { return nil }
        return Unicode.Scalar(UInt8(ascii: "A") + UInt8(place % 26))
    }

    /// How a series looks in the plot, for the legend: `━`, `●`, `A┄`.
    public func mark(ofSeries index: Int) -> String {
        switch series[index].kind {
        case .line: "━"
        case .points: "●"
        case .overlay: (letter(ofSeries: index).map { String(Character($0)) } ?? "") + "┄"
        }
    }

    /// The letters on the curves, each at places of its own.
    func drawLetters(into grid: inout CellGrid, _ area: Rect, _ xAxis: PlotAxis, _ yAxis: PlotAxis, _ styles: [Style]) {
        let indices = overlayIndices
        for (place, index) in indices.enumerated() {
            guard let letter = letter(ofSeries: index), !series[index].isEmpty else { continue }
            let one = series[index]
            let values = one.smoothing > 0 ? one.smooth : one.raw
            for third in 0..<3 {
                let share = (Double(third) + (Double(place) + 0.5) / Double(indices.count)) / 3
                let x = xAxis.value(at: share)
                guard let first = one.xs.first, let last = one.xs.last, x >= first, x <= last else { continue }
                let point = min(one.firstIndex(atOrAfter: x), one.count - 1)
                let height = yAxis.share(of: values.values[point])
                guard height.isFinite, height >= 0, height <= 1 else { continue }
                let cell = Point(
                    x: area.x + Int((xAxis.share(of: one.xs[point]) * Double(area.width - 1)).rounded()),
                    y: area.y + Int(((1 - height) * Double(area.height - 1)).rounded()))
                guard area.contains(cell) else { continue }
                var style = styles[index]
                style.attributes.insert(.bold)
                grid.set(letter, at: cell, style: style)
            }
        }
    }
}
