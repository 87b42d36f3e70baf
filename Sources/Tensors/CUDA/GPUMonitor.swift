import CCUDA

/// What a card is doing, from NVIDIA's management library: for the board's panel and for `tuneboard env`. It needs no context on
/// the card and takes a fraction of a millisecond.
public final class GPUMonitor: @unchecked Sendable {
    public struct Reading: Sendable, Equatable {
        /// Share of the time in which a kernel ran, 0 to 1.
        public var utilisation: Double?
        public var usedBytes: Int64?
        public var totalBytes: Int64?
        /// Degrees Celsius.
        public var temperature: Int?
        public var powerWatts: Double?
        public var powerLimitWatts: Double?
        /// Megahertz of the multiprocessors, now and at most.
        public var clock: Int?
        public var maximumClock: Int?
        public var memoryClock: Int?
        public init() {}
    }

    public let name: String
    /// "550.54.15"
    public let driverVersion: String?
    private let library: tb_nvml
    private let device: UnsafeMutableRawPointer

    /// Nil where there is no card or no library.
    /// - Parameters:
    ///   - busIdentifier: which card, as the driver names it; nil takes the first
    public convenience init?(libraries: CUDALibraries, busIdentifier: String? = nil) {
        let library = libraries.management
        guard library.nvmlInit_v2 != nil, library.nvmlInit_v2() == 0 else { return nil }
        var device: UnsafeMutableRawPointer?
        var result = busIdentifier.map { library.nvmlDeviceGetHandleByPciBusId_v2($0, &device) } ?? 1
        if result != 0 { result = library.nvmlDeviceGetHandleByIndex_v2(0, &device) }
        guard result == 0, let device else {
            _ = library.nvmlShutdown()
            return nil
        }
        self.init(library, device)
    }

    /// A card whose handle has been found; the library has been begun with once for it.
    private init(_ library: tb_nvml, _ device: UnsafeMutableRawPointer) {
        self.library = library
        self.device = device
        name = Self.string { library.nvmlDeviceGetName(device, $0, $1) } ?? "GPU"
        driverVersion = Self.string { library.nvmlSystemGetDriverVersion($0, $1) }
    }

    /// Every card of the machine; none where there is no library. Looking for the library takes a while.
    public static func all(_ libraries: CUDALibraries = .management()) -> [GPUMonitor] {
        let library = libraries.management
        guard library.nvmlInit_v2 != nil, library.nvmlInit_v2() == 0 else { return [] }
        defer { _ = library.nvmlShutdown() }
        var count: UInt32 = 0
        guard library.nvmlDeviceGetCount_v2(&count) == 0 else { return [] }
        return (0..<min(count, 64)).compactMap { index in
            var device: UnsafeMutableRawPointer?
            guard library.nvmlInit_v2() == 0 else { return nil }
            guard library.nvmlDeviceGetHandleByIndex_v2(index, &device) == 0, let device else {
                _ = library.nvmlShutdown()
                return nil
            }
            return GPUMonitor(library, device)
        }
    }

    deinit { _ = library.nvmlShutdown() }

    /// What cannot be read is nil: virtual cards tell less.
    public func reading() -> Reading {
        var result = Reading()
        var rates = tb_nvml_utilization(), memory = tb_nvml_memory()
        if library.nvmlDeviceGetUtilizationRates(device, &rates) == 0 { result.utilisation = Double(rates.gpu) / 100 }
        if library.nvmlDeviceGetMemoryInfo(device, &memory) == 0 {
            result.usedBytes = Int64(clamping: memory.used)
            result.totalBytes = Int64(clamping: memory.total)
        }
        result.temperature = number { library.nvmlDeviceGetTemperature(device, 0, &$0) }
        result.powerWatts = number { library.nvmlDeviceGetPowerUsage(device, &$0) }.map { Double($0) / 1000 }
        result.powerLimitWatts = number { library.nvmlDeviceGetEnforcedPowerLimit(device, &$0) }.map { Double($0) / 1000 }
        result.clock = number { library.nvmlDeviceGetClockInfo(device, 1, &$0) }
        result.maximumClock = number { library.nvmlDeviceGetMaxClockInfo(device, 1, &$0) }
        result.memoryClock = number { library.nvmlDeviceGetClockInfo(device, 2, &$0) }
        return result
    }

    private func number(_ ask: (inout UInt32) -> Int32) -> Int? {
        var value: UInt32 = 0
        return ask(&value) == 0 ? Int(value) : nil
    }

    private static func string(_ ask: (UnsafeMutablePointer<CChar>, UInt32) -> Int32) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer in
            guard let to = buffer.baseAddress else { return nil }
            to.initialize(repeating: 0, count: 128)
            return ask(to, 127) == 0 ? String(cString: to) : nil
        }
    }
}
