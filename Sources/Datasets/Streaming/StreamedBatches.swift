import Formats
import Platform
import Tokenizers

/// Micro-batches out of data that is read while it is used, pass after pass without an end. Rows are tokenised when their batch is
/// made; a batch depends on its number and the seed alone, and a resumed run finds its place by passing over the rows before it
/// without reading them.
public final class StreamedBatches: @unchecked Sendable {
    /// The place in front of something: a pass, the rows drawn in it before, and for joined documents the tokens of the next row that
    /// are used already.
    struct Cursor: Equatable {
        var pass = 0
        var draws = 0
        var offset = 0
    }

    struct Settings {
        var batchSize: Int
        /// Rows that are shuffled at a time; 0 keeps their order.
        var bufferSize: Int
        var seed: UInt64
        var dropsLast: Bool
        /// Tokens of a pack; nil where samples stand alone.
        var packCapacity: Int?
    }

    private struct Item {
        var start: Cursor
        var dataset: Int
        var outcome: RowOutcome
    }

    let sets: [StreamedSet]
    let reader: RowReader
    let mixing: StreamMixing
    let settings: Settings
    let held: Set<StreamedRow>
    private let log: @Sendable (String) -> Void

    private var rows: StreamedPass
    private var place = Cursor()
    /// Items that are read and not used yet.
    private var waiting: [Item] = []
    /// A judged answer that waits for one to another question.
    private var judged: (start: Cursor, row: StreamedRow, feedback: Feedback)?
    /// Tokens of documents that fill no block yet, and where each stretch of them begins.
    private var pending: [Int32] = []
    private var pendingStarts: [(start: Cursor, count: Int)] = []
    private var usedInPass = 0
    private var batchesInPass = 0

    private var nextIndex = 0
    /// Where batches begin; the latest ones.
    private var marks: [Int: Cursor] = [0: Cursor()]
    private static let keptMarks = 1024
    /// What has been read so far, counted.
    private(set) var report = DatasetReport()

    init(
        sets: [StreamedSet], reader: RowReader, mixing: StreamMixing, settings: Settings, held: Set<StreamedRow>,
        log: @escaping @Sendable (String) -> Void
    ) throws(DatasetError) {
        self.sets = sets
        self.reader = reader
        self.mixing = mixing
        self.settings = settings
        self.held = held
        self.log = log
        report.parts = sets.map { DatasetReport.Part(name: $0.entry.name) }
        rows = try StreamedPass(sets, mixing: mixing, capacity: settings.bufferSize, seed: settings.seed, pass: 0, held: held)
    }

    /// The same stream from its beginning, in batches of another size.
    public func restarted(batchSize: Int) throws(DatasetError) -> StreamedBatches { try restarted(batchSize, log: log) }

    private func restarted(_ batchSize: Int, log: @escaping @Sendable (String) -> Void) throws(DatasetError) -> StreamedBatches {
        var changed = settings
        changed.batchSize = batchSize
        return try StreamedBatches(sets: sets, reader: reader, mixing: mixing, settings: changed, held: held, log: log)
    }

    // MARK: Batches

    /// Batches are quickest in their order; an earlier or a far later one makes the stream begin again.
    /// - Parameter index: counted from 0 over all passes.
    public func batch(index: Int) throws(DatasetError) -> Batch {
        if index != nextIndex {
            let known = marks.keys.filter { $0 <= index }.max() ?? 0
            if index < nextIndex || known > nextIndex { try go(to: known) }
            while nextIndex < index { _ = try make() }
        }
        return try make()
    }

    private func make() throws(DatasetError) -> Batch {
        while true {
            let start = position
            let store = try units()
            guard let store, !(settings.dropsLast && store.unitCount < settings.batchSize) else {
                try endPass()
                continue
            }
            marks[nextIndex] = start
            nextIndex += 1
            batchesInPass += 1
            marks[nextIndex] = position
            marks[nextIndex - Self.keptMarks] = nil
            return store.batch(units: Array(0..<store.unitCount))
        }
    }

    /// What the next batch begins with.
    private var position: Cursor {
        if let first = pendingStarts.first { return first.start }
        return waiting.first?.start ?? judged?.start ?? place
    }

