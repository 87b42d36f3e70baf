/// What a plot shows of its data: the part of the axes, the scale, the cursor.
public struct PlotView: Hashable, Sendable {
    /// The visible part of x; `nil` fits all of it.
    public private(set) var xRange: ClosedRange<Double>?
    public var isLogarithmic = false
    /// Whether new points move the visible part along.
    public var isFollowing = true
    /// Where the reading cursor stands, in x; `nil` when there is none.
    public var cursor: Double?
    /// Whether the raw curve is drawn behind the smoothed one.
    public var showsRaw = true

    public init() {}

    /// Shows everything again.
    public mutating func fit() {
        xRange = nil
        isFollowing = true
    }

    /// Makes the visible part smaller (`factor` < 1) or larger around a place given as a share of the width.
    public mutating func zoom(by factor: Double, around share: Double = 0.5, data: ClosedRange<Double>) {
        guard factor > 0, factor.isFinite else { return }
        let current = visible(data: data)
        let width = current.upperBound - current.lowerBound
        let whole = data.upperBound - data.lowerBound
        let next = max(width * factor, whole * 1e-6)
        if next >= whole {
            xRange = nil
            return
        }
        // While following, the keyboard's zoom keeps the newest points in view.
        let anchored = isFollowing && share == 0.5 ? data.upperBound - next : current.lowerBound + (width - next) * share
        show(from: anchored, width: next, data: data)
    }

    /// Moves the visible part by a share of its width; to the very right follows again.
    public mutating func pan(by share: Double, data: ClosedRange<Double>) {
        guard xRange != nil else { return }
        let current = visible(data: data)
        let width = current.upperBound - current.lowerBound
        show(from: current.lowerBound + width * share, width: width, data: data)
        isFollowing = (xRange?.upperBound ?? data.upperBound) >= data.upperBound
    }

    /// Moves the visible part to a start, kept inside the data.
    private mutating func show(from start: Double, width: Double, data: ClosedRange<Double>) {
        let low = min(max(start, data.lowerBound), max(data.lowerBound, data.upperBound - width))
        xRange = low...(low + width)
    }

    /// The part to draw now.
    func visible(data: ClosedRange<Double>) -> ClosedRange<Double> {
        guard let current = xRange else { return data }
        guard isFollowing else { return current }
        let width = current.upperBound - current.lowerBound
        return (data.upperBound - width)...data.upperBound
    }
}

/// Curves over steps: what the Monitor is for. A value: views keep one and append to its series.
public struct LinePlot: Sendable {
    public var series: [PlotSeries]
    public var view: PlotView
    /// The name of the x axis, shown at its right end.
    public var xLabel: String
    /// Whether x is counted in whole numbers, as steps are: no mark lies between two.
    public var isXCounted: Bool
    /// Marks drawn across the plot at some x: checkpoints, epochs.
    public var markers: [Double] = []
    /// What stands in place of the curves while there are none.
    public var placeholder = "no data yet"

    public init(series: [PlotSeries] = [], view: PlotView = PlotView(), xLabel: String = "step", isXCounted: Bool = true) {
        self.series = series
        self.view = view
        self.xLabel = xLabel
        self.isXCounted = isXCounted
    }

    /// From the least to the greatest x of all series.
    public var dataRange: ClosedRange<Double> {
        var low = Double.infinity
        var high = -Double.infinity
        for one in series {
            if let first = one.xs.first { low = min(low, first) }
            if let last = one.xs.last { high = max(high, last) }
        }
        // One point stands in the middle of the whole numbers around it.
        if low == high { return (low - 1)...(low + 1) }
        return low < high ? low...high : 0...1
    }

    public var isEmpty: Bool { series.allSatisfy(\.isEmpty) }
    /// How many values were not finite.
    public var gapCount: Int { series.reduce(0) { $0 + $1.gapCount } }

    public mutating func setSmoothing(_ factor: Double) {
        for index in series.indices where series[index].kind != .points { series[index].setSmoothing(factor) }
    }

    // MARK: Commands

    public mutating func zoomIn(around share: Double = 0.5) { view.zoom(by: 0.5, around: share, data: dataRange) }
    public mutating func zoomOut(around share: Double = 0.5) { view.zoom(by: 2, around: share, data: dataRange) }
    public mutating func pan(by share: Double) { view.pan(by: share, data: dataRange) }
    public mutating func fit() { view.fit() }

    /// Shows or moves the reading cursor: by points of the first series, from the right end at first.
    public mutating func moveCursor(by points: Int) {
        guard let main = series.first(where: { !$0.isEmpty && $0.kind == .line }) ?? series.first(where: { !$0.isEmpty }) else { return }
        let visible = view.visible(data: dataRange)
        guard let current = view.cursor else {
            view.cursor = main.nearest(to: visible.upperBound)?.x
            return
        }
        let index = min(max(0, main.firstIndex(atOrAfter: current) + points), main.count - 1)
        view.cursor = main.xs[index]
        guard let range = view.xRange, !range.contains(main.xs[index]) else { return }
        view.isFollowing = false
        view.pan(by: points > 0 ? 0.5 : -0.5, data: dataRange)
    }

    /// Puts the cursor at a column of the plotted area.
    public mutating func setCursor(share: Double) {
        let visible = view.visible(data: dataRange)
        view.cursor = visible.lowerBound + min(max(share, 0), 1) * (visible.upperBound - visible.lowerBound)
    }

    /// What the cursor reads: for each series the value nearest to it.
    public func readings() -> [(name: String, x: Double, value: Double, smoothed: Double?)] {
        series.compactMap { one in
            reading(of: one).map { (name: one.name, x: $0.x, value: $0.y, smoothed: $0.smoothed) }
        }
    }

    /// What the cursor reads of one series. A run that is laid under this one has nothing to say where it has ended.
    func reading(of one: PlotSeries) -> (x: Double, y: Double, smoothed: Double?)? {
        guard let cursor = view.cursor else { return nil }
        if one.kind == .overlay, let first = one.xs.first, let last = one.xs.last, cursor < first || cursor > last { return nil }
        return one.nearest(to: cursor)
    }
}
