import Formats

/// 128 bits of a row's value: types, lengths and structure count, the order of an object's members does not.
struct RowHash: Hashable, Sendable {
    private(set) var low: UInt64 = 0xCBF2_9CE4_8422_2325, high: UInt64 = 0x9E37_79B9_7F4A_7C15

    /// - Parameter columns: the columns of a row that count; empty for all.
    /// - Returns: nil for a row that has none of them.
    init?(_ value: JSONValue, columns: Set<String>) {
        if columns.isEmpty {
            add(value)
        } else {
            guard let row = value.objectValue else { return nil }
            let wanted = JSONObject(row.filter { columns.contains($0.key) }.map { ($0.key, $0.value) })
            if wanted.count == 0 { return nil }
            add(.object(wanted))
        }
        (low, high) = (WordHash.mixed(low), WordHash.mixed(high))
    }

    /// A tag for the type stands before each value, and its length before what may have several.
    private mutating func add(_ value: JSONValue) {
        switch value {
        case .null: add(byte: 0)
        case .bool(let value): add(byte: value ? 2 : 1)
        case .integer(let value): add(byte: 3, number: UInt64(bitPattern: value))
        case .number(let value): add(byte: 4, number: value.bitPattern)
        case .string(let text): add(text)
        case .array(let values):
            add(byte: 6, number: UInt64(values.count))
            for value in values { add(value) }
        case .object(let object):
            add(byte: 7, number: UInt64(object.count))
            for (key, value) in object.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
                add(key)
                add(value)
            }
        }
    }

    private mutating func add(_ text: String) {
        var text = text
        text.withUTF8 { bytes in
            add(byte: 5, number: UInt64(bytes.count))
            for byte in bytes { add(byte: byte) }
        }
    }

    private mutating func add(byte: UInt8, number: UInt64) {
        add(byte: byte)
        for shift in stride(from: UInt64(0), to: 64, by: 8) { add(byte: UInt8(truncatingIfNeeded: number >> shift)) }
    }

    private mutating func add(byte: UInt8) {
        low = (low ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
        high = (high &+ UInt64(byte)) &* 0xD6E8_FEB8_6659_FD93
        high ^= high >> 32
    }
}
