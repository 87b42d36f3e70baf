import CCUDA
import Glibc
import Platform

/// What a card is.
public struct CUDADeviceProperties: Sendable, Equatable {
    public let ordinal: Int
    /// "NVIDIA H100 80GB HBM3"
    public let name: String
    /// 90 for compute capability 9.0.
    public let architecture: Int
    public let totalBytes: Int
    public let multiprocessorCount: Int
    /// Shared memory that one block may ask for.
    public let sharedBytesPerBlock: Int
    /// "0000:01:00.0", by which NVML knows it too.
    public let busIdentifier: String
    /// Bytes per second that its memory can deliver, from clock and width; 0 where the driver does not tell.
    public let memoryBandwidth: Double
}

/// One card: its context, its stream of work, its memory, its compiled kernels.
///
/// All work goes through one stream, in order; a block of memory that is given back can therefore be handed out at once. The host
/// waits only where values are read. A call that fails leaves a `failure`: from then on nothing is sent to the card, so that no
/// half-computed numbers reach the weights, until whoever drives the work has asked (`throwIfFailed`).
final class CUDADevice: @unchecked Sendable {
    let libraries: CUDALibraries
    let properties: CUDADeviceProperties
    private let handle: Int32
    private let context: UnsafeMutableRawPointer
    let stream: UnsafeMutableRawPointer?
    private let state = Mutex(State())
    /// Tells this device from others that a thread may have worked with, also from one at the same address before.
    private let identity: UInt64
    private static let identities = Mutex<UInt64>(0)

    private struct State {
        var failure: CUDAError?
        var transfers = TransferCounts()
        var isRecording = false
        /// What a recording met that no replay could repeat.
        var recordingProblem: String?
    }

    /// Compute capability that the kernels need: bf16 products and asynchronous copies.
    static let oldestArchitecture = 80

    var driver: tb_cuda_driver { _read { yield libraries.driver } }

    /// - Parameter ordinal: among those that CUDA_VISIBLE_DEVICES leaves visible
    init(libraries: CUDALibraries, ordinal: Int) throws(CUDAError) {
        try libraries.requireAll()
        self.libraries = libraries
        let count = try CUDADevice.count(libraries)
        guard ordinal >= 0, ordinal < count else { throw .noSuchDevice(ordinal: ordinal, count: count) }
        let driver = libraries.driver
        var device: Int32 = 0
        try Self.check(driver, "cuDeviceGet", driver.cuDeviceGet(&device, Int32(ordinal)))
        handle = device
        identity = Self.identities.update { last in
            last += 1
            return last
        }
        properties = try Self.properties(driver, device, ordinal: ordinal)
        guard properties.architecture >= Self.oldestArchitecture else {
            throw .tooOld(device: properties.name, architecture: properties.architecture, needed: Self.oldestArchitecture)
        }
        var context: UnsafeMutableRawPointer?, stream: UnsafeMutableRawPointer?
        try Self.check(driver, "cuDevicePrimaryCtxRetain", driver.cuDevicePrimaryCtxRetain(&context, device))
        guard let context else { throw .failed(call: "cuDevicePrimaryCtxRetain", reason: "no context came back") }
        self.context = context
        let result = driver.cuCtxSetCurrent(context)
        if result != 0 {
            _ = driver.cuDevicePrimaryCtxRelease_v2(device)
            throw Self.error(driver, "cuCtxSetCurrent", result)
        }
        let created = driver.cuStreamCreate(&stream, 1 /* CU_STREAM_NON_BLOCKING */)
        if created != 0 {
            _ = driver.cuDevicePrimaryCtxRelease_v2(device)
            throw Self.error(driver, "cuStreamCreate", created)
        }
        self.stream = stream
        tb_set_context_owner(identity)
    }

    deinit {
        bind()
        _ = libraries.driver.cuStreamSynchronize(stream)
        _ = libraries.driver.cuStreamDestroy_v2(stream)
        _ = libraries.driver.cuDevicePrimaryCtxRelease_v2(handle)
    }

