import CCUDA

/// Checkpoints that wait in the host's memory. Copies have a stream of their own and go on beside the computation:
///
///     compute   block 0 | block 1 | block 2 | ...  head ...  | block 2 again | block 1 again | ...
///     copies         park 0 | park 1 | park 2             fetch 2   fetch 1    fetch 0
///
/// A parked tensor's memory on the card is given up two checkpoints later, when its copy is long over; on the way back the next one to
/// be wanted is fetched while the present block computes. (Unsloth calls it gradient checkpointing with offload.)
final class CheckpointStore {
    /// Smaller ones stay where they are.
    static let threshold = 4 << 10
    /// Parked tensors that are on the card still.
    static let leavingCount = 2

    fileprivate let device: CUDADevice
    private let pool: DevicePool
    private let pinned: PinnedMemory
    private let copies: UnsafeMutableRawPointer
    /// Buffers of the host that wait to be used again, the smallest first.
    private var idle: [PinnedMemory.Piece] = []
    private var idleEvents: [UnsafeMutableRawPointer] = []
    /// Read by the copies still.
    private var leaving: [(tensor: Tensor, isOver: UnsafeMutableRawPointer)] = []
    /// In the order in which they were parked.
    private var parked: [Waiting] = []

    private struct Waiting {
        weak var tensor: HostTensor?
    }

    init?(device: CUDADevice, pool: DevicePool, pinned: PinnedMemory) {
        var stream: UnsafeMutableRawPointer?
        device.bind()
        guard device.driver.cuStreamCreate(&stream, 1 /* CU_STREAM_NON_BLOCKING */) == 0, let stream else { return nil }
        self.device = device
        self.pool = pool
        self.pinned = pinned
        copies = stream
    }

    deinit {
        device.bind()
        _ = device.driver.cuStreamSynchronize(copies)
        for event in idleEvents + leaving.map(\.isOver) { _ = device.driver.cuEventDestroy_v2(event) }
        _ = device.driver.cuStreamDestroy_v2(copies)
    }

    /// - Parameter address: of the tensor on the card
    /// - Returns: nil where the system locks no more pages
    func park(_ tensor: Tensor, at address: UInt64) -> HostTensor? {
        let byteCount = tensor.byteCount
        device.bind()
        guard !device.hasFailed, let ready = event(), let isOver = event() else { return nil }
        guard let buffer = buffer(byteCount) else {
            idleEvents += [ready, isOver]
            return nil
        }
        // The copy begins when the tensor is made.
        follow(device.stream, by: copies, ready)
        idleEvents.append(ready)
        device.check("cuMemcpyDtoHAsync", device.driver.cuMemcpyDtoHAsync_v2(buffer.address, address, byteCount, copies))
        device.check("cuEventRecord", device.driver.cuEventRecord(isOver, copies))
        leaving.append((tensor, isOver))
        if leaving.count > Self.leavingCount { letGo(leaving.removeFirst()) }
        let waiting = HostTensor(store: self, buffer: buffer, shape: tensor.shape, dtype: tensor.dtype)
        parked.removeAll { $0.tensor == nil }
        parked.append(Waiting(tensor: waiting))
        return waiting
    }

    /// Every batch may have another length: the smallest buffer that is large enough serves, and where all are too small the largest
    /// goes for the new one, so that no more are held than checkpoints wait at once.
    private func buffer(_ byteCount: Int) -> PinnedMemory.Piece? {
        if let index = idle.firstIndex(where: { $0.byteCount >= byteCount }) { return idle.remove(at: index) }
        if !idle.isEmpty {
            // A copy may read it still.
            device.check("cuStreamSynchronize", device.driver.cuStreamSynchronize(copies))
            idle.removeLast()
        }
        // A little room spares the next longer batch its own.
        return pinned.take(byteCount + byteCount / 4)
    }

    /// What computes next must not write to the tensor's memory before its copy is over.
    private func letGo(_ left: (tensor: Tensor, isOver: UnsafeMutableRawPointer)) {
        device.check("cuStreamWaitEvent", device.driver.cuStreamWaitEvent(device.stream, left.isOver, 0))
        idleEvents.append(left.isOver)
    }

    fileprivate struct Arrival {
        let tensor: Tensor
        let isHere: UnsafeMutableRawPointer
    }

