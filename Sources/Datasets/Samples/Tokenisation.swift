import Formats
import Platform
import Tokenizers

/// Rows to samples, many rows at a time on several threads; the order of the rows is kept whatever the threads do.
struct Tokenisation: Sendable {
    enum Kind: Sendable, Equatable {
        case supervised
        /// One sample per document.
        case documents(startsWithBOS: Bool)
        /// Documents joined and cut into blocks of the cutoff length.
        case blocks(startsWithBOS: Bool)
        /// A better and a worse answer to one question.
        case pairs
        /// A judged answer, and one to another question beside it.
        case feedback
        /// Questions alone.
        case prompts

        var arrangement: SampleStore.Arrangement {
            switch self {
            case .supervised, .documents, .blocks, .prompts: .single
            case .pairs: .pairs
            case .feedback: .feedback
            }
        }
    }

    let sets: [DatasetRows]
    let builder: SampleBuilder
    let kind: Kind
    let threads: Int
    /// Called between portions: rows done, rows in all.
    let progress: @Sendable (Int, Int) -> Void

    static let portion = 2000
    /// Within so many rows KTO's mismatched answers are passed on, as LLaMA-Factory's batches of rows do by default.
    static let mismatchBlock = 1000

    /// All samples of `rows`, in memory or in the cache.
    func run(_ rows: [RowReference], cache: SampleCache?) throws(DatasetError) -> (store: SampleStore, report: DatasetReport) {
        var state = SampleCache.State()
        if let cache {
            if let found = cache.load() {
                if found.isComplete { return (try cache.open(found, arrangement: kind.arrangement), found.report) }
                state = found
            } else {
                do { try FileSystem.createDirectory(cache.directory) } catch {
                    throw .cannotWriteCache(path: cache.directory, reason: error.description)
                }
                cache.remove()
            }
        }
        if state.report.parts.isEmpty { state.report.parts = sets.map { DatasetReport.Part(name: $0.entry.name) } }
        var memory = SampleData()
        // Blocks reach over portions, so a cache of them is written at once, at the end.
        let isBlocks: Bool
        if case .blocks = kind { isBlocks = true } else { isBlocks = false }
        if isBlocks { state = SampleCache.State(report: DatasetReport(parts: state.report.parts.map { DatasetReport.Part(name: $0.name) })) }
        var collector = SampleCollector(kind, builder: builder, report: state.report)
        while state.rowsDone < rows.count {
            let end = min(state.rowsDone + Tokenisation.portion, rows.count)
            let part = Array(rows[state.rowsDone..<end])
            for (reference, outcome) in zip(part, outcomes(part)) {
                collector.add(outcome, dataset: reference.dataset) { sets[reference.dataset].problem(reference.row, $0) }
            }
            let data = collector.taken()
            state.report = collector.report
            if let cache, !isBlocks {
                try cache.append(data, after: state)
                state.dataBytes += Int64(data.values.count * 4)
            } else {
                memory.append(data)
            }
            state.samples += data.entries.count
            state.rowsDone = end
            if let cache, !isBlocks { try cache.commit(state) }
            progress(end, rows.count)
        }
        if isBlocks {
            collector.finish()
            state.report = collector.report
            memory = collector.taken()
            state.samples = memory.entries.count
        }
        guard let cache else {
            return (
                SampleStore(entries: memory.entries, memory: memory.values, mapping: nil, arrangement: kind.arrangement), state.report
            )
        }
        if isBlocks {
            try cache.append(memory, after: SampleCache.State())
            state.dataBytes = Int64(memory.values.count * 4)
        }
        state.isComplete = true
        try cache.commit(state)
        return (try cache.open(state, arrangement: kind.arrangement), state.report)
    }

    private func outcomes(_ rows: [RowReference]) -> [RowOutcome] {
        concurrentMap(rows.count, threads: threads, name: "tokenise") { outcome(rows, $0) }
    }

    private func outcome(_ rows: [RowReference], _ index: Int) -> RowOutcome {
        let reference = rows[index]
        let set = sets[reference.dataset]
        return RowReader(builder: builder, kind: kind).outcome(set.converter) { () throws(RowFault) in try set.value(reference.row) } otherAnswer: {
            otherAnswer(rows, index)
        }
    }

    /// The answer of the row before, the last one of its block for the first; rows that cannot be used are passed over.
    private func otherAnswer(_ rows: [RowReference], _ index: Int) -> ChatMessage? {
        let start = index / Tokenisation.mismatchBlock * Tokenisation.mismatchBlock
        let count = min(Tokenisation.mismatchBlock, rows.count - start)
        for distance in 1..<max(2, count) {
            let other = rows[start + (index - start - distance + count) % count]
            let set = sets[other.dataset]
            if let value = try? set.value(other.row), let feedback = try? set.converter.feedback(value) { return feedback.answer }
        }
        return nil
    }
}

/// Joins documents and cuts them into blocks. What is left at the end fills no block and is left out, unless it is all there is.
struct BlockJoiner {
    let length: Int
    /// Put in the place of each block's first token, for tokenizers that begin texts with one.
    let firstToken: Int32?
    private var pending: [Int32] = []
    private var blocks: [TrainingSample] = []

    init(length: Int, firstToken: Int32?) {
        self.length = max(1, length)
        self.firstToken = firstToken
    }

    mutating func append(_ tokens: [Int32]) {
        pending += tokens
        var start = 0
        while pending.count - start >= length {
            add(Array(pending[start..<start + length]))
            start += length
        }
        if start > 0 { pending.removeFirst(start) }
    }

    private mutating func add(_ tokens: [Int32]) {
        var tokens = tokens
        if let firstToken, !tokens.isEmpty { tokens[0] = firstToken }
        blocks.append(TrainingSample(tokens: tokens, labels: tokens))
    }

    mutating func finish() -> (blocks: [TrainingSample], left: Int) {
        if blocks.isEmpty, pending.count > 1 {
            add(pending)
            pending = []
        }
        return (blocks, pending.count)
    }
}

extension SampleData {
    mutating func append(_ other: SampleData) {
        let base = Int64(values.count)
        values += other.values
        entries += other.entries.map { SampleStore.Entry(offset: $0.offset + base, length: $0.length, flags: $0.flags) }
    }
}

extension DatasetReport {
    init(parts: [Part]) {
        self.init()
        self.parts = parts
    }
}
