import Formats
import Platform

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
        case .namespace, .loop, .function: return true
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
        case .namespace: return "a namespace"
        case .loop: return "a loop"
        case .function: return "a function"
        }
    }

    /// As Python's `str`.
    var text: String {
        switch self {
        case .undefined: return ""
        case .string(let value): return value
        default: return representation
        }
    }

    /// As Python's `repr`.
    var representation: String {
        switch self {
        case .undefined: return "Undefined"
        case .none: return "None"
        case .bool(let value): return value ? "True" : "False"
        case .integer(let value): return String(value)
        case .number(let value): return NumberText.pythonFloat(value)
        case .string(let value): return JinjaValue.quoted(value)
        case .list(let values): return "[" + values.map(\.representation).joined(separator: ", ") + "]"
        case .tuple(let values):
            return "(" + values.map(\.representation).joined(separator: ", ") + (values.count == 1 ? ",)" : ")")
        case .dictionary(let dictionary):
            return "{" + dictionary.pairs.map { "\($0.key.representation): \($0.value.representation)" }.joined(separator: ", ") + "}"
        case .namespace: return "<Namespace>"
        case .loop: return "<LoopContext>"
        case .function(let function): return "<function \(function.name)>"
        }
    }

    private static func quoted(_ value: String) -> String {
        let bytes = Array(value.utf8)
        let quote: Character = bytes.contains(0x27) && !bytes.contains(0x22) ? "\"" : "'"
        var result = String(quote)
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "'" where quote == "'": result += "\\'"
            default:
                if scalar.value < 0x20 || scalar.value == 0x7F {
                    let digits = String(scalar.value, radix: 16)
                    result += "\\x" + (digits.count < 2 ? "0" : "") + digits
                } else {
                    result.unicodeScalars.append(scalar)
                }
            }
        }
        return result + String(quote)
    }

    /// For `tojson`; undefined and functions have no JSON.
    var json: JSONValue? {
        switch self {
        case .undefined, .function, .namespace, .loop: return nil
        case .none: return .null
        case .bool(let value): return .bool(value)
        case .integer(let value): return .integer(value)
        case .number(let value): return .number(value)
        case .string(let value): return .string(value)
        case .list(let values), .tuple(let values):
            var result: [JSONValue] = []
            for value in values {
                guard let value = value.json else { return nil }
                result.append(value)
            }
            return .array(result)
        case .dictionary(let dictionary):
            var pairs: [(String, JSONValue)] = []
            for (key, value) in dictionary.pairs {
                guard let value = value.json else { return nil }
                let name: String
                switch key {
                case .string(let text): name = text
                case .bool(let flag): name = flag ? "true" : "false"
                case .none: name = "null"
                default: name = key.text
                }
                pairs.append((name, value))
            }
            return .object(JSONObject(pairs))
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

/// A mapping that keeps its order.
struct JinjaDictionary {
    private(set) var pairs: [(key: JinjaValue, value: JinjaValue)] = []

    init(_ pairs: [(JinjaValue, JinjaValue)] = []) {
        for (key, value) in pairs { self[key] = value }
    }

    subscript(_ key: JinjaValue) -> JinjaValue? {
        get { pairs.first { JinjaValue.equal($0.key, key) }?.value }
        set {
            let place = pairs.firstIndex { JinjaValue.equal($0.key, key) }
            switch (place, newValue) {
            case (let place?, let value?): pairs[place].value = value
            case (let place?, nil): pairs.remove(at: place)
            case (nil, let value?): pairs.append((key, value))
            case (nil, nil): break
            }
        }
    }
}

/// The one value that a template can change: made by `namespace(...)`.
final class JinjaNamespace {
    var values: [(name: String, value: JinjaValue)] = []

    subscript(_ name: String) -> JinjaValue? {
        get { values.first { $0.name == name }?.value }
        set {
            if let place = values.firstIndex(where: { $0.name == name }) {
                if let newValue { values[place].value = newValue }
            } else if let newValue {
                values.append((name, newValue))
            }
        }
    }
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
    let body: (JinjaInterpreter, JinjaCallArguments) throws(TemplateError) -> JinjaValue

    init(_ name: String, _ body: @escaping (JinjaInterpreter, JinjaCallArguments) throws(TemplateError) -> JinjaValue) {
        self.name = name
        self.body = body
    }
}
