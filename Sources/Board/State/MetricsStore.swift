import Events
import Terminal

/// Every series of a run, by name, in order of first appearance, over whichever axis is asked for. NaN is kept and shown as a gap.
///
/// Appending is cheap: a point goes to the end of its series, and the smoothed value and the bounds that drawing needs grow with it.
public struct MetricsStore: Sendable, Equatable {
    private struct Entry: Sendable, Equatable {
        var metric: Metric
        /// The step of every point.
        var steps: [Double] = []
        var series: PlotSeries
    }

    public private(set) var axis = ChartAxis.step
    private var entries: [Entry] = []
    private var places: [Metric: Int] = [:]
    /// The places of loss, learning rate, gradient norm and speed, so that a step finds them without looking them up.
    private var usualPlaces = [-1, -1, -1, -1]
    private var clock = StepClock()
    private var smoothing: Double

    private static let usual: [Metric] = [.loss, .learningRate, .gradientNorm, .tokensPerSecond]

    public init(smoothing: Double = 0) { self.smoothing = smoothing }

    public var order: [Metric] { entries.map(\.metric) }

    public subscript(_ metric: Metric) -> PlotSeries {
        places[metric].map { entries[$0].series } ?? PlotSeries(name: metric.title)
    }

    /// The steps of a metric's points.
    public func steps(of metric: Metric) -> [Double] { places[metric].map { entries[$0].steps } ?? [] }

    /// Whether the run says where its steps lie on an axis.
    public func covers(_ axis: ChartAxis) -> Bool { clock.covers(axis) }

    /// Adds what a logged step measured.
    public mutating func append(_ step: StepMetrics) {
        let number = Double(step.step)
        clock.append(
            step: number, seconds: step.elapsedSeconds.isFinite ? max(0, step.elapsedSeconds) : 0, tokens: Double(step.tokensSeen),
            epoch: step.epoch.isFinite ? step.epoch : 0)
        if let loss = step.loss { append(usual: 0, number, loss) }
        if let rate = step.learningRate { append(usual: 1, number, rate) }
        if let norm = step.gradientNorm { append(usual: 2, number, norm) }
        if let speed = step.tokensPerSecond { append(usual: 3, number, speed) }
        guard !step.extra.isEmpty else { return }
        for (name, value) in step.extra.sorted(by: { $0.key < $1.key }) { append(Metric(name), step: step.step, value: value) }
    }

    private mutating func append(usual index: Int, _ step: Double, _ value: Double) {
        if usualPlaces[index] < 0 { usualPlaces[index] = place(of: Self.usual[index]) }
        append(at: usualPlaces[index], step, value)
    }

    /// Adds a point. A step that was there already (a resumed run repeats some) replaces everything from it on.
    public mutating func append(_ metric: Metric, step: Int, value: Double) { append(at: place(of: metric), Double(step), value) }

    private mutating func place(of metric: Metric) -> Int {
        if let place = places[metric] { return place }
        let isEvaluation = metric == .evaluationLoss
        entries.append(
            Entry(
                metric: metric,
                series: PlotSeries(
                    name: isEvaluation ? say("eval") : metric.title, kind: isEvaluation ? .points : .line,
                    smoothing: metric.isSmoothed ? smoothing : 0)))
        places[metric] = entries.count - 1
        return entries.count - 1
    }

    private mutating func append(at place: Int, _ step: Double, _ value: Double) {
        if let last = entries[place].steps.last, step <= last {
            var kept = entries[place].steps.count
            while kept > 0, entries[place].steps[kept - 1] >= step { kept -= 1 }
            entries[place].steps.removeSubrange(kept...)
            entries[place].series.truncate(toCount: kept)
        }
        entries[place].steps.append(step)
        entries[place].series.append(x: position(step, after: entries[place].series.xs.last), y: value)
    }

    /// Where a step lies on the axis, to the right of the point before it: times in whole seconds come several times.
    private func position(_ step: Double, after last: Double?) -> Double {
        let position = clock.position(of: step, on: axis)
        guard let last, position <= last else { return position }
        return last + max(abs(last) * 1e-12, 1e-9)
    }

    /// Lays every series out over another axis.
    public mutating func setAxis(_ axis: ChartAxis) {
        guard axis != self.axis else { return }
        self.axis = axis
        for place in entries.indices {
            let old = entries[place].series
            let ys = old.ys
            var series = PlotSeries(name: old.name, kind: old.kind, scope: old.scope, smoothing: old.smoothing)
            for (index, step) in entries[place].steps.enumerated() {
                series.append(x: position(step, after: series.xs.last), y: ys[index])
            }
            entries[place].series = series
        }
    }

    public mutating func setSmoothing(_ factor: Double) {
        smoothing = factor
        for place in entries.indices where entries[place].metric.isSmoothed { entries[place].series.setSmoothing(factor) }
    }

    /// What `m` walks through: the usual four first, then whatever else was logged. Evaluation loss is drawn over the loss
    /// and is a chart of its own only when there is no training loss.
    public var charts: [Metric] {
        let known = Self.usual.filter { places[$0] != nil }
        let rest = order.filter { !Self.usual.contains($0) && ($0 != .evaluationLoss || places[.loss] == nil) }
        let all = known + rest
        return all.isEmpty ? [.loss] : all
    }
}
