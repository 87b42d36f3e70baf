import Formats
import Platform

extension JinjaInterpreter {
    func applyFilter(_ name: String, _ value: JinjaValue, _ arguments: JinjaCallArguments) throws(TemplateError) -> JinjaValue {
        try charge(16)
        switch name {
        case "default", "d":
            let replacement = arguments.value(0, "default_value") ?? .string("")
            let alsoFalse = arguments.value(1, "boolean")?.isTrue ?? false
            return value.isUndefined || (alsoFalse && !value.isTrue) ? replacement : value
        case "length", "count": return .integer(Int64(try length(of: value)))
        case "trim", "strip":
            var characters: String?
            if case .string(let given)? = arguments.value(0, "chars") { characters = given }
            return .string(JinjaText.strip(try worked(value, costPerByte: 24), characters, left: true, right: true))
        case "upper": return .string(try worked(value).uppercased())
        case "lower": return .string(JinjaText.lower(try worked(value)))
        case "title": return .string(JinjaText.filterTitle(try worked(value, costPerByte: 400)))
        case "capitalize": return .string(JinjaText.capitalized(try worked(value)))
        case "string", "safe": return .string(try text(of: value))
        case "escape", "e", "forceescape":
            let text = JinjaText.escaped(try worked(value, costPerByte: 16))
            try charge(text.utf8.count)
            return .string(text)
        case "striptags": return .string(JinjaText.withoutTags(try worked(value)))
        case "urlencode": return .string(try urlEncoded(value))
        case "xmlattr": return .string(try xmlAttributes(value, arguments))
        case "filesizeformat": return .string(try fileSize(value, arguments))
        case "wordwrap": return .string(try wrapped(value, arguments))
        case "replace":
            guard let from = arguments.value(0, "old"), let to = arguments.value(1, "new") else { throw fail("replace needs two texts") }
            let limit = arguments.value(2, "count")?.integer
            return .string(try replaced(try worked(value, costPerByte: 16), try text(of: from), try text(of: to), limit ?? -1))
        case "int":
            try refuseUndefined(value)
            try spendWeight(value, times: 100)
            return toInteger(value, arguments.value(0, "default") ?? .integer(0), base: arguments.value(1, "base")?.integer ?? 10)
        case "float":
            try refuseUndefined(value)
            try spendWeight(value, times: 100)
            if case .string(let text) = value {
                return JinjaNumbers.double(text).map { .number($0) } ?? arguments.value(0, "default") ?? .number(0)
            }
            return value.double.map { .number($0) } ?? arguments.value(0, "default") ?? .number(0)
        case "abs":
            if let integer = value.integer {
                if integer == .min { throw fail("a number is too large") }
                return .integer(abs(integer))
            }
            guard let number = value.double else { throw fail("abs needs a number, found \(value.kindName)") }
            return .number(number.magnitude)
        case "round": return try rounded(value, arguments)
        case "tojson": return .string(try toJSON(value, arguments))
        case "pprint": return .string(try representation(of: value))
        case "indent":
            guard case .string(let text) = value else { throw fail("indent needs a string, found \(value.kindName)") }
            return .string(try indented(text, arguments))
        case "format":
            if arguments.named.isEmpty { return .string(try JinjaFormat.percent(try text(of: value), .tuple(arguments.positional), self)) }
            if !arguments.positional.isEmpty { throw fail("format takes values in order or by name, not both") }
            let mapping = JinjaDictionary(arguments.named.map { (.string($0.name), $0.value) })
            return .string(try JinjaFormat.percent(try text(of: value), .dictionary(mapping), self))
        case "wordcount": return .integer(Int64(JinjaText.wordCount(try worked(value))))
        case "center":
            let width = arguments.value(0, "width") ?? .integer(80)
            return try JinjaMethods.padded("center", try worked(value, costPerByte: 16), JinjaCallArguments(positional: [width]), self)
        case "truncate":
            guard case .string(let text) = value else { throw fail("truncate needs a string, found \(value.kindName)") }
            return .string(try truncated(text, arguments))
        case "attr":
            guard case .string(let attribute)? = arguments.value(0, "name") else { throw fail("attr needs a name") }
            return try self.attribute(of: value, attribute)
        default: return try applyListFilter(name, value, arguments)
        }
    }

