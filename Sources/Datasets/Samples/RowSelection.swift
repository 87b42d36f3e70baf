import Formats
import Platform

/// A row of one of several data sets.
struct RowReference: Sendable, Equatable {
    var dataset: Int
    var row: Int
}

/// The files of one data set as one list of rows.
final class DatasetRows: @unchecked Sendable {
    let entry: DatasetEntry
    let converter: RowConverter
    private let files: [RowFile]
    private let starts: [Int]
    let count: Int

    init(_ entry: DatasetEntry, limit: Int = .max) throws(DatasetError) {
        self.entry = entry
        converter = RowConverter(entry: entry)
        var files: [RowFile] = []
        var starts: [Int] = []
        var count = 0
        for path in entry.files {
            let file = try RowFile(path: path, limit: limit)
            starts.append(count)
            count += file.count
            files.append(file)
        }
        self.files = files
        self.starts = starts
        self.count = count
    }

    private func place(_ row: Int) -> (file: RowFile, index: Int) {
        var low = 0
        for (index, start) in starts.enumerated() where start <= row { low = index }
        return (files[low], row - starts[low])
    }

    func value(_ row: Int) throws(RowFault) -> JSONValue {
        let (file, index) = place(row)
        do { return try file.value(index) } catch { throw RowFault(error.reason(onLine: file.line(index))) }
    }

    func source(_ row: Int) -> String {
        let (file, index) = place(row)
        return file.source(index)
    }

    func problem(_ row: Int, _ reason: String) -> RowProblem {
        let (file, index) = place(row)
        return RowProblem(file: file.path, row: index + 1, line: file.line(index), reason: reason)
    }

    var byteCount: Int { files.reduce(0) { $0 + $1.byteCount } }
}

/// Which rows are used and in which order: limits, mixing, and the part held back for evaluation.
enum RowSelection {
    /// Rows of one data set after `num_samples` and `max_samples`.
    static func rows(_ dataset: Int, _ rows: DatasetRows, maximum: Int?, seed: UInt64) -> [RowReference] {
        var order = Array(0..<rows.count)
        if let wanted = rows.entry.sampleCount, wanted >= 0, rows.count > 0 {
            var random = RandomGenerator(seed: seed, stream: 0x5A_4D50)
            order = Array(random.permutation(rows.count).prefix(wanted))
            while order.count < wanted { order.append(random.index(below: rows.count)) }
        }
        if let share = rows.entry.share {
            let wanted = Int(share * Double(order.count))
            order = (0..<wanted).map { order[$0 % order.count] }
        }
        if let maximum { order = Array(order.prefix(maximum)) }
        return order.map { RowReference(dataset: dataset, row: $0) }
    }

    enum Strategy: String, Sendable {
        case concat
        case under = "interleave_under"
        case over = "interleave_over"
        case once = "interleave_once"
    }

    /// Joins the rows of several data sets.
    static func mix(
        _ sets: [[RowReference]], strategy: Strategy, probabilities: [Double]?, seed: UInt64
    ) throws(DatasetError) -> [RowReference] {
        var mixer = try RowMixer(sets.map { ListSupply($0) }, strategy: strategy, weights: probabilities, seed: seed)
        var result: [RowReference] = []
        while let row = try mixer.next() { result.append(row) }
        return result
    }

    /// The rows to train on and those held back: `size` is a fraction below 1 or a number of rows.
    static func split(_ rows: [RowReference], size: Double, seed: UInt64) throws(DatasetError) -> (train: [RowReference], held: [RowReference]) {
        let wanted = size < 1 ? (size * Double(rows.count)).rounded(.up) : size.rounded(.down)
        guard let count = Int(exactly: wanted), count < rows.count else {
            throw .badSetting(
                argument: "val_size",
                reason: "it holds back \(NumberText.significant(wanted, digits: 15)) rows, but there are only \(rows.count); choose less")
        }
        var random = RandomGenerator(seed: seed, stream: 0x56_414C)
        let order = random.permutation(rows.count)
        return (order[count...].map { rows[$0] }, order[..<count].map { rows[$0] })
    }
}
