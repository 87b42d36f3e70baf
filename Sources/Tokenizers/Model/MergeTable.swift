/// Pair of token ids -> rank of its merge and the id that it makes.
///
/// Open addressing with linear probing over 16-byte slots: the key is `left << 32 | right`.
final class MergeTable: @unchecked Sendable {
    private struct Slot {
        var key: UInt64
        var rank: UInt32
        var result: Int32
    }

    private let slots: UnsafeMutablePointer<Slot>
    private let mask: Int
    private let shift: UInt64
    /// Number of merges.
    private(set) var count = 0

    private static let free = UInt64.max

    /// `capacity` is the most merges that will be added.
    init(capacity: Int) {
        var bits: UInt64 = 4
        while (1 << bits) < capacity * 2 + 2 { bits += 1 }
        slots = .allocate(capacity: 1 << bits)
        slots.initialize(repeating: Slot(key: MergeTable.free, rank: .max, result: -1), count: 1 << bits)
        mask = 1 << bits - 1
        shift = 64 - bits
    }

    deinit { slots.deallocate() }

    /// Adds a merge; a pair that is there already takes the later rank, as the reference implementation's map does.
    func insert(left: Int32, right: Int32, rank: UInt32, result: Int32) {
        let key = UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
        var slot = home(key)
        while slots[slot].key != MergeTable.free, slots[slot].key != key { slot = (slot + 1) & mask }
        if slots[slot].key == MergeTable.free { count += 1 }
        slots[slot] = Slot(key: key, rank: rank, result: result)
    }

    /// Rank and result of a pair; rank `UInt32.max` when the two do not merge.
    @inline(__always)
    func merge(_ left: Int32, _ right: Int32) -> (rank: UInt32, result: Int32) {
        let key = UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
        var slot = home(key)
        while true {
            let entry = slots[slot]
            if entry.key == key { return (entry.rank, entry.result) }
            if entry.key == MergeTable.free { return (.max, -1) }
            slot = (slot + 1) & mask
        }
    }

    @inline(__always)
    private func home(_ key: UInt64) -> Int { Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> shift) & mask }
}
