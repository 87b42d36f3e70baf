import Platform

/// Numbers as the board writes them.
enum Words {
    /// `00:41:07`; dashes while unknown.
    static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds >= 0, seconds < 1e8 else { return "--:--:--" }
        let total = Int(seconds.rounded())
        return "\(two(total / 3_600)):\(two(total / 60 % 60)):\(two(total % 60))"
    }

    /// A loss or similar: four significant digits, never wider than needed.
    static func metric(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-inf" : "inf" }
        let size = abs(value)
        if size == 0 { return "0" }
        if size >= 1e6 || size < 1e-3 { return NumberText.scientific(value, digits: 2) }
        if size >= 1_000 || value == value.rounded() && size >= 100 { return NumberText.grouped(Int(value.rounded())) }
        return NumberText.fixed(value, digits: size >= 100 ? 1 : size >= 10 ? 2 : size >= 1 ? 3 : 4)
    }

    /// Tokens per second.
    static func speed(_ value: Double) -> String { value >= 100 ? metric(value.rounded()) : NumberText.fixed(value, digits: 1) }

    /// `2,409` of 2409.7. A log may hold any number, also one that is none.
    static func whole(_ value: Double) -> String {
        value.isFinite && abs(value) < 1e15 ? NumberText.grouped(Int(value)) : metric(value)
    }

    static func optional(_ value: Double?) -> String { value.map(metric) ?? "-" }

    /// `12:04:51` of a wall clock time.
    static func time(_ seconds: Double, secondsFromUTC: Int) -> String {
        let day = Int(seconds.rounded(.down)) + secondsFromUTC
        let second = ((day % 86_400) + 86_400) % 86_400
        return "\(two(second / 3_600)):\(two(second / 60 % 60)):\(two(second % 60))"
    }

    static func percent(_ share: Double) -> String {
        let percent = share * 100
        return (percent >= 10 || percent == 0 ? NumberText.fixed(percent, digits: 0) : NumberText.fixed(percent, digits: 2)) + " %"
    }

    private static func two(_ number: Int) -> String { number < 10 ? "0\(number)" : String(number) }
}
