import Formats
import Platform

/// Python's two ways of putting values into a text: `"%s" % value` and `"{}".format(value)`.
enum JinjaFormat {
    /// How one value is laid out.
    struct Specification {
        var fill: Unicode.Scalar = " "
        /// `<`, `>`, `^` or `=`; nil for the kind's own.
        var alignment: Unicode.Scalar?
        var sign: Unicode.Scalar = "-"
        var isAlternate = false
        var width = 0
        var groups = false
        var precision: Int?
        var kind: Unicode.Scalar?
    }

    private static let widest = 1 << 16

    // MARK: %

    /// `format % value`, where a tuple gives several values and a mapping gives them by name.
    static func percent(_ format: String, _ value: JinjaValue, _ interpreter: JinjaInterpreter) throws(TemplateError) -> String {
        var values: [JinjaValue]
        if case .tuple(let several) = value { values = several } else { values = [value] }
        let scalars = Array(format.unicodeScalars)
        try interpreter.spend(scalars.count * 80)
        var result = ""
        var place = 0
        var usesNames = false
        var used = 0
        func next() throws(TemplateError) -> JinjaValue {
            guard used < values.count else { throw interpreter.fail("the format has more places than values") }
            used += 1
            return values[used - 1]
        }
        while place < scalars.count {
            guard scalars[place] == "%" else {
                result.unicodeScalars.append(scalars[place])
                place += 1
                continue
            }
            place += 1
            var chosen: JinjaValue?
            if place < scalars.count, scalars[place] == "(" {
                guard let end = scalars[place...].firstIndex(of: ")"), case .dictionary(let mapping) = value else {
                    throw interpreter.fail("the format asks for a value by name")
                }
                let name = JinjaText.string(scalars[(place + 1)..<end])
                guard let found = mapping[.string(name)] else { throw interpreter.fail("the format has no value for \(name)") }
                chosen = found
                usesNames = true
                place = end + 1
            }
            var specification = Specification(alignment: ">")
            var isZeroFilled = false
            while place < scalars.count, "-+ #0".unicodeScalars.contains(scalars[place]) {
                switch scalars[place] {
                case "-": specification.alignment = "<"
                case "#": specification.isAlternate = true
                case "0": isZeroFilled = true
                default: specification.sign = scalars[place]
                }
                place += 1
            }
            specification.width = try number(scalars, &place, interpreter, star: next) ?? 0
            if place < scalars.count, scalars[place] == "." {
                place += 1
                specification.precision = try number(scalars, &place, interpreter, star: next) ?? 0
            }
            guard place < scalars.count else { throw interpreter.fail("the format ends within a place") }
            let kind = scalars[place]
            place += 1
            if kind == "%" {
                result += "%"
                continue
            }
            let given: JinjaValue
            if let chosen { given = chosen } else { given = try next() }
            var text: String
            switch kind {
            case "s": text = try interpreter.text(of: given)
            case "r", "a": text = try interpreter.representation(of: given)
            case "c":
                text = try interpreter.text(of: given)
                if let code = given.integer { text = UInt32(exactly: code).flatMap { Unicode.Scalar($0) }.map { String(Character($0)) } ?? "" }
            case "d", "i", "u", "x", "X", "o", "e", "E", "f", "F", "g", "G":
                guard given.double != nil else { throw interpreter.fail("%\(kind) needs a number, found \(given.kindName)") }
                if isZeroFilled, specification.alignment != "<" {
                    specification.fill = "0"
                    specification.alignment = "="
                }
                specification.kind = kind == "i" || kind == "u" ? "d" : kind
                var number = given
                if "diuxXo".unicodeScalars.contains(kind), given.integer == nil {
                    guard kind != "x", kind != "X", kind != "o", let whole = given.double.flatMap({ Int64(exactly: $0.rounded(.towardZero)) }) else {
                        throw interpreter.fail("%\(kind) needs an integer, found \(given.kindName)")
                    }
                    number = .integer(whole)
                }
                if specification.kind == "d" { specification.precision = nil }
                result += try laidOut(number, specification, interpreter)
                continue
            default: throw interpreter.fail("the format %\(kind) is not known")
            }
            if let precision = specification.precision { text = JinjaText.string(text.unicodeScalars.prefix(precision)) }
            try interpreter.charge(text.utf8.count)
            result += try padded(text, specification, interpreter)
        }
        if used < values.count, !usesNames, case .tuple = value { throw interpreter.fail("the format has fewer places than values") }
        if used == 0, !usesNames {
            switch value {
            case .tuple, .dictionary, .list: break
            default: throw interpreter.fail("the format has fewer places than values")
            }
        }
        try interpreter.charge(scalars.count)
        return result
    }

    private static func number(
        _ scalars: [Unicode.Scalar], _ place: inout Int, _ interpreter: JinjaInterpreter, star: () throws(TemplateError) -> JinjaValue
    ) throws(TemplateError) -> Int? {
        if place < scalars.count, scalars[place] == "*" {
            place += 1
            guard let value = try star().integer, value >= 0, value <= Int64(widest) else { throw interpreter.fail("a format's width is out of range") }
            return Int(value)
        }
        var value: Int?
        while place < scalars.count, let digit = Int(String(Character(scalars[place]))), scalars[place].isASCII {
            value = (value ?? 0) * 10 + digit
            if value ?? 0 > widest { throw interpreter.fail("a format's width is above \(widest)") }
            place += 1
        }
        return value
    }