    /// The samples of a batch, fewer at the end of a pass; nil when there are none.
    private func units() throws(DatasetError) -> SampleStore? {
        var data = SampleData()
        var packs: [[Int]]?
        if case .blocks = reader.kind {
            while data.entries.count < settings.batchSize, let block = try block() { data.append(block) }
        } else if let capacity = settings.packCapacity {
            packs = []
            while let count = packs?.count, count < settings.batchSize, let pack = try pack(capacity, into: &data) { packs?.append(pack) }
        } else {
            var taken = 0
            while taken < settings.batchSize, let item = try next() {
                add(item.outcome, to: &data)
                taken += 1
            }
        }
        guard !data.entries.isEmpty else { return nil }
        return SampleStore(
            entries: data.entries, memory: data.values, mapping: nil, packs: packs, arrangement: reader.kind.arrangement)
    }

    private func add(_ outcome: RowOutcome, to data: inout SampleData) {
        switch outcome {
        case .sample(let sample, _): data.append(sample)
        case .two(let first, let second, let isDesirable, _):
            data.append(first, isDesirable: isDesirable)
            data.append(second)
        case .problem: break
        }
    }

    /// Samples one after the other until the next one does not fit.
    private func pack(_ capacity: Int, into data: inout SampleData) throws(DatasetError) -> [Int]? {
        var pack: [Int] = [], room = capacity
        while let item = try next() {
            guard case .sample(let sample, _) = item.outcome else { continue }
            if !pack.isEmpty, sample.count > room {
                waiting.insert(item, at: 0)
                break
            }
            pack.append(data.entries.count)
            room -= sample.count
            data.append(sample)
        }
        return pack.isEmpty ? nil : pack
    }

    private func block() throws(DatasetError) -> TrainingSample? {
        let length = reader.builder.settings.cutoffLength
        while pending.count < length, let item = try next() {
            guard case .sample(let sample, _) = item.outcome else { continue }
            var start = item.start
            // The first document after a resumption may be used in part.
            let used = min(start.offset, sample.count)
            start.offset = used
            pending += sample.tokens[used...]
            pendingStarts.append((start, sample.count - used))
        }
        guard pending.count >= length else { return nil }
        var tokens = Array(pending.prefix(length))
        pending.removeFirst(length)
        var left = length
        while let first = pendingStarts.first, left > 0 {
            if first.count <= left {
                pendingStarts.removeFirst()
                left -= first.count
            } else {
                pendingStarts[0].start.offset += left
                pendingStarts[0].count -= left
                left = 0
            }
        }
        if case .blocks(startsWithBOS: true) = reader.kind, let bos = reader.builder.tokenizer.bosID { tokens[0] = bos }
        return TrainingSample(tokens: tokens, labels: tokens)
    }

    // MARK: Rows

    /// The next row that can be used; nil at the end of the pass.
    private func next() throws(DatasetError) -> Item? {
        if !waiting.isEmpty { return waiting.removeFirst() }
        while let row = try rows.next() {
            let start = place
            place.draws += 1
            place.offset = 0
            if place.pass == 0 { report.parts[row.dataset].rowsRead += 1 }
            do throws(RowFault) {
                guard let item = try read(row, start) else { continue }
                usedInPass += 1
                if place.pass == 0 { count(item) }
                return item
            } catch {
                note(row, error.reason)
            }
        }
        return nil
    }

    private func read(_ row: StreamedRow, _ start: Cursor) throws(RowFault) -> Item? {
        let set = sets[row.dataset]
        let value = try set.value(row)
        guard reader.kind == .feedback else {
            return Item(start: start, dataset: row.dataset, outcome: try reader.read(value, set.converter) { nil })
        }
        // An answer is judged when the next one is known: it is the answer to another question. The last of a pass is only that.
        let feedback = try set.converter.feedback(value)
        let earlier = judged
        judged = (start, row, feedback)
        guard let earlier else { return nil }
        do throws(RowFault) {
            let result = try reader.builder.feedback(earlier.feedback, otherAnswer: feedback.answer)
            let outcome = RowOutcome.two(
                result.sample, result.mismatched, isDesirable: earlier.feedback.isDesirable, isTruncated: result.isTruncated)
            return Item(start: earlier.start, dataset: earlier.row.dataset, outcome: outcome)
        } catch {
            // Which of the two cannot be used? With its own answer alone the earlier one says it.
            do throws(RowFault) { _ = try reader.builder.feedback(earlier.feedback, otherAnswer: earlier.feedback.answer) } catch {
                note(earlier.row, error.reason)
                return nil
            }
            judged = earlier
            throw error
        }
    }

