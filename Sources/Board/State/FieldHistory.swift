import Configuration
import Formats

/// The values that fields were given before, newest first, in this session and in earlier ones.
public struct FieldHistory: Sendable, Equatable {
    /// Values kept for each field.
    public static let depth = 12

    private var values: [String: [String]] = [:]

    public init() {}

    public func values(of argument: String) -> [String] { values[argument] ?? [] }

    /// - Returns: false when the value was the newest already.
    @discardableResult
    public mutating func remember(_ argument: String, _ value: String) -> Bool {
        guard ArgumentTable.argument(named: argument)?.isSecret == false else { return false }
        var known = values[argument] ?? []
        guard known.first != value, value.utf8.count < 4_096 else { return false }
        known.removeAll { $0 == value }
        known.insert(value, at: 0)
        values[argument] = Array(known.prefix(Self.depth))
        return true
    }

    /// One object: each argument with its values, newest first.
    public var json: String {
        let pairs = values.keys.sorted().map { ($0, JSONValue.array((values[$0] ?? []).map(JSONValue.string))) }
        return JSONValue.object(JSONObject(pairs)).text(style: .indented(1)) + "\n"
    }

    /// Reads what `json` wrote. What is broken or unknown is passed over: a history is no reason not to start.
    public init(json: String) {
        guard let object = (try? JSONValue.parse(json, name: "history.json"))?.objectValue else { return }
        for name in object.keys where ArgumentTable.argument(named: name)?.isSecret == false {
            let known = (object[name]?.arrayValue ?? []).compactMap(\.stringValue).filter { $0.utf8.count < 4_096 }
            if !known.isEmpty { values[name] = Array(known.prefix(Self.depth)) }
        }
    }
}
