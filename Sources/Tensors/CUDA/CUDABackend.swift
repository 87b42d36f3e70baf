import CCUDA
import CUDAKernels
import Glibc
import Platform

/// One NVIDIA card. Kernels are compiled when they are first wanted, products go to cuBLASLt, and everything runs on one stream in
/// the order in which it is asked for.
///
/// **Precision.** Activations and their gradients have `activationType`: bf16 for `bf16` and `pure_bf16` runs, which is also what a
/// bf16 model's hidden states are in transformers. In f32 the elementwise work of an 8B layer moves 2 MB a token, as much time as a
/// quarter of its products; in bf16 half of that, and saved activations take half of the memory. Inside kernels and products all
/// sums are f32. What stays f32: adapters, gradients of parameters, moments, losses, statistics of rows. A run without `bf16` has f32
/// activations and f32 products (TF32 with `tf32`). f32 weights and adapters meet bf16 activations as bf16 copies, which are kept
/// until the weight changes.
///
/// **Waiting.** The host waits only where it reads: the loss and the gradient norm, each for its own copy and as late as it likes,
/// the chosen tokens, a prompt's last logits, and the choice of experts of mixtures. **Failures** are kept until `throwIfFailed`; after
/// one, nothing more is sent to the card.
///
/// One thread at a time uses a backend.
public final class CUDABackend: Backend, @unchecked Sendable {
    let device: CUDADevice
    let pool: DevicePool
    let kernels: KernelLibrary
    let multiplier: MatrixMultiplier
    let staging: PinnedStaging
    let readings: LateReadings
    let pinned: PinnedMemory
    public var offloadsCheckpoints = false
    /// Made by the first checkpoint that goes there.
    var checkpoints: CheckpointStore?
    /// What a norm that is no number closes; made by the first update of a group.
    var standingGate: Tensor?
    public let activationType: DType
    private let compiler: KernelCompiler
    /// Where results and workspaces come from; a recording has a pool of its own.
    var loanPool: DevicePool
    /// What is being recorded.
    var recording: Recording?
    /// Whether steps of decoding that repeat are recorded and launched as one. TUNEBOARD_CUDA_GRAPHS=0 sends every kernel by itself.
    public var usesGraphs = Environment.value("TUNEBOARD_CUDA_GRAPHS") != "0"
    /// Numbers that were uploaded lately: every layer asks for the same positions, slopes and pages.
    private var recentIntegers = RecentUploads<Int32>()
    private var recentFloats = RecentUploads<Float>()
    private var recentLongs = RecentUploads<Int64>()

    /// - Parameters:
    ///   - ordinal: which of the visible cards
    ///   - activationType: float32, bfloat16 or float16
    ///   - kernelCache: folder for compiled kernels; nil keeps none
    public init(
        libraries: CUDALibraries, ordinal: Int = 0, activationType: DType = .bfloat16, usesTF32: Bool = false,
        kernelCache: String? = CUDABackend.kernelCacheDirectory
    ) throws(CUDAError) {
        let device = try CUDADevice(libraries: libraries, ordinal: ordinal)
        let pool = DevicePool(device: device)
        self.device = device
        self.pool = pool
        loanPool = pool
        self.activationType = activationType
        compiler = KernelCompiler(libraries: libraries, architecture: device.properties.architecture, directory: kernelCache)
        kernels = KernelLibrary(device: device, compiler: compiler)
        multiplier = try MatrixMultiplier(device: device, pool: pool)
        multiplier.usesTF32 = usesTF32
        staging = PinnedStaging(device: device)
        readings = LateReadings(device: device)
        pinned = PinnedMemory(device: device)
    }

    /// Where compiled kernels are kept: the user's cache folder, or where TUNEBOARD_KERNEL_CACHE points; nowhere when that is empty.
    public static var kernelCacheDirectory: String? { KernelCompiler.cacheDirectory }

    public var properties: CUDADeviceProperties { device.properties }

    /// "NVIDIA H100 80GB HBM3 (sm_90), 79.1 GiB, bf16"
    public var summary: String {
        let type: String
        switch activationType {
        case .bfloat16: type = "bf16"
        case .float16: type = "fp16"
        case .float32, .int32, .int64, .uint8: type = multiplier.usesTF32 ? "f32, TF32 products" : "f32"
        }
        return "\(properties.name) (sm_\(properties.architecture)), \(NumberText.bytes(Int64(properties.totalBytes))), \(type)"
    }

