/// The data of a run as its loop wants it: micro-batches by their place, evaluation samples by ranges, and the counts for the plan.

import Configuration
import Datasets
import Evaluation
import Models

struct TrainingData {
    var training: any BatchSource
    var sampleCount: Int
    /// Tokens of all training samples.
    var tokenCount: Int
    var evaluations: [EvaluatedSet]
    var report: DatasetReport
    /// The counts are those of the first rows of a stream.
    var isStream = false
    /// Of a stream: some of its first batches, the largest of those that were looked at among them.
    var surveyed: [Batch]?

    static func load(_ configuration: Configuration, _ settings: TrainingSettings, text: TextSetup) throws -> TrainingData {
        if configuration[.streaming] { return try stream(configuration, settings, text: text) }
        let loaded = try text.loader().load()
        guard loaded.train.unitCount > 0 else {
            throw TrainingError.noTrainingSamples(reason: "no sample is left of dataset \(configuration.text("dataset")).")
        }
        return TrainingData(
            training: try planner(loaded.train, configuration, settings), sampleCount: loaded.train.unitCount, tokenCount: loaded.report.tokens,
            evaluations: EvaluatedSet.all(loaded.evaluation), report: loaded.report)
    }

    /// The same samples in batches of the settings' size.
    func rebatched(_ configuration: Configuration, _ settings: TrainingSettings) throws -> TrainingData {
        if let stream = training as? StreamSource {
            return try Self.streamed(
                try stream.batches.restarted(batchSize: settings.batchSize), settings, evaluations: evaluations)
        }
        guard let batches = training as? BatchPlanner else { return self }
        var data = self
        data.training = try Self.planner(batches.store, configuration, settings)
        return data
    }

    /// How many of a stream's batches the plan looks at.
    private static let surveyedBatches = 64

    private static func stream(_ configuration: Configuration, _ settings: TrainingSettings, text: TextSetup) throws -> TrainingData {
        guard settings.maximumSteps > 0 else {
            throw TrainingError.missingArgument("max_steps", reason: "streaming needs it, because nobody knows where the data end.")
        }
        let seed = configuration[.dataSeed] ?? configuration[.seed]
        let loaded = try text.loader().stream(
            batchSize: settings.batchSize, shuffles: order(configuration) != .sequential, dropsLast: configuration[.dataloaderDropLast],
            seed: UInt64(bitPattern: Int64(seed)))
        return try streamed(loaded.train, settings, evaluations: EvaluatedSet.all(loaded.evaluation))
    }

    private static func streamed(
        _ batches: StreamedBatches, _ settings: TrainingSettings, evaluations: [EvaluatedSet]
    ) throws -> TrainingData {
        let count = settings.maximumSteps * settings.batchesPerStep
        let (report, first) = try batches.survey(batches: min(surveyedBatches, count))
        let samples = count * settings.batchSize
        let tokens = report.samples > 0 ? Double(report.tokens) / Double(report.samples) * Double(samples) : 0
        return TrainingData(
            training: StreamSource(batches, count: count), sampleCount: samples, tokenCount: Int(min(tokens, 1e15)), evaluations: evaluations,
            report: report, isStream: true, surveyed: first)
    }

    private static func planner(
        _ store: SampleStore, _ configuration: Configuration, _ settings: TrainingSettings
    ) throws(TrainingError) -> BatchPlanner {
        let seed = configuration[.dataSeed] ?? configuration[.seed]
        let planner = BatchPlanner(
            store: store, batchSize: settings.batchSize, seed: UInt64(bitPattern: Int64(seed)), order: order(configuration),
            dropsLast: configuration[.dataloaderDropLast])
        guard planner.batchesPerEpoch > 0 else {
            throw .noTrainingSamples(
                reason: "\(store.unitCount) samples fill no batch of \(settings.batchSize), "
                    + "and dataloader_drop_last leaves out the rest.")
        }
        return planner
    }

    private static func order(_ configuration: Configuration) -> BatchPlanner.Order {
        if configuration[.disableShuffling] || configuration[.trainSamplingStrategy] == "sequential" { return .sequential }
        return configuration[.trainSamplingStrategy] == "group_by_length" ? .groupedByLength : .random
    }

    /// Refuses tokens and positions that the model does not have.
    func check(for spec: ArchitectureSpec) throws {
        // What streams in is checked step by step.
        for index in 0..<(isStream ? 0 : training.batchesPerEpoch) { try VocabularyCheck.check(training.batch(epoch: 0, index: index), spec: spec) }
        for set in evaluations {
            try set.check(for: spec)
        }
    }

    /// Micro-batches that memory is planned with: the first few, and the one that holds the most tokens.
    /// - Parameter count: micro-batches of the whole run; those of the first pass stand for all passes.
    func plannedBatches(of count: Int) throws -> [Batch] {
        if let surveyed { return surveyed }
        var first: [Batch] = [], largest: Batch?
        for index in 0..<max(1, min(count, training.batchesPerEpoch)) {
            let batch = try training.batch(epoch: 0, index: index)
            if first.count < 8 { first.append(batch) }
            if batch.tokens.count > largest?.tokens.count ?? -1 { largest = batch }
        }
        return first + (largest.map { [$0] } ?? [])
    }
}

extension BatchPlanner: BatchSource {}
