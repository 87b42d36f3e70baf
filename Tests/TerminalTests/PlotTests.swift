import Glibc
import Testing

@testable import Terminal

@Suite struct PlotTests {
    private func frame(_ plot: LinePlot, columns: Int = 60, rows: Int = 12) -> [String] {
        var grid = CellGrid(size: Size(columns: columns, rows: rows))
        plot.draw(into: &grid, grid.bounds, theme: .dark())
        return grid.text()
    }

    private func loss(_ count: Int, smoothing: Double = 0) -> PlotSeries {
        var series = PlotSeries(name: "loss", smoothing: smoothing)
        for step in 0..<count { series.append(x: Double(step), y: 1.2 + 1.3 * exp(-Double(step) / Double(count) * 5) + 0.1 * sin(Double(step))) }
        return series
    }

    @Test func aCurveWithEvaluationsLooksLikeTheFile() {
        let evaluations = PlotSeries(name: "eval", kind: .points, points: [(x: 40, y: 1.9), (x: 80, y: 1.4)])
        let plot = LinePlot(series: [loss(120, smoothing: 0.9), evaluations])
        Golden.expect(frame(plot), file: "plot-curve-60x12")
        #expect(plot.legend() == "loss ━  eval ●  ema 0.9")
    }

    @Test func aLogarithmicAxisLooksLikeTheFile() {
        var series = PlotSeries(name: "lr")
        for step in 0..<50 { series.append(x: Double(step), y: 1e-5 * pow(10, Double(step) / 12)) }
        var plot = LinePlot(series: [series])
        plot.view.isLogarithmic = true
        Golden.expect(frame(plot, columns: 48, rows: 10), file: "plot-log-48x10")
    }

    @Test func gapsAreLeftOpenAndCounted() {
        var series = PlotSeries(name: "loss")
        for step in 0..<40 { series.append(x: Double(step), y: step >= 15 && step < 25 ? .nan : 2 - Double(step) * 0.02) }
        let plot = LinePlot(series: [series])
        #expect(plot.gapCount == 10)
        #expect(plot.legend().contains("10 NaN"))
        Golden.expect(frame(plot, columns: 48, rows: 8), file: "plot-gap-48x8")
    }

    @Test func theCursorReadsValues() {
        var plot = LinePlot(series: [loss(100, smoothing: 0.6)])
        plot.moveCursor(by: -1)
        plot.moveCursor(by: -9)
        #expect(plot.view.cursor == 90)
        #expect(plot.readings().first?.x == 90)
        Golden.expect(frame(plot), file: "plot-cursor-60x12")
    }

    @Test func smallAndEmptyPlotsAreHarmless() {
        Golden.expect(frame(LinePlot(), columns: 30, rows: 6), file: "plot-empty-30x6")
        var grid = CellGrid(size: Size(columns: 11, rows: 3))
        let tooSmall = LinePlot(series: [loss(9)]).draw(into: &grid, grid.bounds, theme: .dark())
        #expect(tooSmall == nil)
        for columns in stride(from: 12, to: 40, by: 7) {
            for rows in 4..<8 { _ = frame(LinePlot(series: [loss(3)]), columns: columns, rows: rows) }
        }
        var odd = PlotSeries(name: "x", points: [(x: 1, y: .infinity), (x: 2, y: -.infinity), (x: .nan, y: 1), (x: 3, y: 0)])
        odd.append(x: 4, y: 1e308)
        odd.append(x: 5, y: -1e308)
        var plot = LinePlot(series: [odd])
        _ = frame(plot)
        plot.view.isLogarithmic = true
        _ = frame(plot)
        #expect(odd.gapCount == 2)
    }

    @Test func aSpikeAmongManyPointsSurvives() {
        var series = PlotSeries(name: "loss")
        for step in 0..<100_000 { series.append(x: Double(step), y: step == 54_321 ? 9 : 1) }
        let lines = frame(LinePlot(series: [series]))
        #expect(lines[0].contains { ("⠀"..."⣿").contains($0) }, "\(lines[0])")
    }

