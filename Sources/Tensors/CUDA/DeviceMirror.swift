import Glibc

/// The bytes of a storage on a card, and which of its two homes has the newest.
///
/// Products want their factors in bf16 where activations and trained weights are f32. The narrowed copy that a product makes is kept
/// beside the f32 bytes, so that query, key and value projections, or forward and backward, narrow once; it is dropped when the
/// bytes change.
final class DeviceMirror {
    let pool: DevicePool
    let device: CUDADevice
    let block: DevicePool.Block
    private let purpose: MemoryPurpose
    /// Whether the card has the newest bytes.
    var isCurrent: Bool
    /// Whether the host has them too.
    var isHostCurrent: Bool
    /// The host's own bytes, page-locked: there is nothing to copy, only to wait for.
    let isShared: Bool
    /// bf16 copy of an f32 storage; nil when there is none or it is out of date.
    private(set) var narrowed: DevicePool.Block?

    init(pool: DevicePool, device: CUDADevice, block: DevicePool.Block, purpose: MemoryPurpose, isCurrent: Bool, isHostCurrent: Bool) {
        self.pool = pool
        self.device = device
        self.block = block
        self.purpose = purpose
        self.isCurrent = isCurrent
        self.isHostCurrent = isHostCurrent
        isShared = false
    }

    /// Page-locked memory of the host, which the card reaches at the same address.
    init(sharing address: UInt64, pool: DevicePool, device: CUDADevice) {
        self.pool = pool
        self.device = device
        block = DevicePool.Block(address: address, byteCount: 0)
        purpose = .optimizer
        isCurrent = true
        isHostCurrent = true
        isShared = true
    }

    deinit {
        if block.byteCount > 0 { pool.giveBack(block, purpose: purpose) }
        if let narrowed { pool.giveBack(narrowed, purpose: .workspace) }
    }

    /// Makes the host's bytes the newest as well.
    func bringHome(to host: UnsafeMutableRawPointer, byteCount: Int) {
        guard isCurrent, !isHostCurrent else { return }
        if device.stopsRecording("a download") {
            // Nothing is read from numbers that are not there; what reads them is thrown away.
            if !isShared { memset(host, 0, byteCount) }
            return
        }
        if isShared { device.synchronize() } else { device.copy(from: block.address, to: host, byteCount: byteCount) }
        isHostCurrent = true
    }

    /// The card is about to write.
    func willWrite() {
        isCurrent = true
        isHostCurrent = false
        dropNarrowed()
    }

    func keepNarrowed(_ block: DevicePool.Block) {
        dropNarrowed()
        narrowed = block
    }

    func dropNarrowed() {
        guard let block = narrowed else { return }
        narrowed = nil
        pool.giveBack(block, purpose: .workspace)
    }
}
