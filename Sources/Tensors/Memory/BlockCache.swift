/// How a pool keeps blocks: which one serves a request, and when free ones go back to where they came from. `MemoryPool` keeps
/// memory by it, a `PlanningBackend` the numbers of blocks that it only imagines: so a plan holds what a run will hold.
///
/// A request is rounded up to a size class: eight classes to each power of two, so that at most an eighth of a block is slack,
/// and slack is never touched. A class that has no free block borrows one from a larger class, up to twice the size, before
/// a new block is made. When a new block would bring lent and free blocks together past the most that was ever lent, and a
/// quarter more, the free ones are released first.
struct BlockCache<Block> {
    private var free: [Int: [Block]] = [:]
    var statistics = MemoryStatistics()

    /// The size class that holds `byteCount`.
    static func blockBytes(_ byteCount: Int) -> Int {
        let needed = max(byteCount, 64)
        let step = max(64, 1 << max(0, Int.bitWidth - needed.leadingZeroBitCount - 4))
        return (needed + step - 1) / step * step
    }

    /// A block for `byteCount` bytes, and its own size.
    mutating func take(_ byteCount: Int, make: (Int) -> Block, release: (Block, Int) -> Void) -> (block: Block, bytes: Int) {
        statistics.requestCount += 1
        let wanted = Self.blockBytes(byteCount)
        var size = wanted
        while size <= 2 * wanted {
            if let block = free[size]?.popLast() {
                statistics.cachedBytes -= size
                lend(size)
                return (block, size)
            }
            size = Self.blockBytes(size + 1)
        }
        statistics.missCount += 1
        if exceedsAllowance(adding: wanted) { releaseFree(release) }
        lend(wanted)
        return (make(wanted), wanted)
    }

    mutating func giveBack(_ block: Block, bytes: Int) {
        free[bytes, default: []].append(block)
        statistics.cachedBytes += bytes
        statistics.liveBytes -= bytes
    }

    mutating func releaseFree(_ release: (Block, Int) -> Void) {
        for (size, blocks) in free { for block in blocks { release(block, size) } }
        for size in free.keys { free[size]?.removeAll(keepingCapacity: true) }
        statistics.cachedBytes = 0
    }

    private mutating func lend(_ bytes: Int) {
        statistics.liveBytes += bytes
        statistics.peakBytes = max(statistics.peakBytes, statistics.liveBytes)
    }

    private func exceedsAllowance(adding wanted: Int) -> Bool {
        statistics.liveBytes + statistics.cachedBytes + wanted > (1 << 24) + statistics.peakBytes + statistics.peakBytes / 4
    }
}
