import Glibc

/// A run of bytes that tensors look into. On the host it is 64-byte aligned and owned (a pool's block goes back to its pool), or
/// borrowed from somebody who is kept alive, such as a mapped checkpoint.
///
/// A storage that a card has worked on has a second home there. Whoever reads gets the newest bytes: operations of the card's
/// backend go through `DeviceMirror`, everybody else through `address` and `readableAddress`, and these are the only doors at
/// which bytes cross. Each crossing is counted in `TransferCounts`, so that a test can say that a step makes none.
///
///     born on the host     host bytes --first use by the card--> both --the card writes--> the card's are newer
///     born on the card     card's bytes --somebody reads on the host--> both
public final class Storage: @unchecked Sendable {
    public let byteCount: Int
    /// What the bytes are for, in a card's memory statistics.
    public var purpose: MemoryPurpose = .weights
    private let origin: Origin
    private var host: UnsafeMutableRawPointer?
    /// The bytes on a card; nil as long as no card has seen them.
    var mirror: DeviceMirror?
    /// Zeroed memory that nobody has asked the address of: a card need not be sent it.
    private(set) var isKnownZero = false

    private enum Origin {
        case allocated(Int)
        case arena(HugePageArena)
        case pooled(MemoryPool, blockBytes: Int)
        case borrowed(AnyObject)
        case planned(MemoryLedger, PlannedBlock)
        case device
    }

    /// Zeroed memory of its own, outside any pool: for what lives as long as a model. Large runs are mapped, so that pages that
    /// are never written (a cache's far end) cost nothing.
    public init(zeroedByteCount byteCount: Int) {
        self.byteCount = byteCount
        let rounded = max(64, (byteCount + 63) / 64 * 64)
        isKnownZero = true
        if rounded >= HugePageArena.smallestBlock, let (address, arena) = HugePageArena.block(byteCount: rounded) {
            host = address
            self.origin = .arena(arena)
            return
        }
        let address = MemoryPool.allocate(rounded)
        host = address
        self.origin = .allocated(rounded)
        if !MemoryPool.isMapped(rounded) { memset(address, 0, rounded) }
    }

    init(pool: MemoryPool, address: UnsafeMutableRawPointer, byteCount: Int, blockBytes: Int) {
        host = address
        self.byteCount = byteCount
        self.origin = .pooled(pool, blockBytes: blockBytes)
    }

    init(plannedBytes: Int, ledger: MemoryLedger) {
        host = UnsafeMutableRawPointer(bitPattern: 64)
        self.byteCount = plannedBytes
        self.origin = .planned(ledger, ledger.take(plannedBytes))
    }

    /// Bytes that belong to `owner`, which stays alive as long as this does. They must not be written when they are mapped read-only.
    public init(borrowing address: UnsafeRawPointer, byteCount: Int, owner: AnyObject) {
        host = UnsafeMutableRawPointer(mutating: address)
        self.byteCount = byteCount
        self.origin = .borrowed(owner)
    }

    /// Bytes that exist on a card alone until somebody reads them here.
    init(mirror: DeviceMirror, byteCount: Int, purpose: MemoryPurpose) {
        self.byteCount = byteCount
        self.origin = .device
        self.mirror = mirror
        self.purpose = purpose
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

    /// Where the bytes are on the host, for writing: what a card holds counts as out of date from here on. A planning backend's
    /// storage points nowhere and must not be read.
    public var address: UnsafeMutableRawPointer {
        if isKnownZero { isKnownZero = false }
        return hostBytes(forWriting: true)
    }

    /// Where the bytes are on the host, for reading.
    public var readableAddress: UnsafeRawPointer { UnsafeRawPointer(hostBytes(forWriting: false)) }

    /// The host's bytes as they are, whether or not they are the newest.
    var hostAddress: UnsafeMutableRawPointer? { host }

    private func hostBytes(forWriting: Bool) -> UnsafeMutableRawPointer {
        if let mirror {
            let address = host ?? MemoryPool.allocate(max(64, (byteCount + 63) / 64 * 64))
            host = address
            mirror.bringHome(to: address, byteCount: byteCount)
            if forWriting { mirror.isCurrent = false }
            return address
        }
        return host ?? UnsafeMutableRawPointer(bitPattern: 64)!
    }

    deinit {
        switch origin {
        case .allocated(let bytes): if let host { MemoryPool.release(host, byteCount: bytes) }
        case .arena(let arena): if let host { arena.release(host, byteCount: byteCount) }
        case .pooled(let pool, let blockBytes): if let host { pool.giveBack(host, blockBytes: blockBytes) }
        case .borrowed: break
        case .planned(let ledger, let block): ledger.release(block)
        case .device: if let host { MemoryPool.release(host, byteCount: max(64, (byteCount + 63) / 64 * 64)) }
        }
    }
}

/// What a card's memory is used for.
public enum MemoryPurpose: String, Sendable, CaseIterable {
    case weights, gradients, optimizer, activations, caches, workspace
    /// What recorded steps work in, which stays theirs between two replays.
    case recordings
}
