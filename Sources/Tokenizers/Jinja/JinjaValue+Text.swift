import Formats
import Platform

extension JinjaValue {
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
        case .view(let view):
            if case .range(let start, let stop, let step) = view.kind { return "range(\(start), \(stop)" + (step == 1 ? ")" : ", \(step))") }
            return view.kind.name + "([" + view.elements.map(\.representation).joined(separator: ", ") + "])"
        case .generator(let generator): return "<generator object \(generator.name)>"
        case .namespace: return "<Namespace>"
        case .loop(let loop): return loop.representation
        case .function(let function): return "<function \(function.name)>"
        }
    }

    /// As Python's `repr` of a string: in single quotes where that needs no escape; what cannot be printed is escaped.
    private static func quoted(_ value: String) -> String {
        let bytes = value.utf8
        let quote: Unicode.Scalar = bytes.contains(0x27) && !bytes.contains(0x22) ? "\"" : "'"
        var result = String.UnicodeScalarView()
        result.append(quote)
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": result.append(contentsOf: "\\\\".unicodeScalars)
            case "\n": result.append(contentsOf: "\\n".unicodeScalars)
            case "\r": result.append(contentsOf: "\\r".unicodeScalars)
            case "\t": result.append(contentsOf: "\\t".unicodeScalars)
            case "'" where quote == "'": result.append(contentsOf: "\\'".unicodeScalars)
            default:
                if JinjaText.isPrintable(scalar) { result.append(scalar) } else { result.append(contentsOf: escape(scalar).unicodeScalars) }
            }
        }
        result.append(quote)
        return String(result)
    }

    private static func escape(_ scalar: Unicode.Scalar) -> String {
        let digits = String(scalar.value, radix: 16)
        let (mark, width) = scalar.value < 0x100 ? ("\\x", 2) : scalar.value < 0x10000 ? ("\\u", 4) : ("\\U", 8)
        return mark + String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }

    /// As JSON for `tojson`; undefined, views, generators and functions have no JSON.
    var json: JSONValue? {
        switch self {
        case .undefined, .function, .namespace, .loop, .view, .generator: return nil
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
                guard let value = value.json, let name = JinjaValue.jsonName(key) else { return nil }
                pairs.append((name, value))
            }
            return .object(JSONObject(pairs))
        }
    }

    private static func jsonName(_ key: JinjaValue) -> String? {
        switch key {
        case .string(let text): return text
        case .bool(let flag): return flag ? "true" : "false"
        case .none: return "null"
        case .integer, .number: return key.text
        case .undefined, .list, .tuple, .dictionary, .view, .generator, .namespace, .loop, .function: return nil
        }
    }
}