    // MARK: str.format

    /// `text.format(...)`: positions, names, attributes and items of them, conversions and format specifications.
    static func braces(_ text: String, _ arguments: JinjaCallArguments, _ interpreter: JinjaInterpreter) throws(TemplateError) -> String {
        var automatic = 0
        return try braces(Array(text.unicodeScalars), arguments, interpreter, &automatic, depth: 2)
    }

    private static func braces(
        _ scalars: [Unicode.Scalar], _ arguments: JinjaCallArguments, _ interpreter: JinjaInterpreter, _ automatic: inout Int, depth: Int
    ) throws(TemplateError) -> String {
        if depth == 0 { throw interpreter.fail("format specifications are nested too deep") }
        try interpreter.spend(scalars.count * 80)
        var result = ""
        var place = 0
        while place < scalars.count {
            let scalar = scalars[place]
            place += 1
            guard scalar == "{" || scalar == "}" else {
                result.unicodeScalars.append(scalar)
                continue
            }
            if place < scalars.count, scalars[place] == scalar {
                result.unicodeScalars.append(scalar)
                place += 1
                continue
            }
            if scalar == "}" { throw interpreter.fail("the format has a single }") }
            var open = 1
            let start = place
            while place < scalars.count, open > 0 {
                if scalars[place] == "{" { open += 1 }
                if scalars[place] == "}" { open -= 1 }
                place += 1
            }
            if open > 0 { throw interpreter.fail("the format has an open {") }
            let text = try field(Array(scalars[start..<(place - 1)]), arguments, interpreter, &automatic, depth: depth)
            try interpreter.charge(text.utf8.count)
            result += text
        }
        try interpreter.charge(scalars.count)
        return result
    }

    private static func field(
        _ scalars: [Unicode.Scalar], _ arguments: JinjaCallArguments, _ interpreter: JinjaInterpreter, _ automatic: inout Int, depth: Int
    ) throws(TemplateError) -> String {
        var name = scalars
        var specification: [Unicode.Scalar] = []
        if let colon = scalars.firstIndex(of: ":") {
            name = Array(scalars[..<colon])
            specification = Array(scalars[(colon + 1)...])
        }
        var conversion: Unicode.Scalar?
        if let mark = name.firstIndex(of: "!") {
            conversion = name[mark...].dropFirst().first
            name = Array(name[..<mark])
        }
        let head = Array(name.prefix { $0 != "." && $0 != "[" })
        var value: JinjaValue?
        if head.isEmpty {
            value = arguments.positional.indices.contains(automatic) ? arguments.positional[automatic] : nil
            automatic += 1
        } else if let index = Int(JinjaText.string(head)) {
            value = arguments.positional.indices.contains(index) ? arguments.positional[index] : nil
        } else {
            value = arguments.named.first { $0.name == JinjaText.string(head) }?.value
        }
        guard var found = value else { throw interpreter.fail("the format has no value for {\(JinjaText.string(name))}") }
        var place = head.count
        while place < name.count {
            if name[place] == "." {
                let part = name[(place + 1)...].prefix { $0 != "." && $0 != "[" }
                found = try interpreter.attribute(of: found, JinjaText.string(part))
                place += 1 + part.count
            } else {
                guard name[place] == "[" else { throw interpreter.fail("only . or [ may follow ] in a format's place") }
                guard let end = name[place...].firstIndex(of: "]") else { throw interpreter.fail("the format has an open [") }
                let key = JinjaText.string(name[(place + 1)..<end])
                found = try interpreter.item(of: found, Int64(key).map { .integer($0) } ?? .string(key))
                place = end + 1
            }
        }
        switch conversion {
        case nil: break
        case "s": found = .string(try interpreter.text(of: found))
        case "r", "a": found = .string(try interpreter.representation(of: found))
        default: throw interpreter.fail("the format's conversion is not known")
        }
        if specification.isEmpty { return try interpreter.text(of: found) }
        let layout = try braces(specification, arguments, interpreter, &automatic, depth: depth - 1)
        return try laidOut(found, try parse(layout, interpreter), interpreter)
    }

