/// A YAML document as a tree that remembers where everything stood, and how plain scalars are understood.

/// One value of a document. `line` and `column` count from 1.
public struct YAMLNode: Sendable {
    public indirect enum Content: Sendable {
        /// The text between quotes, or as written when `isPlain`.
        case scalar(text: String, isPlain: Bool)
        case sequence([YAMLNode])
        case mapping([(key: YAMLNode, value: YAMLNode)])
    }

    public var content: Content
    public var line: Int
    public var column: Int
    /// Nodes in this tree, counting what aliases stand for each time.
    var weight = 1

    /// The scalar's text, whatever it resolves to.
    public var scalarText: String? { if case .scalar(let text, _) = content { text } else { nil } }

    public var isNull: Bool {
        if case .scalar(let text, true) = content { YAML.isNull(text) } else { false }
    }

    /// The value as JSON: plain scalars resolved, keys as text.
    public var json: JSONValue {
        switch content {
        case .scalar(let text, let isPlain): isPlain ? YAML.resolve(text) : .string(text)
        case .sequence(let nodes): .array(nodes.map(\.json))
        case .mapping(let pairs): .object(JSONObject(pairs.map { ($0.key.scalarText ?? $0.key.json.text(), $0.value.json) }))
        }
    }
}

public enum YAMLError: Error, Sendable, Equatable, CustomStringConvertible {
    /// libyaml's words for what is wrong.
    case syntax(TextPlace, problem: String)
    case unknownAnchor(TextPlace, name: String)
    case duplicateKey(TextPlace, key: String)
    case unsupportedTag(TextPlace, tag: String)
    case severalDocuments(TextPlace)
    case tooDeep(TextPlace, limit: Int)
    /// Aliases stand for more nodes than any honest file has.
    case tooLarge(TextPlace, limit: Int)

    public var description: String {
        switch self {
        case .syntax(let place, let problem): "\(place): \(problem)."
        case .unknownAnchor(let place, let name): "\(place): *\(name) refers to an anchor that was not set before."
        case .duplicateKey(let place, let key): "\(place): \(key) is there twice; keep one of them."
        case .unsupportedTag(let place, let tag): "\(place): the tag \(tag) is not supported; write the value plainly."
        case .severalDocuments(let place): "\(place): a second document begins here; one is expected."
        case .tooDeep(let place, let limit): "\(place): values are nested more than \(limit) deep."
        case .tooLarge(let place, let limit): "\(place): with its aliases written out the document has more than \(limit) values."
        }
    }
}

public enum YAML {
    /// Parses one document to JSON values.
    public static func parse(_ text: String, name: String) throws(YAMLError) -> JSONValue {
        try parseNode(text, name: name).json
    }

    /// What a plain scalar means: YAML 1.1's core as PyYAML reads it, except that 1e-4 and 1.0e4 are numbers (PyYAML makes strings
    /// of them, and everybody who writes them means numbers) and that 12:30 stays text.
    public static func resolve(_ text: String) -> JSONValue {
        if isNull(text) { return .null }
        switch text {
        case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON": return .bool(true)
        case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF": return .bool(false)
        case ".nan", ".NaN", ".NAN": return .number(.nan)
        default: break
        }
        guard let first = text.utf8.first, isNumberStart(first) else { return .string(text) }
        return number(text) ?? .string(text)
    }

    static func isNull(_ text: String) -> Bool {
        switch text {
        case "", "~", "null", "Null", "NULL": true
        default: false
        }
    }

    private static func isNumberStart(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."): true
        default: false
        }
    }

    private static func number(_ text: String) -> JSONValue? {
        var digits = Array(text.utf8)
        let isNegative = digits[0] == UInt8(ascii: "-")
        if isNegative || digits[0] == UInt8(ascii: "+") { digits.removeFirst() }
        let sign: Double = isNegative ? -1 : 1
        switch String(decoding: digits, as: UTF8.self) {
        case ".inf", ".Inf", ".INF": return .number(sign * .infinity)
        default: break
        }
        // Underscores separate digits, but do not lead.
        guard let first = digits.first, first != UInt8(ascii: "_") else { return nil }
        digits.removeAll { $0 == UInt8(ascii: "_") }
        let plain = String(decoding: digits, as: UTF8.self)
        if let whole = integer(plain, isNegative: isNegative) { return .integer(whole) }
        guard isDecimal(digits), let value = Double(plain) else { return nil }
        return .number(sign * value)
    }

    private static func integer(_ digits: String, isNegative: Bool) -> Int64? {
        let sign = isNegative ? "-" : ""
        if digits.hasPrefix("0x") { return Int64(sign + digits.dropFirst(2), radix: 16) }
        if digits.hasPrefix("0b") { return Int64(sign + digits.dropFirst(2), radix: 2) }
        guard digits.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }), !digits.isEmpty else { return nil }
        // A leading zero means octal, as in Python 2 and C.
        if digits.utf8.count > 1, digits.utf8.first == 48 { return Int64(sign + digits, radix: 8) }
        return Int64(sign + digits)
    }

    /// Digits with a point, an exponent or both (or an integer too large for 64 bits).
    private static func isDecimal(_ digits: [UInt8]) -> Bool {
        var hasDigit = false
        var hasPoint = false
        var index = 0
        while index < digits.count {
            switch digits[index] {
            case 48...57: hasDigit = true
            case UInt8(ascii: "."):
                if hasPoint { return false }
                hasPoint = true
            case UInt8(ascii: "e"), UInt8(ascii: "E"):
                guard hasDigit else { return false }
                var exponent = digits[(index + 1)...]
                if let sign = exponent.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { exponent = exponent.dropFirst() }
                return !exponent.isEmpty && exponent.allSatisfy { $0 >= 48 && $0 <= 57 }
            default: return false
            }
            index += 1
        }
        return hasDigit
    }
}
