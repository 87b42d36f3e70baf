/// Numbers as text, without a locale: fixed, significant and scientific digits, sizes, counts, durations and Python's floats.

import Glibc

public enum NumberText {
    /// `fixed(3.14159, digits: 2)` is "3.14", rounded half to even like C. Not-a-number is "nan", infinity "inf".
    public static func fixed(_ value: Double, digits: Int) -> String {
        guard value.isFinite else { return unfinished(value) }
        return formatted("%.*f", value, digits)
    }

    /// `significant(0.00012345, digits: 3)` is "0.000123", `significant(1234567, digits: 3)` "1.23e+06": C's %g.
    public static func significant(_ value: Double, digits: Int) -> String {
        guard value.isFinite else { return unfinished(value) }
        return formatted("%.*g", value, digits)
    }

    /// `scientific(5e-5, digits: 2)` is "5.00e-05".
    public static func scientific(_ value: Double, digits: Int) -> String {
        guard value.isFinite else { return unfinished(value) }
        return formatted("%.*e", value, digits)
    }

    /// `plain(2.10341, digits: 4)` is "2.1034", `plain(1e300, digits: 4)` "1.0000e+300": fixed as long as people can read it so.
    public static func plain(_ value: Double, digits: Int) -> String {
        abs(value) < 1e9 ? fixed(value, digits: digits) : scientific(value, digits: digits)
    }

    /// `grouped(1234567)` is "1,234,567".
    public static func grouped(_ value: Int) -> String {
        let digits = Array(String(value.magnitude).utf8)
        var text: [UInt8] = value < 0 ? [UInt8(ascii: "-")] : []
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text.append(UInt8(ascii: ",")) }
            text.append(digit)
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// `bytes(10_522_669_875)` is "9.8 GiB"; below one KiB "512 B".
    public static func bytes(_ count: Int64) -> String {
        let units = ["KiB", "MiB", "GiB", "TiB", "PiB"]
        var value = Double(count)
        guard abs(value) >= 1024 else { return "\(count) B" }
        for unit in units {
            value /= 1024
            if abs(value) < 1023.95 || unit == "PiB" {
                return fixed(value, digits: abs(value) < 99.95 ? 1 : 0) + " " + unit
            }
        }
        return "\(count) B"
    }

    /// `count(1_130_000)` is "1.13 M"; below a thousand the number itself.
    public static func count(_ count: Int) -> String {
        let value = Double(count)
        let units: [(Double, String)] = [(1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")]
        for (size, unit) in units where abs(value) >= size * 0.9995 {
            let scaled = value / size
            let digits = abs(scaled) < 9.995 ? 2 : abs(scaled) < 99.95 ? 1 : 0
            return fixed(scaled, digits: digits) + " " + unit
        }
        return String(count)
    }

    /// `duration(3725)` is "1:02:05": hours, minutes, seconds as Python's timedelta prints them; "-" when unknown.
    public static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds >= 0, seconds < 1e12 else { return "-" }
        let whole = Int(seconds)
        let clock = "\(whole % 86400 / 3600):\(two(whole / 60 % 60)):\(two(whole % 60))"
        let days = whole / 86400
        return days == 0 ? clock : "\(days) day\(days == 1 ? "" : "s"), \(clock)"
    }

    /// The shortest text that reads back as the same number, written as Python's repr does: 1.0, 0.0001, 5e-05, 1e+16, nan, inf.
    public static func pythonFloat(_ value: Double) -> String {
        guard value.isFinite else { return unfinished(value) }
        if value == 0 { return value.sign == .minus ? "-0.0" : "0.0" }
        // Swift prints the same shortest digits; only the layout differs.
        let (digits, exponent) = shortestDigits(value.magnitude)
        let sign = value < 0 ? "-" : ""
        if exponent < -4 || exponent >= 16 {
            let mantissa = digits.count == 1 ? digits : digits.prefix(1) + "." + digits.dropFirst()
            let power = exponent.magnitude < 10 ? "0\(exponent.magnitude)" : "\(exponent.magnitude)"
            return sign + mantissa + "e" + (exponent < 0 ? "-" : "+") + power
        }
        if exponent < 0 { return sign + "0." + String(repeating: "0", count: -exponent - 1) + digits }
        let whole = exponent + 1
        if digits.count <= whole { return sign + digits + String(repeating: "0", count: whole - digits.count) + ".0" }
        return sign + digits.prefix(whole) + "." + digits.dropFirst(whole)
    }

    /// The shortest decimal digits d1 d2 ... without trailing zeros, and the power of ten of the first: d1.d2... x 10^exponent.
    private static func shortestDigits(_ value: Double) -> (digits: String, exponent: Int) {
        var digits: [UInt8] = []
        var exponent = 0
        var pointAt: Int?
        var written = 0
        let text = Array(value.description.utf8)
        var index = 0
        while index < text.count {
            let byte = text[index]
            if byte == UInt8(ascii: ".") {
                pointAt = written
            } else if byte == UInt8(ascii: "e") {
                exponent = Int(String(decoding: text[(index + 1)...], as: UTF8.self)) ?? 0
                break
            } else {
                digits.append(byte)
                written += 1
            }
            index += 1
        }
        let leadingZeros = digits.prefix { $0 == UInt8(ascii: "0") }.count
        exponent += (pointAt ?? written) - 1 - leadingZeros
        digits.removeFirst(leadingZeros)
        while digits.count > 1, digits.last == UInt8(ascii: "0") { digits.removeLast() }
        return (String(decoding: digits, as: UTF8.self), exponent)
    }

    private static func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }

    private static func unfinished(_ value: Double) -> String { value.isNaN ? "nan" : value < 0 ? "-inf" : "inf" }

    private static func formatted(_ format: String, _ value: Double, _ digits: Int) -> String {
        var buffer = [CChar](repeating: 0, count: 400)
        let count = withVaList([Int32(max(0, min(digits, 60))), value]) { vsnprintf(&buffer, buffer.count, format, $0) }
        let length = max(0, min(Int(count), buffer.count - 1))
        // A locale may write another decimal point, even one of several bytes; ours is always a dot.
        var text: [UInt8] = []
        for byte in buffer[..<length].map({ UInt8(bitPattern: $0) }) {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "e"): text.append(byte)
            default: if text.last != UInt8(ascii: ".") { text.append(UInt8(ascii: ".")) }
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
