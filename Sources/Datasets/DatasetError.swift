import Formats
import Platform

/// A row that cannot be used, and why.
public struct RowProblem: Sendable, Equatable, CustomStringConvertible {
    public var file: String
    /// Counted from 1; nil in a stream, whose rows nobody has counted.
    public var row: Int?
    /// Line of the file on which the row begins, counted from 1.
    public var line: Int
    public var reason: String

    public init(file: String, row: Int?, line: Int, reason: String) {
        self.file = file
        self.row = row
        self.line = line
        self.reason = reason
    }

    public var description: String {
        row.map { "\(file), row \($0) (line \(line)): \(reason)" } ?? "\(file), line \(line): \(reason)"
    }
}

/// What can be wrong with data sets.
public enum DatasetError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The run names no data set.
    case noDataset(argument: String)
    /// Neither dataset_info.json nor a file of this name.
    case unknownDataset(name: String, infoPath: String, known: [String])
    /// An entry of dataset_info.json cannot be used.
    case badEntry(name: String, infoPath: String, reason: String)
    case missingFile(dataset: String, path: String)
    case unreadable(path: String, reason: String)
    case unwritable(path: String, reason: String)
    /// Rows would replace what is there.
    case outputExists(path: String)
    /// The file is not what its ending says; the sentence says where.
    case badFile(sentence: String)
    case unknownFileType(path: String)
    /// Columns in a format of its own; the sentence says how to convert it.
    case parquet(path: String)
    /// No row is left to learn from; the first problems say why.
    case nothingUsable(dataset: String, rows: Int, problems: [RowProblem])
    /// Two arguments contradict each other, or one is out of its range.
    case badSetting(argument: String, reason: String)
    /// The template fails for a row in a way that would fail for all.
    case template(String)
    case cannotWriteCache(path: String, reason: String)
    case badCache(path: String, reason: String)
    /// Rows of another kind than the stage learns from.
    case wrongKind(dataset: String, stage: String, reason: String)
    /// All judged answers are wanted, or none is.
    case oneClass(dataset: String, wanted: Int, unwanted: Int, column: String)
    case noSuchRow(dataset: String, row: Int, count: Int)

    public var description: String {
        switch self {
        case .noDataset(let argument):
            return "No data set is given. Name one with `\(argument)`: an entry of dataset_info.json, or the path of a json or jsonl file."
        case .unknownDataset(let name, let infoPath, let known):
            let hint = known.isEmpty ? "" : " It lists \(known.prefix(12).joined(separator: ", "))\(known.count > 12 ? ", ..." : "")."
            return "The data set \"\(name)\" is neither in \(infoPath) nor a file.\(hint)"
        case .badEntry(let name, let infoPath, let reason):
            return "\(infoPath): the entry \"\(name)\" cannot be used: \(reason)."
        case .missingFile(let dataset, let path):
            return "The data set \"\(dataset)\" names the file \(path), which does not exist."
        case .unreadable(let path, let reason):
            return SentenceText.about(path, "cannot be read", reason)
        case .unwritable(let path, let reason):
            return SentenceText.about(path, "cannot be written", reason)
        case .outputExists(let path):
            return "\(path) exists already. Name a new file, or give --overwrite to replace it."
        case .badFile(let sentence):
            return sentence
        case .unknownFileType(let path):
            return "\(path) is of no known type. Data files end in .json, .jsonl, .csv or .txt."
        case .parquet(let path):
            let target = String(path.dropLast(".parquet".utf8.count)) + ".jsonl"
            return "\(path) is a parquet file, which is not read. Convert it once, for example with "
                + "python -c \"import pandas; pandas.read_parquet('\(path)').to_json('\(target)', orient='records', lines=True)\", "
                + "or with duckdb -c \"COPY (SELECT * FROM '\(path)') TO '\(target)' (FORMAT json)\", and name \(target)."
        case .nothingUsable(let dataset, let rows, let problems):
            if rows == 0 { return "The data set \"\(dataset)\" is empty." }
            let reasons = problems.prefix(3).map(\.description).joined(separator: "\n  ")
            let what = rows == 1 ? "The one row of" : "None of the \(rows) rows of"
            return "\(what) \"\(dataset)\" \(rows == 1 ? "cannot" : "can") be used:\n  \(reasons)"
        case .badSetting(let argument, let reason):
            return "\(argument): \(reason)."
        case .template(let sentence):
            return sentence
        case .cannotWriteCache(let path, let reason):
            return "The tokenised data cannot be kept at \(path): \(reason)."
        case .badCache(let path, let reason):
            return "The tokenised data at \(path) cannot be used: \(reason). Remove the folder, or set overwrite_cache."
        case .wrongKind(let dataset, let stage, let reason):
            return "The data set \"\(dataset)\" does not serve stage \(stage): \(reason)."
        case .oneClass(let dataset, let wanted, let unwanted, let column):
            return "\"\(dataset)\" has \(wanted) wanted and \(unwanted) unwanted answers; stage kto learns from both kinds. "
                + "Add rows whose \(column) is \(wanted == 0 ? "true" : "false"), or use stage sft."
        case .noSuchRow(let dataset, let row, let count):
            return "The data set \"\(dataset)\" has \(count) rows; there is no row \(row + 1)."
        }
    }
}

enum SentenceText {
    /// "a.jsonl cannot be read: there is no such file." Reasons that name the file or end with a point themselves are taken as they are.
    static func about(_ path: String, _ what: String, _ reason: String) -> String {
        let own = reason.hasPrefix(path + ": ") ? String(reason.dropFirst(path.count + 2)) : reason
        return "\(path) \(what): \(own)\(own.hasSuffix(".") ? "" : ".")"
    }
}