    /// The text of a value, charged as gone through.
    func worked(_ value: JinjaValue, costPerByte: Int = 200) throws(TemplateError) -> String {
        let text = try text(of: value)
        try spend(text.utf8.count * costPerByte)
        return text
    }

    /// The text of a value that may be missing, charged for.
    func optionalText(_ value: JinjaValue?) throws(TemplateError) -> String? {
        guard let value else { return nil }
        return try text(of: value)
    }

    private func refuseUndefined(_ value: JinjaValue) throws(TemplateError) {
        if case .undefined(let name) = value { throw fail("'\(name)' is undefined") }
    }

    /// Replaces at most `limit` occurrences; all when it is negative. What that makes is charged before it is made.
    func replaced(_ text: String, _ from: String, _ to: String, _ limit: Int64) throws(TemplateError) -> String {
        try spend(text.utf8.count * 16)
        let most = limit < 0 ? Int.max : Int(clamping: limit)
        let places = min(most, from.isEmpty ? text.utf8.count + 1 : text.utf8.count / from.utf8.count)
        let (grown, overflow) = places.multipliedReportingOverflow(by: to.utf8.count)
        // The bound is seldom reached: only where it would matter are the occurrences counted.
        if overflow || grown > 1 << 20 {
            try spend(text.utf8.count * 4)
            let found = from.isEmpty ? places : min(most, JinjaText.split(text, from, most, fromRight: false).count - 1)
            let (size, tooLarge) = found.multipliedReportingOverflow(by: to.utf8.count)
            try charge(tooLarge ? .max : size)
        }
        let result = JinjaText.replace(text, from, to, most)
        try charge(result.utf8.count)
        return result
    }

    func length(of value: JinjaValue) throws(TemplateError) -> Int {
        switch value {
        case .string(let text):
            try spend(text.utf8.count)
            return text.unicodeScalars.count
        case .list(let values), .tuple(let values): return values.count
        case .dictionary(let dictionary): return dictionary.pairs.count
        case .view(let view): return view.elements.count
        case .undefined: return 0
        case .loop(let loop): return loop["length"]?.integer.map { Int($0) } ?? 0
        case .none, .bool, .integer, .number, .generator, .namespace, .function: throw fail("\(value.kindName) has no length")
        }
    }

    private func toInteger(_ value: JinjaValue, _ fallback: JinjaValue, base: Int64) -> JinjaValue {
        switch value {
        case .string(let text):
            if let integer = JinjaNumbers.integer(text, base: Int(clamping: base)) { return .integer(integer) }
            return JinjaNumbers.double(text).flatMap { Int64(exactly: $0.rounded(.towardZero)) }.map { .integer($0) } ?? fallback
        case .number(let number): return Int64(exactly: number.rounded(.towardZero)).map { .integer($0) } ?? fallback
        default: return value.integer.map { .integer($0) } ?? fallback
        }
    }

    private func rounded(_ value: JinjaValue, _ arguments: JinjaCallArguments) throws(TemplateError) -> JinjaValue {
        guard let number = value.double else { throw fail("round needs a number, found \(value.kindName)") }
        let precision = Int(max(-400, min(arguments.value(0, "precision")?.integer ?? 0, 400)))
        let scale = JinjaNumbers.power(10, Double(precision))
        switch try optionalText(arguments.value(1, "method")) ?? "common" {
        case "ceil": return .number((number * scale).rounded(.up) / scale)
        case "floor": return .number((number * scale).rounded(.down) / scale)
        case "common":
            if let integer = value.integer, precision >= 0 { return .integer(integer) }
            return .number(JinjaNumbers.rounded(number, precision))
        default: throw fail("round knows common, ceil and floor")
        }
    }

