import Platform

/// What a backend's pool has lent out and keeps.
public struct MemoryStatistics: Sendable, Equatable {
    /// Bytes in living tensors.
    public var liveBytes = 0
    /// The most that `liveBytes` has been since the last `resetPeak`.
    public var peakBytes = 0
    /// Free bytes the pool keeps for the next step.
    public var cachedBytes = 0
    /// Requests that the pool could not serve from what it had. A steady run of equal steps adds none.
    public var missCount = 0
    public var requestCount = 0

    public init() {}
}

/// Counts bytes without having any: the memory of a `PlanningBackend`.
final class MemoryLedger: @unchecked Sendable {
    private let statistics = Mutex(MemoryStatistics())

    func take(_ bytes: Int) {
        statistics.withLock {
            $0.liveBytes += bytes
            $0.peakBytes = max($0.peakBytes, $0.liveBytes)
            $0.requestCount += 1
        }
    }

    func release(_ bytes: Int) { statistics.withLock { $0.liveBytes -= bytes } }
    func resetPeak() { statistics.withLock { $0.peakBytes = $0.liveBytes } }
    var current: MemoryStatistics { statistics.withLock { $0 } }
}
