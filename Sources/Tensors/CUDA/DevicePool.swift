import CCUDA
import Platform

/// A card's memory, cut from large segments.
///
///     segment   [ used 16 MB | free 8 MB | used 2 MB | free 38 MB ]
///
/// A request takes the smallest free block that holds it; what is left over stays free, and a block that comes back joins its free
/// neighbours. The driver is asked only when no block is large enough: small requests then share a segment of 32 MiB, large ones
/// get a segment of their size. Before giving up, segments that are wholly free go back to the driver. After a few steps of a run
/// every request is served from what is there.
final class DevicePool: @unchecked Sendable {
    /// A lent block.
    struct Block: Equatable {
        let address: UInt64
        let byteCount: Int
    }

    struct Use: Sendable, Equatable {
        var liveBytes = 0
        var peakBytes = 0
    }

    private struct Piece {
        var byteCount: Int
        var isFree: Bool
        /// The segment's first address.
        let segment: UInt64
        /// Neighbours in the segment; 0 at its ends.
        var before: UInt64
        var after: UInt64
    }

    private struct State {
        var pieces: [UInt64: Piece] = [:]
        /// Free pieces, by size and then address.
        var free: [Block] = []
        var segments: [UInt64: Int] = [:]
        var uses = [Use](repeating: Use(), count: MemoryPurpose.allCases.count)
        var statistics = MemoryStatistics()
    }

    static let granularity = 512
    static let smallSegment = 32 << 20
    private static let segmentRounding = 2 << 20
    /// A remainder smaller than this stays with its block.
    private static let smallestRemainder = 512

    private let device: CUDADevice
    /// Where segments come from, and what they count as there; the driver where there is none.
    private let lender: (pool: DevicePool, purpose: MemoryPurpose)?
    private let state = Mutex(State())

    init(device: CUDADevice) {
        self.device = device
        lender = nil
    }

    /// A pool whose segments are blocks of another one: what recorded work points into must not be lent to anybody else, and is in the
    /// other's statistics as a whole.
    init(within pool: DevicePool, for purpose: MemoryPurpose) {
        device = pool.device
        lender = (pool, purpose)
    }

    deinit { trim() }

    var statistics: MemoryStatistics { state.withLock { $0.statistics } }
    /// Bytes of segments.
    var heldBytes: Int { state.withLock { $0.segments.values.reduce(0, +) } }

    func use(of purpose: MemoryPurpose) -> Use { state.withLock { $0.uses[Self.index(purpose)] } }

    func resetPeak() {
        state.withLock { state in
            state.statistics.peakBytes = state.statistics.liveBytes
            for index in state.uses.indices { state.uses[index].peakBytes = state.uses[index].liveBytes }
        }
    }

    private static func index(_ purpose: MemoryPurpose) -> Int { MemoryPurpose.allCases.firstIndex(of: purpose) ?? 0 }

    /// Nil when the card is full; the device then knows why.
    func take(_ byteCount: Int, for purpose: MemoryPurpose) -> Block? {
        guard !device.hasFailed else { return nil }
        let wanted = (max(byteCount, 1) + Self.granularity - 1) / Self.granularity * Self.granularity
        if let block = state.withLock({ takeFree(&$0, wanted, purpose) }) { return block }
        // A recording cannot ask the driver; what it makes without memory is thrown away.
        if device.stopsRecording("more memory") { return nil }
        guard let block = lend(wanted, for: purpose) else {
            device.fail((lender?.pool ?? self).exhaustion(requested: byteCount))
            return nil
        }
        return block
    }

    /// The same where a full card is no failure yet. `wanted` is a multiple of the granularity.
    private func lend(_ wanted: Int, for purpose: MemoryPurpose) -> Block? {
        if let block = state.withLock({ takeFree(&$0, wanted, purpose) }) { return block }
        guard addSegment(for: wanted) else { return nil }
        return state.withLock { takeFree(&$0, wanted, purpose, isMiss: true) }
    }

    func giveBack(_ block: Block, purpose: MemoryPurpose) {
        state.withLock { state in
            guard var piece = state.pieces[block.address] else { return }
            state.statistics.liveBytes -= piece.byteCount
            state.uses[Self.index(purpose)].liveBytes -= piece.byteCount
            state.statistics.cachedBytes += piece.byteCount
            var address = block.address
            if let next = state.pieces[piece.after], piece.after != 0, next.isFree {
                removeFree(&state, Block(address: piece.after, byteCount: next.byteCount))
                state.pieces[piece.after] = nil
                piece.byteCount += next.byteCount
                piece.after = next.after
            }
            if let previous = state.pieces[piece.before], piece.before != 0, previous.isFree {
                removeFree(&state, Block(address: piece.before, byteCount: previous.byteCount))
                state.pieces[address] = nil
                address = piece.before
                piece.byteCount += previous.byteCount
                piece.before = previous.before
            }
            piece.isFree = true
            state.pieces[address] = piece
            if piece.after != 0 { state.pieces[piece.after]?.before = address }
            if piece.before != 0 { state.pieces[piece.before]?.after = address }
            insertFree(&state, Block(address: address, byteCount: piece.byteCount))
        }
    }

