/// What the machine has and what this process uses of it.

import CPlatform
import Glibc

public enum SystemInfo {
    /// Processors this process may really use: its affinity mask, cut by a cgroup's CPU quota; at least 1.
    public static var cpuCount: Int {
        var count = Int(platform_affinity_count())
        if count == 0 { count = Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))) }
        if let quota = cpuQuota() { count = min(count, max(1, Int(quota.rounded(.up)))) }
        return max(1, count)
    }

    /// Installed memory, or the cgroup's limit where that is less.
    public static var physicalMemoryBytes: Int64 {
        let installed = Int64(sysconf(Int32(_SC_PHYS_PAGES))) * Int64(sysconf(Int32(_SC_PAGESIZE)))
        guard let limit = memoryLimit(), limit < installed else { return installed }
        return limit
    }

    /// Memory that can be had without pushing others out: MemAvailable, cut by what the cgroup leaves.
    public static var availableMemoryBytes: Int64 {
        var available = memoryInformation("MemAvailable:") ?? physicalMemoryBytes
        if let limit = memoryLimit(), let used = number(inFile: "/sys/fs/cgroup/memory.current")
            ?? number(inFile: "/sys/fs/cgroup/memory/memory.usage_in_bytes")
        {
            // Clean page cache is charged to the group but is given back when it is needed.
            let reclaimable = keyedNumber("/sys/fs/cgroup/memory.stat", "inactive_file ") ?? 0
            available = min(available, max(0, limit - used + reclaimable))
        }
        return available
    }

    /// "Intel(R) Xeon(R) ..." or the architecture's name.
    public static let cpuModel: String = {
        for line in lines("/proc/cpuinfo") {
            for name in ["model name", "Model", "Hardware"] where line.hasPrefix(name) {
                guard let colon = line.firstIndex(of: ":") else { continue }
                let model = line[line.index(after: colon)...].drop { $0 == " " }
                if !model.isEmpty { return String(model) }
            }
        }
        return architecture
    }()

    /// The processor's feature words of /proc/cpuinfo, such as "avx2" and "avx512f".
    public static var cpuFeatures: Set<String> {
        for line in lines("/proc/cpuinfo") where line.hasPrefix("flags") || line.hasPrefix("Features") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            return Set(line[line.index(after: colon)...].split(separator: " ").map(String.init))
        }
        return []
    }

    /// "x86_64" or "arm64".
    public static var architecture: String {
        #if arch(x86_64)
            "x86_64"
        #elseif arch(arm64)
            "arm64"
        #else
            "unknown"
        #endif
    }

    /// "Debian GNU/Linux 12 (bookworm)"
    public static var systemName: String {
        for line in lines("/etc/os-release") where line.hasPrefix("PRETTY_NAME=") {
            return String(line.dropFirst(12)).filter { $0 != "\"" }
        }
        return "Linux"
    }

    public static var hostName: String {
        var buffer = [UInt8](repeating: 0, count: 256)
        let failed = buffer.withUnsafeMutableBytes { bytes -> Bool in
            guard let start = bytes.baseAddress else { return true }
            return gethostname(start.assumingMemoryBound(to: CChar.self), bytes.count - 1) != 0
        }
        return failed ? "localhost" : String(decoding: buffer.prefix { $0 != 0 }, as: UTF8.self)
    }

    // MARK: This process

    /// Memory of this process that is in RAM right now.
    public static func residentBytes() -> Int64 {
        guard let line = lines("/proc/self/statm").first else { return 0 }
        let fields = line.split(separator: " ")
        guard fields.count > 1, let pages = Int64(fields[1]) else { return 0 }
        return pages * Int64(sysconf(Int32(_SC_PAGESIZE)))
    }

    /// The most that `residentBytes` ever was.
    public static func peakResidentBytes() -> Int64 {
        (keyedNumber("/proc/self/status", "VmHWM:") ?? 0) * 1024
    }

    // MARK: Reading the kernel's small files

    private static func cpuQuota() -> Double? {
        if let line = lines("/sys/fs/cgroup/cpu.max").first {
            let fields = line.split(separator: " ")
            guard fields.count == 2, let quota = Double(fields[0]), let period = Double(fields[1]), period > 0 else { return nil }
            return quota / period
        }
        guard let quota = number(inFile: "/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), quota > 0,
            let period = number(inFile: "/sys/fs/cgroup/cpu/cpu.cfs_period_us"), period > 0
        else { return nil }
        return Double(quota) / Double(period)
    }

    private static func memoryLimit() -> Int64? {
        number(inFile: "/sys/fs/cgroup/memory.max") ?? number(inFile: "/sys/fs/cgroup/memory/memory.limit_in_bytes")
    }

    private static func memoryInformation(_ key: String) -> Int64? { keyedNumber("/proc/meminfo", key).map { $0 * 1024 } }

    private static func keyedNumber(_ path: String, _ key: String) -> Int64? {
        for line in lines(path) where line.hasPrefix(key) {
            let digits = line.dropFirst(key.count).drop { $0 == " " || $0 == "\t" }.prefix { $0.isNumber }
            return Int64(digits)
        }
        return nil
    }

    private static func number(inFile path: String) -> Int64? {
        guard let line = lines(path).first else { return nil }
        return Int64(line)
    }

    static func lines(_ path: String) -> [Substring] {
        guard let bytes = try? FileSystem.readBytes(path) else { return [] }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    }
}

/// How busy the processors are, from one call to the next.
public struct CPUSampler: Sendable {
    /// Ticks of each processor: busy and all.
    private var last: [(busy: UInt64, total: UInt64)]
    private var lastProcessSeconds: Double
    private var lastTime: Double

    public init() {
        last = Self.ticks()
        lastProcessSeconds = Clock.processSeconds()
        lastTime = Clock.monotonicSeconds()
    }

    /// Since the last call: the share of each processor that was busy, 0...1, and the processors' worth this process used.
    public mutating func sample() -> (processors: [Double], ownProcessors: Double) {
        let now = Self.ticks()
        let shares = zip(now, last).map { new, old -> Double in
            let total = new.total &- old.total
            return total == 0 ? 0 : min(1, Double(new.busy &- old.busy) / Double(total))
        }
        let processSeconds = Clock.processSeconds()
        let time = Clock.monotonicSeconds()
        let own = time > lastTime ? (processSeconds - lastProcessSeconds) / (time - lastTime) : 0
        last = now
        lastProcessSeconds = processSeconds
        lastTime = time
        return (shares, own)
    }

    private static func ticks() -> [(busy: UInt64, total: UInt64)] {
        SystemInfo.lines("/proc/stat").compactMap { line in
            guard line.hasPrefix("cpu"), !line.hasPrefix("cpu ") else { return nil }
            let fields = line.split(separator: " ").dropFirst().prefix(8).compactMap { UInt64($0) }
            guard fields.count >= 5 else { return nil }
            let total = fields.reduce(0, &+)
            // Idle and waiting for the disk.
            return (total &- fields[3] &- fields[4], total)
        }
    }
}
