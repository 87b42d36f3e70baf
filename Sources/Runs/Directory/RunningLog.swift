/// The lines of running_log.txt: written as LLaMA-Factory writes them, read from either program.

import Events
import Glibc
import Platform

/// One line is `[INFO|2026-11-21 04:05:06] text`; further lines of one record follow indented by two blanks.
public enum RunningLog {
    /// The record as text, without the last line end.
    public static func line(_ record: LogRecord) -> String {
        let text = record.text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\n  ")
        return "[\(label(record.level))|\(Clock.isoText(record.time))] \(text)"
    }

    /// Reads one line. Lines without the bracketed head (tracebacks, progress bars of other programs) become `output`.
    public static func record(line: String, time: Double) -> LogRecord {
        guard line.hasPrefix("["), let bar = line.firstIndex(of: "|"), let end = line.firstIndex(of: "]"), bar < end,
            let level = level(line[line.index(after: line.startIndex)..<bar])
        else { return LogRecord(time: time, level: .output, text: line) }
        var text = line[line.index(after: end)...]
        if text.hasPrefix(" ") { text.removeFirst() }
        let date = line[line.index(after: bar)..<end]
        return LogRecord(time: unixTime(date) ?? time, level: level, text: String(text))
    }

    /// Seconds since 1970 of `2026-11-21 04:05:06` in this machine's time zone.
    private static func unixTime(_ text: Substring) -> Double? {
        let numbers = text.split(whereSeparator: { "-: ".contains($0) }).compactMap { Int32($0) }
        guard numbers.count == 6 else { return nil }
        var parts = tm()
        (parts.tm_year, parts.tm_mon, parts.tm_mday) = (numbers[0] - 1900, numbers[1] - 1, numbers[2])
        (parts.tm_hour, parts.tm_min, parts.tm_sec) = (numbers[3], numbers[4], numbers[5])
        parts.tm_isdst = -1
        let time = mktime(&parts)
        return time == -1 ? nil : Double(time)
    }

    private static func label(_ level: LogLevel) -> String {
        switch level {
        case .debug: "DEBUG"
        case .info: "INFO"
        case .warning: "WARNING"
        case .error: "ERROR"
        case .output: "OUTPUT"
        }
    }

    private static func level(_ label: Substring) -> LogLevel? {
        switch label {
        case "DEBUG": .debug
        case "INFO": .info
        case "WARNING", "WARN", "WARNING_ONCE": .warning
        case "ERROR", "CRITICAL", "FATAL": .error
        case "OUTPUT": .output
        default: nil
        }
    }
}
