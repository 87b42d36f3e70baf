import Formats

/// Methods of strings, mappings and lists, as Python's. Those that would change a value are refused, as transformers' sandbox does.
enum JinjaMethods {
    static func method(_ name: String, of value: JinjaValue) -> JinjaFunction? {
        switch value {
        case .string(let text): return stringMethod(name, text)
        case .dictionary(let dictionary): return dictionaryMethod(name, dictionary)
        case .list(let values), .tuple(let values): return listMethod(name, values)
        case .view(let view):
            if case .range = view.kind { return listMethod(name, view.elements) }
            return nil
        case .number(let number) where name == "is_integer":
            return JinjaFunction(name) { (_, _) throws(TemplateError) in .bool(number == number.rounded() && number.isFinite) }
        case .undefined, .none, .bool, .integer, .number, .generator, .namespace, .loop, .function: return nil
        }
    }

    typealias Arguments = JinjaCallArguments

    private static func text(_ arguments: Arguments, _ index: Int, _ name: String, _ interpreter: JinjaInterpreter) throws(TemplateError)
        -> String?
    {
        guard let value = arguments.value(index, name) else { return nil }
        if case .none = value { return nil }
        guard case .string(let text) = value else { throw interpreter.fail("a string is needed, found \(value.kindName)") }
        return text
    }

    private static func needed(_ arguments: Arguments, _ index: Int, _ interpreter: JinjaInterpreter) throws(TemplateError) -> String {
        guard let text = try text(arguments, index, "", interpreter) else { throw interpreter.fail("a method lacks an argument") }
        return text
    }

    private static let stringNames: Set<String> = [
        "strip", "lstrip", "rstrip", "split", "rsplit", "splitlines", "startswith", "endswith", "upper", "lower", "title", "capitalize",
        "swapcase", "replace", "find", "rfind", "index", "count", "join", "isdigit", "isalpha", "isalnum", "isspace", "isupper", "islower",
        "removeprefix", "removesuffix", "zfill", "ljust", "rjust", "center", "format", "partition", "rpartition", "casefold", "encode", "rindex",
        "isdecimal", "isnumeric", "isascii", "istitle", "isprintable", "expandtabs", "format_map",
    ]

    /// Those that ask for what each character is: an order slower than those that compare bytes.
    private static let wordNames: Set<String> = [
        "upper", "lower", "title", "capitalize", "swapcase", "casefold", "isdigit", "isalpha", "isalnum", "isspace", "isupper", "islower",
        "isdecimal", "isnumeric", "istitle", "isprintable", "splitlines", "expandtabs", "format", "format_map",
    ]

