import Configuration
import Events
import Runs
import Terminal

/// What the board shows above the footer: the outcome of the last action, until the next key or, unless something failed, for a
/// moment.
public struct StatusMessage: Sendable, Equatable {
    public enum Kind: Sendable {
        case note, success, warning, failure

        /// How long a message stays without a key being pressed; nil for one that somebody has to see.
        var lifetime: Double? {
            switch self {
            case .note, .success: 5
            case .warning: 8
            case .failure: nil
            }
        }

        /// What stands before the words.
        var mark: String {
            switch self {
            case .note: ""
            case .success: "✓ "
            case .warning: "! "
            case .failure: "✗ "
            }
        }
    }

    public var kind: Kind
    public var text: String

    public init(_ kind: Kind, _ text: String) {
        self.kind = kind
        self.text = text
    }
}

/// Processor, memory and cards as last sampled.
public struct SystemSample: Sendable, Equatable {
    public var cpuModel: String
    public var cpuCount: Int
    /// Busy share of all processors that this process may use, 0...1.
    public var cpuBusy: Double
    public var memoryBytes: Int64
    public var availableBytes: Int64
    public var residentBytes: Int64
    public var peakResidentBytes: Int64
    public var gpus: [GPUReading] = []
    /// Whether somebody has looked for cards: before, nothing is known of them.
    public var hasLookedForGPUs = false

    public init(
        cpuModel: String = "", cpuCount: Int = 0, cpuBusy: Double = 0, memoryBytes: Int64 = 0, availableBytes: Int64 = 0,
        residentBytes: Int64 = 0, peakResidentBytes: Int64 = 0
    ) {
        self.cpuModel = cpuModel
        self.cpuCount = cpuCount
        self.cpuBusy = cpuBusy
        self.memoryBytes = memoryBytes
        self.availableBytes = availableBytes
        self.residentBytes = residentBytes
        self.peakResidentBytes = peakResidentBytes
    }
}

/// The whole board as a value: what the views draw and `update` changes.
public struct BoardState: Sendable {
    public var size: Size
    public var tab = Tab.train
    var focusByTab: [Tab: Pane] = [:]
    public var forms: Forms
    public var overlays: [Overlay] = []
    public var status: StatusMessage? { didSet { statusSeconds = 0 } }
    /// How long the message has been there, in ticks of about a second.
    private var statusSeconds = 0.0
    /// The language of the board's own words.
    public var wording = Wording.english
    /// The user's own keys.
    public var keyBindings = KeyBindings()
    /// The theme that was chosen, the one on the screen, and those that there are.
    public var themeName = "auto"
    var shownTheme = "auto"
    public var themeNames: [String] = []
    /// Shares of the panes beside each other, by the name of the split, where they were dragged.
    public var splits: [String: Double] = [:]
    /// The edge that the mouse holds.
    var splitDrag: Split?
    /// The words of every language, with the user's own files over them.
    public var wordings: [Language: Wording] = [:]

    /// The latest job of this process by the page it belongs to: train, evaluate, export.
    public var jobs: [Tab: RunDigest] = [:]
    /// The page whose job runs now.
    public var activeJob: Tab?
    /// How that job was started.
    var activeStart: StartingJob?
    /// A run opened from the list: finished, or alive in another process. Shown by the Monitor instead of our own.
    public var openedRun: RunDigest?
    /// The run of another process whose model each form was last given.
    var takenRuns: [Tab: String] = [:]
    /// Other runs drawn under the chart's own.
    public var overlayRuns: [OverlayRun] = []
    /// Jobs that wait for their turn.
    public var queue: [QueuedRun] = []
    /// The job that was handed to the engine and is not known to have begun: meanwhile no other is started.
    var starting: StartingJob?
    /// The job of the queue that is being started.
    var queueStart: QueueStart?
    /// Whether the queue stands still because a job was being started by hand: if nothing comes of that, it goes on.
    var queueGaveWay = false
    /// Secrets of jobs that wait, by job: they are kept here alone.
    var queueSecrets: [String: [(name: String, value: String)]] = [:]
    /// What sets this board's jobs apart from those of another board.
    public var queueOwner = ""
    /// Whether the queue on disk was looked at since the board was opened.
    var hasSeenQueue = false
    /// An export that is to start, or to wait in the queue, once it is known what lies in its folder.
    var askedExport: (configuration: Configuration, isQueued: Bool)?
    var queueCounter = 0
    public var history = FieldHistory()

