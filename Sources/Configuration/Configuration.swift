/// The values of all arguments: those that were set, and the table's defaults for the rest.

import Formats

public struct Configuration: Sendable {
    /// What was set, by name; everything else is at its default.
    var values: [String: ArgumentValue] = [:]

    public init() {}

    public subscript<Value>(_ key: ArgumentKey<Value>) -> Value {
        get { Value(argument: value(key.name)) ?? Value.empty }
        set { values[key.name] = newValue.argument }
    }

    /// The value that counts: the one set, or the default.
    public func value(_ name: String) -> ArgumentValue {
        values[name] ?? ArgumentTable.argument(named: name)?.defaultValue ?? .null
    }

    public func isSet(_ name: String) -> Bool { values[name] != nil }
    public func text(_ name: String) -> String { value(name).text }
    public mutating func reset(_ name: String) { values[name] = nil }
}
