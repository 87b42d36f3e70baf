import Configuration
import Formats
import Platform
import Tokenizers

/// A data set as pickers list it.
public struct DatasetSummary: Sendable, Equatable {
    public var name: String
    public var format: DatasetEntry.Format
    public var files: [String]
    public var columns: [String]
    public var bytes: Int64
    /// Number of rows: counted in small files, estimated from the first rows in large ones.
    public var rows: Int
    public var isEstimate: Bool
    /// Why it cannot be used; nil when it can.
    public var problem: String?
}

/// One row, through all stages.
public struct RowPreview: Sendable, Equatable {
    /// A token with its own text and whether it is learnt.
    public struct Token: Sendable, Equatable {
        public var id: Int32
        public var text: String
        public var isLearnt: Bool
    }

    public var row: Int
    public var rowCount: Int
    /// The row as it stands in the file.
    public var raw: String
    public var conversation: Conversation?
    /// The sample as text, special tokens kept.
    public var rendered: String
    public var tokens: [Token]
    /// Of a pair, the worse answer; `tokens` are the better one.
    public var rejectedTokens: [Token] = []
    public var sample: TrainingSample?
    public var isTruncated: Bool
    /// Why the row would be left out.
    public var problem: String?
}

/// What is in a folder of data sets.
public enum DatasetCatalog {
    /// Files up to this size have their rows counted.
    private static let countedBytes: Int64 = 4 << 20

    /// All entries of the folder's dataset_info.json, usable or not.
    public static func list(directory path: String) throws(DatasetError) -> [DatasetSummary] {
        let directory = try DatasetDirectory(path: path)
        var result: [DatasetSummary] = []
        for name in directory.names {
            do throws(DatasetError) {
                result.append(summary(try directory.entry(name)))
            } catch {
                result.append(
                    DatasetSummary(
                        name: name, format: .alpaca, files: [], columns: [], bytes: 0, rows: 0, isEstimate: false, problem: error.description))
            }
        }
        return result
    }

    /// One data set by its name or path.
    public static func summary(of name: String, directory path: String) throws(DatasetError) -> DatasetSummary {
        summary(try DatasetDirectory(path: path).entry(name))
    }

    private static func summary(_ entry: DatasetEntry) -> DatasetSummary {
        let sizes = entry.files.map { (try? FileSystem.size($0)) ?? 0 }
        let bytes = sizes.reduce(0, +)
        var result = DatasetSummary(
            name: entry.name, format: entry.format, files: entry.files, columns: entry.columns, bytes: bytes, rows: 0,
            isEstimate: bytes > countedBytes)
        do throws(DatasetError) {
            if !result.isEstimate {
                result.rows = try DatasetRows(entry).count
                if result.rows == 0 { result.problem = "It is empty." }
            } else {
                let sample = try DatasetRows(entry, limit: 200)
                let read = (0..<sample.count).reduce(0) { $0 + sample.source($1).utf8.count + 2 }
                result.rows = sample.count == 0 ? 0 : Int(Double(bytes) * Double(sample.count) / Double(max(read, 1)))
            }
        } catch {
            result.problem = error.description
        }
        return result
    }
}

extension DatasetLoader {
    /// A row of a data set (from 0): as it is, as the template writes it, and which tokens carry loss.
    public func preview(dataset name: String, row: Int) throws(DatasetError) -> RowPreview {
        let entry = try DatasetDirectory(path: configuration[.datasetDir]).entry(name)
        let rows = try DatasetRows(entry)
        guard row >= 0, row < rows.count else { throw .noSuchRow(dataset: name, row: row, count: rows.count) }
        var preview = RowPreview(
            row: row, rowCount: rows.count, raw: rows.source(row), conversation: nil, rendered: "", tokens: [], sample: nil,
            isTruncated: false, problem: nil)
        do throws(RowFault) {
            let value = try rows.value(row)
            let built: (sample: TrainingSample, isTruncated: Bool)
            if entry.format == .tokenised {
                built = try sampleBuilder.tokenised(value)
            } else if entry.isRanking {
                let pair = try sampleBuilder.pair(try rows.converter.pair(value))
                built = (pair.chosen, pair.isTruncated)
                preview.rejectedTokens = shown(pair.rejected)
            } else if entry.ktoTag != nil, configuration[.stage] == "kto" {
                let feedback = try rows.converter.feedback(value)
                let result = try sampleBuilder.feedback(feedback, otherAnswer: feedback.answer)
                built = (result.sample, result.isTruncated)
            } else {
                let conversation = try rows.converter.conversation(value)
                preview.conversation = conversation
                if configuration[.stage] == "pt" {
                    let ids = try sampleBuilder.document(conversation, startsWithBOS: tokenizer.addsBOS)
                    built = (TrainingSample(tokens: ids, labels: ids), false)
                } else {
                    built = try sampleBuilder.supervised(conversation)
                }
            }
            preview.sample = built.sample
            preview.isTruncated = built.isTruncated
            preview.rendered = tokenizer.decode(built.sample.tokens, skipSpecialTokens: false)
            preview.tokens = shown(built.sample)
        } catch {
            preview.problem = rows.problem(row, error.reason).description
        }
        return preview
    }

    /// The rows of a data set that cannot be used, of the first so many.
    /// - Returns: how many were read, whether those were all, and the problems of those that would be left out.
    public func problems(dataset name: String, rows limit: Int = 20_000) throws(DatasetError) -> (rows: Int, isWhole: Bool, report: DatasetReport) {
        let entry = try DatasetDirectory(path: configuration[.datasetDir]).entry(name)
        let rows = try DatasetRows(entry, limit: limit)
        let kind = previewKind(entry)
        let work = Tokenisation(sets: [rows], builder: sampleBuilder, kind: kind, threads: SystemInfo.cpuCount) { _, _ in }
        return (rows.count, rows.count < limit, try work.run((0..<rows.count).map { RowReference(dataset: 0, row: $0) }, cache: nil).report)
    }

    /// What a preview makes of the rows of an entry, whether the stage of the configuration suits them or not.
    private func previewKind(_ entry: DatasetEntry) -> Tokenisation.Kind {
        if entry.isRanking { return .pairs }
        if entry.ktoTag != nil, configuration[.stage] == "kto" { return .feedback }
        return configuration[.stage] == "pt" ? .documents(startsWithBOS: tokenizer.addsBOS) : .supervised
    }

    private func shown(_ sample: TrainingSample) -> [RowPreview.Token] {
        zip(sample.tokens, sample.labels).map { token, label in
            RowPreview.Token(id: token, text: tokenizer.readableText(of: token), isLearnt: label != ignoredLabel)
        }
    }
}
