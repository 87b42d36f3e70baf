/// Scratch memory of one encoder, and the merging of one word's symbols by rank: lowest rank first, leftmost on a tie.
///
/// Short words keep the rank of every adjacent pair in an array and take the smallest until none is left; long ones
/// (unbroken text of any length) use a heap over a linked list, so that the cost stays n log n.
final class MergeWork {
    private var symbols: [Int32] = []
    private var ranks: [UInt32] = []
    private var results: [Int32] = []
    private var next: [Int32] = []
    private var previous: [Int32] = []
    private var heap: [HeapEntry] = []
    private static let longWord = 96

    private struct HeapEntry {
        /// Rank in the high half, position in the low half: the smallest is the lowest rank, then the leftmost.
        var order: UInt64
        var result: Int32
        /// The symbols that the pair joined when it was queued; a changed pair makes the entry stale.
        var left: Int32
        var right: Int32
    }

    /// Starts a word.
    func begin() { symbols.removeAll(keepingCapacity: true) }
    func add(_ id: Int32) { symbols.append(id) }

    /// Merges what was added since `begin` and appends the ids that remain.
    func finish(_ merges: MergeTable, into output: inout [Int32]) {
        if symbols.count > MergeWork.longWord {
            mergeLong(merges)
        } else if symbols.count > 1 {
            mergeShort(merges)
        }
        output.append(contentsOf: symbols)
    }

    private func mergeShort(_ merges: MergeTable) {
        var count = symbols.count
        if ranks.count < MergeWork.longWord {
            ranks = Array(repeating: .max, count: MergeWork.longWord)
            results = Array(repeating: -1, count: MergeWork.longWord)
        }
        symbols.withUnsafeMutableBufferPointer { symbols in
            ranks.withUnsafeMutableBufferPointer { ranks in
                results.withUnsafeMutableBufferPointer { results in
                    for index in 0..<count - 1 {
                        (ranks[index], results[index]) = merges.merge(symbols[index], symbols[index + 1])
                    }
                    while count > 1 {
                        var best = 0
                        var bestRank = ranks[0]
                        var index = 1
                        while index < count - 1 {
                            if ranks[index] < bestRank {
                                bestRank = ranks[index]
                                best = index
                            }
                            index += 1
                        }
                        if bestRank == .max { break }
                        symbols[best] = results[best]
                        count -= 1
                        index = best + 1
                        while index < count {
                            symbols[index] = symbols[index + 1]
                            index += 1
                        }
                        index = best + 1
                        while index < count - 1 {
                            ranks[index] = ranks[index + 1]
                            results[index] = results[index + 1]
                            index += 1
                        }
                        if best + 1 < count { (ranks[best], results[best]) = merges.merge(symbols[best], symbols[best + 1]) }
                        if best > 0 { (ranks[best - 1], results[best - 1]) = merges.merge(symbols[best - 1], symbols[best]) }
                    }
                }
            }
        }
        symbols.removeLast(symbols.count - count)
    }

    private func mergeLong(_ merges: MergeTable) {
        let count = symbols.count
        next = (0..<count).map { $0 + 1 < count ? Int32($0 + 1) : -1 }
        previous = (0..<count).map { Int32($0 - 1) }
        heap.removeAll(keepingCapacity: true)
        for index in 0..<count - 1 { enqueue(index, index + 1, merges) }
        while let entry = popSmallest() {
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
        heap.append(
            HeapEntry(
                order: UInt64(found.rank) << 32 | UInt64(left), result: found.result, left: symbols[left], right: symbols[right]))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            if heap[parent].order <= heap[child].order { break }
            heap.swapAt(parent, child)
            child = parent
        }
    }

    private func popSmallest() -> HeapEntry? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        if heap.isEmpty { return first }
        heap[0] = last
        var parent = 0
        while true {
            var child = parent * 2 + 1
            if child >= heap.count { break }
            if child + 1 < heap.count, heap[child + 1].order < heap[child].order { child += 1 }
            if heap[parent].order <= heap[child].order { break }
            heap.swapAt(parent, child)
            parent = child
        }
        return first
    }
}
