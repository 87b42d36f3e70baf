/// A language file: one sentence and its translation per line.
///
/// ```
/// # A comment.
/// "Start" = "开始"
/// "{1} errors" = "{1} 个错误"        # the numbered places may stand in another order
/// ```
/// `\"`, `\\` and `\n` stand for what they look like. A line that cannot be read is told and left out, and a translation that names a
/// place that the sentence does not have is refused: the English sentence stays.
public enum LanguageFile {
    public struct Problem: Sendable, Equatable, CustomStringConvertible {
        public let file: String
        public let line: Int
        public let message: String

        public var description: String { "\(file):\(line): \(message)" }
    }

    static func parse(_ text: String, file: String) -> (table: [String: String], problems: [Problem]) {
        var table: [String: String] = [:]
        var problems: [Problem] = []
        var number = 0
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            number += 1
            var scanner = Scanner(line.utf8)
            scanner.skipSpaces()
            if scanner.isAtEnd || scanner.peek == UInt8(ascii: "#") { continue }
            guard let key = scanner.quoted() else {
                problems.append(.init(file: file, line: number, message: "expected \"English\" = \"translation\""))
                continue
            }
            scanner.skipSpaces()
            guard scanner.take(UInt8(ascii: "=")), case () = scanner.skipSpaces(), let value = scanner.quoted() else {
                problems.append(.init(file: file, line: number, message: "expected = and a translation in quotes after “\(key)”"))
                continue
            }
            let extra = places(in: value).subtracting(places(in: key))
            if let place = extra.min() {
                problems.append(.init(file: file, line: number, message: "“\(key)” has no {\(place)}; the English text stays"))
                continue
            }
            table[key] = value
        }
        return (table, problems)
    }

    /// The numbers of the places `{1}` in a text.
    static func places(in text: String) -> Set<Int> {
        var places: Set<Int> = []
        var rest = Substring(text)
        while let open = rest.firstIndex(of: "{") {
            rest = rest[rest.index(after: open)...]
            if let close = rest.firstIndex(of: "}"), let number = Int(rest[..<close]) { places.insert(number) }
        }
        return places
    }

    private struct Scanner {
        private var bytes: Substring.UTF8View

        init(_ bytes: Substring.UTF8View) { self.bytes = bytes }

        var isAtEnd: Bool { bytes.isEmpty }
        var peek: UInt8? { bytes.first }

        mutating func skipSpaces() {
            while let first = bytes.first, first == 0x20 || first == 0x09 || first == 0x0D { bytes = bytes.dropFirst() }
        }

        mutating func take(_ byte: UInt8) -> Bool {
            guard bytes.first == byte else { return false }
            bytes = bytes.dropFirst()
            return true
        }

        mutating func quoted() -> String? {
            guard take(UInt8(ascii: "\"")) else { return nil }
            var result: [UInt8] = []
            while let byte = bytes.first {
                bytes = bytes.dropFirst()
                if byte == UInt8(ascii: "\"") { return String(decoding: result, as: UTF8.self) }
                guard byte == UInt8(ascii: "\\"), let next = bytes.first else {
                    result.append(byte)
                    continue
                }
                bytes = bytes.dropFirst()
                result.append(next == UInt8(ascii: "n") ? 0x0A : next)
            }
            return nil
        }
    }
}
