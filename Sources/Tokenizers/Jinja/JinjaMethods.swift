import Formats

/// Methods of strings, mappings and lists, as Python's. Those that would change a value are refused, as transformers' sandbox does.
enum JinjaMethods {
    static func method(_ name: String, of value: JinjaValue) -> JinjaFunction? {
        switch value {
        case .string(let text): return stringMethod(name, text)
        case .dictionary(let dictionary): return dictionaryMethod(name, dictionary)
        case .list(let values), .tuple(let values): return listMethod(name, values)
        case .undefined, .none, .bool, .integer, .number, .namespace, .loop, .function: return nil
        }
    }

    private typealias Arguments = JinjaCallArguments

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
        "removeprefix", "removesuffix", "zfill", "ljust", "rjust", "center", "format", "partition", "rpartition", "casefold", "encode",
    ]

    private static func stringMethod(_ name: String, _ text: String) -> JinjaFunction? {
        guard stringNames.contains(name) else { return nil }
        return JinjaFunction(name) { (interpreter, arguments) throws(TemplateError) in
            try interpreter.charge(text.utf8.count)
            switch name {
            case "strip", "lstrip", "rstrip":
                let characters = try self.text(arguments, 0, "chars", interpreter)
                return .string(JinjaText.strip(text, characters, left: name != "rstrip", right: name != "lstrip"))
            case "split", "rsplit":
                let separator = try self.text(arguments, 0, "sep", interpreter)
                let limit = arguments.value(1, "maxsplit")?.integer ?? -1
                if separator?.isEmpty == true { throw interpreter.fail("a separator cannot be empty") }
                return .list(
                    JinjaText.split(text, separator, limit < 0 ? .max : Int(limit), fromRight: name == "rsplit").map { .string($0) })
            case "splitlines": return .list(JinjaText.lines(text).map { .string($0) })
            case "startswith", "endswith":
                var choices: [JinjaValue] = []
                if case .tuple(let several)? = arguments.positional.first { choices = several } else { choices = arguments.positional }
                for choice in choices {
                    guard case .string(let wanted) = choice else { throw interpreter.fail("\(name) needs a string, found \(choice.kindName)") }
                    if name == "startswith" ? JinjaText.hasPrefix(text, wanted) : JinjaText.hasSuffix(text, wanted) { return .bool(true) }
                }
                return .bool(false)
            case "upper": return .string(text.uppercased())
            case "lower": return .string(JinjaText.lower(text))
            case "casefold": return .string(text.lowercased())
            case "title": return .string(JinjaText.title(text))
            case "capitalize": return .string(JinjaText.capitalized(text))
            case "swapcase": return .string(String(text.map { Character($0.isUppercase ? $0.lowercased() : $0.uppercased()) }))
            case "replace":
                let from = try needed(arguments, 0, interpreter)
                let to = try needed(arguments, 1, interpreter)
                let limit = arguments.value(2, "count")?.integer ?? -1
                let result = JinjaText.replace(text, from, to, limit < 0 ? .max : Int(limit))
                try interpreter.charge(result.utf8.count)
                return .string(result)
            case "find", "rfind", "index":
                let found = JinjaText.find(text, try needed(arguments, 0, interpreter), last: name == "rfind")
                if name == "index", found < 0 { throw interpreter.fail("substring not found") }
                return .integer(Int64(found))
            case "count":
                let wanted = try needed(arguments, 0, interpreter)
                return .integer(Int64(JinjaText.split(text, wanted.isEmpty ? nil : wanted, .max, fromRight: false).count - 1))
            case "join":
                var parts: [String] = []
                for part in try interpreter.items(of: arguments.positional.first ?? .list([])) {
                    guard case .string(let piece) = part else { throw interpreter.fail("join needs strings, found \(part.kindName)") }
                    parts.append(piece)
                }
                return .string(parts.joined(separator: text))
            case "isdigit": return .bool(!text.isEmpty && text.unicodeScalars.allSatisfy { $0.properties.numericType == .decimal || $0.properties.numericType == .digit })
            case "isalpha": return .bool(!text.isEmpty && text.unicodeScalars.allSatisfy { UnicodeClasses.shared.isLetter($0.value) })
            case "isalnum":
                return .bool(
                    !text.isEmpty
                        && text.unicodeScalars.allSatisfy { UnicodeClasses.shared.isLetter($0.value) || UnicodeClasses.shared.isNumber($0.value) })
            case "isspace": return .bool(!text.isEmpty && text.unicodeScalars.allSatisfy { JinjaText.isSpace($0) })
            case "isupper": return .bool(text.contains { $0.isUppercase } && !text.contains { $0.isLowercase })
            case "islower": return .bool(text.contains { $0.isLowercase } && !text.contains { $0.isUppercase })
            case "removeprefix":
                let prefix = try needed(arguments, 0, interpreter)
                return .string(JinjaText.hasPrefix(text, prefix) ? String(decoding: text.utf8.dropFirst(prefix.utf8.count), as: UTF8.self) : text)
            case "removesuffix":
                let suffix = try needed(arguments, 0, interpreter)
                return .string(JinjaText.hasSuffix(text, suffix) ? String(decoding: text.utf8.dropLast(suffix.utf8.count), as: UTF8.self) : text)
            case "zfill", "ljust", "rjust", "center": return try padded(name, text, arguments, interpreter)
            case "partition", "rpartition":
                let separator = try needed(arguments, 0, interpreter)
                let parts = JinjaText.split(text, separator.isEmpty ? nil : separator, 1, fromRight: name == "rpartition")
                if parts.count < 2 {
                    return .tuple(name == "partition" ? [.string(text), .string(""), .string("")] : [.string(""), .string(""), .string(text)])
                }
                return .tuple([.string(parts[0]), .string(separator), .string(parts[1])])
            case "format": return .string(try JinjaText.format(text, arguments, interpreter))
            default: throw interpreter.fail("the string method \(name) is not supported")
            }
        }
    }

    private static func padded(
        _ name: String, _ text: String, _ arguments: Arguments, _ interpreter: JinjaInterpreter
    ) throws(TemplateError) -> JinjaValue {
        let width = Int(max(0, min(arguments.value(0, "width")?.integer ?? 0, 1 << 24)))
        let fill = name == "zfill" ? "0" : try self.text(arguments, 1, "fillchar", interpreter) ?? " "
        let missing = max(0, width - text.unicodeScalars.count)
        try interpreter.charge(missing)
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
        case "items": return JinjaFunction(name) { (_, _) throws(TemplateError) in .list(dictionary.pairs.map { .tuple([$0.key, $0.value]) }) }
        case "keys": return JinjaFunction(name) { (_, _) throws(TemplateError) in .list(dictionary.pairs.map(\.key)) }
        case "values": return JinjaFunction(name) { (_, _) throws(TemplateError) in .list(dictionary.pairs.map(\.value)) }
        case "copy": return JinjaFunction(name) { (_, _) throws(TemplateError) in .dictionary(dictionary) }
        case "get":
            return JinjaFunction(name) { (interpreter, arguments) throws(TemplateError) in
                guard let key = arguments.positional.first else { throw interpreter.fail("get needs a key") }
                return dictionary[key] ?? arguments.value(1, "default") ?? .none
            }
        case "update", "pop", "setdefault", "clear", "popitem": return refused(name)
        default: return nil
        }
    }

    private static func listMethod(_ name: String, _ values: [JinjaValue]) -> JinjaFunction? {
        switch name {
        case "index":
            return JinjaFunction(name) { (interpreter, arguments) throws(TemplateError) in
                guard let wanted = arguments.positional.first, let place = values.firstIndex(where: { JinjaValue.equal($0, wanted) }) else {
                    throw interpreter.fail("the value is not in the list")
                }
                return .integer(Int64(place))
            }
        case "count":
            return JinjaFunction(name) { (_, arguments) throws(TemplateError) in
                let wanted = arguments.positional.first ?? .none
                return .integer(Int64(values.filter { JinjaValue.equal($0, wanted) }.count))
            }
        case "copy": return JinjaFunction(name) { (_, _) throws(TemplateError) in .list(values) }
        case "append", "extend", "insert", "pop", "remove", "reverse", "sort", "clear": return refused(name)
        default: return nil
        }
    }

    private static func refused(_ name: String) -> JinjaFunction {
        JinjaFunction(name) { (interpreter, _) throws(TemplateError) in
            throw interpreter.fail("\(name) would change a value in place, which templates may not")
        }
    }
}
