/// Reading and writing single characters of UTF-8 in place.
enum UTF8Text {
    /// The character at `position` (before `end`) and its length in bytes. Cut-off characters count as one byte each.
    @inline(__always)
    static func scalar(_ base: UnsafePointer<UInt8>, _ position: Int, _ end: Int) -> (value: UInt32, length: Int) {
        let first = UInt32(base[position])
        if first < 0x80 { return (first, 1) }
        return wide(base, position, end, first)
    }

    @inline(__always)
    private static func wide(_ base: UnsafePointer<UInt8>, _ position: Int, _ end: Int, _ first: UInt32) -> (value: UInt32, length: Int) {
        if first < 0xE0 {
            guard position + 1 < end, first >= 0xC0 else { return (0xFFFD, 1) }
            return ((first & 0x1F) << 6 | UInt32(base[position + 1] & 0x3F), 2)
        }
        if first < 0xF0 {
            guard position + 2 < end else { return (0xFFFD, 1) }
            return ((first & 0x0F) << 12 | UInt32(base[position + 1] & 0x3F) << 6 | UInt32(base[position + 2] & 0x3F), 3)
        }
        guard position + 3 < end else { return (0xFFFD, 1) }
        let value = (first & 0x07) << 18 | UInt32(base[position + 1] & 0x3F) << 12 | UInt32(base[position + 2] & 0x3F) << 6
            | UInt32(base[position + 3] & 0x3F)
        return (min(value, 0x10FFFF), 4)
    }

    /// Length in bytes of the character that begins with `first`.
    @inline(__always)
    static func length(_ first: UInt8) -> Int { first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4 }

    /// Where the character that ends before `position` (which is not 0) begins.
    @inline(__always)
    static func previous(_ base: UnsafePointer<UInt8>, _ position: Int) -> Int {
        var start = position - 1
        while start > 0, base[start] & 0xC0 == 0x80 { start -= 1 }
        return start
    }

    @inline(__always)
    static func append(_ scalar: UInt32, to output: inout [UInt8]) {
        if scalar < 0x80 {
            output.append(UInt8(truncatingIfNeeded: scalar))
        } else if scalar < 0x800 {
            output.append(UInt8(truncatingIfNeeded: 0xC0 | scalar >> 6))
            output.append(UInt8(truncatingIfNeeded: 0x80 | scalar & 0x3F))
        } else if scalar < 0x10000 {
            output.append(UInt8(truncatingIfNeeded: 0xE0 | scalar >> 12))
            output.append(UInt8(truncatingIfNeeded: 0x80 | scalar >> 6 & 0x3F))
            output.append(UInt8(truncatingIfNeeded: 0x80 | scalar & 0x3F))
        } else {
            output.append(UInt8(truncatingIfNeeded: 0xF0 | scalar >> 18))
            output.append(UInt8(truncatingIfNeeded: 0x80 | scalar >> 12 & 0x3F))
            output.append(UInt8(truncatingIfNeeded: 0x80 | scalar >> 6 & 0x3F))
            output.append(UInt8(truncatingIfNeeded: 0x80 | scalar & 0x3F))
        }
    }
}
