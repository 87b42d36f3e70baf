import Platform
import Tensors

/// A card as it was read last. What it does not tell is nil.
public struct GPUReading: Sendable, Equatable {
    public var name: String
    /// Share of the time in which it worked, 0...1.
    public var busy: Double?
    public var usedBytes: Int64?
    public var totalBytes: Int64?
    /// Degrees Celsius.
    public var temperature: Int?
    public var watts: Double?
    public var wattLimit: Double?
    /// Megahertz.
    public var clock: Int?

    public init(
        name: String, busy: Double? = nil, usedBytes: Int64? = nil, totalBytes: Int64? = nil, temperature: Int? = nil, watts: Double? = nil,
        wattLimit: Double? = nil, clock: Int? = nil
    ) {
        self.name = name
        self.busy = busy
        self.usedBytes = usedBytes
        self.totalBytes = totalBytes
        self.temperature = temperature
        self.watts = watts
        self.wattLimit = wattLimit
        self.clock = clock
    }

    init(_ monitor: GPUMonitor) {
        let now = monitor.reading()
        self.init(
            name: monitor.name, busy: now.utilisation, usedBytes: now.usedBytes, totalBytes: now.totalBytes, temperature: now.temperature,
            watts: now.powerWatts, wattLimit: now.powerLimitWatts, clock: now.clock)
    }
}

/// What the machine's cards are doing, for those who must not wait. Opening the library may take a second and reading a card a
/// millisecond; both are done on a thread of its own, which sleeps until somebody asks.
public final class GPUSampler: Sendable {
    private struct Contents {
        var readings: [GPUReading] = []
        var isAsked = false
        var isStarted = false
        var hasLooked = false
        var isOver = false
    }

    public typealias Source = @Sendable () -> [GPUReading]

    private let contents = Mutex(Contents())
    private let asked = Condition()
    private let open: @Sendable () -> Source?

    /// - Parameter open: finds the cards and gives the means to read them; nil where there are none. Tests give their own.
    public init(open: @escaping @Sendable () -> Source? = GPUSampler.machine) {
        self.open = open
    }

    /// The cards as they were when somebody asked last; none in the beginning, and none on a machine without. Returns at once.
    public func latest() -> [GPUReading] {
        let (readings, mustStart) = contents.withLock { contents in
            contents.isAsked = true
            defer { contents.isStarted = true }
            return (contents.readings, !contents.isStarted)
        }
        if mustStart {
            _ = EngineThread(name: "gpu") { [weak self, open] in
                let found = open()
                // Cards that there are count as looked at once they have been read.
                guard let source = found else {
                    self?.contents.withLock { $0.hasLooked = true }
                    return
                }
                while let sampler = self, sampler.read(source) {}
            }
        } else {
            asked.lock()
            asked.broadcast()
            asked.unlock()
        }
        return readings
    }

    /// Whether the answer to `latest` is what the machine has, and not merely the beginning.
    public var hasLooked: Bool { contents.withLock { $0.hasLooked } }

    /// Reads when asked, and otherwise waits a while.
    /// - Returns: false when it is over.
    private func read(_ source: Source) -> Bool {
        asked.lock()
        if !contents.withLock({ $0.isAsked || $0.isOver }) { _ = asked.wait(seconds: 5) }
        asked.unlock()
        guard contents.withLock({ $0.isAsked && !$0.isOver }) else { return !contents.withLock { $0.isOver } }
        let readings = source()
        contents.withLock { contents in
            contents.readings = readings
            contents.hasLooked = true
            contents.isAsked = false
        }
        return true
    }

    /// Ends the thread.
    public func stop() {
        contents.withLock { $0.isOver = true }
        asked.lock()
        asked.broadcast()
        asked.unlock()
    }

    /// The cards of this machine.
    @Sendable public static func machine() -> Source? {
        let monitors = GPUMonitor.all()
        guard !monitors.isEmpty else { return nil }
        return { monitors.map(GPUReading.init) }
    }
}