    private static func stringMethod(_ name: String, _ text: String) -> JinjaFunction? {
        guard stringNames.contains(name) else { return nil }
        return JinjaFunction(name) { (interpreter, arguments) throws(TemplateError) in
            try interpreter.charge(text.utf8.count)
            try interpreter.spend(text.utf8.count * (wordNames.contains(name) ? 200 : 16))
            switch name {
            case "strip", "lstrip", "rstrip":
                let characters = try self.text(arguments, 0, "chars", interpreter)
                return .string(JinjaText.strip(text, characters, left: name != "rstrip", right: name != "lstrip"))
            case "split", "rsplit":
                let separator = try self.text(arguments, 0, "sep", interpreter)
                let limit = arguments.value(1, "maxsplit")?.integer ?? -1
                if separator == nil { try interpreter.spend(text.utf8.count * 32) }
                if separator?.isEmpty == true { throw interpreter.fail("a separator cannot be empty") }
                let parts = JinjaText.split(text, separator, limit < 0 ? .max : Int(limit), fromRight: name == "rsplit")
                try interpreter.chargeElements(parts.count)
                return .list(parts.map { .string($0) })
            case "splitlines":
                let lines = JinjaText.lines(text, keepsEnds: arguments.value(0, "keepends")?.isTrue ?? false)
                try interpreter.chargeElements(lines.count)
                return .list(lines.map { .string($0) })
            case "startswith", "endswith":
                guard let given = arguments.positional.first else { throw interpreter.fail("\(name) needs a string") }
                var choices: [JinjaValue] = [given]
                if case .tuple(let several) = given { choices = several }
                let part = try within(text, arguments, interpreter)
                for choice in choices {
                    guard case .string(let wanted) = choice else { throw interpreter.fail("\(name) needs a string, found \(choice.kindName)") }
                    if part.isEmpty, arguments.positional.count > 1, !wanted.isEmpty { continue }
                    if name == "startswith" ? JinjaText.hasPrefix(part, wanted) : JinjaText.hasSuffix(part, wanted) { return .bool(true) }
                }
                return .bool(false)
            case "upper": return .string(text.uppercased())
            case "lower": return .string(JinjaText.lower(text))
            case "casefold": return .string(text.lowercased())
            case "title": return .string(JinjaText.title(text))
            case "capitalize": return .string(JinjaText.capitalized(text))
            case "swapcase": return .string(JinjaText.swappedCase(text))
            case "replace":
                let from = try needed(arguments, 0, interpreter)
                let to = try needed(arguments, 1, interpreter)
                return .string(try interpreter.replaced(text, from, to, arguments.value(2, "count")?.integer ?? -1))
            case "find", "rfind", "index", "rindex":
                let start = try bounds(text, arguments, interpreter).lowerBound
                let found = JinjaText.find(try within(text, arguments, interpreter), try needed(arguments, 0, interpreter), last: name.hasPrefix("r"))
                if name.hasSuffix("index"), found < 0 { throw interpreter.fail("substring not found") }
                return .integer(Int64(found < 0 ? found : found + start))
            case "count":
                let wanted = try needed(arguments, 0, interpreter)
                let part = try within(text, arguments, interpreter)
                if wanted.isEmpty { return .integer(Int64(part.unicodeScalars.count + 1)) }
                return .integer(Int64(JinjaText.split(part, wanted, .max, fromRight: false).count - 1))
            case "join":
                var parts: [String] = []
                for part in try interpreter.items(of: arguments.positional.first ?? .list([])) {
                    guard case .string(let piece) = part else { throw interpreter.fail("join needs strings, found \(part.kindName)") }
                    parts.append(piece)
                }
                return .string(try interpreter.joined(parts, separator: text))
            case "isdecimal": return .bool(!text.isEmpty && text.unicodeScalars.allSatisfy { $0.properties.numericType == .decimal })
            case "isnumeric": return .bool(!text.isEmpty && text.unicodeScalars.allSatisfy { $0.properties.numericType != nil })
            case "isascii": return .bool(text.utf8.allSatisfy { $0 < 0x80 })
            case "isprintable": return .bool(text.unicodeScalars.allSatisfy { JinjaText.isPrintable($0) })
            case "istitle": return .bool(JinjaText.isTitle(text))
            case "expandtabs":
                let size = Int(max(0, min(arguments.value(0, "tabsize")?.integer ?? 8, 1 << 12)))
                try interpreter.charge(text.utf8.reduce(0) { $0 + ($1 == 9 ? size : 0) })
                return .string(JinjaText.withoutTabs(text, size))
            case "isdigit": return .bool(!text.isEmpty && text.unicodeScalars.allSatisfy { $0.properties.numericType == .decimal || $0.properties.numericType == .digit })
            case "isalpha": return .bool(!text.isEmpty && text.unicodeScalars.allSatisfy { UnicodeClasses.shared.isLetter($0.value) })
            case "isalnum":
                return .bool(
                    !text.isEmpty
                        && text.unicodeScalars.allSatisfy { UnicodeClasses.shared.isLetter($0.value) || UnicodeClasses.shared.isNumber($0.value) })
            case "isspace": return .bool(!text.isEmpty && text.unicodeScalars.allSatisfy { JinjaText.isSpace($0) })
            case "isupper": return .bool(JinjaText.isUpper(text))
            case "islower": return .bool(JinjaText.isLower(text))
            case "removeprefix":
                let prefix = try needed(arguments, 0, interpreter)
                return .string(JinjaText.hasPrefix(text, prefix) ? String(decoding: text.utf8.dropFirst(prefix.utf8.count), as: UTF8.self) : text)
            case "removesuffix":
                let suffix = try needed(arguments, 0, interpreter)
                return .string(JinjaText.hasSuffix(text, suffix) ? String(decoding: text.utf8.dropLast(suffix.utf8.count), as: UTF8.self) : text)
            case "zfill", "ljust", "rjust", "center": return try padded(name, text, arguments, interpreter)
            case "partition", "rpartition":
                let separator = try needed(arguments, 0, interpreter)
                if separator.isEmpty { throw interpreter.fail("a separator cannot be empty") }
                let parts = JinjaText.split(text, separator, 1, fromRight: name == "rpartition")
                if parts.count < 2 {
                    return .tuple(name == "partition" ? [.string(text), .string(""), .string("")] : [.string(""), .string(""), .string(text)])
                }
                return .tuple([.string(parts[0]), .string(separator), .string(parts[1])])
            case "format": return .string(try JinjaFormat.braces(text, arguments, interpreter))
            case "format_map":
                guard case .dictionary(let mapping)? = arguments.positional.first else { throw interpreter.fail("format_map needs a mapping") }
                var named: [(name: String, value: JinjaValue)] = []
                for pair in mapping.pairs { named.append((try interpreter.text(of: pair.key), pair.value)) }
                return .string(try JinjaFormat.braces(text, JinjaCallArguments(named: named), interpreter))
            default: throw interpreter.fail("the string method \(name) is not supported")
            }
        }
    }

