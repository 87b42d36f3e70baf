/// A sentence of the board in English, with what was interpolated into it kept apart.
///
/// The English text with numbered places is the key that translations are found by: `say("\(count) errors")` looks up
/// `{1} errors`, and a translation may put `{1}` wherever its grammar wants it.
public struct Phrase: Sendable, Hashable, ExpressibleByStringInterpolation {
    /// The English text, with `{1}`, `{2}`, … for the values.
    public let key: String
    public let values: [String]

    public init(stringLiteral value: String) {
        key = value
        values = []
    }

    public init(stringInterpolation: StringInterpolation) {
        key = stringInterpolation.key
        values = stringInterpolation.values
    }

    /// Text that is no sentence of the board's own: an engine's message, a path.
    public init(verbatim text: String) {
        key = "{1}"
        values = [text]
    }

    public struct StringInterpolation: StringInterpolationProtocol {
        var key = ""
        var values: [String] = []

        public init(literalCapacity: Int, interpolationCount: Int) {
            key.reserveCapacity(literalCapacity + 3 * interpolationCount)
        }

        public mutating func appendLiteral(_ literal: String) { key += literal }

        public mutating func appendInterpolation(_ value: some CustomStringConvertible) {
            values.append(value.description)
            key += "{\(values.count)}"
        }
    }

    /// The sentence with its values in their places. A place that has no value stays as it is.
    static func filled(_ pattern: String, with values: [String]) -> String {
        guard !values.isEmpty, pattern.utf8.contains(UInt8(ascii: "{")) else { return pattern }
        var result = ""
        var rest = Substring(pattern)
        while let open = rest.firstIndex(of: "{") {
            result += rest[..<open]
            let inside = rest[rest.index(after: open)...]
            if let close = inside.firstIndex(of: "}"), let number = Int(inside[..<close]), values.indices.contains(number - 1) {
                result += values[number - 1]
                rest = inside[inside.index(after: close)...]
            } else {
                result += "{"
                rest = inside
            }
        }
        return result + rest
    }
}

/// A sentence in the language of the board. The English text is the key, as with gettext.
public func say(_ phrase: Phrase) -> String {
    Phrase.filled(Wording.current.translation(of: phrase.key) ?? phrase.key, with: phrase.values)
}

/// A word from a table, such as a command's title, in the language of the board.
public func say(key: String) -> String { Wording.current.translation(of: key) ?? key }