    public var isPlanning: Bool { false }
    public var memory: MemoryStatistics { pool.statistics }
    public func resetPeakMemory() { pool.resetPeak() }
    public func trimMemory() {
        device.synchronize()
        pool.trim()
    }

    /// What the card's memory is used for, now and at most.
    public var memoryUses: [(purpose: MemoryPurpose, liveBytes: Int, peakBytes: Int)] {
        MemoryPurpose.allCases.map { purpose in
            let use = pool.use(of: purpose)
            return (purpose, use.liveBytes, use.peakBytes)
        }
    }

    /// Bytes that crossed between host and card so far.
    public var transfers: TransferCounts { device.transfers }
    /// Free and total bytes of the card, other processes counted.
    public var memoryInfo: (free: Int, total: Int) { device.memoryInfo() }
    /// Kernel files compiled and not found in the cache.
    public var compiledFileCount: Int { compiler.compiledCount }
    /// Waits until the card has done everything.
    public func synchronize() { device.synchronize() }
    public func throwIfFailed() throws { try device.throwIfFailed() }

    /// 512 MiB of logits in bf16: the head is read once for a few thousand rows.
    public var logitsAtOnce: Int { activationType == .float32 ? 1 << 27 : 1 << 28 }

    /// Of the card, with what the pool keeps for reuse.
    public var availableBytes: Int? { device.memoryInfo().free + pool.statistics.cachedBytes }

    // MARK: Memory

    public func empty(_ shape: [Int], _ dtype: DType) -> Tensor { empty(shape, dtype, for: .activations) }

    func empty(_ shape: [Int], _ dtype: DType, for purpose: MemoryPurpose) -> Tensor {
        let byteCount = shape.reduce(1, *) * dtype.byteCount
        let block = loanPool.take(byteCount, for: purpose) ?? DevicePool.Block(address: 0, byteCount: 0)
        let mirror = DeviceMirror(pool: loanPool, device: device, block: block, purpose: purpose, isCurrent: true, isHostCurrent: false)
        return Tensor(storage: Storage(mirror: mirror, byteCount: byteCount, purpose: purpose), shape: shape, dtype: dtype)
    }

    /// A tensor's home on the card, made and filled where there is none or an old one.
    private func mirror(_ storage: Storage, needsBytes: Bool) -> DeviceMirror? {
        recording?.keep(storage)
        if let mirror = storage.mirror, mirror.device === device {
            if needsBytes, !mirror.isCurrent, let host = storage.hostAddress {
                if device.hasFailed || device.stopsRecording("an upload") { return nil }
                if !mirror.isShared { staging.upload(host, to: mirror.block.address, byteCount: storage.byteCount) }
                mirror.isCurrent = true
                mirror.isHostCurrent = true
                mirror.dropNarrowed()
            }
            return mirror
        }
        if device.hasFailed || device.stopsRecording("a tensor that is not on the card") { return nil }
        // Another card's bytes come home first.
        if storage.mirror != nil { _ = storage.readableAddress }
        guard let block = pool.take(storage.byteCount, for: storage.purpose) else { return nil }
        let mirror = DeviceMirror(
            pool: pool, device: device, block: block, purpose: storage.purpose, isCurrent: needsBytes, isHostCurrent: true)
        if needsBytes {
            if storage.isKnownZero {
                device.zero(block.address, byteCount: storage.byteCount)
            } else if let host = storage.hostAddress {
                staging.upload(host, to: block.address, byteCount: storage.byteCount)
            }
        }
        storage.mirror = mirror
        return mirror
    }

    /// Where to read a tensor on the card.
    func read(_ tensor: Tensor) -> UInt64 {
        guard tensor.byteCount > 0, let mirror = mirror(tensor.storage, needsBytes: true) else { return 0 }
        return mirror.block.address + UInt64(tensor.byteOffset)
    }

    func read(_ tensor: Tensor?) -> UInt64 { tensor.map { read($0) } ?? 0 }

    /// Where to write all of a tensor.
    func write(_ tensor: Tensor) -> UInt64 {
        let isWhole = tensor.byteCount == tensor.storage.byteCount
        guard tensor.byteCount > 0, let mirror = mirror(tensor.storage, needsBytes: !isWhole) else { return 0 }
        mirror.willWrite()
        return mirror.block.address + UInt64(tensor.byteOffset)
    }

    /// Where to read and write a tensor, or to write parts of it.
    func update(_ tensor: Tensor) -> UInt64 {
        guard tensor.byteCount > 0, let mirror = mirror(tensor.storage, needsBytes: true) else { return 0 }
        mirror.willWrite()
        return mirror.block.address + UInt64(tensor.byteOffset)
    }

