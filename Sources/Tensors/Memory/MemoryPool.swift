import Glibc
import Platform

/// Blocks of memory that one step gives back and the next step takes again.
///
/// A request is rounded up to a size class: eight classes to each power of two, so that at most an eighth of a block is slack,
/// and slack is never touched. A class that has no free block borrows one from a larger class, up to twice the size, before
/// new memory is asked for. When new memory would bring lent and free blocks together past the most that was ever lent, and a
/// quarter more, the free ones are returned to the system first.
final class MemoryPool: @unchecked Sendable {
    private struct State {
        var free: [Int: [UnsafeMutableRawPointer]] = [:]
        var statistics = MemoryStatistics()
    }

    private let state = Mutex(State())

    deinit {
        state.withLock { state in
            for (size, blocks) in state.free { for block in blocks { MemoryPool.release(block, byteCount: size) } }
        }
    }

    /// Large blocks are mapped, so that giving them back really gives them back, in huge pages where the system has them.
    private static let smallestMapping = 1 << 20

    /// Whether a block of this size comes as fresh zeroed pages.
    static func isMapped(_ byteCount: Int) -> Bool { byteCount >= smallestMapping }

    static func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer {
        if isMapped(byteCount) { return map(byteCount) }
        guard let address = aligned_alloc(64, (byteCount + 63) / 64 * 64) else { MemoryExhaustion.stop(requested: byteCount) }
        return address
    }

    static func release(_ address: UnsafeMutableRawPointer, byteCount: Int) {
        if isMapped(byteCount) { munmap(address, byteCount) } else { free(address) }
    }

    /// Zeroed pages.
    private static func map(_ byteCount: Int) -> UnsafeMutableRawPointer {
        let mapping = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let mapping, mapping != MAP_FAILED else { MemoryExhaustion.stop(requested: byteCount) }
        if byteCount >= 4 << 20 { madvise(mapping, byteCount, 14 /* MADV_HUGEPAGE */) }
        return mapping
    }

    /// The size class that holds `byteCount`.
    static func blockBytes(_ byteCount: Int) -> Int {
        let needed = max(byteCount, 64)
        let step = max(64, 1 << max(0, Int.bitWidth - needed.leadingZeroBitCount - 4))
        return (needed + step - 1) / step * step
    }

    func storage(byteCount: Int) -> Storage {
        let wanted = MemoryPool.blockBytes(byteCount)
        let (address, blockBytes) = state.withLock { state -> (UnsafeMutableRawPointer, Int) in
            state.statistics.requestCount += 1
            var size = wanted
            while size <= 2 * wanted {
                if let block = state.free[size]?.popLast() {
                    state.statistics.cachedBytes -= size
                    return (block, size)
                }
                size = MemoryPool.blockBytes(size + 1)
            }
            state.statistics.missCount += 1
            if exceedsAllowance(state.statistics, adding: wanted) { releaseFree(&state) }
            return (MemoryPool.allocate(wanted), wanted)
        }
        state.withLock {
            $0.statistics.liveBytes += blockBytes
            $0.statistics.peakBytes = max($0.statistics.peakBytes, $0.statistics.liveBytes)
        }
        return Storage(pool: self, address: address, byteCount: byteCount, blockBytes: blockBytes)
    }

    func giveBack(_ address: UnsafeMutableRawPointer, blockBytes: Int) {
        state.withLock {
            $0.free[blockBytes, default: []].append(address)
            $0.statistics.cachedBytes += blockBytes
            $0.statistics.liveBytes -= blockBytes
        }
    }

    /// Returns every free block to the system.
    func trim() { state.withLock { releaseFree(&$0) } }

    func resetPeak() { state.withLock { $0.statistics.peakBytes = $0.statistics.liveBytes } }

    var statistics: MemoryStatistics { state.withLock { $0.statistics } }

    private func exceedsAllowance(_ statistics: MemoryStatistics, adding wanted: Int) -> Bool {
        let held = statistics.liveBytes + statistics.cachedBytes + wanted
        return held > (1 << 24) + statistics.peakBytes + statistics.peakBytes / 4
    }

    private func releaseFree(_ state: inout State) {
        for (size, blocks) in state.free { for block in blocks { MemoryPool.release(block, byteCount: size) } }
        state.free.removeAll(keepingCapacity: true)
        state.statistics.cachedBytes = 0
    }
}

/// There is no way on when the system refuses memory in the middle of a step; what is left is to say so.
enum MemoryExhaustion {
    static func stop(requested: Int) -> Never {
        let text = "tuneboard: the system refused \(requested) bytes of memory; use a smaller batch or a shorter cutoff_len\n"
        text.utf8CString.withUnsafeBytes { _ = write(2, $0.baseAddress, $0.count - 1) }
        // Where a screen is up, its handler of aborts gives the terminal back and shows the text.
        var handling = sigaction()
        sigaction(SIGABRT, nil, &handling)
        if handling.__sigaction_handler.sa_handler != nil { abort() }
        exit(1)
    }
}
