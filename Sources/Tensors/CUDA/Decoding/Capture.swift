import CCUDA

/// Work that was recorded instead of done, and is done again as one launch. What a replay reads and writes must lie where it lay:
/// blocks that were taken during the recording come from a pool of their own and stay out of others' hands as long as the graph lives,
/// and whatever else was touched is kept alive with it.
final class StepGraph {
    private let device: CUDADevice
    private let executable: UnsafeMutableRawPointer
    /// Of tensors outside the pool of the recording.
    private var storages: [Storage]

    fileprivate init(device: CUDADevice, executable: UnsafeMutableRawPointer, storages: [Storage]) {
        self.device = device
        self.executable = executable
        self.storages = storages
    }

    deinit {
        device.synchronize()
        device.bind()
        _ = device.driver.cuGraphExecDestroy(executable)
    }

    func launch() {
        guard !device.hasFailed else { return }
        device.bind()
        device.check("cuGraphLaunch", device.driver.cuGraphLaunch(executable, device.stream))
    }

    /// Takes over the parameters of another recording of the same kernels, which is quicker than making a graph anew.
    fileprivate func update(_ graph: UnsafeMutableRawPointer, storages: [Storage]) -> Bool {
        var node: UnsafeMutableRawPointer?, result: Int32 = 0
        // The old addresses must not be in use.
        device.synchronize()
        guard !device.hasFailed else { return false }
        guard device.driver.cuGraphExecUpdate(executable, graph, &node, &result) == 0 else { return false }
        self.storages = storages
        return true
    }
}

/// A recording under way.
final class Recording {
    /// Where memory comes from meanwhile.
    let pool: DevicePool
    private(set) var storages: [ObjectIdentifier: Storage] = [:]

    init(pool: DevicePool) { self.pool = pool }

    /// Keeps what a replay will touch.
    func keep(_ storage: Storage) {
        if let mirror = storage.mirror, mirror.pool === pool { return }
        storages[ObjectIdentifier(storage)] = storage
    }
}

extension CUDABackend {
    var canRecord: Bool {
        let driver = device.driver
        return driver.cuStreamBeginCapture_v2 != nil && driver.cuStreamEndCapture != nil && driver.cuGraphInstantiateWithFlags != nil
            && driver.cuGraphLaunch != nil && driver.cuGraphExecUpdate != nil && driver.cuGraphExecDestroy != nil
            && driver.cuGraphDestroy != nil
    }

    /// Memory from `pool` while `body` works: what a recording will want is then there before it begins.
    func withPool<Result>(_ pool: DevicePool, _ body: () -> Result) -> Result {
        let before = loanPool
        loanPool = pool
        defer { loanPool = before }
        return body()
    }

    /// Records what `body` sends.
    /// - Parameter earlier: a graph that takes over the new parameters if it can
    /// - Returns: nil when the work cannot be repeated without the host, or the driver cannot record it; nothing is done then.
    func record(pool: DevicePool, earlier: StepGraph?, _ body: () -> Void) -> StepGraph? {
        guard canRecord, !device.hasFailed, recording == nil else { return nil }
        device.bind()
        guard device.driver.cuStreamBeginCapture_v2(device.stream, 1 /* CU_STREAM_CAPTURE_MODE_THREAD_LOCAL */) == 0 else { return nil }
        let recording = Recording(pool: pool)
        self.recording = recording
        device.beginRecording()
        withPool(pool, body)
        self.recording = nil
        let problem = device.endRecording()
        var graph: UnsafeMutableRawPointer?
        guard device.driver.cuStreamEndCapture(device.stream, &graph) == 0, let graph else { return nil }
        defer { _ = device.driver.cuGraphDestroy(graph) }
        guard problem == nil, !device.hasFailed else { return nil }
        let storages = Array(recording.storages.values)
        if let earlier, earlier.update(graph, storages: storages) { return earlier }
        var executable: UnsafeMutableRawPointer?
        guard device.driver.cuGraphInstantiateWithFlags(&executable, graph, 0) == 0, let executable else { return nil }
        return StepGraph(device: device, executable: executable, storages: storages)
    }
}
