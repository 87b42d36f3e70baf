/// Samples to be evaluated as the evaluator wants them: ranges of them as batches.

import Configuration
import Datasets
import Models

public struct EvaluatedSet {
    /// The data set's name where each is evaluated apart; nil where all are one.
    public var name: String?
    public var count: Int
    /// Some samples, side by side and unpadded.
    public var batch: (Range<Int>) throws -> Batch

    public init(name: String?, count: Int, batch: @escaping (Range<Int>) throws -> Batch) {
        self.name = name
        self.count = count
        self.batch = batch
    }

    public init(name: String?, store: SampleStore) {
        self.init(name: name, count: store.unitCount) { store.batch(units: Array($0)) }
    }

    public static func all(_ sets: [(name: String?, store: SampleStore)]) -> [EvaluatedSet] {
        sets.filter { $0.store.unitCount > 0 }.map { EvaluatedSet(name: $0.name, store: $0.store) }
    }

    /// What a configuration evaluates on: the part of `dataset` that `val_size` holds back, or the whole of `eval_dataset`, or of
    /// `dataset`. Throws when that is nothing.
    public static func configured(_ configuration: Configuration, _ text: TextSetup) throws -> [EvaluatedSet] {
        let loader = try text.loader()
        let holdsBack = configuration[.evalDataset].isEmpty && configuration[.valSize] > 1e-6
        let sets = all(holdsBack ? try loader.load().evaluation : try loader.loadForEvaluation().sets)
        guard !sets.isEmpty else { throw EvaluationError.noSamples(reason: "eval_dataset and val_size name no sample.") }
        return sets
    }

    /// Refuses tokens that the model's embedding does not have.
    public func check(for spec: ArchitectureSpec) throws {
        for index in 0..<count { try VocabularyCheck.check(batch(index..<index + 1), spec: spec) }
    }

    public static func check(_ sets: [EvaluatedSet], _ model: Transformer) throws {
        for set in sets { try set.check(for: model.spec) }
    }

    /// `eval_` or `eval_<name>_`, what its metrics' names begin with.
    public var prefix: String { "eval_" + (name.map { $0 + "_" } ?? "") }
}
