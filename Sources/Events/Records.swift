/// What a job says beside its numbers: log lines, checkpoints, progress, predictions and its end.

/// How much a log line matters. `output` is text that a library or the program printed and the board captured.
public enum LogLevel: String, Sendable, Equatable, CaseIterable {
    case debug, info, warning, error, output
}

/// One line of the running log.
public struct LogRecord: Sendable, Equatable {
    /// Seconds since 1970-01-01 UTC.
    public var time: Double
    public var level: LogLevel
    public var text: String

    public init(time: Double, level: LogLevel, text: String) {
        self.time = time
        self.level = level
        self.text = text
    }
}

/// A checkpoint that is complete on disk.
public struct CheckpointRecord: Sendable, Equatable {
    public var step: Int
    public var path: String
    public var bytes: Int64

    public init(step: Int, path: String, bytes: Int64) {
        self.step = step
        self.path = path
        self.bytes = bytes
    }
}

/// How far a phase other than training has come: tokenising, loading, merging. `total` is 0 while it is unknown.
public struct ProgressRecord: Sendable, Equatable {
    public var phase: String
    public var completed: Int
    public var total: Int
    public var detail: String

    public init(phase: String, completed: Int, total: Int, detail: String = "") {
        self.phase = phase
        self.completed = completed
        self.total = total
        self.detail = detail
    }
}

/// One generated answer beside the expected one.
public struct PredictionSample: Sendable, Equatable {
    public var index: Int
    public var prompt: String
    public var label: String
    public var prediction: String
    /// Scores of this sample by name, such as `bleu-4`.
    public var scores: [String: Double]

    public init(index: Int, prompt: String, label: String, prediction: String, scores: [String: Double] = [:]) {
        self.index = index
        self.prompt = prompt
        self.label = label
        self.prediction = prediction
        self.scores = scores
    }
}

/// A number with its name, in the order in which it is shown.
public struct NamedValue: Sendable, Equatable {
    public var name: String
    public var value: Double

    public init(_ name: String, _ value: Double) {
        self.name = name
        self.value = value
    }
}

/// What a job leaves behind when it ends well.
public struct JobSummary: Sendable, Equatable {
    public var values: [NamedValue]
    public var outputDirectory: String
    /// A sentence for people.
    public var text: String

    public init(values: [NamedValue] = [], outputDirectory: String = "", text: String = "") {
        self.values = values
        self.outputDirectory = outputDirectory
        self.text = text
    }
}

/// Why a job ended badly, and what the person can do about it.
public struct JobFailure: Error, Sendable, Equatable, CustomStringConvertible {
    public var what: String
    public var whatToDo: String

    public init(what: String, whatToDo: String = "") {
        self.what = what
        self.whatToDo = whatToDo
    }

    public var description: String { whatToDo.isEmpty ? what : what + " " + whatToDo }
}
