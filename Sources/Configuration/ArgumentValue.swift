/// The value of an argument and its three forms: as Swift sees it, as text on a command line, as JSON or YAML.

import Formats
import Platform

public enum ArgumentValue: Sendable, Equatable {
    case null
    case flag(Bool)
    case integer(Int)
    case number(Double)
    case text(String)
    case list([String])
    case numbers([Double])
    case mapping(JSONObject)

    /// As one would type it; empty for null.
    public var text: String {
        switch self {
        case .null: ""
        case .flag(let value): value ? "true" : "false"
        case .integer(let value): String(value)
        case .number(let value): Self.short(value)
        case .text(let value): value
        case .list(let values): values.joined(separator: ",")
        case .numbers(let values): values.map(Self.short).joined(separator: ",")
        case .mapping(let object): object.isEmpty ? "" : object.text(style: .python)
        }
    }

    public var json: JSONValue {
        switch self {
        case .null: .null
        case .flag(let value): .bool(value)
        case .integer(let value): .integer(value)
        case .number(let value): .number(value)
        case .text(let value): .string(value)
        case .list(let values): .string(values.joined(separator: ","))
        case .numbers(let values): .string(values.map(Self.short).joined(separator: ","))
        case .mapping(let object): .object(object)
        }
    }

    /// The shortest text of a number that reads back the same: 5e-05, 0.1, 3.
    static func short(_ value: Double) -> String {
        let text = NumberText.pythonFloat(value)
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }
}

/// A Swift type that arguments can have.
public protocol ArgumentRepresentable: Sendable {
    /// Nil when the value is of another kind; the table and the keys agree, so that this does not happen.
    init?(argument value: ArgumentValue)
    /// What an argument of this type is when nothing else is known.
    static var empty: Self { get }
    var argument: ArgumentValue { get }
}

extension Bool: ArgumentRepresentable {
    public init?(argument value: ArgumentValue) {
        guard case .flag(let flag) = value else { return nil }
        self = flag
    }
    public static var empty: Bool { false }
    public var argument: ArgumentValue { .flag(self) }
}

extension Int: ArgumentRepresentable {
    public init?(argument value: ArgumentValue) {
        guard case .integer(let number) = value else { return nil }
        self = number
    }
    public static var empty: Int { 0 }
    public var argument: ArgumentValue { .integer(self) }
}

extension Double: ArgumentRepresentable {
    public init?(argument value: ArgumentValue) {
        guard case .number(let number) = value else { return nil }
        self = number
    }
    public static var empty: Double { 0 }
    public var argument: ArgumentValue { .number(self) }
}

extension String: ArgumentRepresentable {
    public init?(argument value: ArgumentValue) {
        guard case .text(let text) = value else { return nil }
        self = text
    }
    public static var empty: String { "" }
    public var argument: ArgumentValue { .text(self) }
}

extension Array: ArgumentRepresentable where Element: ArgumentRepresentable {
    public init?(argument value: ArgumentValue) {
        switch value {
        case .null: self = []
        case .list(let values): self = values.compactMap { Element(argument: .text($0)) }
        case .numbers(let values): self = values.compactMap { Element(argument: .number($0)) }
        case .flag, .integer, .number, .text, .mapping: return nil
        }
    }
    public static var empty: [Element] { [] }
    public var argument: ArgumentValue {
        if let numbers = self as? [Double] { return .numbers(numbers) }
        return .list(map(\.argument.text))
    }
}

extension JSONObject: ArgumentRepresentable {
    public init?(argument value: ArgumentValue) {
        switch value {
        case .null: self = JSONObject()
        case .mapping(let object): self = object
        case .flag, .integer, .number, .text, .list, .numbers: return nil
        }
    }
    public static var empty: JSONObject { JSONObject() }
    public var argument: ArgumentValue { .mapping(self) }
}

extension Optional: ArgumentRepresentable where Wrapped: ArgumentRepresentable {
    public init?(argument value: ArgumentValue) {
        if case .null = value {
            self = nil
        } else if let wrapped = Wrapped(argument: value) {
            self = .some(wrapped)
        } else {
            return nil
        }
    }
    public static var empty: Wrapped? { nil }
    public var argument: ArgumentValue { self?.argument ?? .null }
}
