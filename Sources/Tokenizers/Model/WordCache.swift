import CPlatform
import Glibc

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
    /// Room for the words of some megabytes of text; merging one anew costs ten times what finding it does.
    private static let bits: UInt64 = 17
    private static let overflowLimit = 1 << 20
    private let entries: UnsafeMutablePointer<Entry>
    private let memory: UnsafeMutableRawPointer
    private var overflow: [Int32] = []

    /// The memory comes zeroed, page by page as it is touched: a short text pays for little of it. No word has a key of zeros.
    init() {
        let count = 1 << Int(WordCache.bits)
        guard let zeroed = calloc(count, MemoryLayout<Entry>.stride) else { preconditionFailure("no memory for \(count) words") }
        memory = zeroed
        entries = memory.bindMemory(to: Entry.self, capacity: count)
    }

    deinit { free(memory) }

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

    /// Has the memory fetched where a word is looked for.
    @inline(__always)
    func prefetch(_ low: UInt64, _ high: UInt64) -> Int {
        let home = WordCache.home(low, high)
        platform_prefetch(entries + home)
        return home
    }

    /// Appends the ids of a known word; false when it is not there.
    @inline(__always)
    func append(_ low: UInt64, _ high: UInt64, to output: inout [Int32]) -> Bool {
        append(low, high, home: WordCache.home(low, high), to: &output)
    }

    /// The same, with the place that `prefetch` gave.
    @inline(__always)
    func append(_ low: UInt64, _ high: UInt64, home: Int, to output: inout [Int32]) -> Bool {
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

/// The same for words of 16 to 31 bytes; one place per word.
///
///     key (32 bytes): the word's bytes, zero-filled, its length in the last byte
///     ids (28 bytes): up to seven ids in place; longer results lie in `overflow`, the first of the seven is where
final class LongWordCache {
    typealias Key = (UInt64, UInt64, UInt64, UInt64)
    private struct Entry {
        var key: Key = (0, 0, 0, 0)
        var ids: (Int32, Int32, Int32, Int32, Int32, Int32, Int32) = (0, 0, 0, 0, 0, 0, 0)
        var count: Int32 = 0
    }

    static let longestWord = 31
    private static let idsInPlace = 7
    private static let bits: UInt64 = 14
    private static let overflowLimit = 1 << 18
    private let entries: UnsafeMutablePointer<Entry>
    private var overflow: [Int32] = []

    init() {
        entries = .allocate(capacity: 1 << Int(LongWordCache.bits))
        entries.initialize(repeating: Entry(), count: 1 << Int(LongWordCache.bits))
    }

    deinit { entries.deallocate() }

    /// The key of a word of 16 to 31 bytes; 32 bytes from `start` on must be readable.
    @inline(__always)
    static func key(_ start: UnsafePointer<UInt8>, length: Int) -> Key {
        let raw = UnsafeRawPointer(start)
        let rest = UInt64(length - 16)
        var third = raw.loadUnaligned(fromByteOffset: 16, as: UInt64.self)
        var fourth: UInt64 = 0
        if rest < 8 {
            third &= (1 << (rest * 8)) &- 1
        } else {
            fourth = raw.loadUnaligned(fromByteOffset: 24, as: UInt64.self) & ((1 << ((rest - 8) * 8)) &- 1)
        }
        return (
            raw.loadUnaligned(as: UInt64.self), raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self), third,
            fourth | UInt64(length) << 56
        )
    }

    @inline(__always)
    private func home(_ key: Key) -> UnsafeMutablePointer<Entry> {
        let first = (key.0 ^ (key.1 &* 0x9E37_79B9_7F4A_7C15)).multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
        let second = (key.2 ^ (key.3 &* 0xA076_1D64_78BD_642F) ^ first.low).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        return entries + Int(truncatingIfNeeded: (first.high ^ second.high ^ second.low) >> (64 - LongWordCache.bits))
    }

    /// Appends the ids of a known word; false when it is not there.
    @inline(__always)
    func append(_ key: Key, to output: inout [Int32]) -> Bool {
        let entry = home(key)
        guard entry.pointee.key.0 == key.0, entry.pointee.key.1 == key.1, entry.pointee.key.2 == key.2, entry.pointee.key.3 == key.3
        else { return false }
        let count = Int(entry.pointee.count)
        if count > LongWordCache.idsInPlace {
            let start = Int(entry.pointee.ids.0)
            output.append(contentsOf: overflow[start..<start + count])
        } else {
            withUnsafeBytes(of: &entry.pointee.ids) { output.append(contentsOf: $0.assumingMemoryBound(to: Int32.self)[0..<count]) }
        }
        return true
    }

    /// Remembers the ids of a word.
    func insert(_ key: Key, ids: ArraySlice<Int32>) {
        if overflow.count + ids.count > LongWordCache.overflowLimit {
            overflow.removeAll(keepingCapacity: true)
            entries.update(repeating: Entry(), count: 1 << Int(LongWordCache.bits))
        }
        let entry = home(key)
        entry.pointee.key = key
        entry.pointee.count = Int32(ids.count)
        if ids.count > LongWordCache.idsInPlace {
            entry.pointee.ids.0 = Int32(overflow.count)
            overflow.append(contentsOf: ids)
            return
        }
        withUnsafeMutableBytes(of: &entry.pointee.ids) { bytes in
            let places = bytes.assumingMemoryBound(to: Int32.self)
            for (index, id) in ids.enumerated() { places[index] = id }
        }
    }
}