    private func count(_ item: Item) {
        switch item.outcome {
        case .sample(let sample, let isTruncated):
            report.keep(item.dataset, isTruncated: isTruncated)
            if case .blocks = reader.kind {
                report.count(TrainingSample(tokens: sample.tokens, labels: sample.tokens))
            } else {
                report.count(sample, isLearnt: reader.kind != .prompts)
            }
        case .two(let first, let second, _, let isTruncated):
            report.keep(item.dataset, isTruncated: isTruncated)
            report.count(first, second)
        case .problem: break
        }
    }

    private func note(_ row: StreamedRow, _ reason: String) {
        guard place.pass == 0 else { return }
        report.parts[row.dataset].dropped += 1
        let problem = sets[row.dataset].problem(row, reason)
        report.add(problem)
        if report.dropped <= DatasetReport.toldLimit { log("Left out: \(problem)") }
    }

    // MARK: Passes and places

    private func endPass() throws(DatasetError) {
        if place.pass == 0, let rest = report.untold { log(rest) }
        if usedInPass == 0, place.draws > 0 || batchesInPass == 0 {
            throw .nothingUsable(dataset: sets.map(\.entry.name).joined(separator: ", "), rows: place.draws, problems: report.problems)
        }
        if batchesInPass == 0, place.pass > 0 {
            throw .badSetting(
                argument: "streaming", reason: "a pass over the data (\(place.draws) rows) fills no batch of \(settings.batchSize); "
                    + "lower per_device_train_batch_size or cutoff_len, or leave dataloader_drop_last out")
        }
        try begin(Cursor(pass: place.pass + 1))
    }

    private func begin(_ cursor: Cursor) throws(DatasetError) {
        rows = try StreamedPass(
            sets, mixing: mixing, capacity: settings.bufferSize, seed: settings.seed, pass: cursor.pass, held: held)
        for _ in 0..<cursor.draws {
            if try rows.next() == nil { break }
        }
        place = cursor
        waiting = []
        judged = nil
        pending = []
        pendingStarts = []
        usedInPass = 0
        batchesInPass = 0
    }

    private func go(to index: Int) throws(DatasetError) {
        try begin(marks[index] ?? Cursor())
        // Rows before the cursor were of use.
        if place.draws > 0 { (usedInPass, batchesInPass) = (1, 1) }
        nextIndex = index
    }

    /// What a checkpoint keeps so that the stream goes on in front of this batch.
    public func memory(before index: Int) -> JSONObject {
        guard let cursor = marks[index] else { return [:] }
        return JSONObject([
            ("batch", .integer(index)), ("pass", .integer(cursor.pass)), ("draws", .integer(cursor.draws)), ("offset", .integer(cursor.offset)),
        ])
    }

    /// Goes on from what `memory` gave.
    public func restore(_ memory: JSONObject) {
        guard let index = memory["batch"]?.intValue, let pass = memory["pass"]?.intValue, let draws = memory["draws"]?.intValue,
            let offset = memory["offset"]?.intValue, index >= 0, pass >= 0, draws >= 0, offset >= 0
        else { return }
        marks[index] = Cursor(pass: pass, draws: draws, offset: offset)
    }

    // MARK: Looking ahead

    /// Looks at the first batches of the stream, for the plan.
    /// - Returns: their counts, the first few of them, and the largest at the end.
    public func survey(batches: Int) throws(DatasetError) -> (report: DatasetReport, batches: [Batch]) {
        let probe = try restarted(settings.batchSize, log: { _ in })
        var first: [Batch] = [], largest = Batch()
        for index in 0..<max(1, batches) {
            let batch = try probe.batch(index: index)
            if first.count < 8 { first.append(batch) }
            if batch.tokens.count > largest.tokens.count { largest = batch }
            if probe.place.pass > 0 { break }
        }
        return (probe.report, first + [largest])
    }

    /// The first rows of a pass of their own, to be held back from the training.
    static func firstRows(
        _ count: Int, of sets: [StreamedSet], mixing: StreamMixing, capacity: Int, seed: UInt64
    ) throws(DatasetError) -> [StreamedRow] {
        var pass = try StreamedPass(sets, mixing: mixing, capacity: capacity, seed: seed, pass: -1, held: [])
        var rows: [StreamedRow] = []
        while rows.count < count, let row = try pass.next() { rows.append(row) }
        return rows
    }
}