    @Test func zoomFollowsTheEndOrStaysWhereItIsPut() {
        var plot = LinePlot(series: [loss(101)])
        plot.zoomIn()
        #expect(plot.view.visible(data: plot.dataRange) == 50...100)
        plot.series[0].append(x: 120, y: 1)
        #expect(plot.view.visible(data: plot.dataRange) == 70...120)
        plot.pan(by: -0.5)
        #expect(!plot.view.isFollowing)
        plot.series[0].append(x: 130, y: 1)
        #expect(plot.view.visible(data: plot.dataRange) == 45...95)
        plot.zoomIn(around: 0)
        #expect(plot.view.visible(data: plot.dataRange) == 45...70)
        plot.zoomOut()
        plot.zoomOut()
        plot.zoomOut()
        #expect(plot.view.xRange == nil)
    }

    @Test func smoothingCorrectsItsStart() {
        let series = PlotSeries(name: "x", smoothing: 0.9, points: [(x: 0, y: 4), (x: 1, y: 4), (x: 2, y: .nan), (x: 3, y: 2)])
        let smoothed = series.smoothedValues
        #expect(abs(smoothed[0] - 4) < 1e-12)
        #expect(abs(smoothed[1] - 4) < 1e-12)
        #expect(smoothed[2].isNaN)
        // (0.81 * 0.1 * 4 + 0.9 * 0.1 * 4 + 0.1 * 2) / (1 - 0.9^3)
        #expect(abs(smoothed[3] - (0.081 * 4 + 0.09 * 4 + 0.1 * 2) / 0.271) < 1e-12)
    }

    @Test func aResumedRunReplacesWhatItRepeats() {
        var series = loss(100, smoothing: 0.5)
        series.append(x: 60, y: 7)
        #expect(series.count == 61)
        #expect(series.ys.last == 7)
        #expect(series.smoothedValues.count == 61)
    }

    @Test func thePyramidAgreesWithASearch() {
        var pyramid = MinMaxPyramid()
        var generator = SystemRandomNumberGenerator()
        var values: [Double] = []
        for index in 0..<5_000 {
            let value = index % 97 == 0 ? .nan : Double.random(in: -5...5, using: &generator)
            values.append(value)
            pyramid.append(value)
        }
        for _ in 0..<500 {
            let low = Int.random(in: 0..<5_000, using: &generator)
            let high = Int.random(in: low...5_000, using: &generator)
            let part = values[low..<high].filter(\.isFinite)
            let bounds = pyramid.bounds(low..<high)
            #expect(bounds.low == part.min() ?? .infinity)
            #expect(bounds.high == part.max() ?? -.infinity)
        }
    }

    @Test(arguments: [
        (0.0, 1.0, 5, "0 0.2 0.4 0.6 0.8 1.0"), (1.33, 2.41, 3, "1.5 2.0"), (0.0, 1240.0, 5, "0 250 500 750 1000"),
        (0.0, 100_000.0, 5, "0 20k 40k 60k 80k 100k"), (0.0, 5e-5, 3, "0 2e-5 4e-5"), (-3.0, 3.0, 3, "-2 0 2"), (0.0, 3_000_000.0, 3, "0 1M 2M 3M"),
        (0.0, 1.0, 4, "0.00 0.25 0.50 0.75 1.00"),
    ])
    func ticksAreRound(_ low: Double, _ high: Double, _ count: Int, _ expected: String) {
        let ticks = PlotAxis(low: low, high: high).ticks(count: count)
        let step = ticks.count > 1 ? ticks[1] - ticks[0] : 0
        let labels = ticks.map { PlotAxis.label($0, step: step) }.joined(separator: " ")
        let trimmed = expected.replacing("0.00", with: "0")
        #expect(labels == expected || labels == trimmed, "\(labels)")
    }