    public var chart = ChartState()
    public var logPane = LogPaneState()
    public var chat = ChatState()
    /// Whether the training that is talked to was paused, and stays so: while it is talked to, its state is paused either way.
    var talkLeavesPaused = false
    /// The chat that was there before a training was talked to.
    var shelvedChat: ChatState?
    public var evaluation = EvaluationViewState()
    public var runList = RunListState()
    public var catalog = Catalog()
    public var system = SystemSample()
    /// Wall clock of the latest tick, seconds since 1970, for ages in lists.
    public var now: Double = 0
    /// When the disk was looked at last, by the same clock.
    var lastScan: Double = 0
    /// How many seconds the board is behind UTC or ahead of it, for the clock in the log.
    public var secondsFromUTC = 0
    /// The recipe that is being loaded to resume its run, and the checkpoint to go on from when it has come.
    var resumesAfterLoading: ResumeRequest?
    /// What to do once the running job has stopped.
    public var afterStop: Intent = .dismiss
    public var isQuitting = false

    public init(size: Size, forms: Forms) {
        self.size = size
        self.forms = forms
    }

    /// The pane with the focus on the current page.
    public var focus: Pane {
        get { focusByTab[tab] ?? defaultPane(of: tab) }
        set { focusByTab[tab] = newValue }
    }

    private func defaultPane(of tab: Tab) -> Pane {
        switch tab {
        case .train, .evaluate, .export: .form
        case .chat: chat.modelInfo == nil ? .form : .message
        case .monitor: monitoredRun == nil ? .runs : .chart
        }
    }

    /// The run that the Monitor shows.
    public var monitoredRun: RunDigest? { openedRun ?? jobs[.train] }

    /// The job that runs in this process now.
    public var runningJob: RunDigest? {
        guard let activeJob, let run = jobs[activeJob], run.isActive else { return nil }
        return run
    }

    /// True while a message is shown that goes away by itself.
    public var hasPassingStatus: Bool { status?.kind.lifetime != nil }

    /// A second has gone by.
    mutating func ageStatus() {
        guard let lifetime = status?.kind.lifetime else { return }
        if statusSeconds >= lifetime { status = nil } else { statusSeconds += 1 }
    }

    /// The form that the keys go to, or nil when another pane has the focus.
    public var activeFormTab: Tab? {
        if let overlay = overlays.last {
            if case .form(let tab) = overlay { return tab }
            return nil
        }
        return focus == .form && tab != .monitor ? tab : nil
    }

    /// The form of the current page, focused or not: what the preview, Start and saving are about.
    public var pageForm: Tab { tab == .monitor ? .train : tab }
}

/// The four forms.
public struct Forms: Sendable {
    public var train: FormState
    public var evaluate: FormState
    public var chat: FormState
    public var export: FormState

    public init(train: FormState, evaluate: FormState, chat: FormState, export: FormState) {
        self.train = train
        self.evaluate = evaluate
        self.chat = chat
        self.export = export
    }

    public subscript(_ tab: Tab) -> FormState {
        get {
            switch tab {
            case .train, .monitor: train
            case .evaluate: evaluate
            case .chat: chat
            case .export: export
            }
        }
        set {
            switch tab {
            case .train, .monitor: train = newValue
            case .evaluate: evaluate = newValue
            case .chat: chat = newValue
            case .export: export = newValue
            }
        }
        _modify {
            switch tab {
            case .train, .monitor: yield &train
            case .evaluate: yield &evaluate
            case .chat: yield &chat
            case .export: yield &export
            }
        }
    }
}

/// Results and samples of the Evaluate page.
public struct EvaluationViewState: Sendable, Equatable {
    public var sampleIndex = 0
    /// True while new samples should be shown as they come.
    public var isFollowing = true
    public var sampleScroll = 0
    public var isWorstFirst = false
    /// Directories whose answers are looked through, instead of those of the evaluation at work.
    public var browsed: [String] = []
    /// Answers that were read from disk, by directory.
    public var loaded: [String: [PredictionSample]] = [:]
    public var resultSelection = 0
    /// Directories of marked results, in the order of marking.
    public var marked: [String] = []

    public init() {}
}
