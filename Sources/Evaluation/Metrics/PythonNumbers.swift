/// The few habits of Python's and numpy's arithmetic that decide the last digits of a score: rounding to decimals, exact sums,
/// and the order in which numpy adds up a mean.

import Glibc
import Platform

enum PythonNumbers {
    /// `round(value, digits)`: correctly rounded from the exact binary value, ties to even.
    static func rounded(_ value: Double, digits: Int) -> Double {
        value.isFinite ? strtod(NumberText.fixed(value, digits: digits), nil) : value
    }

    /// `math.fsum(values)`: the exactly rounded sum, by Shewchuk's non-overlapping partial sums.
    static func exactSum(_ values: [Double]) -> Double {
        var partials: [Double] = []
        for value in values {
            var carried = value
            var kept: [Double] = []
            for partial in partials {
                let (larger, smaller) = abs(carried) < abs(partial) ? (partial, carried) : (carried, partial)
                let high = larger + smaller
                let low = smaller - (high - larger)
                if low != 0 { kept.append(low) }
                carried = high
            }
            kept.append(carried)
            partials = kept
        }
        return partials.reduce(0, +)
    }

    /// `numpy.mean(values)` of float64: pairwise summation in blocks of 128 with eight accumulators.
    static func mean(_ values: [Double]) -> Double {
        values.isEmpty ? 0 : pairwiseSum(values[...]) / Double(values.count)
    }

    private static func pairwiseSum(_ values: ArraySlice<Double>) -> Double {
        let count = values.count
        let first = values.startIndex
        if count < 8 { return values.reduce(0, +) }
        if count <= 128 {
            var sums = Array(values[first..<first + 8])
            var index = 8
            while index + 8 <= count {
                for lane in 0..<8 { sums[lane] += values[first + index + lane] }
                index += 8
            }
            var total = ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]))
            while index < count {
                total += values[first + index]
                index += 1
            }
            return total
        }
        var half = count / 2
        half -= half % 8
        return pairwiseSum(values[first..<first + half]) + pairwiseSum(values[(first + half)...])
    }
}
