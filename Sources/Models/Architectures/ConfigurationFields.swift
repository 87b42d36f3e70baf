import Formats
import Platform

/// The keys of a `config.json`, read with types and bounds. Both spellings of transformers are understood: version 4's
/// `rope_theta`, `rope_scaling`, `torch_dtype` and version 5's `rope_parameters`, `dtype`.
public struct ConfigurationFields: Sendable {
    public let object: JSONObject
    /// Named in errors.
    public let file: String
    /// A family's own names for keys that all families have: `n_embd` for `hidden_size`.
    private let aliases: [String: String]
    /// Notes which keys are asked for.
    private let record: KeyRecord?

    public init(_ object: JSONObject, file: String, aliases: [String: String] = [:], record: KeyRecord? = nil) {
        self.object = object
        self.record = record
        self.file = file
        self.aliases = aliases
    }

    /// The same fields, which answer to the common names.
    public func spelling(_ aliases: [String: String]) -> ConfigurationFields {
        ConfigurationFields(object, file: file, aliases: aliases, record: record)
    }

    /// The same fields with values for keys that are absent.
    public func filling(_ defaults: [(String, JSONValue)]) -> ConfigurationFields {
        var filled = object
        for (key, value) in defaults where self.value(key) == nil { filled.set(spelled(key), value) }
        return ConfigurationFields(filled, file: file, aliases: aliases, record: record)
    }

    private func spelled(_ key: String) -> String { aliases[key] ?? key }

    /// The value of a key; JSON's null counts as absent.
    public func value(_ key: String) -> JSONValue? {
        record?.note(spelled(key))
        return switch object[spelled(key)] {
        case nil, .null?: nil
        case let found?: found
        }
    }

    /// In the order of the file; none without a record.
    var unreadKeys: [String] { record.map { record in object.keys.filter { !record.all.contains($0) } } ?? [] }

    public func integer(_ key: String, atLeast least: Int = 1, atMost most: Int = 1 << 24) throws(ModelError) -> Int {
        guard let found = try optionalInteger(key, atLeast: least, atMost: most) else {
            throw .missingKey(file: file, key: spelled(key))
        }
        return found
    }

    public func integer(_ key: String, default fallback: Int, atLeast least: Int = 1, atMost most: Int = 1 << 24) throws(ModelError) -> Int {
        if let found = try optionalInteger(key, atLeast: least, atMost: most) { return found }
        // What a family has by default need not fit the other keys.
        guard fallback >= least, fallback <= most else { throw .missingKey(file: file, key: spelled(key)) }
        return fallback
    }

    public func optionalInteger(_ key: String, atLeast least: Int = 1, atMost most: Int = 1 << 24) throws(ModelError) -> Int? {
        guard let found = value(key) else { return nil }
        guard let number = found.intValue, number >= least, number <= most else {
            throw invalid(key, "a whole number from \(least) to \(most)", found)
        }
        return number
    }

    public func number(_ key: String) throws(ModelError) -> Double? {
        guard let found = value(key) else { return nil }
        guard let number = found.doubleValue, number.isFinite else { throw invalid(key, "a number", found) }
        return number
    }

    public func positiveNumber(_ key: String) throws(ModelError) -> Double? {
        guard let number = try number(key) else { return nil }
        guard number > 0 else { throw invalid(key, "a number above 0", .number(number)) }
        return number
    }

    public func flag(_ key: String, default fallback: Bool) throws(ModelError) -> Bool {
        guard let found = value(key) else { return fallback }
        guard let flag = found.boolValue else { throw invalid(key, "true or false", found) }
        return flag
    }

    /// The text under the first of several keys that is there: a key and its older names.
    public func text(_ keys: String...) throws(ModelError) -> String? {
        guard let key = keys.first(where: { value($0) != nil }), let found = value(key) else { return nil }
        guard let text = found.stringValue else { throw invalid(key, "a text", found) }
        return text
    }

    /// A list of whole numbers, empty when the key is absent.
    public func integers(_ key: String, atMost most: Int) throws(ModelError) -> [Int] {
        guard let found = value(key) else { return [] }
        let numbers = (found.arrayValue ?? []).compactMap(\.intValue).filter { $0 >= 0 && $0 <= most }
        guard let count = found.arrayValue?.count, numbers.count == count else {
            throw invalid(key, "a list of whole numbers from 0 to \(most)", found)
        }
        return numbers
    }

    public func fields(_ key: String) throws(ModelError) -> ConfigurationFields? {
        guard let found = value(key) else { return nil }
        guard let object = found.objectValue else { throw invalid(key, "an object", found) }
        return ConfigurationFields(object, file: file)
    }

    /// Token ids given as one number or a list, as `eos_token_id` may be.
    public func tokens(_ key: String) throws(ModelError) -> [Int32] {
        guard let found = value(key) else { return [] }
        var tokens: [Int32] = []
        for item in found.arrayValue ?? [found] {
            guard let number = item.intValue, let token = Int32(exactly: number) else {
                throw invalid(key, "a token id or a list of token ids", found)
            }
            tokens.append(token)
        }
        return tokens
    }

    public func invalid(_ key: String, _ expected: String, _ found: JSONValue) -> ModelError {
        // A number that is none has a name in Python's style only.
        let style: JSONStyle = found.doubleValue == nil ? .compact : .python
        return .invalidKey(file: file, key: spelled(key), expected: expected, found: found.text(style: style).excerpt(80))
    }
}

/// Which keys of a configuration somebody has asked for.
public final class KeyRecord: Sendable {
    private let keys = Mutex<Set<String>>([])

    public init() {}

    func note(_ key: String) { keys.withLock { _ = $0.insert(key) } }

    public var all: Set<String> { keys.withLock { $0 } }
}
