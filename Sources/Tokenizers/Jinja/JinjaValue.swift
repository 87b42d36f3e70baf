import Formats

/// A value while a template runs. Texts, lists and mappings behave as Python's; they never change in place.
indirect enum JinjaValue {
    case undefined(String)
    case none
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case list([JinjaValue])
    case tuple([JinjaValue])
    case dictionary(JinjaDictionary)
    /// What `range`, `keys`, `values` and `items` give.
    case view(JinjaView)
    /// What lazy filters give: to be gone through once, without a length.
    case generator(JinjaGenerator)
    case namespace(JinjaNamespace)
    /// The `loop` of a running loop.
    case loop(JinjaLoop)
    case function(JinjaFunction)

    init(_ json: JSONValue) {
        switch json {
        case .null: self = .none
        case .bool(let value): self = .bool(value)
        case .integer(let value): self = .integer(value)
        case .number(let value): self = .number(value)
        case .string(let value): self = .string(value)
        case .array(let values): self = .list(values.map { JinjaValue($0) })
        case .object(let object):
            self = .dictionary(JinjaDictionary(object.map { (JinjaValue.string($0.key), JinjaValue($0.value)) }))
        }
    }

    var isTrue: Bool {
        switch self {
        case .undefined, .none: return false
        case .bool(let value): return value
        case .integer(let value): return value != 0
        case .number(let value): return value != 0
        case .string(let value): return !value.isEmpty
        case .list(let values), .tuple(let values): return !values.isEmpty
        case .dictionary(let dictionary): return !dictionary.pairs.isEmpty
        case .view(let view): return !view.elements.isEmpty
        case .namespace, .loop, .function, .generator: return true
        }
    }

    var isUndefined: Bool {
        if case .undefined = self { return true }
        return false
    }

    /// What errors call it.
    var kindName: String {
        switch self {
        case .undefined(let name): return "'\(name)', which is undefined"
        case .none: return "none"
        case .bool: return "a boolean"
        case .integer: return "an integer"
        case .number: return "a float"
        case .string: return "a string"
        case .list: return "a list"
        case .tuple: return "a tuple"
        case .dictionary: return "a mapping"
        case .view(let view): return "a \(view.kind.name)"
        case .generator: return "a generator"
        case .namespace: return "a namespace"
        case .loop: return "a loop"
        case .function: return "a function"
        }
    }

    /// Number as a double; booleans count as 0 and 1.
    var double: Double? {
        switch self {
        case .bool(let value): return value ? 1 : 0
        case .integer(let value): return Double(value)
        case .number(let value): return value
        default: return nil
        }
    }

    /// Number as an integer, when it is one; booleans count.
    var integer: Int64? {
        switch self {
        case .bool(let value): return value ? 1 : 0
        case .integer(let value): return value
        default: return nil
        }
    }

    static func equal(_ left: JinjaValue, _ right: JinjaValue) -> Bool {
        switch (left, right) {
        case (.undefined, .undefined), (.none, .none): return true
        case (.string(let a), .string(let b)): return a.utf8.elementsEqual(b.utf8)
        case (.list(let a), .list(let b)), (.tuple(let a), .tuple(let b)):
            return a.count == b.count && zip(a, b).allSatisfy { equal($0, $1) }
        case (.view(let a), .view(let b)):
            return a.kind.name == b.kind.name && a.elements.count == b.elements.count && zip(a.elements, b.elements).allSatisfy { equal($0, $1) }
        case (.generator(let a), .generator(let b)): return a === b
        case (.dictionary(let a), .dictionary(let b)):
            return a.pairs.count == b.pairs.count && a.pairs.allSatisfy { pair in b[pair.key].map { equal($0, pair.value) } ?? false }
        case (.namespace(let a), .namespace(let b)): return a === b
        case (.function(let a), .function(let b)): return a === b
        default:
            if let a = left.integer, let b = right.integer { return a == b }
            if let a = left.double, let b = right.double { return a == b }
            return false
        }
    }

    /// Negative, zero or positive; nil when the two cannot be ordered.
    static func order(_ left: JinjaValue, _ right: JinjaValue) -> Int? {
        switch (left, right) {
        case (.string(let a), .string(let b)):
            // Order of code points is the order of UTF-8 bytes.
            if a.utf8.elementsEqual(b.utf8) { return 0 }
            return a.utf8.lexicographicallyPrecedes(b.utf8) ? -1 : 1
        case (.list(let a), .list(let b)), (.tuple(let a), .tuple(let b)):
            for (x, y) in zip(a, b) where !equal(x, y) { return order(x, y) }
            return a.count - b.count
        default:
            if let a = left.integer, let b = right.integer { return a < b ? -1 : a > b ? 1 : 0 }
            if let a = left.double, let b = right.double { return a < b ? -1 : a > b ? 1 : 0 }
            return nil
        }
    }
}