    func target(_ target: GradientTarget) -> UInt64 { target.isAccumulating ? update(target.tensor) : write(target.tensor) }

    public func upload(_ values: [Int32]) -> Tensor { recentIntegers.tensor(values, isKept: { isUploading }) { uploaded(values, .int32) } }
    func upload(floats values: [Float]) -> Tensor { recentFloats.tensor(values, isKept: { isUploading }) { uploaded(values, .float32) } }
    func upload(longs values: [Int64]) -> Tensor { recentLongs.tensor(values, isKept: { isUploading }) { uploaded(values, .int64) } }
    /// Neither a recording nor a failed card is sent anything.
    private var isUploading: Bool { recording == nil && !device.hasFailed }

    private func uploaded<Element>(_ values: [Element], _ dtype: DType) -> Tensor {
        let tensor = withPool(pool) { empty([values.count], dtype) }
        let address = write(tensor)
        values.withUnsafeBytes { if let from = $0.baseAddress { staging.upload(from, to: address, byteCount: $0.count) } }
        return tensor
    }

    public func download(_ tensor: Tensor) -> [Float] { tensor.floats() }

    // MARK: Launches

    func run(
        _ name: String, _ element: DType? = nil, dimension: Int = 0, rows: Int = 0, _ shape: LaunchShape, _ arguments: [KernelArgument]
    ) {
        guard !device.hasFailed else { return }
        let variant = KernelLibrary.Variant(element: element, dimension: dimension, rows: rows)
        guard let function = kernels.function(name, variant, sharedBytes: shape.sharedBytes) else { return }
        device.launch(function, name: name, shape, arguments)
    }

    /// The grid of a kernel that strides over `count` elements, eight to a thread.
    func anyGrid(_ count: Int) -> LaunchShape {
        LaunchShape(grid: max(1, min((count + 2047) / 2048, 16 * max(1, properties.multiprocessorCount))), threads: 256)
    }

    /// A tensor in another floating type: itself, or a copy. Copies of weights are kept until the weight changes.
    func cast(_ tensor: Tensor, _ type: DType) -> Tensor {
        if tensor.dtype == type { return tensor }
        let result = empty(tensor.shape, type, for: .workspace)
        convert(tensor, into: result)
        return result
    }

    /// Where to read a weight or adapter in the type of activations.
    /// - Returns: the address, and what must be kept until the reader is on the stream.
    func readNarrowed(_ tensor: Tensor, _ type: DType) -> (address: UInt64, owner: Tensor) {
        if tensor.dtype == type { return (read(tensor), tensor) }
        let isLasting = tensor.storage.purpose == .weights && type != .float32 && tensor.dtype == .float32
        guard isLasting, let mirror = mirror(tensor.storage, needsBytes: true) else {
            let copy = cast(tensor, type)
            return (read(copy), copy)
        }
        let bytes = tensor.storage.byteCount / 4 * type.byteCount
        if mirror.narrowed == nil, !device.stopsRecording("a weight that is not narrowed yet"), let block = pool.take(bytes, for: .workspace) {
            let count = tensor.storage.byteCount / 4
            run(
                "convert", nil, anyGrid(count),
                [.address(mirror.block.address), .type(.float32), .address(block.address), .type(type), .count(count)])
            mirror.keepNarrowed(block)
        }
        guard let narrowed = mirror.narrowed else { return (0, tensor) }
        return (narrowed.address + UInt64(tensor.byteOffset / 4 * type.byteCount), tensor)
    }

    /// Lets `body` write a result of type `type` where the real result has another one.
    func writing(_ result: Tensor, as type: DType, _ body: (Tensor) -> Void) {
        if result.dtype == type { return body(result) }
        let own = empty(result.shape, type, for: .workspace)
        body(own)
        convert(own, into: result)
    }
}

/// The last few lists of numbers that a card was sent.
private struct RecentUploads<Element: Equatable> {
    private var entries: [(values: [Element], tensor: Tensor)] = []

    /// - Parameter isKept: asked after the upload: whether there was one that can be remembered
    mutating func tensor(_ values: [Element], isKept: () -> Bool, upload: () -> Tensor) -> Tensor {
        if let known = entries.first(where: { $0.values == values }) { return known.tensor }
        let tensor = upload()
        guard isKept() else { return tensor }
        if entries.count >= 8 { entries.removeFirst() }
        entries.append((values, tensor))
        return tensor
    }
}
