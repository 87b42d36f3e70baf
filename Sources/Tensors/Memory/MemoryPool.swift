import Glibc
import Platform

/// Blocks of memory that one step gives back and the next step takes again, by the rules of `BlockCache`.
final class MemoryPool: @unchecked Sendable {
    private let cache = Mutex(BlockCache<UnsafeMutableRawPointer>())

    deinit { cache.withLock { $0.releaseFree { MemoryPool.release($0, byteCount: $1) } } }

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
    static func blockBytes(_ byteCount: Int) -> Int { BlockCache<UnsafeMutableRawPointer>.blockBytes(byteCount) }

    func storage(byteCount: Int) -> Storage {
        let (address, blockBytes) = cache.withLock {
            $0.take(byteCount, make: { MemoryPool.allocate($0) }, release: { MemoryPool.release($0, byteCount: $1) })
        }
        return Storage(pool: self, address: address, byteCount: byteCount, blockBytes: blockBytes)
    }

    func giveBack(_ address: UnsafeMutableRawPointer, blockBytes: Int) {
        cache.withLock { $0.giveBack(address, bytes: blockBytes) }
    }

    /// Returns every free block to the system.
    func trim() { cache.withLock { $0.releaseFree { MemoryPool.release($0, byteCount: $1) } } }

    func resetPeak() { cache.withLock { $0.statistics.peakBytes = $0.statistics.liveBytes } }

    var statistics: MemoryStatistics { cache.withLock { $0.statistics } }
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
