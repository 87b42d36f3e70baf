/// JSON values as text, laid out as Python's json module does it, so that files compare equal.

import Platform

/// How a value is laid out.
public enum JSONStyle: Sendable, Equatable {
    /// {"a":1,"b":[2]}; a number that JSON cannot hold becomes null.
    case compact
    /// {"a": 1, "b": [2]} as json.dumps writes it, NaN and Infinity included.
    case python
    /// One member per line, indented by so many spaces per level, as json.dumps(indent=n).
    case indented(Int)
    /// As json.dumps with `separators` and a text as `indent`; nil writes one line.
    case laidOut(item: String, key: String, indent: String?)

    var itemSeparator: String {
        switch self {
        case .compact, .indented: return ","
        case .python: return ", "
        case .laidOut(let item, _, _): return item
        }
    }

    var keySeparator: String {
        switch self {
        case .compact: return ":"
        case .python, .indented: return ": "
        case .laidOut(_, let key, _): return key
        }
    }

    var indentation: String? {
        switch self {
        case .compact, .python: return nil
        case .indented(let width): return String(repeating: " ", count: max(0, width))
        case .laidOut(_, _, let indent): return indent
        }
    }
}

extension JSONValue {
    /// - Parameters:
    ///   - sortedKeys: members by the code points of their names, as sort_keys=True.
    ///   - escapeNonASCII: \uXXXX for everything beyond ASCII, as ensure_ascii=True.
    public func text(style: JSONStyle = .compact, sortedKeys: Bool = false, escapeNonASCII: Bool = false) -> String {
        var writer = JSONWriter(style: style, sortedKeys: sortedKeys, escapeNonASCII: escapeNonASCII)
        writer.append(self, level: 0)
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

extension JSONObject {
    public func text(style: JSONStyle = .compact, sortedKeys: Bool = false, escapeNonASCII: Bool = false) -> String {
        JSONValue.object(self).text(style: style, sortedKeys: sortedKeys, escapeNonASCII: escapeNonASCII)
    }
}

private struct JSONWriter {
    let style: JSONStyle
    let sortedKeys: Bool
    let escapeNonASCII: Bool
    private let itemSeparator: String
    private let keySeparator: String
    private let indentation: String?
    var bytes: [UInt8] = []

    init(style: JSONStyle, sortedKeys: Bool, escapeNonASCII: Bool) {
        self.style = style
        self.sortedKeys = sortedKeys
        self.escapeNonASCII = escapeNonASCII
        itemSeparator = style.itemSeparator
        keySeparator = style.keySeparator
        indentation = style.indentation
    }

    mutating func append(_ value: JSONValue, level: Int) {
        switch value {
        case .null: put("null")
        case .bool(let flag): put(flag ? "true" : "false")
        case .integer(let number): put(String(number))
        case .number(let number): append(number)
        case .string(let text): append(text)
        case .array(let values):
            append(open: "[", close: "]", count: values.count, level: level) { writer, index in
                writer.append(values[index], level: level + 1)
            }
        case .object(let object):
            let pairs = sortedKeys ? object.pairs.sorted { precedes($0.key, $1.key) } : object.pairs
            append(open: "{", close: "}", count: pairs.count, level: level) { writer, index in
                writer.append(pairs[index].key)
                writer.put(writer.keySeparator)
                writer.append(pairs[index].value, level: level + 1)
            }
        }
    }

    private mutating func append(
        open: String, close: String, count: Int, level: Int, element: (inout JSONWriter, Int) -> Void
    ) {
        put(open)
        for index in 0..<count {
            if index > 0 { put(itemSeparator) }
            breakLine(level + 1)
            element(&self, index)
        }
        if count > 0 { breakLine(level) }
        put(close)
    }

    private mutating func breakLine(_ level: Int) {
        guard let indentation else { return }
        bytes.append(UInt8(ascii: "\n"))
        for _ in 0..<level { bytes.append(contentsOf: indentation.utf8) }
    }

    private mutating func append(_ number: Double) {
        if number.isFinite { return put(NumberText.pythonFloat(number)) }
        if style == .compact { return put("null") }
        put(number.isNaN ? "NaN" : number < 0 ? "-Infinity" : "Infinity")
    }

    private mutating func append(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        if escapeNonASCII {
            for unit in text.utf16 {
                if unit < 0x80 { append(ascii: UInt8(unit)) } else { putEscape(unit) }
            }
        } else {
            for byte in text.utf8 { append(ascii: byte) }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// One byte of a string; those beyond ASCII pass as they are.
    private mutating func append(ascii byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): put("\\\"")
        case UInt8(ascii: "\\"): put("\\\\")
        case 0x0A: put("\\n")
        case 0x0D: put("\\r")
        case 0x09: put("\\t")
        case 0x08: put("\\b")
        case 0x0C: put("\\f")
        case 0..<0x20: putEscape(UInt16(byte))
        default: bytes.append(byte)
        }
    }

    private mutating func put(_ text: String) { bytes.append(contentsOf: text.utf8) }

    private mutating func putEscape(_ unit: UInt16) {
        let digits = Array("0123456789abcdef".utf8)
        put("\\u")
        for shift in [12, 8, 4, 0] { bytes.append(digits[Int(unit >> UInt16(shift)) & 15]) }
    }

    private func precedes(_ left: String, _ right: String) -> Bool { left.utf8.lexicographicallyPrecedes(right.utf8) }
}