    /// As transformers defines it: `json.dumps` without escaping other alphabets.
    private func toJSON(_ value: JinjaValue, _ arguments: JinjaCallArguments) throws(TemplateError) -> String {
        try chargeText(of: value)
        guard let json = value.json else { throw fail("\(value.kindName) has no JSON form") }
        let escapes = arguments.value(0, "ensure_ascii")?.isTrue ?? false
        let sorts = arguments.value(3, "sort_keys")?.isTrue ?? false
        var indent: String?
        if let given = arguments.value(1, "indent") {
            if case .string(let text) = given { indent = text } else if let width = given.integer {
                indent = String(repeating: " ", count: Int(max(0, min(width, 64))))
            }
        }
        var (item, key) = (indent == nil ? ", " : ",", ": ")
        if let given = arguments.value(2, "separators"), !isNone(given) {
            var parts: [String] = []
            for part in try items(of: given) { parts.append(try text(of: part)) }
            guard parts.count == 2 else { throw fail("separators needs two texts") }
            (item, key) = (parts[0], parts[1])
        }
        guard (indent ?? "").utf8.count <= 256, item.utf8.count <= 256, key.utf8.count <= 256 else {
            throw fail("tojson takes an indent and separators of at most 256 bytes")
        }
        let text = json.text(style: .laidOut(item: item, key: key, indent: indent), sortedKeys: sorts, escapeNonASCII: escapes)
        try charge(text.utf8.count)
        return text
    }

    private func isNone(_ value: JinjaValue) -> Bool {
        if case .none = value { return true }
        return false
    }

    private func indented(_ text: String, _ arguments: JinjaCallArguments) throws(TemplateError) -> String {
        var prefix = "    "
        if let width = arguments.value(0, "width") {
            if case .string(let given) = width { prefix = given } else { prefix = String(repeating: " ", count: Int(max(0, min(width.integer ?? 4, 256)))) }
        }
        let indentsFirst = arguments.value(1, "first")?.isTrue ?? false
        let indentsBlank = arguments.value(2, "blank")?.isTrue ?? false
        try spend(text.utf8.count * 80)
        let lines = JinjaText.lines(text + "\n")
        try charge(lines.count * prefix.utf8.count + text.utf8.count)
        return lines.enumerated().map { index, line in
            if index == 0 { return indentsFirst ? prefix + line : line }
            return line.isEmpty && !indentsBlank ? line : prefix + line
        }.joined(separator: "\n")
    }

    private func urlEncoded(_ value: JinjaValue) throws(TemplateError) -> String {
        switch value {
        case .dictionary(let dictionary):
            var parts: [String] = []
            for pair in dictionary.pairs { parts.append(try encodedPair(pair.key, pair.value)) }
            return parts.joined(separator: "&")
        case .list, .tuple, .view, .generator:
            var parts: [String] = []
            for pair in try items(of: value) {
                let two = try items(of: pair)
                guard two.count == 2 else { throw fail("urlencode needs pairs") }
                parts.append(try encodedPair(two[0], two[1]))
            }
            return parts.joined(separator: "&")
        case .undefined, .none, .bool, .integer, .number, .string, .namespace, .loop, .function:
            let text = JinjaText.percentEncoded(try worked(value), isQuery: false)
            try charge(text.utf8.count)
            return text
        }
    }

    private func encodedPair(_ key: JinjaValue, _ value: JinjaValue) throws(TemplateError) -> String {
        JinjaText.percentEncoded(try worked(key), isQuery: true) + "=" + JinjaText.percentEncoded(try worked(value), isQuery: true)
    }

