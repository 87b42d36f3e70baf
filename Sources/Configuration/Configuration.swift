/// The values of all arguments: those that were set, and the table's defaults for the rest.
///
///     var configuration = try Configuration.load(file: "recipe.yaml", overrides: ["--learning_rate", "5e-5"])
///     configuration[.learningRate]                       // 5e-05
///     try configuration.set("lora_rank", text: "16")
///     configuration.validate(for: .train)                // everything wrong or worth knowing
///     configuration.commandLine(.train)                  // tuneboard train recipe.yaml --learning_rate 5e-05 --lora_rank 16

import Formats

public struct Configuration: Sendable {
    /// What was set, by name; everything else is at its default.
    var values: [String: ArgumentValue] = [:]
    /// The file it was read from, and what that file said: the base of the shortest command line.
    public internal(set) var recipePath: String?
    var recipeValues: [String: ArgumentValue] = [:]
    /// Where each value was set: "recipe.yaml, line 12".
    var places: [String: String] = [:]
    /// Former names and the like, noted while reading.
    var readingNotices: [Notice] = []

    public init() {}

    /// The typed value. Writing does not check bounds; `set` and `validate` do.
    public subscript<Value>(_ key: ArgumentKey<Value>) -> Value {
        get { Value(argument: value(key.name)) ?? Value.empty }
        set { store(key.name, newValue.argument, place: nil) }
    }

    /// The value that counts: the one set, or the default.
    public func value(_ name: String) -> ArgumentValue {
        values[name] ?? ArgumentTable.argument(named: name)?.defaultValue ?? .null
    }

    /// True when a value was given, even if it is the default.
    public func isSet(_ name: String) -> Bool { values[name] != nil }

    /// True when the value differs from the default.
    public func isChanged(_ name: String) -> Bool {
        guard let value = values[name] else { return false }
        return value != ArgumentTable.argument(named: name)?.defaultValue
    }

    /// The names of what differs from the defaults, in the table's order.
    public var changedNames: [String] { ArgumentTable.all.map(\.name).filter(isChanged) }

    /// The value as one would type it; empty for none.
    public func text(_ name: String) -> String { value(name).text }

    /// Where the value was set, or nil.
    public func place(_ name: String) -> String? { places[name] }

    public mutating func reset(_ name: String) {
        values[name] = nil
        places[name] = nil
    }

    /// Sets a value as typed. The old value stays when the new one is wrong.
    public mutating func set(_ name: String, text: String) throws(ArgumentError) {
        let argument = try Self.argument(named: name)
        store(name, try argument.read(text), place: nil)
    }

    /// Checks a value as typed without setting it.
    public static func check(_ name: String, text: String) throws(ArgumentError) {
        _ = try argument(named: name).read(text)
    }

    mutating func store(_ name: String, _ value: ArgumentValue, place: String?) {
        values[name] = value
        places[name] = place
    }

    static func argument(named name: String) throws(ArgumentError) -> Argument {
        guard let argument = ArgumentTable.argument(named: name) else {
            throw ArgumentError(argument: name, fault: .unknown(nearest: ArgumentTable.nearest(name)))
        }
        return argument
    }
}

extension Configuration: Equatable {
    /// Equal when every argument has the same value, however it came about.
    public static func == (left: Configuration, right: Configuration) -> Bool {
        let names = Set(left.values.keys).union(right.values.keys)
        return names.allSatisfy { left.value($0) == right.value($0) }
    }
}