    fileprivate func fetch(_ waiting: HostTensor) -> Tensor {
        device.bind()
        // The way back has begun: nobody is leaving any more.
        for left in leaving { letGo(left) }
        leaving.removeAll()
        guard let arrival = waiting.arrival ?? begin(waiting) else { return Tensor(storage: nothing(waiting), shape: waiting.shape, dtype: waiting.dtype) }
        waiting.arrival = nil
        device.check("cuStreamWaitEvent", device.driver.cuStreamWaitEvent(device.stream, arrival.isHere, 0))
        idleEvents.append(arrival.isHere)
        parked.removeAll { $0.tensor == nil || $0.tensor === waiting }
        if let next = parked.last?.tensor, next.arrival == nil { next.arrival = begin(next) }
        return arrival.tensor
    }

    /// Sends the copy to the card.
    private func begin(_ waiting: HostTensor) -> Arrival? {
        guard !device.hasFailed, let free = event(), let isHere = event() else { return nil }
        guard let block = pool.take(waiting.byteCount, for: .activations) else {
            idleEvents += [free, isHere]
            return nil
        }
        let mirror = DeviceMirror(
            pool: pool, device: device, block: block, purpose: .activations, isCurrent: true, isHostCurrent: false)
        // The block may be in use by what was sent before it was given back.
        follow(device.stream, by: copies, free)
        idleEvents.append(free)
        device.check("cuMemcpyHtoDAsync", device.driver.cuMemcpyHtoDAsync_v2(block.address, waiting.buffer.address, waiting.byteCount, copies))
        device.check("cuEventRecord", device.driver.cuEventRecord(isHere, copies))
        let storage = Storage(mirror: mirror, byteCount: waiting.byteCount, purpose: .activations)
        return Arrival(tensor: Tensor(storage: storage, shape: waiting.shape, dtype: waiting.dtype), isHere: isHere)
    }

    /// After a failure: a tensor without memory, which nothing is computed from.
    private func nothing(_ waiting: HostTensor) -> Storage {
        let mirror = DeviceMirror(
            pool: pool, device: device, block: DevicePool.Block(address: 0, byteCount: 0), purpose: .activations, isCurrent: true,
            isHostCurrent: false)
        return Storage(mirror: mirror, byteCount: waiting.byteCount, purpose: .activations)
    }

    fileprivate func giveBack(_ buffer: PinnedMemory.Piece, arrival: Arrival?) {
        if let arrival {
            device.bind()
            letGo((arrival.tensor, arrival.isHere))
        }
        idle.insert(buffer, at: idle.firstIndex { $0.byteCount >= buffer.byteCount } ?? idle.count)
    }

    private func follow(_ first: UnsafeMutableRawPointer?, by second: UnsafeMutableRawPointer, _ event: UnsafeMutableRawPointer) {
        device.check("cuEventRecord", device.driver.cuEventRecord(event, first))
        device.check("cuStreamWaitEvent", device.driver.cuStreamWaitEvent(second, event, 0))
    }

    private func event() -> UnsafeMutableRawPointer? {
        if let event = idleEvents.popLast() { return event }
        var event: UnsafeMutableRawPointer?
        guard device.driver.cuEventCreate(&event, 2 /* CU_EVENT_DISABLE_TIMING */) == 0 else { return nil }
        return event
    }
}

/// A tensor in the host's memory, or on its way back.
final class HostTensor: ParkedTensor {
    fileprivate let store: CheckpointStore
    fileprivate let buffer: PinnedMemory.Piece
    fileprivate let shape: [Int]
    fileprivate let dtype: DType
    fileprivate var arrival: CheckpointStore.Arrival?

    fileprivate var byteCount: Int { shape.reduce(1, *) * dtype.byteCount }

    fileprivate init(store: CheckpointStore, buffer: PinnedMemory.Piece, shape: [Int], dtype: DType) {
        self.store = store
        self.buffer = buffer
        self.shape = shape
        self.dtype = dtype
    }

    deinit { store.giveBack(buffer, arrival: arrival) }

    func fetch() -> Tensor { store.fetch(self) }
}

extension CUDABackend {
    public func park(_ tensor: Tensor) -> any ParkedTensor {
        guard offloadsCheckpoints, recording == nil, tensor.byteCount >= CheckpointStore.threshold, tensor.byteOffset == 0,
            tensor.byteCount == tensor.storage.byteCount
        else { return KeptTensor(tensor) }
        if checkpoints == nil { checkpoints = CheckpointStore(device: device, pool: pool, pinned: pinned) }
        return checkpoints?.park(tensor, at: read(tensor)) ?? KeptTensor(tensor)
    }
}
