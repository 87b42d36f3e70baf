/// Pair of token ids -> rank of its merge and the id that it makes.
///
/// Open addressing with linear probing over 16-byte slots: the key is `left << 32 | right`.
final class MergeTable: @unchecked Sendable {
    private struct Slot {
        var key: UInt64
        var rank: UInt32
        var result: Int32
    }

    /// Where any two tokens merge whose texts together are a token: the tables of SentencePiece and tiktoken.
    struct Concatenation: Sendable {
        let vocabulary: Vocabulary
        /// Rank of the merge that makes each token; `UInt32.max` for tokens that no merge makes.
        let ranks: [UInt32]
        let longest: Int
    }

    let concatenation: Concatenation?
    private let slots: UnsafeMutablePointer<Slot>
    /// Two bits of one word for each pair that merges: nearly all pairs that do not are known by them without touching the large table.
    private let filter: UnsafeMutablePointer<UInt64>
    private let filterShift: UInt64
    private let mask: Int
    private let shift: UInt64
    /// Number of merges.
    private(set) var count = 0

    private static let free = UInt64.max
    private static let factor: UInt64 = 0x9E37_79B9_7F4A_7C15

    /// `capacity` is the most merges that will be added.
    init(capacity: Int) {
        concatenation = nil
        var bits: UInt64 = 4
        while (1 << bits) / 4 * 3 < capacity + 1 { bits += 1 }
        slots = SearchTable.allocate(count: 1 << bits)
        slots.initialize(repeating: Slot(key: MergeTable.free, rank: .max, result: -1), count: 1 << bits)
        mask = 1 << bits - 1
        shift = 64 - bits
        (filter, filterShift) = MergeTable.makeFilter(bits: bits + 3)
    }

    private static func makeFilter(bits: UInt64) -> (UnsafeMutablePointer<UInt64>, shift: UInt64) {
        let filter = UnsafeMutablePointer<UInt64>.allocate(capacity: 1 << (bits - 6))
        filter.initialize(repeating: 0, count: 1 << (bits - 6))
        return (filter, 64 - (bits - 6))
    }

    /// A pair's bits in its word of the filter, from parts of the hash that do not choose the word.
    @inline(__always)
    private static func marks(_ hash: UInt64) -> UInt64 { 1 << (hash >> 30 & 63) | 1 << (hash >> 24 & 63) }

    init(_ concatenation: Concatenation) {
        self.concatenation = concatenation
        count = concatenation.ranks.count
        slots = .allocate(capacity: 1)
        slots.initialize(repeating: Slot(key: MergeTable.free, rank: .max, result: -1), count: 1)
        mask = 0
        shift = 63
        (filter, filterShift) = MergeTable.makeFilter(bits: 7)
    }

    deinit {
        slots.deallocate()
        filter.deallocate()
    }

    /// Adds a merge; a pair that is there already takes the later rank, as the reference implementation's map does.
    func insert(left: Int32, right: Int32, rank: UInt32, result: Int32) {
        let key = UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
        let hash = key &* MergeTable.factor
        filter[Int(hash >> filterShift)] |= MergeTable.marks(hash)
        var slot = home(key)
        while slots[slot].key != MergeTable.free, slots[slot].key != key { slot = (slot + 1) & mask }
        if slots[slot].key == MergeTable.free { count += 1 }
        slots[slot] = Slot(key: key, rank: rank, result: result)
    }

    /// Every pair with what it makes, in no order; none where there is only a list of tokens.
    var entries: [(left: Int32, right: Int32, rank: UInt32, result: Int32)] {
        guard concatenation == nil else { return [] }
        return (0...mask).compactMap { index in
            let slot = slots[index]
            guard slot.key != MergeTable.free else { return nil }
            return (Int32(truncatingIfNeeded: slot.key >> 32), Int32(truncatingIfNeeded: slot.key), slot.rank, slot.result)
        }
    }

    /// True when no merge touches one of these tokens.
    func leavesAlone(_ tokens: Set<Int32>) -> Bool {
        if concatenation != nil { return true }
        for slot in 0...mask where slots[slot].key != MergeTable.free {
            let key = slots[slot].key
            if tokens.contains(Int32(truncatingIfNeeded: key >> 32)) || tokens.contains(Int32(truncatingIfNeeded: key)) { return false }
        }
        return true
    }

    /// Rank and result of a pair; rank `UInt32.max` when the two do not merge.
    @inline(__always)
    func merge(_ left: Int32, _ right: Int32) -> (rank: UInt32, result: Int32) {
        if let concatenation { return concatenation.merge(left, right) }
        let key = UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
        let hash = key &* MergeTable.factor, marks = MergeTable.marks(hash)
        if filter[Int(hash >> filterShift)] & marks != marks { return (.max, -1) }
        var slot = home(key)
        while true {
            let entry = slots[slot]
            if entry.key == key { return (entry.rank, entry.result) }
            if entry.key == MergeTable.free { return (.max, -1) }
            slot = (slot + 1) & mask
        }
    }

    @inline(__always)
    private func home(_ key: UInt64) -> Int { Int(truncatingIfNeeded: (key &* MergeTable.factor) >> shift) & mask }
}

extension MergeTable.Concatenation {
    func merge(_ left: Int32, _ right: Int32) -> (rank: UInt32, result: Int32) {
        guard let first = vocabulary.span(of: left), let second = vocabulary.span(of: right) else { return (.max, -1) }
        let length = first.length + second.length
        if length > longest { return (.max, -1) }
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: length) { joined in
            vocabulary.arena.withUnsafeBufferPointer { arena in
                for index in 0..<first.length { joined[index] = arena[first.offset + index] }
                for index in 0..<second.length { joined[first.length + index] = arena[second.offset + index] }
            }
            guard let id = vocabulary.id(of: UnsafeRawBufferPointer(joined)), Int(id) < ranks.count, ranks[Int(id)] != .max else {
                return (.max, -1)
            }
            return (ranks[Int(id)], id)
        }
    }
}