    /// Gives segments without a lent block back to the driver.
    func trim() {
        let empty = state.withLock { state -> [UInt64] in
            let empty = state.segments.filter { state.pieces[$0.key].map { $0.isFree && $0.after == 0 } ?? false }
            for (address, byteCount) in empty {
                removeFree(&state, Block(address: address, byteCount: byteCount))
                state.pieces[address] = nil
                state.segments[address] = nil
                state.statistics.cachedBytes -= byteCount
            }
            return Array(empty.keys)
        }
        guard !empty.isEmpty else { return }
        if let lender {
            for address in empty { lender.pool.giveBack(Block(address: address, byteCount: 0), purpose: lender.purpose) }
            return
        }
        device.bind()
        for address in empty { _ = device.driver.cuMemFree_v2(address) }
    }

    // MARK: Pieces

    private func takeFree(_ state: inout State, _ wanted: Int, _ purpose: MemoryPurpose, isMiss: Bool = false) -> Block? {
        let place = Self.lowerBound(state.free, Block(address: 0, byteCount: wanted))
        guard place < state.free.count else { return nil }
        let found = state.free.remove(at: place)
        guard var piece = state.pieces[found.address] else { return nil }
        let rest = piece.byteCount - wanted
        if rest >= Self.smallestRemainder {
            let address = found.address + UInt64(wanted)
            state.pieces[address] = Piece(byteCount: rest, isFree: true, segment: piece.segment, before: found.address, after: piece.after)
            if piece.after != 0 { state.pieces[piece.after]?.before = address }
            piece.after = address
            piece.byteCount = wanted
            insertFree(&state, Block(address: address, byteCount: rest))
        }
        piece.isFree = false
        state.pieces[found.address] = piece
        state.statistics.cachedBytes -= piece.byteCount
        state.statistics.liveBytes += piece.byteCount
        state.statistics.peakBytes = max(state.statistics.peakBytes, state.statistics.liveBytes)
        state.statistics.requestCount += 1
        if isMiss { state.statistics.missCount += 1 }
        let index = Self.index(purpose)
        state.uses[index].liveBytes += piece.byteCount
        state.uses[index].peakBytes = max(state.uses[index].peakBytes, state.uses[index].liveBytes)
        return Block(address: found.address, byteCount: piece.byteCount)
    }

    private func insertFree(_ state: inout State, _ block: Block) { state.free.insert(block, at: Self.lowerBound(state.free, block)) }

    private func removeFree(_ state: inout State, _ block: Block) {
        let place = Self.lowerBound(state.free, block)
        if place < state.free.count, state.free[place] == block { state.free.remove(at: place) }
    }

    private static func lowerBound(_ blocks: [Block], _ block: Block) -> Int {
        var low = 0, high = blocks.count
        while low < high {
            let middle = (low + high) / 2, other = blocks[middle]
            if (other.byteCount, other.address) < (block.byteCount, block.address) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    // MARK: Segments

    private func addSegment(for wanted: Int) -> Bool {
        let own = (wanted + Self.segmentRounding - 1) / Self.segmentRounding * Self.segmentRounding
        let size = wanted <= Self.smallSegment / 4 ? Self.smallSegment : own
        if let lender {
            guard let block = lender.pool.lend(size, for: lender.purpose) ?? lender.pool.lend(own, for: lender.purpose) else { return false }
            add(block)
            return true
        }
        // A full card: first a tight segment, then what free segments hold.
        for attempt in 0..<3 {
            if attempt == 2 { trim() }
            let bytes = attempt == 0 ? size : own
            var address: UInt64 = 0
            device.bind()
            let result = device.driver.cuMemAlloc_v2(&address, bytes)
            if result == 0, address != 0 {
                add(Block(address: address, byteCount: bytes))
                return true
            }
            if result != 2 /* CUDA_ERROR_OUT_OF_MEMORY */ {
                device.check("cuMemAlloc of \(bytes) bytes", result)
                return false
            }
        }
        return false
    }

    private func add(_ segment: Block) {
        state.withLock { state in
            state.segments[segment.address] = segment.byteCount
            state.pieces[segment.address] = Piece(byteCount: segment.byteCount, isFree: true, segment: segment.address, before: 0, after: 0)
            state.statistics.cachedBytes += segment.byteCount
            insertFree(&state, segment)
        }
    }

    private func exhaustion(requested: Int) -> CUDAError {
        let (free, total) = device.memoryInfo()
        let state = state.withLock { ($0.statistics, $0.uses, $0.segments.values.reduce(0, +)) }
        let uses = zip(MemoryPurpose.allCases, state.1).filter { $0.1.liveBytes > 0 }.map { "\($0.0.rawValue) \(NumberText.bytes(Int64($0.1.liveBytes)))" }
        return .outOfMemory(
            requested: requested, free: free, total: total, ownBytes: state.0.liveBytes, peakBytes: state.0.peakBytes,
            uses: uses)
    }
}
