/// Deflate (RFC 1951) in a zlib wrapper (RFC 1950): matches found through a hash of three bytes, written with the fixed Huffman
/// code. Small and quick to write; flat images shrink by a factor of about a hundred.

public enum Zlib {
    /// The compressed bytes with zlib's header and checksum, as PNG wants them.
    public static func compressed(_ input: [UInt8]) -> [UInt8] {
        var encoder = DeflateEncoder(input: input)
        // 0x78 0x9C: deflate, window of 32 KiB, default effort.
        return [0x78, 0x9C] + encoder.encode() + bigEndian(adler32(input))
    }

    static func adler32(_ bytes: [UInt8]) -> UInt32 {
        var low: UInt32 = 1
        var high: UInt32 = 0
        // 5552 is the most bytes for which the sums cannot overflow.
        for start in stride(from: 0, to: bytes.count, by: 5552) {
            for byte in bytes[start..<min(start + 5552, bytes.count)] {
                low += UInt32(byte)
                high += low
            }
            low %= 65521
            high %= 65521
        }
        return high << 16 | low
    }

    static func bigEndian(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }
}

private struct DeflateEncoder {
    let input: [UInt8]
    private var output: [UInt8] = []
    private var bits: UInt64 = 0
    private var bitCount = 0

    private static let hashBits = 15
    private static let windowSize = 32768
    private static let longestMatch = 258
    /// How many earlier places with the same three bytes are tried.
    private static let triesPerMatch = 16

    init(input: [UInt8]) { self.input = input }

    mutating func encode() -> [UInt8] {
        put(0b011, 3)  // the last block, with the fixed code
        var heads = [Int32](repeating: -1, count: 1 << Self.hashBits)
        var previous = [Int32](repeating: -1, count: Self.windowSize)
        var position = 0
        while position < input.count {
            let match = longestMatch(at: position, heads, previous)
            let length = match?.length ?? 1
            if let match { put(length: match.length, distance: match.distance) } else { put(symbol: Int(input[position])) }
            for place in position..<(position + length) where place + 3 <= input.count {
                let slot = hash(place)
                previous[place & (Self.windowSize - 1)] = heads[slot]
                heads[slot] = Int32(place)
            }
            position += length
        }
        put(symbol: 256)
        if bitCount > 0 { put(0, 8 - bitCount % 8) }
        return output
    }

    private func hash(_ place: Int) -> Int {
        let word = UInt32(input[place]) | UInt32(input[place + 1]) << 8 | UInt32(input[place + 2]) << 16
        return Int((word &* 0x9E37_79B1) >> UInt32(32 - Self.hashBits))
    }

    private func longestMatch(at position: Int, _ heads: [Int32], _ previous: [Int32]) -> (length: Int, distance: Int)? {
        let limit = min(Self.longestMatch, input.count - position)
        guard limit >= 3 else { return nil }
        var best = (length: 2, distance: 0)
        var candidate = Int(heads[hash(position)])
        var tries = Self.triesPerMatch
        while candidate >= 0, position - candidate < Self.windowSize, tries > 0 {
            var length = 0
            while length < limit, input[candidate + length] == input[position + length] { length += 1 }
            if length > best.length { best = (length, position - candidate) }
            if length == limit { break }
            let earlier = Int(previous[candidate & (Self.windowSize - 1)])
            // A slot that was overwritten since leads forward; the chain ends there.
            if earlier >= candidate { break }
            candidate = earlier
            tries -= 1
        }
        return best.length >= 3 ? best : nil
    }

    // MARK: The fixed code (RFC 1951, 3.2.6)

    private mutating func put(symbol: Int) {
        switch symbol {
        case 0..<144: putReversed(0x30 + symbol, 8)
        case 144..<256: putReversed(0x190 + symbol - 144, 9)
        case 256..<280: putReversed(symbol - 256, 7)
        default: putReversed(0xC0 + symbol - 280, 8)
        }
    }

    private mutating func put(length: Int, distance: Int) {
        let lengthCode = Self.lengthBases.lastIndex { $0 <= length } ?? 0
        put(symbol: 257 + lengthCode)
        put(UInt64(length - Self.lengthBases[lengthCode]), Self.lengthExtraBits[lengthCode])
        let distanceCode = Self.distanceBases.lastIndex { $0 <= distance } ?? 0
        putReversed(distanceCode, 5)
        put(UInt64(distance - Self.distanceBases[distanceCode]), max(0, distanceCode / 2 - 1))
    }

    private static let lengthBases = [
        3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
    ]
    private static let lengthExtraBits = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0]
    private static let distanceBases = [
        1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385,
        24577,
    ]

    /// Huffman codes go out from their highest bit, everything else from its lowest.
    private mutating func putReversed(_ code: Int, _ count: Int) {
        var reversed: UInt64 = 0
        for bit in 0..<count where code >> bit & 1 == 1 { reversed |= 1 << UInt64(count - 1 - bit) }
        put(reversed, count)
    }

    private mutating func put(_ value: UInt64, _ count: Int) {
        bits |= value << UInt64(bitCount)
        bitCount += count
        while bitCount >= 8 {
            output.append(UInt8(truncatingIfNeeded: bits))
            bits >>= 8
            bitCount -= 8
        }
    }
}
