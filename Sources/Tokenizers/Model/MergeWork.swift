/// Scratch memory of one encoder, and the merging of one word's symbols by rank: lowest rank first, leftmost on a tie.
///
/// Short words keep the rank of every adjacent pair in an array and take the smallest until none is left; long ones
/// (unbroken text of any length) use a heap over a linked list, so that the cost stays n log n.
final class MergeWork {
    /// Room for the symbols of a short word, and for the rank and result of the pair that begins at each. Fixed memory: nothing in
    /// the loops below is checked or counted.
    private let shortSymbols: UnsafeMutablePointer<Int32>
    private let ranks: UnsafeMutablePointer<UInt32>
    private let results: UnsafeMutablePointer<Int32>
    private var symbols: [Int32] = []
    private var next: [Int32] = []
    private var previous: [Int32] = []
    private var heap = PriorityHeap<HeapEntry>()
    /// Words of up to so many symbols are short.
    static let shortLength = 96

    private struct HeapEntry: HeapOrdered {
        /// Rank in the high half, position in the low half: the smallest is the lowest rank, then the leftmost.
        var order: UInt64
        var result: Int32
        /// The symbols that the pair joined when it was queued; a changed pair makes the entry stale.
        var left: Int32
        var right: Int32

        func precedes(_ other: HeapEntry) -> Bool { order < other.order }
    }

    init() {
        shortSymbols = .allocate(capacity: MergeWork.shortLength)
        ranks = .allocate(capacity: MergeWork.shortLength)
        results = .allocate(capacity: MergeWork.shortLength)
        shortSymbols.initialize(repeating: 0, count: MergeWork.shortLength)
        ranks.initialize(repeating: 0, count: MergeWork.shortLength)
        results.initialize(repeating: 0, count: MergeWork.shortLength)
    }

    deinit {
        shortSymbols.deallocate()
        ranks.deallocate()
        results.deallocate()
    }

    /// Starts a word.
    func begin() {
        symbols.removeAll(keepingCapacity: true)
        lastMerge = (-1, -1, .max)
    }
    var symbolCount: Int { symbols.count }
    func add(_ id: Int32) { symbols.append(id) }

    /// Merges what was added since `begin` and appends the ids that remain.
    func finish(_ merges: MergeTable, into output: inout [Int32]) {
        if symbols.count > MergeWork.shortLength {
            mergeLong(merges)
            output.append(contentsOf: symbols)
            return
        }
        for (index, symbol) in symbols.enumerated() { shortSymbols[index] = symbol }
        mergeShort(symbols.count, merges, into: &output)
    }

    /// Merges a word of bytes that all have an id, at most `shortLength` of them.
    @inline(__always)
    func mergeBytes(
        _ start: UnsafePointer<UInt8>, _ length: Int, ids: UnsafePointer<Int32>, _ merges: MergeTable, into output: inout [Int32]
    ) -> Bool {
        for index in 0..<length {
            let id = ids[Int(start[index])]
            if id < 0 { return false }
            shortSymbols[index] = id
        }
        mergeShort(length, merges, into: &output)
        return true
    }

    /// The last merge of the word merged last, when it was a short one; rank `UInt32.max` when there was none.
    private(set) var lastMerge: (left: Int32, right: Int32, rank: UInt32) = (-1, -1, .max)

    private func mergeShort(_ length: Int, _ merges: MergeTable, into output: inout [Int32]) {
        lastMerge = (-1, -1, .max)
        let symbols = shortSymbols
        let ranks = self.ranks
        let results = self.results
        var count = length
        var index = 0
        while index < count - 1 {
            (ranks[index], results[index]) = merges.merge(symbols[index], symbols[index + 1])
            index += 1
        }
        while count > 1 {
            // The smallest rank first, where it is second: the plain minimum is done several at a time.
            var smallest = UInt32.max
            index = 0
            while index < count - 1 {
                smallest = min(smallest, ranks[index])
                index += 1
            }
            if smallest == .max { break }
            var best = 0
            while ranks[best] != smallest { best += 1 }
            if count == 2 { lastMerge = (symbols[0], symbols[1], smallest) }
            symbols[best] = results[best]
            count -= 1
            let behind = count - best - 1
            (symbols + best + 1).update(from: symbols + best + 2, count: behind)
            if behind > 0 {
                (ranks + best + 1).update(from: ranks + best + 2, count: behind - 1)
                (results + best + 1).update(from: results + best + 2, count: behind - 1)
                (ranks[best], results[best]) = merges.merge(symbols[best], symbols[best + 1])
            }
            if best > 0 { (ranks[best - 1], results[best - 1]) = merges.merge(symbols[best - 1], symbols[best]) }
        }
        output.append(contentsOf: UnsafeBufferPointer(start: symbols, count: count))
    }

    private func mergeLong(_ merges: MergeTable) {
        let count = symbols.count
        next = (0..<count).map { $0 + 1 < count ? Int32($0 + 1) : -1 }
        previous = (0..<count).map { Int32($0 - 1) }
        heap.removeAll()
        for index in 0..<count - 1 { enqueue(index, index + 1, merges) }
        while let entry = heap.pop() {
            let left = Int(entry.order & 0xFFFF_FFFF)
            let right = Int(next[left])
            guard symbols[left] == entry.left, right >= 0, symbols[right] == entry.right else { continue }
            symbols[left] = entry.result
            symbols[right] = -1
            let after = Int(next[right])
            next[left] = Int32(after)
            if after >= 0 {
                previous[after] = Int32(left)
                enqueue(left, after, merges)
            }
            let before = Int(previous[left])
            if before >= 0 { enqueue(before, left, merges) }
        }
        symbols.removeAll { $0 < 0 }
    }

    private func enqueue(_ left: Int, _ right: Int, _ merges: MergeTable) {
        let found = merges.merge(symbols[left], symbols[right])
        guard found.rank != .max else { return }
        heap.push(
            HeapEntry(
                order: UInt64(found.rank) << 32 | UInt64(left), result: found.result, left: symbols[left], right: symbols[right]))
    }
}
