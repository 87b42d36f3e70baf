/// Ids of words seen before, for words of at most 15 bytes. Two places per word; the older entry makes room.
///
///     key (16 bytes): the word's bytes, zero-filled, its length in the last byte    -> compared whole, never by hash alone
///     ids (12 bytes): up to three ids in place; longer results lie in `overflow`, ids[0] is where
final class WordCache {
    struct Entry {
        var low: UInt64
        var high: UInt64
        var ids: (Int32, Int32, Int32)
        var count: Int32
    }

    static let longestWord = 15
    private static let bits: UInt64 = 15
    private static let overflowLimit = 1 << 18
    private let entries: UnsafeMutablePointer<Entry>
    private var overflow: [Int32] = []

    init() {
        entries = .allocate(capacity: 1 << Int(WordCache.bits))
        entries.initialize(repeating: Entry(low: 0, high: 0, ids: (0, 0, 0), count: 0), count: 1 << Int(WordCache.bits))
    }

    deinit { entries.deallocate() }

    /// The key of a word: `length` bytes at `start`, at most 15; sixteen bytes from `start` on must be readable.
    @inline(__always)
    static func key(_ start: UnsafePointer<UInt8>, length: Int) -> (low: UInt64, high: UInt64) {
        let raw = UnsafeRawPointer(start)
        var low = raw.loadUnaligned(as: UInt64.self)
        var high: UInt64 = 0
        if length < 8 {
            low &= (1 << UInt64(length * 8)) &- 1
        } else {
            high = raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self) & ((1 << UInt64((length - 8) * 8)) &- 1)
        }
        high |= UInt64(length) << 56
        return (low, high)
    }

    @inline(__always)
    private static func home(_ low: UInt64, _ high: UInt64) -> Int {
        let product = (low ^ (high &* 0x9E37_79B9_7F4A_7C15)).multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
        return Int(truncatingIfNeeded: (product.high ^ product.low) >> (64 - bits))
    }

    /// Appends the ids of a known word; false when it is not there.
    @inline(__always)
    func append(_ low: UInt64, _ high: UInt64, to output: inout [Int32]) -> Bool {
        let home = WordCache.home(low, high)
        var entry = entries + home
        if entry.pointee.low != low || entry.pointee.high != high {
            entry = entries + (home ^ 1)
            if entry.pointee.low != low || entry.pointee.high != high { return false }
        }
        let count = Int(entry.pointee.count)
        if count == 1 {
            output.append(entry.pointee.ids.0)
        } else if count <= 3 {
            if count > 0 { output.append(entry.pointee.ids.0) }
            if count > 1 { output.append(entry.pointee.ids.1) }
            if count > 2 { output.append(entry.pointee.ids.2) }
        } else {
            let start = Int(entry.pointee.ids.0)
            output.append(contentsOf: overflow[start..<start + count])
        }
        return true
    }

    /// Remembers the ids of a word.
    func insert(_ low: UInt64, _ high: UInt64, ids: ArraySlice<Int32>) {
        var entry = Entry(low: low, high: high, ids: (0, 0, 0), count: Int32(ids.count))
        if ids.count > 3 {
            if overflow.count + ids.count > WordCache.overflowLimit { clear() }
            entry.ids.0 = Int32(overflow.count)
            overflow.append(contentsOf: ids)
        } else {
            let first = ids.startIndex
            if ids.count > 0 { entry.ids.0 = ids[first] }
            if ids.count > 1 { entry.ids.1 = ids[first + 1] }
            if ids.count > 2 { entry.ids.2 = ids[first + 2] }
        }
        let home = WordCache.home(low, high)
        entries[home ^ 1] = entries[home]
        entries[home] = entry
    }

    private func clear() {
        overflow.removeAll(keepingCapacity: true)
        entries.update(repeating: Entry(low: 0, high: 0, ids: (0, 0, 0), count: 0), count: 1 << Int(WordCache.bits))
    }
}
