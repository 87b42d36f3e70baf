import Formats
import Platform

/// Where a row stands in its file.
struct RowSpan: Sendable, Equatable {
    /// Bytes from here...
    var start: Int
    /// ...up to here.
    var end: Int
    /// Line on which it begins, from 1.
    var line: Int
}

/// Finds the rows of a mapped file one after the other, without remembering them.
struct RowScanner {
    private let path: String
    private let kind: RowFile.Kind
    private let file: MappedFile
    private var position: Int
    private var line = 1
    /// Of json files.
    private var reader: JSONReader?
    private var isDone = false

    init(path: String, kind: RowFile.Kind, file: MappedFile) throws(DatasetError) {
        self.path = path
        self.kind = kind
        self.file = file
        let hasMark = file.bytes.count >= 3 && file.bytes[0] == 0xEF && file.bytes[1] == 0xBB
        position = hasMark ? 3 : 0
        guard kind == .json else { return }
        position = 0
        var reader = JSONReader(file.bytes, name: path)
        do throws(JSONError) { try reader.beginArray() } catch { throw .badFile(sentence: error.description) }
        self.reader = reader
    }

    /// The next row; nil at the end. The first one of csv files is their header.
    mutating func next() throws(DatasetError) -> RowSpan? {
        switch kind {
        case .json: return try nextElement()
        case .jsonLines, .text: return nextLine()
        case .commaSeparated: return try nextRecord()
        }
    }

    private mutating func nextElement() throws(DatasetError) -> RowSpan? {
        guard !isDone, var reader = self.reader.take() else { return nil }
        defer { self.reader = reader }
        do throws(JSONError) {
            guard try reader.nextElement() else {
                isDone = true
                try reader.end()
                return nil
            }
            _ = try reader.peek()
            let start = reader.offset
            for index in position..<start where file.bytes[index] == 0x0A { line += 1 }
            position = start
            try reader.skip()
            return RowSpan(start: start, end: reader.offset, line: line)
        } catch {
            isDone = true
            throw .badFile(sentence: error.description)
        }
    }

    private mutating func nextLine() -> RowSpan? {
        let bytes = file.bytes
        while position < bytes.count {
            let start = position, startLine = line
            let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
            let feed = rest.firstIndex(of: 0x0A) ?? rest.count
            position += feed + 1
            line += 1
            var end = start + feed
            if end > start, bytes[end - 1] == 0x0D { end -= 1 }
            if bytes[start..<end].contains(where: { $0 > 0x20 }) { return RowSpan(start: start, end: end, line: startLine) }
        }
        return nil
    }

    private mutating func nextRecord() throws(DatasetError) -> RowSpan? {
        let bytes = file.bytes
        while position < bytes.count {
            let start = position, startLine = line
            var isQuoted = false
            while position < bytes.count, isQuoted || bytes[position] != 0x0A {
                if bytes[position] == 0x22 { isQuoted.toggle() }
                if bytes[position] == 0x0A { line += 1 }
                position += 1
            }
            if isQuoted { throw .badFile(sentence: "\(path), line \(startLine): a quotation mark is not closed.") }
            var end = position
            if end > start, bytes[end - 1] == 0x0D { end -= 1 }
            position += 1
            line += 1
            if end > start { return RowSpan(start: start, end: end, line: startLine) }
        }
        return nil
    }
}
