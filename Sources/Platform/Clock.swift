/// Time: a clock for measuring, a clock for dating, and dates as text.

import Glibc

/// A moment in the machine's time zone, taken apart.
public struct LocalDate: Sendable, Equatable {
    public var year, month, day, hour, minute, second: Int

    /// "2026-11-21 04:05:06"
    public var isoText: String {
        "\(pad(year, 4))-\(pad(month, 2))-\(pad(day, 2)) \(pad(hour, 2)):\(pad(minute, 2)):\(pad(second, 2))"
    }

    /// "2026-11-21-04-05-06": sorts by time and is safe in file names.
    public var fileText: String {
        "\(pad(year, 4))-\(pad(month, 2))-\(pad(day, 2))-\(pad(hour, 2))-\(pad(minute, 2))-\(pad(second, 2))"
    }

    /// "04:05:06"
    public var timeText: String { "\(pad(hour, 2)):\(pad(minute, 2)):\(pad(second, 2))" }

    private func pad(_ value: Int, _ width: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
    }
}

public enum Clock {
    /// Seconds on a clock that never jumps; only differences mean anything.
    public static func monotonicSeconds() -> Double { seconds(CLOCK_MONOTONIC) }

    /// Seconds since 1970-01-01 UTC.
    public static func unixTime() -> Double { seconds(CLOCK_REALTIME) }

    /// Processor seconds this thread has used.
    public static func threadSeconds() -> Double { seconds(CLOCK_THREAD_CPUTIME_ID) }

    /// Processor seconds the whole process has used.
    public static func processSeconds() -> Double { seconds(CLOCK_PROCESS_CPUTIME_ID) }

    public static func localDate(_ unixTime: Double = Clock.unixTime()) -> LocalDate {
        // Far outside of any calendar localtime_r fails; such a time is shown as 1970.
        var whole = time_t(max(-62_000_000_000, min(253_000_000_000, unixTime.isFinite ? unixTime : 0)).rounded(.down))
        var parts = tm()
        guard localtime_r(&whole, &parts) != nil else {
            return LocalDate(year: 1970, month: 1, day: 1, hour: 0, minute: 0, second: 0)
        }
        return LocalDate(
            year: Int(parts.tm_year) + 1900, month: Int(parts.tm_mon) + 1, day: Int(parts.tm_mday), hour: Int(parts.tm_hour),
            minute: Int(parts.tm_min), second: Int(parts.tm_sec))
    }

    /// "2026-11-21 04:05:06" in the machine's time zone.
    public static func isoText(_ unixTime: Double = Clock.unixTime()) -> String { localDate(unixTime).isoText }

    public static func sleep(seconds: Double) {
        guard seconds > 0 else { return }
        let whole = seconds.rounded(.down)
        var request = timespec(tv_sec: Int(whole), tv_nsec: Int((seconds - whole) * 1e9))
        var left = timespec()
        while nanosleep(&request, &left) != 0, errno == EINTR { request = left }
    }

    private static func seconds(_ clock: clockid_t) -> Double {
        var now = timespec()
        clock_gettime(clock, &now)
        return Double(now.tv_sec) + Double(now.tv_nsec) * 1e-9
    }
}
