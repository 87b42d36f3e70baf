import Formats
import Platform

/// The rows of one data file, found in one pass and parsed only when asked for. The file is mapped, not read.
///
/// json: the elements of a list. jsonl: a value per line. csv: records under a header. txt: a row `{"text": line}` per line.
final class RowFile: @unchecked Sendable {
    enum Kind {
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

    private struct Span {
        var start: Int
        var end: Int
        var line: Int
    }

    let path: String
    private let kind: Kind
    private let file: MappedFile
    private var spans: [Span] = []
    private var header: [String] = []

    var count: Int { spans.count }
    var byteCount: Int { file.count }

    /// - Parameter limit: stop after so many rows.
    init(path: String, limit: Int = .max) throws(DatasetError) {
        self.path = path
        guard let named = Kind(path: path) else { throw .unknownFileType(path: path) }
        do { file = try MappedFile(path: path) } catch { throw .unreadable(path: path, reason: error.description) }
        // Many "json" files hold a value per line.
        kind = named == .json && RowFile.startsWithObject(file.bytes) ? .jsonLines : named
        switch kind {
        case .json: try findElements(limit)
        case .jsonLines, .text: findLines(limit)
        case .commaSeparated: try findRecords(limit)
        }
    }

    private static func startsWithObject(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var position = bytes.count >= 3 && bytes[0] == 0xEF ? 3 : 0
        while position < bytes.count, bytes[position] <= 0x20 { position += 1 }
        return position < bytes.count && bytes[position] == 0x7B
    }

    private func findElements(_ limit: Int) throws(DatasetError) {
        var reader = JSONReader(file.bytes, name: path)
        var line = 1
        var counted = 0
        do throws(JSONError) {
            try reader.beginArray()
            while try reader.nextElement() {
                _ = try reader.peek()
                let start = reader.offset
                line += lineFeeds(counted, start)
                counted = start
                if spans.count >= limit { return }
                try reader.skip()
                spans.append(Span(start: start, end: reader.offset, line: line))
            }
            try reader.end()
        } catch {
            throw .badFile(sentence: error.description)
        }
    }

    private func lineFeeds(_ start: Int, _ end: Int) -> Int {
        var count = 0
        for index in start..<end where file.bytes[index] == 0x0A { count += 1 }
        return count
    }

    private func findLines(_ limit: Int) {
        let bytes = file.bytes
        var position = bytes.count >= 3 && bytes[0] == 0xEF && bytes[1] == 0xBB ? 3 : 0
        var line = 1
        while position < bytes.count, spans.count < limit {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[position...])
            let feed = rest.firstIndex(of: 0x0A) ?? rest.count
            var end = position + feed
            if end > position, bytes[end - 1] == 0x0D { end -= 1 }
            var isBlank = true
            for index in position..<end where bytes[index] > 0x20 {
                isBlank = false
                break
            }
            if !isBlank { spans.append(Span(start: position, end: end, line: line)) }
            position += feed + 1
            line += 1
        }
    }

    private func findRecords(_ limit: Int) throws(DatasetError) {
        let bytes = file.bytes
        var position = bytes.count >= 3 && bytes[0] == 0xEF && bytes[1] == 0xBB ? 3 : 0
        var line = 1
        while position < bytes.count, spans.count < (limit == .max ? limit : limit + 1) {
            let start = position
            let startLine = line
            var isQuoted = false
            while position < bytes.count, isQuoted || bytes[position] != 0x0A {
                if bytes[position] == 0x22 { isQuoted.toggle() }
                if bytes[position] == 0x0A { line += 1 }
                position += 1
            }
            if isQuoted { throw .badFile(sentence: "\(path), line \(startLine): a quotation mark is not closed.") }
            var end = position
            if end > start, bytes[end - 1] == 0x0D { end -= 1 }
            if end > start { spans.append(Span(start: start, end: end, line: startLine)) }
            position += 1
            line += 1
        }
        guard let first = spans.first else { return }
        header = fields(first)
        spans.removeFirst()
    }

    private func fields(_ span: Span) -> [String] {
        var result: [String] = []
        var field: [UInt8] = []
        var isQuoted = false
        var position = span.start
        while position < span.end {
            let byte = file.bytes[position]
            if isQuoted {
                if byte == 0x22 {
                    if position + 1 < span.end, file.bytes[position + 1] == 0x22 {
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
    func source(_ index: Int) -> String {
        let span = spans[index]
        return String(decoding: file.bytes[span.start..<span.end], as: UTF8.self)
    }

    /// The parsed row.
    func value(_ index: Int) throws(JSONError) -> JSONValue {
        let span = spans[index]
        switch kind {
        case .json, .jsonLines:
            return try JSONValue.parse(
                UnsafeRawBufferPointer(rebasing: file.bytes[span.start..<span.end]), name: path, firstLine: span.line)
        case .text: return ["text": .string(source(index))]
        case .commaSeparated:
            var object = JSONObject()
            for (name, field) in zip(header, fields(span)) { object[name] = .string(field) }
            return .object(object)
        }
    }
}
