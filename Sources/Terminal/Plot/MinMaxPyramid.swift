/// Least and greatest of any stretch of a growing list of numbers, without walking over it.
///
/// ```
/// values   v0 v1 v2 ... v15 | v16 ... v31 | ...
/// level 0  (min, max) of 16 | of 16       | ...
/// level 1  (min, max) of 16 of those ...
/// ```
/// Values that are not finite are skipped. A query looks at no more than about 30 numbers on each level.
struct MinMaxPyramid: Equatable, Sendable {
    struct Bounds: Equatable, Sendable {
        var low = Double.infinity
        var high = -Double.infinity

        var isEmpty: Bool { low > high }

        mutating func take(_ value: Double) {
            guard value.isFinite else { return }
            if value < low { low = value }
            if value > high { high = value }
        }

        mutating func take(_ other: Bounds) {
            if other.low < low { low = other.low }
            if other.high > high { high = other.high }
        }
    }

    private static let branching = 16

    private(set) var values: [Double] = []
    private var levels: [[Bounds]] = []

    mutating func append(_ value: Double) {
        values.append(value)
        var index = values.count - 1
        var level = 0
        repeat {
            index /= MinMaxPyramid.branching
            if level == levels.count { levels.append([]) }
            if index < levels[level].count {
                // What a stretch covers already, everything above it covers too.
                let known = levels[level][index]
                if !(value < known.low) && !(value > known.high) || !value.isFinite { return }
            } else {
                var bounds = Bounds()
                // A level begun late covers what stood below it before.
                if index == 0, level > 0 { for below in levels[level - 1] { bounds.take(below) } }
                levels[level].append(bounds)
            }
            levels[level][index].take(value)
            level += 1
        } while index > 0
    }

    /// Drops every value but the first `count`; only the last stretch of each level is looked at again.
    mutating func truncate(toCount count: Int) {
        guard count < values.count else { return }
        values.removeSubrange(max(0, count)...)
        var kept = values.count
        for level in levels.indices {
            let stretches = (kept + MinMaxPyramid.branching - 1) / MinMaxPyramid.branching
            levels[level].removeSubrange(min(stretches, levels[level].count)...)
            if let last = levels[level].indices.last {
                var bounds = Bounds()
                for index in last * MinMaxPyramid.branching..<kept {
                    if level == 0 { bounds.take(values[index]) } else { bounds.take(levels[level - 1][index]) }
                }
                levels[level][last] = bounds
            }
            kept = stretches
        }
        // A level over a single stretch of the one below begins anew when there is a second one.
        while levels.count > 1, levels[levels.count - 2].count < 2 { levels.removeLast() }
        if values.isEmpty { levels = [] }
    }

    func bounds(_ range: Range<Int>) -> Bounds {
        var result = Bounds()
        var low = range.lowerBound
        var high = min(range.upperBound, values.count)
        let branching = MinMaxPyramid.branching
        while low < high, low % branching != 0 {
            result.take(values[low])
            low += 1
        }
        while high > low, high % branching != 0 {
            high -= 1
            result.take(values[high])
        }
        var level = 0
        low /= branching
        high /= branching
        while low < high, level < levels.count {
            while low < high, low % branching != 0 {
                result.take(levels[level][low])
                low += 1
            }
            while high > low, high % branching != 0 {
                high -= 1
                result.take(levels[level][high])
            }
            level += 1
            low /= branching
            high /= branching
        }
        return result
    }
}