    private func xmlAttributes(_ value: JinjaValue, _ arguments: JinjaCallArguments) throws(TemplateError) -> String {
        guard case .dictionary(let dictionary) = value else { throw fail("xmlattr needs a mapping, found \(value.kindName)") }
        var parts: [String] = []
        for pair in dictionary.pairs where !pair.value.isUndefined && !isNone(pair.value) {
            let key = try worked(pair.key)
            if key.unicodeScalars.contains(where: { " \t\n\r\u{B}\u{C}/>=".unicodeScalars.contains($0) }) {
                throw fail("\(pair.key.representation) cannot name an attribute")
            }
            parts.append("\(JinjaText.escaped(key))=\"\(JinjaText.escaped(try worked(pair.value)))\"")
        }
        let text = parts.joined(separator: " ")
        try charge(text.utf8.count)
        return !text.isEmpty && arguments.value(0, "autospace")?.isTrue ?? true ? " " + text : text
    }

    private func fileSize(_ value: JinjaValue, _ arguments: JinjaCallArguments) throws(TemplateError) -> String {
        var bytes = value.double
        if case .string(let text) = value { bytes = JinjaNumbers.double(text) }
        guard let bytes else { throw fail("filesizeformat needs a number, found \(value.kindName)") }
        let isBinary = arguments.value(0, "binary")?.isTrue ?? false
        let base = isBinary ? 1024.0 : 1000.0
        if bytes == 1 { return "1 Byte" }
        if bytes < base { return "\(Int64(exactly: bytes.rounded(.towardZero)) ?? 0) Bytes" }
        let prefixes = ["k", "M", "G", "T", "P", "E", "Z", "Y"]
        var unit = base
        for (index, prefix) in prefixes.enumerated() {
            unit *= base
            if bytes < unit || index == prefixes.count - 1 {
                let name = isBinary ? (prefix == "k" ? "K" : prefix) + "iB" : prefix + "B"
                return NumberText.fixed(base * bytes / unit, digits: 1) + " " + name
            }
        }
        return ""
    }

    /// Lines of at most `width` characters, cut between words.
    private func wrapped(_ value: JinjaValue, _ arguments: JinjaCallArguments) throws(TemplateError) -> String {
        let text = try worked(value, costPerByte: 400)
        let width = arguments.value(0, "width")?.integer ?? 79
        guard width > 0 else { throw fail("wordwrap needs a width above 0") }
        let separator = try optionalText(arguments.value(2, "wrapstring").flatMap { isNone($0) ? nil : $0 }) ?? "\n"
        try charge(text.utf8.count.multipliedReportingOverflow(by: separator.utf8.count).overflow ? .max : text.utf8.count * separator.utf8.count)
        let result = JinjaText.lines(text).map { line in
            JinjaText.wrapped(
                line, width: Int(min(width, 1 << 30)), breaksWords: arguments.value(1, "break_long_words")?.isTrue ?? true,
                breaksHyphens: arguments.value(3, "break_on_hyphens")?.isTrue ?? true
            ).joined(separator: separator)
        }.joined(separator: separator)
        try charge(result.utf8.count)
        return result
    }

    private func truncated(_ text: String, _ arguments: JinjaCallArguments) throws(TemplateError) -> String {
        try spend(text.utf8.count * 16)
        let limit = Int(max(0, min(arguments.value(0, "length")?.integer ?? 255, 1 << 30)))
        let kills = arguments.value(1, "killwords")?.isTrue ?? false
        let end = try optionalText(arguments.value(2, "end")) ?? "..."
        let leeway = Int(max(0, min(arguments.value(3, "leeway")?.integer ?? 5, 1 << 30)))
        if limit < end.unicodeScalars.count { throw fail("truncate needs a length of at least \(end.unicodeScalars.count)") }
        let scalars = Array(text.unicodeScalars)
        if scalars.count <= limit + leeway { return text }
        let head = JinjaText.string(scalars.prefix(max(0, limit - end.unicodeScalars.count)))
        if kills { return head + end }
        return (JinjaText.split(head, " ", 1, fromRight: true).first ?? head) + end
    }
}