    @Test(arguments: [
        (1.0, 14.0, 6, [5.0, 10.0]), (1.0, 3.0, 6, [1, 2, 3]), (1.0, 2.0, 12, [1, 2]), (0.0, 1240.0, 5, [0, 250, 500, 750, 1000]),
    ])
    func whatIsCountedHasWholeTicks(_ low: Double, _ high: Double, _ count: Int, _ expected: [Double]) {
        #expect(PlotAxis(low: low, high: high).ticks(count: count, isCounted: true) == expected)
    }

    @Test func numbersAtTheEndsOfTheirRangeAreDrawn() {
        for (xs, ys) in [([1.0, 2.0], [1.7e308, 1.7e308]), ([-1.7e308, 1.7e308], [-1.7e308, 1.7e308]), ([1.0, 2.0], [-1.7e308, 1.7e308])] {
            var series = PlotSeries(name: "loss")
            for (x, y) in zip(xs, ys) { series.append(x: x, y: y) }
            var grid = CellGrid(size: Size(columns: 60, rows: 16))
            #expect(LinePlot(series: [series], isXCounted: false).draw(into: &grid, Rect(x: 0, y: 0, width: 60, height: 16), theme: .dark()) != nil)
        }
    }

    @Test func aFrameOfAHundredThousandPointsIsFast() {
        var series = PlotSeries(name: "loss", smoothing: 0.9)
        for step in 0..<100_000 { series.append(x: Double(step), y: Double(step % 1000)) }
        let plot = LinePlot(series: [series])
        var grid = CellGrid(size: Size(columns: 200, rows: 60))
        let clock = ContinuousClock()
        let time = clock.measure { plot.draw(into: &grid, grid.bounds, theme: .dark()) }
        // A debug build on a busy machine; the optimised one takes a hundredth.
        #expect(time < .milliseconds(1500), "\(time)")
    }

    @Test func aSeriesThatRepeatsItsStepsEndsAsIfItHadNot() {
        var random = SystemRandomNumberGenerator()
        for smoothing in [0, 0.9] {
            var repeated = PlotSeries(name: "loss", smoothing: smoothing)
            var plain = PlotSeries(name: "loss", smoothing: smoothing)
            var kept: [(x: Double, y: Double)] = []
            for step in 0..<400 {
                let back = Int.random(in: 0..<(step % 50 == 49 ? 90 : 4), using: &random)
                let x = Double(max(0, kept.count - back))
                let y = step % 37 == 5 ? Double.nan : Double.random(in: 0..<5, using: &random)
                kept.removeAll { $0.x >= x }
                kept.append((x, y))
                repeated.append(x: x, y: y)
            }
            for point in kept { plain.append(x: point.x, y: point.y) }
            #expect(repeated.xs == plain.xs && repeated.gapCount == plain.gapCount && repeated.gaps == plain.gaps)
            for range in [0..<plain.count, 3..<40, 17..<18, plain.count / 2..<plain.count] where range.upperBound <= plain.count {
                #expect(repeated.raw.bounds(range) == plain.raw.bounds(range))
            }
            for (left, right) in zip(repeated.smoothedValues, plain.smoothedValues) where right.isFinite { #expect(abs(left - right) < 1e-6) }
        }
    }

    @Test func aLogThatSaysEveryStepTwiceIsReadInOneGo() {
        var series = PlotSeries(name: "loss", smoothing: 0.9)
        let clock = ContinuousClock()
        let time = clock.measure {
            for step in 0..<60_000 {
                series.append(x: Double(step), y: 1)
                series.append(x: Double(step), y: 2)
            }
        }
        #expect(series.count == 60_000)
        #expect(time < .seconds(20), "\(time)")
    }

    @Test func aLoneMarkHasNoNeedlessZeros() {
        #expect(PlotAxis.label(50, step: 0) == "50")
        #expect(PlotAxis.label(1.25, step: 0) == "1.25")
        #expect(PlotAxis.label(12_000, step: 0) == "12k")
    }
}