    private static func parse(_ text: String, _ interpreter: JinjaInterpreter) throws(TemplateError) -> Specification {
        let scalars = Array(text.unicodeScalars)
        var place = 0
        var result = Specification()
        func isAlignment(_ index: Int) -> Bool { index < scalars.count && "<>^=".unicodeScalars.contains(scalars[index]) }
        if isAlignment(1) {
            result.fill = scalars[0]
            result.alignment = scalars[1]
            place = 2
        } else if isAlignment(0) {
            result.alignment = scalars[0]
            place = 1
        }
        if place < scalars.count, "+- ".unicodeScalars.contains(scalars[place]) {
            result.sign = scalars[place]
            place += 1
        }
        if place < scalars.count, scalars[place] == "#" {
            result.isAlternate = true
            place += 1
        }
        if place < scalars.count, scalars[place] == "0", result.alignment == nil {
            result.fill = "0"
            result.alignment = "="
            place += 1
        }
        let none = { () throws(TemplateError) -> JinjaValue in throw interpreter.fail("the format specification \(text) is not known") }
        result.width = try number(scalars, &place, interpreter, star: none) ?? 0
        if place < scalars.count, scalars[place] == "," || scalars[place] == "_" {
            guard scalars[place] == "," else { throw interpreter.fail("the format specification \(text) is not known") }
            result.groups = true
            place += 1
        }
        if place < scalars.count, scalars[place] == "." {
            place += 1
            result.precision = try number(scalars, &place, interpreter, star: none)
        }
        if place < scalars.count {
            result.kind = scalars[place]
            place += 1
        }
        if place < scalars.count { throw interpreter.fail("the format specification \(text) is not known") }
        return result
    }

    // MARK: Laying out

    private static func laidOut(
        _ value: JinjaValue, _ specification: Specification, _ interpreter: JinjaInterpreter
    ) throws(TemplateError) -> String {
        var specification = specification
        if specification.precision ?? 0 > 400 { throw interpreter.fail("a format's precision is above 400") }
        var isPlainText = false
        switch value {
        case .bool: isPlainText = specification.kind == nil
        case .integer, .number: break
        default: isPlainText = true
        }
        if isPlainText {
            guard specification.kind == nil || specification.kind == "s" else {
                throw interpreter.fail("the format needs a number, found \(value.kindName)")
            }
            var text = try interpreter.text(of: value)
            if let precision = specification.precision { text = JinjaText.string(text.unicodeScalars.prefix(precision)) }
            if specification.alignment == nil || specification.alignment == "=" { specification.alignment = "<" }
            return try padded(text, specification, interpreter)
        }
        let isNegative = (value.double ?? 0).sign == .minus && (value.integer ?? -1) < 0
        var digits = try digits(value, specification, interpreter)
        if specification.groups { digits = grouped(digits) }
        let sign = isNegative ? "-" : specification.sign == "+" ? "+" : specification.sign == " " ? " " : ""
        if specification.alignment == "=" {
            let missing = max(0, specification.width - digits.unicodeScalars.count - sign.utf8.count)
            return sign + String(repeating: Character(specification.fill), count: missing) + digits
        }
        if specification.alignment == nil { specification.alignment = ">" }
        return try padded(sign + digits, specification, interpreter)
    }

    /// Digits without a sign.
    private static func digits(_ value: JinjaValue, _ specification: Specification, _ interpreter: JinjaInterpreter) throws(TemplateError) -> String {
        let alternate = specification.isAlternate
        if let integer = value.integer {
            switch specification.kind {
            case nil, "d", "n": return String(integer.magnitude)
            case "x": return (alternate ? "0x" : "") + String(integer.magnitude, radix: 16)
            case "X": return (alternate ? "0X" : "") + String(integer.magnitude, radix: 16, uppercase: true)
            case "o": return (alternate ? "0o" : "") + String(integer.magnitude, radix: 8)
            case "b": return (alternate ? "0b" : "") + String(integer.magnitude, radix: 2)
            case "c": return UInt32(exactly: integer).flatMap { Unicode.Scalar($0) }.map { String(Character($0)) } ?? ""
            default: break
            }
        }
        guard let number = value.double?.magnitude else { throw interpreter.fail("the format needs a number, found \(value.kindName)") }
        let precision = specification.precision ?? 6
        switch specification.kind {
        case "f", "F": return NumberText.fixed(number, digits: precision)
        case "e": return NumberText.scientific(number, digits: precision)
        case "E": return NumberText.scientific(number, digits: precision).uppercased()
        case "g", "n": return NumberText.significant(number, digits: max(1, precision))
        case "G": return NumberText.significant(number, digits: max(1, precision)).uppercased()
        case "%": return NumberText.fixed(number * 100, digits: precision) + "%"
        case nil:
            guard let precision = specification.precision else { return NumberText.pythonFloat(number) }
            let text = NumberText.significant(number, digits: max(1, precision))
            return text.utf8.contains(0x2E) || text.utf8.contains(0x65) ? text : text + ".0"
        default: throw interpreter.fail("the format's kind is not known for \(value.kindName)")
        }
    }

    private static func grouped(_ digits: String) -> String {
        let whole = digits.prefix { $0.isNumber }
        guard let value = Int(whole) else { return digits }
        return NumberText.grouped(value) + digits.dropFirst(whole.count)
    }

    private static func padded(_ text: String, _ specification: Specification, _ interpreter: JinjaInterpreter) throws(TemplateError) -> String {
        let missing = max(0, specification.width - text.unicodeScalars.count)
        if missing == 0 { return text }
        try interpreter.charge(missing * 4)
        func filling(_ count: Int) -> String { String(repeating: Character(specification.fill), count: count) }
        switch specification.alignment {
        case "<": return text + filling(missing)
        case "^": return filling(missing / 2) + text + filling(missing - missing / 2)
        default: return filling(missing) + text
        }
    }
}
