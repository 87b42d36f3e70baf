import Platform

/// Searching and replacing in text, byte by byte: Swift's own comparison would join letters with their accents.
enum TextSearch {
    /// The first stretch from `open` to the next `close`: the whole of it, and what is inside.
    static func between(_ text: String, _ open: String, _ close: String) -> (whole: String, inside: String)? {
        let bytes = Array(text.utf8)
        guard let start = find(Array(open.utf8), in: bytes, from: 0),
            let end = find(Array(close.utf8), in: bytes, from: start + open.utf8.count)
        else { return nil }
        let inside = String(decoding: bytes[(start + open.utf8.count)..<end], as: UTF8.self)
        return (open + inside + close, inside)
    }

    static func find(_ wanted: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
        ByteSearch.find(wanted, in: bytes, from: start)
    }

    /// The last place, as `find` the first.
    static func findLast(_ wanted: [UInt8], in bytes: [UInt8]) -> Int? {
        find(wanted.reversed(), in: bytes.reversed(), from: 0).map { bytes.count - $0 - wanted.count }
    }

    static func contains(_ text: String, _ wanted: String) -> Bool { find(Array(wanted.utf8), in: Array(text.utf8), from: 0) != nil }

    /// Replaces occurrences, at most `limit` of them.
    static func replacing(_ text: String, _ wanted: String, with replacement: String, limit: Int = .max) -> String {
        let bytes = Array(text.utf8)
        let pattern = Array(wanted.utf8)
        if pattern.isEmpty { return text }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var position = 0
        var count = 0
        while count < limit, let found = find(pattern, in: bytes, from: position) {
            result.append(contentsOf: bytes[position..<found])
            result.append(contentsOf: replacement.utf8)
            position = found + pattern.count
            count += 1
        }
        result.append(contentsOf: bytes[position...])
        return String(decoding: result, as: UTF8.self)
    }
}
