import Formats
import Platform

/// The rows of one data file, found in one pass and parsed only when asked for. The file is mapped, not read.
///
/// json: the elements of a list. jsonl: a value per line. csv: records under a header. txt: a row `{"text": line}` per line.
final class RowFile: @unchecked Sendable {
    enum Kind: Sendable {
        case json, jsonLines, commaSeparated, text

        init?(path: String) {
            switch Path.extension(path).lowercased() {
            case "json": self = .json
            case "jsonl", "ndjson": self = .jsonLines
            case "csv": self = .commaSeparated
            case "txt": self = .text
            default: return nil
            }
        }
    }

    let path: String
    private let kind: Kind
    private let file: MappedFile
    private var spans: [RowSpan] = []
    private var header: [String] = []

    var count: Int { spans.count }
    var byteCount: Int { file.count }

    /// - Parameter limit: stop after so many rows; 0 finds none, for those who scan the file themselves.
    init(path: String, limit: Int = .max) throws(DatasetError) {
        self.path = path
        if Path.extension(path).lowercased() == "parquet" { throw .parquet(path: path) }
        guard let named = Kind(path: path) else { throw .unknownFileType(path: path) }
        do { file = try MappedFile(path: path) } catch { throw .unreadable(path: path, reason: error.description) }
        // Many "json" files hold a value per line.
        kind = named == .json && RowFile.startsWithObject(file.bytes) ? .jsonLines : named
        var scanner = try RowScanner(path: path, kind: kind, file: file)
        if kind == .commaSeparated, let first = try scanner.next() { header = fields(first) }
        while spans.count < limit, let span = try scanner.next() { spans.append(span) }
    }

    /// A scanner in front of the first row.
    func scanner() throws(DatasetError) -> RowScanner {
        var scanner = try RowScanner(path: path, kind: kind, file: file)
        if kind == .commaSeparated { _ = try scanner.next() }
        return scanner
    }

    private static func startsWithObject(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var position = bytes.count >= 3 && bytes[0] == 0xEF ? 3 : 0
        while position < bytes.count, bytes[position] <= 0x20 { position += 1 }
        return position < bytes.count && bytes[position] == 0x7B
    }

    private func fields(_ span: RowSpan) -> [String] { RowFile.fields(file.bytes, span) }

    /// The fields of a record.
    fileprivate static func fields(_ bytes: UnsafeRawBufferPointer, _ span: RowSpan) -> [String] {
        var result: [String] = []
        var field: [UInt8] = []
        var isQuoted = false
        var position = span.start
        while position < span.end {
            let byte = bytes[position]
            if isQuoted {
                if byte == 0x22 {
                    if position + 1 < span.end, bytes[position + 1] == 0x22 {
                        field.append(byte)
                        position += 1
                    } else {
                        isQuoted = false
                    }
                } else {
                    field.append(byte)
                }
            } else if byte == 0x22 {
                isQuoted = true
            } else if byte == 0x2C {
                result.append(String(decoding: field, as: UTF8.self))
                field = []
            } else {
                field.append(byte)
            }
            position += 1
        }
        result.append(String(decoding: field, as: UTF8.self))
        return result
    }

    /// Line on which a row begins, from 1.
    func line(_ index: Int) -> Int { spans[index].line }

    /// The row as it stands in the file.
    func source(_ index: Int) -> String { source(spans[index]) }

    func source(_ span: RowSpan) -> String { String(decoding: file.bytes[span.start..<span.end], as: UTF8.self) }

    /// How a row begins, on one line.
    func excerpt(_ span: RowSpan) -> String {
        var end = min(span.end, span.start + 240)
        // Not in the middle of a character.
        while end < span.end, end > span.start, file.bytes[end] & 0xC0 == 0x80 { end -= 1 }
        let bytes = file.bytes[span.start..<end].map { $0 == 0x0A || $0 == 0x0D ? 0x20 : $0 }
        let text = String(decoding: bytes, as: UTF8.self), line = text.prefix(100)
        return line.endIndex < text.endIndex || end < span.end ? line + "…" : text
    }

    /// The row's bytes where they are JSON; nil for rows of other files. Valid as long as this object is.
    func json(_ span: RowSpan) -> UnsafeRawBufferPointer? {
        switch kind {
        case .json, .jsonLines: UnsafeRawBufferPointer(rebasing: file.bytes[span.start..<span.end])
        case .commaSeparated, .text: nil
        }
    }

    /// The parsed row.
    func value(_ index: Int) throws(JSONError) -> JSONValue { try value(spans[index]) }

    func value(_ span: RowSpan) throws(JSONError) -> JSONValue {
        switch kind {
        case .json, .jsonLines:
            return try JSONValue.parse(
                UnsafeRawBufferPointer(rebasing: file.bytes[span.start..<span.end]), name: path, firstLine: span.line)
        case .text: return ["text": .string(source(span))]
        case .commaSeparated:
            var object = JSONObject()
            for (name, field) in zip(header, fields(span)) { object[name] = .string(field) }
            return .object(object)
        }
    }
}

/// A csv file as it stands: every record a list of its fields, the first one too.
public enum CommaSeparatedRecords {
    public static func read(_ path: String) throws(DatasetError) -> [[String]] {
        let file: MappedFile
        do { file = try MappedFile(path: path) } catch { throw .unreadable(path: path, reason: error.description) }
        var scanner = try RowScanner(path: path, kind: .commaSeparated, file: file)
        var records: [[String]] = []
        while let span = try scanner.next() { records.append(RowFile.fields(file.bytes, span)) }
        return records
    }
}
