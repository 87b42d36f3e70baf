/// A mapping that keeps its order. Few keys are compared one by one; many are found by their hash.
struct JinjaDictionary {
    private(set) var pairs: [(key: JinjaValue, value: JinjaValue)] = []
    private var places: [JinjaKey: Int] = [:]
    private static let indexedFrom = 12

    init(_ pairs: [(JinjaValue, JinjaValue)] = []) {
        self.pairs.reserveCapacity(pairs.count)
        for (key, value) in pairs { self[key] = value }
    }

    private func place(of key: JinjaValue) -> Int? {
        if pairs.count < JinjaDictionary.indexedFrom { return pairs.firstIndex { JinjaValue.equal($0.key, key) } }
        return JinjaKey(key).flatMap { places[$0] }
    }

    subscript(_ key: JinjaValue) -> JinjaValue? {
        get { place(of: key).map { pairs[$0].value } }
        set {
            guard let newValue else { return }
            if let place = place(of: key) {
                pairs[place].value = newValue
                return
            }
            pairs.append((key, newValue))
            if pairs.count == JinjaDictionary.indexedFrom {
                for (index, pair) in pairs.enumerated() { if let key = JinjaKey(pair.key) { places[key] = index } }
            } else if pairs.count > JinjaDictionary.indexedFrom, let key = JinjaKey(key) {
                places[key] = pairs.count - 1
            }
        }
    }
}

/// What can be a key: two values that are equal make equal keys. Lists and mappings cannot be keys, as in Python.
enum JinjaKey: Hashable {
    case none
    case number(Double)
    case integer(Int64)
    /// UTF-8, because Swift's own strings count letters with combined accents as equal.
    case text([UInt8])
    case tuple([JinjaKey])

    init?(_ value: JinjaValue) {
        switch value {
        case .none: self = .none
        case .string(let text): self = .text(Array(text.utf8))
        case .bool, .integer, .number:
            if let integer = value.integer ?? value.double.flatMap({ Int64(exactly: $0) }) {
                self = .integer(integer)
            } else {
                self = .number(value.double ?? 0)
            }
        case .tuple(let values):
            var keys: [JinjaKey] = []
            for value in values {
                guard let key = JinjaKey(value) else { return nil }
                keys.append(key)
            }
            self = .tuple(keys)
        case .undefined, .list, .dictionary, .view, .generator, .namespace, .loop, .function: return nil
        }
    }
}

/// Elements with a length that are no list: they print differently, and only ranges have positions.
struct JinjaView {
    enum Kind {
        case range(Int64, Int64, Int64)
        case items, keys, values

        var name: String {
            switch self {
            case .range: return "range"
            case .items: return "dict_items"
            case .keys: return "dict_keys"
            case .values: return "dict_values"
            }
        }
    }

    let kind: Kind
    let elements: [JinjaValue]
}

/// Elements that are handed out once.
final class JinjaGenerator {
    let name: String
    private(set) var remaining: ArraySlice<JinjaValue>

    init(_ name: String, _ elements: [JinjaValue]) {
        self.name = name
        remaining = elements[...]
    }

    func next() -> JinjaValue? { remaining.popFirst() }

    func takeAll() -> [JinjaValue] {
        defer { remaining = [] }
        return Array(remaining)
    }
}

/// The one value that a template can change: made by `namespace(...)`.
final class JinjaNamespace {
    private var values = JinjaDictionary()

    /// Names and values, in the order in which they were first set.
    var pairs: [(key: JinjaValue, value: JinjaValue)] { values.pairs }

    subscript(_ name: String) -> JinjaValue? {
        get { values[.string(name)] }
        set { values[.string(name)] = newValue }
    }

    func empty() { values = JinjaDictionary() }
}

/// Evaluated arguments of a call.
struct JinjaCallArguments {
    var positional: [JinjaValue] = []
    var named: [(name: String, value: JinjaValue)] = []

    /// The argument at a position, or of that name.
    func value(_ index: Int, _ name: String) -> JinjaValue? {
        if index < positional.count { return positional[index] }
        return named.first { $0.name == name }?.value
    }
}

/// Something that can be called: a macro, a method bound to its value, a global function.
final class JinjaFunction {
    let name: String
    /// Macros tell their name and what they take.
    let macro: JinjaMacro?
    let body: (JinjaInterpreter, JinjaCallArguments) throws(TemplateError) -> JinjaValue

    init(_ name: String, macro: JinjaMacro? = nil, _ body: @escaping (JinjaInterpreter, JinjaCallArguments) throws(TemplateError) -> JinjaValue) {
        self.name = name
        self.macro = macro
        self.body = body
    }
}
