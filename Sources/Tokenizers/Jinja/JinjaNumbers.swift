import Glibc
import Platform

/// Numbers as Python reads and rounds them.
enum JinjaNumbers {
    static func power(_ base: Double, _ exponent: Double) -> Double { pow(base, exponent) }

    /// `round(value, digits)`: half to even of the exact decimal value, which C's own formatting gives.
    static func rounded(_ value: Double, _ digits: Int) -> Double {
        guard value.isFinite else { return value }
        if digits >= 0 {
            if digits > 22 { return value }
            return strtod(NumberText.fixed(value, digits: digits), nil)
        }
        let scale = pow(10, Double(-digits))
        if scale.isInfinite { return value < 0 ? -0.0 : 0 }
        return (value / scale).rounded(.toNearestOrEven) * scale
    }

    /// `float(text)`; nil where Python refuses it.
    static func double(_ text: String) -> Double? {
        let plain = JinjaText.strip(text, nil, left: true, right: true).lowercased()
        guard let joined = withoutUnderscores(plain) else { return nil }
        let unsigned = joined.first == "-" || joined.first == "+" ? joined.dropFirst() : Substring(joined)
        switch unsigned {
        case "inf", "infinity": return joined.first == "-" ? -.infinity : .infinity
        case "nan": return .nan
        default: break
        }
        // Swift also reads hexadecimal, which Python does not.
        guard !unsigned.isEmpty, unsigned.utf8.allSatisfy({ "0123456789.e+-".utf8.contains($0) }) else { return nil }
        return strictDouble(joined)
    }

    private static func strictDouble(_ text: String) -> Double? {
        // "5." and ".5" are numbers for Python; Swift wants digits on both sides.
        var end: UnsafeMutablePointer<CChar>?
        return text.withCString { start in
            let value = strtod(start, &end)
            guard let end, end > UnsafeMutablePointer(mutating: start), end.pointee == 0 else { return nil }
            return value
        }
    }

    /// `int(text, base)`; nil where Python refuses it or the number needs more than 64 bits.
    static func integer(_ text: String, base: Int) -> Int64? {
        guard base == 0 || (2...36).contains(base), let joined = withoutUnderscores(JinjaText.strip(text, nil, left: true, right: true).lowercased())
        else { return nil }
        let sign = joined.first == "-" || joined.first == "+" ? String(joined.prefix(1)) : ""
        var digits = joined.dropFirst(sign.count)
        var radix = base
        for (prefix, number) in [("0x", 16), ("0o", 8), ("0b", 2)] where digits.hasPrefix(prefix) && (base == number || base == 0) {
            digits = digits.dropFirst(2)
            radix = number
        }
        if radix == 0 { radix = 10 }
        guard let first = digits.utf8.first, first != 0x2B, first != 0x2D else { return nil }
        return Int64(sign + digits, radix: radix)
    }

    /// Digits may be grouped by single underscores.
    private static func withoutUnderscores(_ text: String) -> String? {
        let bytes = Array(text.utf8)
        guard bytes.contains(0x5F) else { return text }
        func isDigit(_ index: Int) -> Bool { bytes.indices.contains(index) && (0x30...0x39).contains(bytes[index]) }
        for (index, byte) in bytes.enumerated() where byte == 0x5F && !(isDigit(index - 1) && isDigit(index + 1)) { return nil }
        return String(decoding: bytes.filter { $0 != 0x5F }, as: UTF8.self)
    }
}
