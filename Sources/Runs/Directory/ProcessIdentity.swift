/// Which process writes a run, told apart from a later process that got the same number.

import Glibc
import Platform

/// A process by its number and the moment it started. Process numbers are used again; the pair with the machine's boot is not.
public struct ProcessIdentity: Sendable, Equatable {
    public var processIdentifier: Int32
    /// Clock ticks since boot at which the process started (field 22 of /proc/PID/stat); 0 where that is unknown.
    public var startTicks: Int
    public var host: String
    /// /proc/sys/kernel/random/boot_id, empty where there is none.
    public var bootIdentifier: String

    public init(processIdentifier: Int32, startTicks: Int, host: String, bootIdentifier: String) {
        self.processIdentifier = processIdentifier
        self.startTicks = startTicks
        self.host = host
        self.bootIdentifier = bootIdentifier
    }

    /// The calling process.
    public static func current() -> ProcessIdentity {
        ProcessIdentity(
            processIdentifier: getpid(), startTicks: ownStartTicks(), host: SystemInfo.hostName,
            bootIdentifier: bootIdentifier())
    }

    /// Whether this process still lives. Nil when it ran on another machine, of which nothing can be said from here.
    public var isAlive: Bool? {
        guard processIdentifier > 0 else { return false }
        guard host == SystemInfo.hostName else { return nil }
        guard bootIdentifier == Self.bootIdentifier() else { return false }
        switch Self.look(at: processIdentifier) {
        case .living(let ticks): return startTicks == 0 || startTicks == ticks
        case .ended: return false
        case .hidden: return kill(processIdentifier, 0) == 0 || errno == EPERM
        }
    }

    private enum Sight {
        case living(startTicks: Int)
        /// It has ended and only waits for its parent to notice.
        case ended
        /// No such process, or one of another user that this machine does not show.
        case hidden
    }

    /// Reads state and start of a process (fields 3 and 22 of /proc/PID/stat). The second field is a name in parentheses that may
    /// itself hold blanks and parentheses, so counting begins after the last closing one.
    private static func look(at processIdentifier: Int32) -> Sight {
        guard let text = try? FileSystem.readText("/proc/\(processIdentifier)/stat"),
            let end = text.utf8.lastIndex(of: UInt8(ascii: ")"))
        else { return .hidden }
        let fields = text[text.utf8.index(after: end)...].split(separator: " ")
        guard fields.count > 19, let ticks = Int(fields[19]) else { return .hidden }
        return fields[0] == "Z" || fields[0] == "X" ? .ended : .living(startTicks: ticks)
    }

    private static func ownStartTicks() -> Int {
        guard case .living(let ticks) = look(at: getpid()) else { return 0 }
        return ticks
    }

    static func bootIdentifier() -> String {
        guard let text = try? FileSystem.readText("/proc/sys/kernel/random/boot_id") else { return "" }
        return String(text.prefix { !$0.isWhitespace })
    }
}
