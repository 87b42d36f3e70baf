import Glibc

/// A run of bytes that tensors look into: 64-byte aligned and owned (a pool's block goes back to its pool), or borrowed from
/// somebody who is kept alive, such as a mapped checkpoint.
public final class Storage: @unchecked Sendable {
    /// Where the bytes are. A planning backend's storage points nowhere and must not be read.
    public let address: UnsafeMutableRawPointer
    public let byteCount: Int
    private let origin: Origin

    private enum Origin {
        case allocated(Int)
        case arena(HugePageArena)
        case pooled(MemoryPool, blockBytes: Int)
        case borrowed(AnyObject)
        case planned(MemoryLedger, PlannedBlock)
    }

    /// Zeroed memory of its own, outside any pool: for what lives as long as a model. Large runs are mapped, so that pages that
    /// are never written (a cache's far end) cost nothing.
    public init(zeroedByteCount byteCount: Int) {
        self.byteCount = byteCount
        let rounded = max(64, (byteCount + 63) / 64 * 64)
        if rounded >= HugePageArena.smallestBlock, let (address, arena) = HugePageArena.block(byteCount: rounded) {
            self.address = address
            self.origin = .arena(arena)
            return
        }
        self.address = MemoryPool.allocate(rounded)
        self.origin = .allocated(rounded)
        if !MemoryPool.isMapped(rounded) { memset(address, 0, rounded) }
    }

    init(pool: MemoryPool, address: UnsafeMutableRawPointer, byteCount: Int, blockBytes: Int) {
        self.address = address
        self.byteCount = byteCount
        self.origin = .pooled(pool, blockBytes: blockBytes)
    }

    init(plannedBytes: Int, ledger: MemoryLedger) {
        self.address = UnsafeMutableRawPointer(bitPattern: 64)!
        self.byteCount = plannedBytes
        self.origin = .planned(ledger, ledger.take(plannedBytes))
    }

    /// Bytes that belong to `owner`, which stays alive as long as this does. They must not be written when they are mapped read-only.
    public init(borrowing address: UnsafeRawPointer, byteCount: Int, owner: AnyObject) {
        self.address = UnsafeMutableRawPointer(mutating: address)
        self.byteCount = byteCount
        self.origin = .borrowed(owner)
    }

    public var isBorrowed: Bool {
        if case .borrowed = origin { return true }
        return false
    }

    /// Whether there are no bytes behind it: a plan's.
    public var isPlanned: Bool {
        if case .planned = origin { return true }
        return false
    }

    deinit {
        switch origin {
        case .allocated(let bytes): MemoryPool.release(address, byteCount: bytes)
        case .arena(let arena): arena.release(address, byteCount: byteCount)
        case .pooled(let pool, let blockBytes): pool.giveBack(address, blockBytes: blockBytes)
        case .borrowed: break
        case .planned(let ledger, let block): ledger.release(block)
        }
    }
}
