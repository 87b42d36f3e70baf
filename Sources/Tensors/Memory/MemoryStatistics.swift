import Platform

/// What a backend's pool has lent out and keeps.
public struct MemoryStatistics: Sendable, Equatable {
    /// Bytes in living tensors.
    public var liveBytes = 0
    /// The most that `liveBytes` has been since the last `resetPeak`.
    public var peakBytes = 0
    /// Free bytes the pool keeps for the next step.
    public var cachedBytes = 0
    /// The most that lent and free blocks together have had of touched memory since the last `resetPeak`; counted in plans only.
    public var peakHeldBytes = 0
    /// Requests, those of scratch memory included, that could not be served from what there was. A steady run of equal steps adds none.
    public var missCount = 0
    public var requestCount = 0

    public init() {}
}

/// Counts bytes without having any: the memory of a `PlanningBackend`. Blocks go round as in a `MemoryPool`, so that what a pool
/// holds beyond the living tensors is known as well.
final class MemoryLedger: @unchecked Sendable {
    private struct State {
        var statistics = MemoryStatistics()
        var cache = BlockCache<Int>()
        /// Bytes that were used of each block: the most that any of its tensors had. A block that is not touched takes no memory.
        var touched: [Int] = []
        var heldBytes = 0
    }

    private let state = Mutex(State())

    /// - Returns: the block to give back.
    func take(_ bytes: Int) -> PlannedBlock {
        state.withLock { state in
            state.statistics.liveBytes += bytes
            state.statistics.peakBytes = max(state.statistics.peakBytes, state.statistics.liveBytes)
            state.statistics.requestCount += 1
            var touched = state.touched, held = state.heldBytes
            state.touched = []
            let (block, size) = state.cache.take(
                bytes,
                make: { _ in
                    touched.append(0)
                    return touched.count - 1
                },
                release: { block, _ in
                    held -= touched[block]
                    touched[block] = 0
                })
            held += max(0, bytes - touched[block])
            touched[block] = max(touched[block], bytes)
            state.touched = touched
            state.heldBytes = held
            state.statistics.missCount = state.cache.statistics.missCount
            state.statistics.peakHeldBytes = max(state.statistics.peakHeldBytes, held)
            return PlannedBlock(number: block, blockBytes: size, byteCount: bytes)
        }
    }

    func release(_ block: PlannedBlock) {
        state.withLock {
            $0.statistics.liveBytes -= block.byteCount
            $0.cache.giveBack(block.number, bytes: block.blockBytes)
        }
    }

    /// Gives up what is not lent.
    func trim() {
        state.withLock { state in
            var touched = state.touched, held = state.heldBytes
            state.cache.releaseFree { block, _ in
                held -= touched[block]
                touched[block] = 0
            }
            (state.touched, state.heldBytes) = (touched, held)
        }
    }

    func resetPeak() {
        state.withLock {
            $0.statistics.peakBytes = $0.statistics.liveBytes
            $0.cache.statistics.peakBytes = $0.cache.statistics.liveBytes
            $0.statistics.peakHeldBytes = $0.heldBytes
        }
    }

    var current: MemoryStatistics { state.withLock { $0.statistics } }
}

/// A block that a plan has lent.
struct PlannedBlock: Sendable {
    let number, blockBytes, byteCount: Int
}
