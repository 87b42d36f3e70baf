/// One axis of a plot: where values go, and where its numbers stand.

import Glibc
import Platform

struct PlotAxis {
    /// The values at both ends, after rounding outwards to a tick where that costs little.
    let low: Double
    let high: Double
    private let start: Double
    private let end: Double
    let ticks: [(value: Double, text: String)]

    /// - Parameters:
    ///   - start: pixel of `low`; `end` pixel of `high`.
    ///   - tickCount: about how many numbers.
    init(low: Double, high: Double, from start: Double, to end: Double, tickCount: Int) {
        // One value alone gets some room around it.
        let spread = high > low ? high - low : max(abs(low) * 0.1, 1)
        let first = high > low ? low - spread * 0.02 : low - spread / 2
        let last = high > low ? high + spread * 0.04 : high + spread / 2
        self.low = first
        self.high = last
        self.start = start
        self.end = end
        let step = Self.roundStep((last - first) / Double(max(tickCount, 1)))
        var ticks: [(value: Double, text: String)] = []
        var index = (first / step).rounded(.up)
        while index * step <= last, ticks.count < 50 {
            let value = index * step
            ticks.append((value, Self.text(value, step: step)))
            index += 1
        }
        self.ticks = ticks
    }

    func position(_ value: Double) -> Double { start + (value - low) / (high - low) * (end - start) }

    /// 1, 2 or 5 times a power of ten, at least `rough`.
    private static func roundStep(_ rough: Double) -> Double {
        let power = pow(10, floor(log10(rough)))
        let factor = [1, 2, 5, 10].first { $0 * power >= rough * 0.999 } ?? 10
        return factor * power
    }

    /// As many digits as the step needs.
    private static func text(_ value: Double, step: Double) -> String {
        if abs(value) < step / 1000 { return "0" }
        if abs(value) >= 1e6 || abs(value) < 1e-4 { return NumberText.significant(value, digits: 3) }
        let digits = max(0, Int((-log10(step) - 1e-9).rounded(.up)))
        return NumberText.fixed(value, digits: min(digits, 8))
    }
}