    /// The stretch that a method's second and third argument choose, in code points.
    private static func bounds(_ text: String, _ arguments: Arguments, _ interpreter: JinjaInterpreter) throws(TemplateError) -> Range<Int> {
        let count = text.unicodeScalars.count
        func place(_ index: Int, _ missing: Int) throws(TemplateError) -> Int {
            guard arguments.positional.indices.contains(index) else { return missing }
            if case .none = arguments.positional[index] { return missing }
            guard let value = arguments.positional[index].integer else { throw interpreter.fail("a position must be an integer") }
            return value < 0 ? max(0, count + Int(max(value, Int64(-count)))) : Int(min(value, Int64(count) + 1))
        }
        let (start, end) = (try place(1, 0), min(try place(2, count), count))
        return start..<max(start, end)
    }

    private static func within(_ text: String, _ arguments: Arguments, _ interpreter: JinjaInterpreter) throws(TemplateError) -> String {
        if arguments.positional.count < 2 { return text }
        try interpreter.spend(text.utf8.count * 48)
        let range = try bounds(text, arguments, interpreter)
        return JinjaText.string(text.unicodeScalars.dropFirst(range.lowerBound).prefix(range.count))
    }

    static func padded(
        _ name: String, _ text: String, _ arguments: Arguments, _ interpreter: JinjaInterpreter
    ) throws(TemplateError) -> JinjaValue {
        let width = Int(max(0, min(arguments.value(0, "width")?.integer ?? 0, 1 << 24)))
        let fill = name == "zfill" ? "0" : try self.text(arguments, 1, "fillchar", interpreter) ?? " "
        guard fill.unicodeScalars.count == 1 else { throw interpreter.fail("\(name) fills with one character") }
        let missing = max(0, width - text.unicodeScalars.count)
        try interpreter.charge(missing * fill.utf8.count)
        func filling(_ count: Int) -> String { String(repeating: fill, count: count) }
        switch name {
        case "ljust": return .string(text + filling(missing))
        case "center": return .string(filling(missing / 2 + (missing & width & 1)) + text + filling(missing - missing / 2 - (missing & width & 1)))
        case "zfill" where text.hasPrefix("-") || text.hasPrefix("+"): return .string(text.prefix(1) + filling(missing) + text.dropFirst())
        default: return .string(filling(missing) + text)
        }
    }

    private static func dictionaryMethod(_ name: String, _ dictionary: JinjaDictionary) -> JinjaFunction? {
        switch name {
        case "items":
            return JinjaFunction(name) { (interpreter, _) throws(TemplateError) in
                try interpreter.spendElements(dictionary.pairs.count * 3)
                return .view(JinjaView(kind: .items, elements: dictionary.pairs.map { .tuple([$0.key, $0.value]) }))
            }
        case "keys":
            return JinjaFunction(name) { (interpreter, _) throws(TemplateError) in
                try interpreter.spendElements(dictionary.pairs.count)
                return .view(JinjaView(kind: .keys, elements: dictionary.pairs.map(\.key)))
            }
        case "values":
            return JinjaFunction(name) { (interpreter, _) throws(TemplateError) in
                try interpreter.spendElements(dictionary.pairs.count)
                return .view(JinjaView(kind: .values, elements: dictionary.pairs.map(\.value)))
            }
        case "copy": return JinjaFunction(name) { (_, _) throws(TemplateError) in .dictionary(dictionary) }
        case "get":
            return JinjaFunction(name) { (interpreter, arguments) throws(TemplateError) in
                guard let key = arguments.positional.first else { throw interpreter.fail("get needs a key") }
                return dictionary[key] ?? arguments.value(1, "default") ?? .none
            }
        default: return nil
        }
    }

    private static func listMethod(_ name: String, _ values: [JinjaValue]) -> JinjaFunction? {
        switch name {
        case "index":
            return JinjaFunction(name) { (interpreter, arguments) throws(TemplateError) in
                try interpreter.spendWeight(.list(values))
                guard let wanted = arguments.positional.first, let place = values.firstIndex(where: { JinjaValue.equal($0, wanted) }) else {
                    throw interpreter.fail("the value is not in the list")
                }
                return .integer(Int64(place))
            }
        case "count":
            return JinjaFunction(name) { (interpreter, arguments) throws(TemplateError) in
                try interpreter.spendWeight(.list(values))
                let wanted = arguments.positional.first ?? .none
                return .integer(Int64(values.filter { JinjaValue.equal($0, wanted) }.count))
            }
        case "copy": return JinjaFunction(name) { (_, _) throws(TemplateError) in .list(values) }
        default: return nil
        }
    }

    /// Methods that would change a value in place, which the sandbox hides: a template finds them undefined.
    static func isHidden(_ name: String, of value: JinjaValue) -> Bool {
        switch value {
        case .dictionary: return ["update", "pop", "setdefault", "clear", "popitem"].contains(name)
        case .list: return ["append", "extend", "insert", "pop", "remove", "reverse", "sort", "clear"].contains(name)
        case .undefined, .none, .bool, .integer, .number, .string, .tuple, .view, .generator, .namespace, .loop, .function: return false
        }
    }
}
