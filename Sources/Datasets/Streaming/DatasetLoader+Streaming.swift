import Configuration
import Platform
import Tokenizers

/// The data of a run that reads them while it trains.
public struct StreamedDatasets: Sendable {
    public var train: StreamedBatches
    public var evaluation: [(name: String?, store: SampleStore)]
    public var evaluationReport: DatasetReport
}

extension DatasetLoader {
    /// `streaming`: batches of rows that are read as they are needed, shuffled `buffer_size` rows at a time.
    /// - Parameters:
    ///   - shuffles: false keeps the order of the files.
    ///   - seed: of the shuffling.
    public func stream(batchSize: Int, shuffles: Bool, dropsLast: Bool, seed: UInt64) throws(DatasetError) -> StreamedDatasets {
        let names = configuration[.dataset]
        if names.isEmpty { throw .noDataset(argument: "dataset") }
        if configuration[.tokenizedPath] != nil {
            throw .badSetting(argument: "tokenized_path", reason: "streamed data are not kept; leave it out, or streaming")
        }
        var sets: [StreamedSet] = []
        for name in names {
            sets.append(try StreamedSet(try StageRows(stage: configuration[.stage]).suited(try directory.entry(name))))
        }
        let mixing = StreamMixing(strategy: try mixStrategy(), weights: try mixWeights(setCount: sets.count), seed: self.seed)
        let capacity = shuffles ? configuration[.bufferSize] : 0
        guard let wanted = Int(exactly: configuration[.valSize].rounded(.down)) else {
            throw .badSetting(argument: "val_size", reason: "it is more than there can be rows")
        }
        let held = try StreamedBatches.firstRows(wanted, of: sets, mixing: mixing, capacity: capacity, seed: seed)
        let packs = kind == .supervised && (configuration[.packing] ?? false || configuration[.neatPacking])
        let train = try StreamedBatches(
            sets: sets, reader: RowReader(builder: sampleBuilder, kind: kind), mixing: mixing,
            settings: StreamedBatches.Settings(
                batchSize: batchSize, bufferSize: capacity, seed: seed, dropsLast: dropsLast,
                packCapacity: packs ? configuration[.cutoffLen] : nil),
            held: Set(held), log: log)
        var result = StreamedDatasets(train: train, evaluation: [], evaluationReport: DatasetReport())
        if wanted > 0 {
            let (store, report) = try heldBack(held, sets)
            result.evaluation = [(nil, store)]
            result.evaluationReport = report
        } else if !configuration[.evalDataset].isEmpty {
            (result.evaluation, result.evaluationReport) = try loadEvaluation(configuration[.evalDataset])
        }
        return result
    }

    private func heldBack(_ rows: [StreamedRow], _ sets: [StreamedSet]) throws(DatasetError) -> (store: SampleStore, report: DatasetReport) {
        let label = "the part held back", reader = RowReader(builder: sampleBuilder, kind: kind)
        var collector = SampleCollector(
            kind, builder: sampleBuilder, report: DatasetReport(parts: sets.map { DatasetReport.Part(name: $0.entry.name) }))
        for (index, row) in rows.enumerated() {
            let set = sets[row.dataset], other = rows[(index + 1) % rows.count]
            let outcome = reader.outcome(set.converter) { () throws(RowFault) in try set.value(row) } otherAnswer: {
                (try? sets[other.dataset].value(other)).flatMap { try? sets[other.dataset].converter.feedback($0).answer }
            }
            collector.add(outcome, dataset: row.dataset) { set.problem(row, $0) }
        }
        collector.finish()
        let report = collector.report, data = collector.taken()
        if report.samples == 0 { throw .nothingUsable(dataset: label, rows: rows.count, problems: report.problems) }
        tell(report, of: label)
        return (SampleStore(entries: data.entries, memory: data.values, mapping: nil, arrangement: kind.arrangement), report)
    }
}
