import Formats
import Platform

/// A row of a stream: which data set, which of its files, and where in it.
struct StreamedRow: Sendable, Equatable, Hashable {
    var dataset: Int
    var file: Int
    var start: Int
    var end: Int
    var line: Int
}

/// A data set whose rows are found while they are used: the files are mapped, and only as much of them is read as is needed.
final class StreamedSet: @unchecked Sendable {
    let entry: DatasetEntry
    let converter: RowConverter
    let files: [RowFile]

    init(_ entry: DatasetEntry) throws(DatasetError) {
        if entry.sampleCount != nil || entry.share != nil {
            throw .badSetting(
                argument: "streaming",
                reason: "\(entry.name) asks for a part of its rows, and nobody knows how many a stream has; leave num_samples and @ out")
        }
        self.entry = entry
        converter = RowConverter(entry: entry)
        var files: [RowFile] = []
        for path in entry.files { files.append(try RowFile(path: path, limit: 0)) }
        self.files = files
    }

    func value(_ row: StreamedRow) throws(RowFault) -> JSONValue {
        guard files.indices.contains(row.file) else { throw RowFault("its file is gone") }
        let file = files[row.file]
        guard row.start >= 0, row.start <= row.end, row.end <= file.byteCount else { throw RowFault("its file is shorter than it was") }
        let span = RowSpan(start: row.start, end: row.end, line: row.line)
        do { return try file.value(span) } catch { throw RowFault(error.reason(onLine: row.line)) }
    }

    /// Files have no numbered rows here, so a problem is told by its line.
    func problem(_ row: StreamedRow, _ reason: String) -> RowProblem {
        RowProblem(file: files.indices.contains(row.file) ? files[row.file].path : entry.name, row: nil, line: row.line, reason: reason)
    }
}

/// The rows of a streamed data set, file after file.
struct StreamedSupply: RowSupply {
    private let set: StreamedSet
    private let dataset: Int
    private var file = 0
    private var scanner: RowScanner?

    init(_ set: StreamedSet, dataset: Int) {
        self.set = set
        self.dataset = dataset
    }

    mutating func next() throws(DatasetError) -> StreamedRow? {
        while file < set.files.count {
            if scanner == nil { scanner = try set.files[file].scanner() }
            if let span = try scanner?.next() {
                return StreamedRow(dataset: dataset, file: file, start: span.start, end: span.end, line: span.line)
            }
            scanner = nil
            file += 1
        }
        return nil
    }

    mutating func restart() {
        file = 0
        scanner = nil
    }
}

/// One pass over all data sets in the order in which rows are used: mixed, then shuffled through a buffer as Hugging Face's
/// `IterableDataset.shuffle` does it. The buffer is filled; then each row that comes takes the place of one that is drawn from it;
/// what is left at the end is shuffled.
struct StreamedPass {
    private var mixer: RowMixer<StreamedSupply>
    private let capacity: Int
    private var random: RandomGenerator
    private var buffer: [StreamedRow] = []
    private var isDraining = false
    /// Rows that are held back for evaluation.
    private let held: Set<StreamedRow>

    /// - Parameter capacity: rows in the buffer; 0 keeps their order.
    init(
        _ sets: [StreamedSet], mixing: StreamMixing, capacity: Int, seed: UInt64, pass: Int, held: Set<StreamedRow>
    ) throws(DatasetError) {
        mixer = try RowMixer(
            sets.indices.map { StreamedSupply(sets[$0], dataset: $0) }, strategy: mixing.strategy, weights: mixing.weights, seed: mixing.seed)
        self.capacity = capacity
        self.held = held
        random = RandomGenerator(seed: seed, stream: 0x5354_524D_0000_0000 | UInt64(truncatingIfNeeded: pass + 1))
    }

    mutating func next() throws(DatasetError) -> StreamedRow? {
        if capacity == 0 { return try fresh() }
        while !isDraining {
            guard let row = try fresh() else {
                isDraining = true
                random.shuffle(&buffer)
                break
            }
            guard buffer.count == capacity else {
                buffer.append(row)
                continue
            }
            let place = random.index(below: capacity)
            let drawn = buffer[place]
            buffer[place] = row
            return drawn
        }
        return buffer.popLast()
    }

    private mutating func fresh() throws(DatasetError) -> StreamedRow? {
        while let row = try mixer.next() {
            if held.isEmpty || !held.contains(row) { return row }
        }
        return nil
    }
}

/// How streams are joined.
struct StreamMixing: Sendable {
    var strategy: RowSelection.Strategy
    var weights: [Double]?
    var seed: UInt64
}
