import Events
import Platform
import Terminal

/// How the list of runs is looked at.
public struct RunListState: Sendable, Equatable {
    public enum Order: Sendable, Equatable, CaseIterable {
        case newest, name, loss, progress, state

        public var title: String {
            switch self {
            case .newest: say("newest first")
            case .name: say("by name")
            case .loss: say("best loss first")
            case .progress: say("furthest first")
            case .state: say("by state")
            }
        }

        var next: Order {
            let all = Order.allCases
            return all[((all.firstIndex(of: self) ?? 0) + 1) % all.count]
        }
    }

    /// The line that the cursor is on, counted over the runs that are shown.
    public var selection = 0
    public var order = Order.newest
    /// Shows only runs whose name, model or state matches; nil when all are shown.
    public var filter: TextField?
    public var isFiltering = false
    /// Whether the list was looked at before: then the cursor stays where it was, as long as the same run is shown.
    var wasOpened = false
    /// The run that was shown when the cursor was last put or left on one.
    var shown: String?
    /// Directories of marked runs, in the order of marking.
    public var marked: [String] = []

    public init() {}
}

/// Where the configurations of two runs differ, beside what came of them.
public struct RunComparison: Sendable, Equatable {
    public struct Row: Sendable, Equatable {
        public var name: String
        /// One value for each run.
        public var values: [String]

        public init(name: String, values: [String]) {
            self.name = name
            self.values = values
        }
    }

    public var directories: [String]
    public var rows: [Row]
    /// How many arguments are the same in all; nil where too few configurations are known to tell.
    public var equalCount: Int?
    /// What is not known of a run and why.
    public var remarks: [String] = []
    public var scroll = 0

    public init(directories: [String], rows: [Row], equalCount: Int?) {
        self.directories = directories
        self.rows = rows
        self.equalCount = equalCount
    }
}

extension BoardState {
    /// The runs that pass the filter, in the chosen order.
    public var visibleRuns: [RunEntry] {
        var runs = catalog.runs
        if let query = runList.filter?.text.trimmingSpaces, !query.isEmpty {
            let matcher = FuzzyMatcher(pattern: query)
            runs = runs.filter { run in
                matcher.match(RunName.short(run.directory)) != nil || say(key: run.state.word).lowercased().contains(query.lowercased())
            }
        }
        switch runList.order {
        case .newest: return runs
        case .name: return runs.sorted { $0.directory < $1.directory }
        case .loss: return runs.sorted { ($0.bestLoss ?? $0.lastLoss ?? .infinity) < ($1.bestLoss ?? $1.lastLoss ?? .infinity) }
        case .progress: return runs.sorted { $0.progress > $1.progress }
        case .state: return runs.sorted { ($0.stateOrder, $1.modified) < ($1.stateOrder, $0.modified) }
        }
    }

    public var selectedRun: RunEntry? {
        let runs = visibleRuns
        return runs.indices.contains(runList.selection) ? runs[runList.selection] : nil
    }

    /// The runs that a command is about: the marked ones, or the one under the cursor.
    var chosenRuns: [RunEntry] {
        let marked = runList.marked.compactMap { directory in catalog.runs.first { $0.directory == directory } }
        return marked.isEmpty ? selectedRun.map { [$0] } ?? [] : marked
    }

    /// After the list has changed the cursor stays on its run.
    mutating func keepRunSelected(_ directory: String?) {
        guard let directory, let index = visibleRuns.firstIndex(where: { $0.directory == directory }) else { return }
        runList.selection = index
    }
}

extension RunEntry {
    /// The share that is done, 0...1.
    var progress: Double { totalSteps > 0 ? min(1, Double(step) / Double(totalSteps)) : 0 }

    fileprivate var stateOrder: Int {
        if isAlive { return 0 }
        switch state {
        case .waiting, .loading, .running, .paused, .stopping: return 1
        case .failed: return 2
        case .aborted: return 3
        case .stopped: return 4
        case .finished: return 5
        }
    }
}
