/// Label of a token that carries no loss.
public let ignoredLabel: Int32 = -100

/// Token ids and what is learnt at each of them: the id itself, or -100.
public struct TrainingSample: Sendable, Equatable {
    public var tokens: [Int32]
    public var labels: [Int32]

    public init(tokens: [Int32], labels: [Int32]) {
        self.tokens = tokens
        self.labels = labels
    }

    public var count: Int { tokens.count }
    /// Labels that carry loss once they are shifted: the first has nothing before it.
    public var lossTokenCount: Int { labels.dropFirst().reduce(0) { $0 + ($1 == ignoredLabel ? 0 : 1) } }
}

/// One row to generate from: the prompt and what is expected.
public struct PredictionRow: Sendable, Equatable {
    public var promptTokens: [Int32]
    public var labelTokens: [Int32]
    /// The prompt as text, special tokens kept.
    public var promptText: String
    /// The expected answer as text.
    public var labelText: String
    public var row: Int
}

/// What came out of reading data sets. Nothing is dropped without being counted here.
public struct DatasetReport: Sendable, Equatable {
    public struct Part: Sendable, Equatable {
        public var name: String
        public var rowsRead = 0
        public var kept = 0
        public var truncated = 0
        public var dropped = 0

        public init(name: String) { self.name = name }
    }

    public var parts: [Part] = []
    /// The first problems, at most `problemLimit`; `dropped` counts all.
    public var problems: [RowProblem] = []
    public static let problemLimit = 100
    /// Problems that are told one by one.
    static let toldLimit = 5

    public var samples = 0
    public var tokens = 0
    public var lossTokens = 0
    public var truncated = 0
    public var dropped = 0
    /// Samples without one token that carries loss.
    public var fullyMasked = 0
    public var longest = 0
    /// Tokens at the end of a pre-training text that fill no block.
    public var droppedTailTokens = 0

    public init() {}

    /// One line for people.
    public var summary: String {
        var text = "\(samples) \(samples == 1 ? "sample" : "samples"), \(tokens) tokens, \(lossTokens) of them learnt, longest \(longest)"
        if truncated > 0 { text += ", \(truncated) cut" }
        if dropped > 0 { text += ", \(dropped) \(dropped == 1 ? "row" : "rows") left out" }
        if fullyMasked > 0 { text += ", \(fullyMasked) with nothing to learn" }
        if droppedTailTokens > 0 { text += ", \(droppedTailTokens) tokens too few for a last block" }
        return text
    }

    /// How many rows were left out beside those that are told one by one; nil for none.
    var untold: String? {
        let more = dropped - DatasetReport.toldLimit
        return more > 0 ? "Left out: \(more) more \(more == 1 ? "row" : "rows")" : nil
    }

    /// - Parameter isLearnt: false where no sample carries labels, as with questions alone.
    mutating func count(_ sample: TrainingSample, isLearnt: Bool = true) {
        samples += 1
        tokens += sample.count
        let learnt = sample.lossTokenCount
        lossTokens += learnt
        if learnt == 0, isLearnt { fullyMasked += 1 }
        longest = max(longest, sample.count)
    }

    /// Two sequences that are one sample.
    mutating func count(_ first: TrainingSample, _ second: TrainingSample) {
        count(first)
        tokens += second.count
        lossTokens += second.lossTokenCount
        longest = max(longest, second.count)
    }

    mutating func keep(_ dataset: Int, isTruncated: Bool) {
        parts[dataset].kept += 1
        if isTruncated {
            truncated += 1
            parts[dataset].truncated += 1
        }
    }

    mutating func add(_ problem: RowProblem) {
        dropped += 1
        if problems.count < DatasetReport.problemLimit { problems.append(problem) }
    }

    mutating func merge(_ other: DatasetReport) {
        parts += other.parts
        problems = Array((problems + other.problems).prefix(DatasetReport.problemLimit))
        samples += other.samples
        tokens += other.tokens
        lossTokens += other.lossTokens
        truncated += other.truncated
        dropped += other.dropped
        fullyMasked += other.fullyMasked
        longest = max(longest, other.longest)
        droppedTailTokens += other.droppedTailTokens
    }
}
