import Glibc

/// A range of values laid along a stretch of dots, linear or logarithmic, with marks at round numbers.
struct PlotAxis: Equatable, Sendable {
    let range: ClosedRange<Double>
    let isLogarithmic: Bool

    /// Beyond these a distance would be no number any more.
    private static let most = Double.greatestFiniteMagnitude / 4

    /// A range without extent is widened; a logarithmic one is kept above 0.
    init(low: Double, high: Double, isLogarithmic: Bool = false) {
        self.isLogarithmic = isLogarithmic
        func within(_ value: Double) -> Double { max(-PlotAxis.most, min(value, PlotAxis.most)) }
        var low = low.isFinite ? within(low) : 0
        var high = high.isFinite ? within(high) : low + 1
        if isLogarithmic {
            low = max(low, 1e-300)
            high = max(high, low)
            if high <= low * 1.000001 {
                low /= 1.5
                high *= 1.5
            }
        } else if high - low <= abs(high) * 1e-12 {
            let margin = abs(high) > 0 ? abs(high) * 0.1 : 1
            low -= margin
            high += margin
        }
        range = min(low, high)...max(low, high)
    }

    /// Where a value lies, 0 at the low end and 1 at the high end; outside beyond them. Not a number for what a logarithm cannot show.
    func share(of value: Double) -> Double {
        guard isLogarithmic else { return (value - range.lowerBound) / (range.upperBound - range.lowerBound) }
        guard value > 0 else { return .nan }
        return (log(value) - log(range.lowerBound)) / (log(range.upperBound) - log(range.lowerBound))
    }

    func value(at share: Double) -> Double {
        guard isLogarithmic else { return range.lowerBound + share * (range.upperBound - range.lowerBound) }
        return exp(log(range.lowerBound) + share * (log(range.upperBound) - log(range.lowerBound)))
    }

    /// Round values inside the range, at most about `count`.
    /// - Parameter isCounted: only whole numbers
    func ticks(count: Int, isCounted: Bool = false) -> [Double] {
        guard count > 0 else { return [] }
        if isLogarithmic, range.upperBound / range.lowerBound > 8 { return logarithmicTicks(count) }
        let rough = (range.upperBound - range.lowerBound) / Double(max(1, count))
        let magnitude = pow(10, floor(log10(rough)))
        guard magnitude.isFinite, magnitude > 0 else { return [] }
        let nearest = [1, 2, 2.5, 5, 10].map { $0 * magnitude }.first { $0 >= rough * 0.999 && !(isCounted && $0 != $0.rounded()) } ?? magnitude * 10
        let step = isCounted ? max(1, nearest) : nearest
        var ticks: [Double] = []
        var index = ceil(range.lowerBound / step - 1e-9)
        while index * step <= range.upperBound + step * 1e-9, ticks.count < 100 {
            ticks.append(index == 0 ? 0 : index * step)
            index += 1
        }
        return ticks
    }

    private func logarithmicTicks(_ count: Int) -> [Double] {
        let low = Int(floor(log10(range.lowerBound)))
        let high = Int(ceil(log10(range.upperBound)))
        let stride = max(1, (high - low + count - 1) / count)
        let digits: [Double] = (high - low) * 3 <= count ? [1, 2, 5] : [1]
        var ticks: [Double] = []
        for exponent in Swift.stride(from: low, through: high, by: stride) {
            for digit in digits {
                let value = digit * pow(10, Double(exponent))
                if range.contains(value) { ticks.append(value) }
            }
        }
        return ticks
    }

    /// A tick's label with as many digits as the distance between ticks asks for: `1.25`, `5e-05`, `12k`.
    static func label(_ value: Double, step: Double) -> String {
        let size = max(abs(value), abs(step))
        if value == 0 { return "0" }
        if !value.isFinite { return value.isNaN ? "nan" : value > 0 ? "inf" : "-inf" }
        if size >= 1e15 || size < 1e-3 { return scientific(value) }
        if abs(value) >= 10_000 {
            let thousands = value / (abs(value) >= 1e6 ? 1e6 : 1e3)
            let rounded = (thousands * 100).rounded() / 100
            return trimmed(rounded, digits: 2) + (abs(value) >= 1e6 ? "M" : "k")
        }
        // A lone mark has no neighbour to be told apart from: as many digits as it needs.
        guard step > 0 else { return short(value) }
        let digits = min(6, max(0, Int(ceil(-log10(step) - 1e-9)) + (isTwoDigit(step) ? 1 : 0)))
        return fixed(value, digits: digits)
    }

    /// 0.25 and 2.5 need one digit more than 0.2 and 2.
    private static func isTwoDigit(_ step: Double) -> Bool {
        let leading = step / pow(10, floor(log10(step) + 1e-9))
        return abs(leading - leading.rounded()) > 0.01
    }

    /// A value for reading, in about `digits` significant digits.
    static func reading(_ value: Double, digits: Int = 4) -> String {
        guard value.isFinite else { return label(value, step: 1) }
        let size = abs(value)
        if size == 0 { return "0" }
        if size < 1e-3 { return scientific(value) }
        if size >= 1e6 { return label(value, step: 1) }
        if value == value.rounded() { return fixed(value, digits: 0) }
        return fixed(value, digits: max(0, digits - 1 - Int(floor(log10(size)))))
    }

    /// The same without zeros at the end: for marks and factors.
    static func short(_ value: Double, digits: Int = 4) -> String {
        let text = reading(value, digits: digits)
        guard text.contains("."), !text.contains("e"), !text.hasSuffix("k"), !text.hasSuffix("M") else { return text }
        var cut = Substring(text)
        while cut.last == "0" { cut = cut.dropLast() }
        return String(cut.last == "." ? cut.dropLast() : cut)
    }

    private static func scientific(_ value: Double) -> String {
        var exponent = Int(floor(log10(abs(value)) + 1e-12))
        var mantissa = (value / pow(10, Double(exponent)) * 100).rounded() / 100
        if abs(mantissa) >= 10 {
            mantissa /= 10
            exponent += 1
        }
        return trimmed(mantissa, digits: 2) + "e\(exponent)"
    }

    private static func trimmed(_ value: Double, digits: Int) -> String {
        var text = fixed(value, digits: digits)
        guard text.contains(".") else { return text }
        while text.last == "0" { text.removeLast() }
        if text.last == "." { text.removeLast() }
        return text
    }

    /// A number with so many digits behind the point.
    static func fixed(_ value: Double, digits: Int) -> String {
        let scale = pow(10, Double(digits))
        let scaled = (abs(value) * scale).rounded()
        guard scaled < 9e15 else { return "\(value)" }
        let whole = Int64(scaled)
        let divisor = Int64(scale)
        var fraction = String(whole % divisor)
        while fraction.count < digits { fraction = "0" + fraction }
        let sign = value < 0 && whole != 0 ? "-" : ""
        return digits > 0 ? "\(sign)\(whole / divisor).\(fraction)" : "\(sign)\(whole / divisor)"
    }
}
