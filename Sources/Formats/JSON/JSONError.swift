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

    public var description: String { (place.map { "\($0): " } ?? "") + complaint }

    /// The same for someone who has been told the file and the line: "column 12: expected a comma or ], found }".
    public func reason(onLine line: Int) -> String {
        let spot = place.map { ($0.line == line ? "" : "line \($0.line), ") + "column \($0.column): " } ?? ""
        return spot + (complaint.hasSuffix(".") ? String(complaint.dropLast()) : complaint)
    }

    private var place: TextPlace? {
        switch self {
        case .syntax(let place, _, _), .wrongKind(let place, _, _), .tooDeep(let place, _): place
        case .cannotRead: nil
        }
    }

    private var complaint: String {
        switch self {
        case .syntax(_, let expected, let found), .wrongKind(_, let expected, let found): "expected \(expected), found \(found)."
        case .tooDeep(_, let limit): "values are nested more than \(limit) deep."
        case .cannotRead(let error): error.description
        }
    }
}
