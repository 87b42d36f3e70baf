import Events
import Terminal

/// The last lines of a run's log, bounded; the whole log is on disk in the run directory.
public struct LogStore: Sendable {
    public static let limit = 5_000

    public private(set) var records: [LogRecord] = []
    /// Lines that fell off the front, so that positions can be told apart from indices.
    public private(set) var dropped = 0

    public init() {}

    public mutating func append(_ record: LogRecord) {
        records.append(record)
        // Dropping a block at a time keeps appending cheap.
        if records.count > Self.limit + 1_000 {
            dropped += records.count - Self.limit
            records.removeFirst(records.count - Self.limit)
        }
    }

    public mutating func clear() {
        records.removeAll()
        dropped = 0
    }
}

/// Which lines the log pane shows.
public enum LogFilter: Sendable, CaseIterable, Equatable {
    case everything, informative, warnings

    public var title: String {
        switch self {
        case .everything: "all"
        case .informative: say("info+")
        case .warnings: say("warnings+")
        }
    }

    public var next: LogFilter {
        switch self {
        case .everything: .informative
        case .informative: .warnings
        case .warnings: .everything
        }
    }
}

/// How the log pane stands: where it is scrolled to, what is searched and filtered.
public struct LogPaneState: Sendable {
    public var filter = LogFilter.informative
    /// Lines scrolled up from the end; 0 follows the tail.
    public var linesFromEnd = 0
    /// The committed search; empty for none.
    public var search = ""
    /// The search being typed, or nil.
    public var draft: TextField?
    /// The matching line found last, counted over the shown lines.
    public var match: Int?

    public init() {}

    public var isFollowing: Bool { linesFromEnd == 0 }
}
