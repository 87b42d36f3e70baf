/// YAML as people write it: block style, plain where that reads back as the same value, quoted elsewhere.

import Platform

extension YAML {
    /// One member per line. What this writes, PyYAML and `parse` read back to the same values.
    public static func text(_ object: JSONObject) -> String {
        var lines: [String] = []
        append(object, indent: 0, to: &lines)
        return lines.isEmpty ? "{}\n" : lines.joined(separator: "\n") + "\n"
    }

    /// A scalar or, in flow style, a container on one line.
    public static func inline(_ value: JSONValue) -> String {
        switch value {
        case .null: "null"
        case .bool(let flag): flag ? "true" : "false"
        case .integer(let number): String(number)
        case .number(let number): self.number(number)
        case .string(let text): isPlainText(text) ? text : quoted(text)
        case .array(let values): "[" + values.map(flow).joined(separator: ", ") + "]"
        case .object(let object): "{" + object.map { flowText($0.key) + ": " + flow($0.value) }.joined(separator: ", ") + "}"
        }
    }

    private static func append(_ object: JSONObject, indent: Int, to lines: inout [String]) {
        let margin = String(repeating: " ", count: indent)
        for (key, value) in object {
            let name = margin + (isPlainText(key) ? key : quoted(key)) + ":"
            switch value {
            case .object(let members) where !members.isEmpty:
                lines.append(name)
                append(members, indent: indent + 2, to: &lines)
            case .array(let values) where !values.isEmpty:
                lines.append(name)
                for value in values { lines.append(margin + "- " + flow(value)) }
            case .null, .bool, .integer, .number, .string, .array, .object:
                lines.append(name + " " + inline(value))
            }
        }
    }

    private static func flow(_ value: JSONValue) -> String {
        if case .string(let text) = value { return flowText(text) }
        return inline(value)
    }

    /// Inside brackets a few more characters end a plain scalar.
    private static func flowText(_ text: String) -> String {
        isPlainText(text) && !text.utf8.contains(where: { ",[]{}".utf8.contains($0) }) ? text : quoted(text)
    }

    /// "5.0e-05" rather than "5e-05", which PyYAML would read as text.
    private static func number(_ value: Double) -> String {
        if value.isNaN { return ".nan" }
        if value.isInfinite { return value < 0 ? "-.inf" : ".inf" }
        let text = NumberText.pythonFloat(value)
        guard let exponent = text.firstIndex(of: "e"), !text.contains(".") else { return text }
        return text[..<exponent] + ".0" + text[exponent...]
    }

    /// True when the text, unquoted, is read back as this text. Conservative: what is in doubt is quoted.
    static func isPlainText(_ text: String) -> Bool {
        guard case .string = resolve(text), let first = text.utf8.first, let last = text.utf8.last else { return false }
        // Numbers of base 60, dates and the like, which other readers would take for something else.
        if first >= 48 && first <= 57, text.utf8.allSatisfy({ ($0 >= 48 && $0 <= 58) || $0 == 45 || $0 == 46 || $0 == 95 }) { return false }
        if "!&*-?:,[]{}#|>@`\"'%= <".utf8.contains(first) || last == 32 || last == UInt8(ascii: ":") { return false }
        if ["y", "Y", "n", "N"].contains(text) { return false }
        var before: UInt8 = 0
        for byte in text.utf8 {
            if byte < 0x20 || byte == 0x7F || byte >= 0x80 { return false }
            if byte == UInt8(ascii: "#"), before == 32 { return false }
            if byte == 32, before == UInt8(ascii: ":") { return false }
            before = byte
        }
        return true
    }

    /// Double quotes with escapes; text beyond ASCII stays readable, but for what libyaml does not hold for printable.
    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case "\r": result += "\\r"
            case " "..."~", "\u{A0}"..."\u{2027}", "\u{202A}"..."\u{D7FF}", "\u{E000}"..."\u{FEFE}", "\u{FF00}"..."\u{FFFD}":
                result.unicodeScalars.append(scalar)
            case _ where scalar.value > 0xFFFF: result.unicodeScalars.append(scalar)
            default:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
            }
        }
        return result + "\""
    }
}
