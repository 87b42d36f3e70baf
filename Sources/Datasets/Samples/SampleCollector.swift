import Tokenizers

/// Gathers what rows gave: samples, documents joined to blocks, and the count of both and of what was left out.
struct SampleCollector {
    private(set) var report: DatasetReport
    private var data = SampleData()
    private var joiner: BlockJoiner?
    private let learnsAnswers: Bool

    /// - Parameter report: of the rows before these, or with the names of the data sets alone.
    init(_ kind: Tokenisation.Kind, builder: SampleBuilder, report: DatasetReport) {
        self.report = report
        learnsAnswers = kind != .prompts
        guard case .blocks(let startsWithBOS) = kind else { return }
        joiner = BlockJoiner(length: builder.settings.cutoffLength, firstToken: startsWithBOS ? builder.tokenizer.bosID : nil)
    }

    /// - Parameter problem: the row that cannot be used, for a reason.
    mutating func add(_ outcome: RowOutcome, dataset: Int, problem: (String) -> RowProblem) {
        report.parts[dataset].rowsRead += 1
        switch outcome {
        case .problem(let reason):
            report.parts[dataset].dropped += 1
            report.add(problem(reason))
        case .sample(let sample, let isTruncated):
            report.keep(dataset, isTruncated: isTruncated)
            guard joiner == nil else {
                joiner?.append(sample.tokens)
                return
            }
            report.count(sample, isLearnt: learnsAnswers)
            data.append(sample)
        case .two(let first, let second, let isDesirable, let isTruncated):
            report.keep(dataset, isTruncated: isTruncated)
            report.count(first, second)
            data.append(first, isDesirable: isDesirable)
            data.append(second)
        }
    }

    /// The samples since the last call. Blocks come once all rows are in.
    mutating func taken() -> SampleData {
        defer { data = SampleData() }
        return data
    }

    /// Joins no further documents and makes their blocks.
    mutating func finish() {
        guard let (blocks, left) = joiner?.finish() else { return }
        joiner = nil
        report.droppedTailTokens = left
        for block in blocks {
            report.count(block)
            data.append(block)
        }
    }
}
