import Events

/// A model folder found on disk.
public struct ModelEntry: Sendable, Equatable {
    public var path: String
    /// `llama`, `qwen2`, ...; empty when unknown.
    public var architecture: String
    public var parameterCount: Int
    public var bytes: Int64
    /// Why the folder cannot be used, or nil.
    public var problem: String?
    /// Whether an export made it: such a folder may be replaced by another export.
    public var isExport: Bool

    public init(
        path: String, architecture: String = "", parameterCount: Int = 0, bytes: Int64 = 0, problem: String? = nil, isExport: Bool = false
    ) {
        self.isExport = isExport
        self.path = path
        self.architecture = architecture
        self.parameterCount = parameterCount
        self.bytes = bytes
        self.problem = problem
    }
}

/// A dataset registered in dataset_info.json, or a file beside it.
public struct DatasetEntry: Sendable, Equatable {
    public var name: String
    /// `alpaca`, `sharegpt`, ...
    public var format: String
    /// Rows, where they have been counted.
    public var rowCount: Int?
    public var problem: String?

    public init(name: String, format: String = "", rowCount: Int? = nil, problem: String? = nil) {
        self.name = name
        self.format = format
        self.rowCount = rowCount
        self.problem = problem
    }
}

/// A trained adapter or a checkpoint of one.
public struct AdapterEntry: Sendable, Equatable {
    public var path: String
    public var baseModel: String
    public var rank: Int?
    /// The optimiser step of a `checkpoint-N`, nil for the end of a run.
    public var step: Int?
    /// The last training loss up to here, and the evaluation loss where there was one.
    public var loss: Double?
    public var evaluationLoss: Double?
    /// Seconds since 1970.
    public var modified: Double

    public init(
        path: String, baseModel: String = "", rank: Int? = nil, step: Int? = nil, loss: Double? = nil, evaluationLoss: Double? = nil,
        modified: Double = 0
    ) {
        self.loss = loss
        self.evaluationLoss = evaluationLoss
        self.path = path
        self.baseModel = baseModel
        self.rank = rank
        self.step = step
        self.modified = modified
    }
}

/// A configuration file that can be loaded.
public struct RecipeEntry: Sendable, Equatable {
    public var path: String
    /// The first comment line of the file, if it has one.
    public var summary: String

    public init(path: String, summary: String = "") {
        self.path = path
        self.summary = summary
    }
}

/// A run directory under `saves/`.
public struct RunEntry: Sendable, Equatable {
    public var directory: String
    public var kind: JobKind
    public var state: JobState
    /// True when a process (this or another) works on it now.
    public var isAlive: Bool
    /// True when this very process works on it.
    public var isOurs: Bool
    public var step: Int
    public var totalSteps: Int
    /// The lowest evaluation loss, or the lowest training loss of a run without evaluations.
    public var bestLoss: Double?
    public var lastLoss: Double?
    /// Seconds since 1970.
    public var modified: Double
    /// The configuration file kept in the directory, from which it can be resumed; nil when there is none.
    public var configurationPath: String?
    /// The latest complete checkpoint, nil when there is none.
    public var checkpoint: String?
    /// The steps of all complete checkpoints; nil where nobody has looked.
    public var checkpointSteps: [Int]?

    public init(
        directory: String, kind: JobKind = .train, state: JobState, isAlive: Bool = false, isOurs: Bool = false, step: Int = 0,
        totalSteps: Int = 0, bestLoss: Double? = nil, lastLoss: Double? = nil, modified: Double = 0,
        configurationPath: String? = nil, checkpoint: String? = nil, checkpointSteps: [Int]? = nil
    ) {
        self.directory = directory
        self.kind = kind
        self.state = state
        self.isAlive = isAlive
        self.isOurs = isOurs
        self.step = step
        self.totalSteps = totalSteps
        self.bestLoss = bestLoss
        self.lastLoss = lastLoss
        self.modified = modified
        self.configurationPath = configurationPath
        self.checkpoint = checkpoint
        self.checkpointSteps = checkpointSteps
    }
}

/// One row of the evaluation results table.
public struct ResultEntry: Sendable, Equatable {
    public var directory: String
    public var values: [NamedValue]
    public var modified: Double

    public init(directory: String, values: [NamedValue], modified: Double = 0) {
        self.directory = directory
        self.values = values
        self.modified = modified
    }

    public func value(_ name: String) -> Double? { values.first { $0.name == name }?.value }
}

/// What was found on disk, for the pickers and the run list.
public struct Catalog: Sendable, Equatable {
    public var models: [ModelEntry] = []
    public var datasets: [DatasetEntry] = []
    /// The `dataset_dir` that `datasets` belongs to.
    public var datasetDirectory = ""
    public var adapters: [AdapterEntry] = []
    public var recipes: [RecipeEntry] = []
    public var runs: [RunEntry] = []
    /// Folders that other processes of this machine write to, as absolute paths, and which processes.
    public var usedFolders: [String: Int32] = [:]
    /// The forms' folders outside of `saves/` that were looked at as well.
    public var outputs: [String] = []
    public var results: [ResultEntry] = []
    /// The names of the prompt templates.
    public var templates: [String] = []
    /// False until the first scan is done.
    public var isScanned = false

    public init() {}
}
