/// What can be wrong with a JSON file, and where.

import Platform

/// A place in a text: `line` and `column` count from 1, the column in bytes.
public struct TextPlace: Sendable, Equatable, CustomStringConvertible {
    /// File name, or whatever the text is called.
    public var name: String
    public var line: Int
    public var column: Int

    public init(name: String, line: Int, column: Int) {
        self.name = name
        self.line = line
        self.column = column
    }

    public var description: String { "\(name), line \(line), column \(column)" }
}

public enum JSONError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The text is not JSON: "expected a comma or ]", found "}".
    case syntax(TextPlace, expected: String, found: String)
    /// It is JSON, but not what the reader asked for here.
    case wrongKind(TextPlace, expected: String, found: String)
    /// Containers within containers beyond the limit.
    case tooDeep(TextPlace, limit: Int)
    case cannotRead(PlatformError)

    public var description: String {
        switch self {
        case .syntax(let place, let expected, let found): "\(place): expected \(expected), found \(found)."
        case .wrongKind(let place, let expected, let found): "\(place): expected \(expected), found \(found)."
        case .tooDeep(let place, let limit): "\(place): values are nested more than \(limit) deep."
        case .cannotRead(let error): error.description
        }
    }
}
