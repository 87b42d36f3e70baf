import Glibc

/// One curve of a plot: points in order of x, with a smoothed twin.
public struct PlotSeries: Equatable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// A line; when it is smoothed the raw values stay visible behind it.
        case line
        /// Single marks, `●`: evaluations.
        case points
        /// A quiet line: another run laid over this one.
        case overlay
    }

    public var name: String
    public var kind: Kind
    /// The theme's scope; `nil` for the plot's next series colour.
    public var scope: String?
    public private(set) var xs: [Double] = []
    /// Values that are not finite leave a gap.
    public private(set) var gapCount = 0
    /// Where the first of them were, in x.
    public private(set) var gaps: [Double] = []
    private static let rememberedGaps = 1_000
    /// The factor of the exponential moving average, 0 for none.
    public private(set) var smoothing: Double

    private(set) var raw = MinMaxPyramid()
    private(set) var smooth = MinMaxPyramid()
    private var average = MovingAverage()

    public init(name: String, kind: Kind = .line, scope: String? = nil, smoothing: Double = 0) {
        self.name = name
        self.kind = kind
        self.scope = scope
        self.smoothing = smoothing
    }

    public init(name: String, kind: Kind = .line, scope: String? = nil, smoothing: Double = 0, points: [(x: Double, y: Double)]) {
        self.init(name: name, kind: kind, scope: scope, smoothing: smoothing)
        for point in points { append(x: point.x, y: point.y) }
    }

    public var count: Int { xs.count }
    public var isEmpty: Bool { xs.isEmpty }
    public var ys: [Double] { raw.values }
    /// The smoothed values; empty without smoothing.
    public var smoothedValues: [Double] { smooth.values }

    /// Adds a point. Going back in x (a resumed run) drops what stood at and after it.
    public mutating func append(x: Double, y: Double) {
        guard x.isFinite else { return }
        if let last = xs.last, x <= last { truncate(from: x) }
        xs.append(x)
        raw.append(y)
        if !y.isFinite {
            gapCount += 1
            if gaps.count < Self.rememberedGaps { gaps.append(x) }
        }
        if smoothing > 0 { smooth.append(average.next(y, factor: smoothing)) }
    }

    private mutating func truncate(from x: Double) { truncate(toCount: firstIndex(atOrAfter: x)) }

    /// Drops every point but the first `count`. A few at the end cost little, however long the series is: logs repeat steps.
    public mutating func truncate(toCount count: Int) {
        let kept = min(max(0, count), xs.count)
        guard kept < xs.count else { return }
        if xs.count - kept > undoableCount {
            let oldXs = xs
            let oldYs = raw.values
            self = PlotSeries(name: name, kind: kind, scope: scope, smoothing: smoothing)
            for index in 0..<kept { append(x: oldXs[index], y: oldYs[index]) }
            return
        }
        for index in (kept..<xs.count).reversed() {
            let value = raw.values[index]
            if smoothing > 0 { average.undo(value, factor: smoothing) }
            if !value.isFinite {
                gapCount -= 1
                if gaps.last == xs[index] { gaps.removeLast() }
            }
        }
        xs.removeSubrange(kept...)
        raw.truncate(toCount: kept)
        smooth.truncate(toCount: kept)
    }

    /// How many values the average can give back with its digits whole: each one divides by the factor.
    private var undoableCount: Int {
        guard smoothing > 0 else { return 64 }
        return max(1, min(64, Int(6 / max(1e-3, -log10(smoothing)))))
    }

    /// Smooths by another factor, 0 ..< 1.
    public mutating func setSmoothing(_ factor: Double) {
        let bounded = factor.isFinite ? min(max(factor, 0), 0.9999) : 0
        guard bounded != smoothing else { return }
        smoothing = bounded
        smooth = MinMaxPyramid()
        average = MovingAverage()
        guard bounded > 0 else { return }
        for value in raw.values { smooth.append(average.next(value, factor: bounded)) }
    }

    /// The index of the first point at x or to its right.
    func firstIndex(atOrAfter x: Double) -> Int {
        var low = 0
        var high = xs.count
        while low < high {
            let middle = (low + high) / 2
            if xs[middle] < x { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The point nearest to x.
    public func nearest(to x: Double) -> (x: Double, y: Double, smoothed: Double?)? {
        guard !xs.isEmpty else { return nil }
        var index = min(firstIndex(atOrAfter: x), xs.count - 1)
        if index > 0, x - xs[index - 1] < xs[index] - x { index -= 1 }
        return (xs[index], raw.values[index], smoothing > 0 ? smooth.values[index] : nil)
    }
}

/// The exponential moving average with its start corrected, as TensorBoard and Adam do:
/// m <- f m + (1 - f) y, shown as m / (1 - f^n). Values that are not finite pass through and leave it alone.
struct MovingAverage: Equatable, Sendable {
    private var mean = 0.0
    private var weight = 0.0

    mutating func next(_ value: Double, factor: Double) -> Double {
        guard value.isFinite else { return value }
        mean = factor * mean + (1 - factor) * value
        weight = factor * weight + (1 - factor)
        return mean / weight
    }

    /// Takes back the latest value.
    mutating func undo(_ value: Double, factor: Double) {
        guard value.isFinite, factor > 0 else { return }
        mean = (mean - (1 - factor) * value) / factor
        weight = (weight - (1 - factor)) / factor
    }
}