    /// Cards that the driver offers.
    static func count(_ libraries: CUDALibraries) throws(CUDAError) -> Int {
        let driver = libraries.driver
        guard driver.cuInit != nil else {
            throw .missingLibrary(.driver, reason: libraries.finding(.driver)?.problem ?? "not found")
        }
        let started = driver.cuInit(0)
        guard started == 0 else { throw .noDevice(reason: text(driver, started)) }
        var count: Int32 = 0
        let counted = driver.cuDeviceGetCount(&count)
        guard counted == 0 else { throw .noDevice(reason: text(driver, counted)) }
        guard count > 0 else { throw .noDevice(reason: "none is visible to this process") }
        return Int(count)
    }

    static func properties(_ driver: tb_cuda_driver, _ device: Int32, ordinal: Int) throws(CUDAError) -> CUDADeviceProperties {
        func attribute(_ number: Int32) -> Int {
            var value: Int32 = 0
            return driver.cuDeviceGetAttribute(&value, number, device) == 0 ? Int(value) : 0
        }
        func string(_ ask: (UnsafeMutablePointer<CChar>, Int32) -> Int32) -> String {
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
                guard let to = buffer.baseAddress else { return "" }
                to.initialize(repeating: 0, count: 256)
                return ask(to, 255) == 0 ? String(cString: to) : ""
            }
        }
        var bytes = 0
        try check(driver, "cuDeviceTotalMem", driver.cuDeviceTotalMem_v2(&bytes, device))
        // Kilohertz of a double data rate memory, and bits.
        let clock = Double(attribute(36)) * 1000, width = Double(attribute(37))
        return CUDADeviceProperties(
            ordinal: ordinal, name: string { driver.cuDeviceGetName($0, $1, device) },
            architecture: attribute(75) * 10 + attribute(76), totalBytes: bytes, multiprocessorCount: attribute(16),
            sharedBytesPerBlock: attribute(97), busIdentifier: string { driver.cuDeviceGetPCIBusId($0, $1, device) },
            memoryBandwidth: 2 * clock * width / 8)
    }

    // MARK: Failures

    /// What went wrong first; nil while all is well.
    var failure: CUDAError? { state.withLock { $0.failure } }
    var hasFailed: Bool { failure != nil }

    /// Remembers an error that happened where nothing can be thrown.
    func fail(_ error: CUDAError) { state.withLock { $0.failure = $0.failure ?? error } }

    /// Throws what went wrong since the last call. Memory that was short may be there again, so work can go on; a card that is lost
    /// stays lost.
    func throwIfFailed() throws(CUDAError) {
        let failure = state.withLock { state -> CUDAError? in
            let failure = state.failure
            if case .lost? = failure { return failure }
            state.failure = nil
            return failure
        }
        if let failure { throw failure }
    }

    /// Notes the failure of a call.
    /// - Returns: whether the call succeeded.
    @discardableResult
    func check(_ call: @autoclosure () -> String, _ result: Int32) -> Bool {
        if result == 0 { return true }
        let error = Self.error(driver, call(), result)
        if case .lost = error { fail(error) } else if !stopsRecording(call()) { fail(error) }
        return false
    }

    // MARK: Recordings

    func beginRecording() { state.withLock { $0.isRecording = true; $0.recordingProblem = nil } }

    /// - Returns: why the recording is of no use; nil when it is whole.
    func endRecording() -> String? {
        state.withLock { state in
            state.isRecording = false
            return state.recordingProblem
        }
    }

    /// Whether work is recorded now. Asked by whatever needs the host at every replay: the recording is given up then, and the work
    /// sent once more as it comes.
    func stopsRecording(_ what: @autoclosure () -> String) -> Bool {
        state.withLock { state in
            guard state.isRecording else { return false }
            if state.recordingProblem == nil { state.recordingProblem = what() }
            return true
        }
    }

    private static func check(_ driver: tb_cuda_driver, _ call: String, _ result: Int32) throws(CUDAError) {
        if result != 0 { throw error(driver, call, result) }
    }

    static func error(_ driver: tb_cuda_driver, _ call: String, _ result: Int32) -> CUDAError {
        // A card that left the bus, illegal addresses, failed launches and time-outs, ECC and hardware errors: the context is gone.
        let fatal: Set<Int32> = [46, 214, 220, 226, 700, 702, 709, 714, 715, 716, 717, 718, 719, 720, 721, 911, 999]
        return fatal.contains(result) ? .lost(call: call, reason: text(driver, result)) : .failed(call: call, reason: text(driver, result))
    }

    /// "out of memory (CUDA_ERROR_OUT_OF_MEMORY)"
    static func text(_ driver: tb_cuda_driver, _ result: Int32) -> String {
        var name: UnsafePointer<CChar>?, text: UnsafePointer<CChar>?
        guard driver.cuGetErrorName(result, &name) == 0, let name else { return "error \(result)" }
        guard driver.cuGetErrorString(result, &text) == 0, let text else { return String(cString: name) }
        return "\(String(cString: text)) (\(String(cString: name)))"
    }

    // MARK: Threads and waiting

    /// Makes the context that of the calling thread. Every entry does this first: jobs and chats are threads of their own.
    @inline(__always)
    func bind() {
        if tb_context_owner() != identity, libraries.driver.cuCtxSetCurrent(context) == 0 { tb_set_context_owner(identity) }
    }

    /// Waits until all work sent so far is done.
    func synchronize() {
        guard !hasFailed, !stopsRecording("a wait") else { return }
        bind()
        check("cuStreamSynchronize", driver.cuStreamSynchronize(stream))
    }

    /// Free and total bytes, all processes counted.
    func memoryInfo() -> (free: Int, total: Int) {
        bind()
        var free = 0, total = 0
        guard driver.cuMemGetInfo_v2(&free, &total) == 0 else { return (0, properties.totalBytes) }
        return (free, total)
    }

    // MARK: Copies

    var transfers: TransferCounts { state.withLock { $0.transfers } }

    /// The bytes may be overwritten when this returns: the driver has read pageable memory by then.
    func copy(from host: UnsafeRawPointer, to address: UInt64, byteCount: Int) {
        guard byteCount > 0, !hasFailed, !stopsRecording("an upload") else { return }
        bind()
        state.withLock { $0.transfers.uploads += 1; $0.transfers.uploadedBytes += byteCount }
        check("cuMemcpyHtoDAsync of \(byteCount) bytes", driver.cuMemcpyHtoDAsync_v2(address, host, byteCount, stream))
    }

    /// Waits for the bytes.
    func copy(from address: UInt64, to host: UnsafeMutableRawPointer, byteCount: Int) {
        guard byteCount > 0 else { return }
        guard !hasFailed, !stopsRecording("a download") else {
            memset(host, 0, byteCount)
            return
        }
        bind()
        state.withLock { $0.transfers.downloads += 1; $0.transfers.downloadedBytes += byteCount }
        if check("cuMemcpyDtoHAsync of \(byteCount) bytes", driver.cuMemcpyDtoHAsync_v2(host, address, byteCount, stream)) {
            check("cuStreamSynchronize", driver.cuStreamSynchronize(stream))
        }
    }

    func copy(from source: UInt64, to address: UInt64, byteCount: Int) {
        guard byteCount > 0, !hasFailed else { return }
        bind()
        check("cuMemcpyDtoDAsync of \(byteCount) bytes", driver.cuMemcpyDtoDAsync_v2(address, source, byteCount, stream))
    }

    /// A copy to the host that was put on the stream elsewhere.
    func countDownload(_ byteCount: Int) { state.withLock { $0.transfers.downloads += 1; $0.transfers.downloadedBytes += byteCount } }

    func zero(_ address: UInt64, byteCount: Int) {
        guard byteCount > 0, !hasFailed else { return }
        bind()
        check("cuMemsetD8Async of \(byteCount) bytes", driver.cuMemsetD8Async(address, 0, byteCount, stream))
    }
}

/// How often bytes crossed between host and card. A training step downloads its loss and its gradient norm, and nothing else.
public struct TransferCounts: Sendable, Equatable {
    public var uploads = 0, uploadedBytes = 0
    public var downloads = 0, downloadedBytes = 0
    public init() {}
}
