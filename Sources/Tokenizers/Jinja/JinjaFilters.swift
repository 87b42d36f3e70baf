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
            return .string(JinjaText.strip(value.text, characters, left: true, right: true))
        case "upper": return .string(value.text.uppercased())
        case "lower": return .string(JinjaText.lower(value.text))
        case "title": return .string(JinjaText.title(value.text))
        case "capitalize": return .string(JinjaText.capitalized(value.text))
        case "string": return .string(value.text)
        case "safe", "forceescape": return value
        case "escape", "e":
            var text = value.text
            for (from, to) in [("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("'", "&#39;"), ("\"", "&#34;")] {
                text = JinjaText.replace(text, from, to, .max)
            }
            return .string(text)
        case "replace":
            guard let from = arguments.value(0, "old"), let to = arguments.value(1, "new") else { throw fail("replace needs two texts") }
            let limit = arguments.value(2, "count")?.integer
            let result = JinjaText.replace(value.text, from.text, to.text, limit.map { Int($0) } ?? .max)
            try charge(result.utf8.count)
            return .string(result)
        case "int": return toInteger(value, arguments.value(0, "default") ?? .integer(0))
        case "float":
            if case .string(let text) = value {
                return Double(JinjaText.strip(text, nil, left: true, right: true)).map { .number($0) } ?? arguments.value(0, "default") ?? .number(0)
            }
            return value.double.map { .number($0) } ?? arguments.value(0, "default") ?? .number(0)
        case "abs":
            if let integer = value.integer { return .integer(integer < 0 ? 0 &- integer : integer) }
            guard let number = value.double else { throw fail("abs needs a number, found \(value.kindName)") }
            return .number(number.magnitude)
        case "round": return try rounded(value, arguments)
        case "tojson": return .string(try toJSON(value, arguments))
        case "pprint": return .string(value.representation)
        case "indent": return .string(try indented(value.text, arguments))
        case "format":
            if arguments.named.isEmpty { return .string(try formatted(value.text, .tuple(arguments.positional))) }
            throw fail("the filter format takes no named values here")
        case "wordcount": return .integer(Int64(JinjaText.split(value.text, nil, .max, fromRight: false).count))
        case "center":
            let width = arguments.value(0, "width") ?? .integer(80)
            return try call(
                .function(JinjaMethods.method("center", of: .string(value.text)) ?? JinjaFunction("center") { (_, _) throws(TemplateError) in value }),
                JinjaCallArguments(positional: [width]))
        case "truncate": return .string(truncated(value.text, arguments))
        case "attr":
            guard case .string(let attribute)? = arguments.value(0, "name") else { throw fail("attr needs a name") }
            return try self.attribute(of: value, attribute)
        default: return try applyListFilter(name, value, arguments)
        }
    }

    func length(of value: JinjaValue) throws(TemplateError) -> Int {
        switch value {
        case .string(let text): return text.unicodeScalars.count
        case .list(let values), .tuple(let values): return values.count
        case .dictionary(let dictionary): return dictionary.pairs.count
        case .undefined: return 0
        case .none, .bool, .integer, .number, .namespace, .loop, .function: throw fail("\(value.kindName) has no length")
        }
    }

    private func toInteger(_ value: JinjaValue, _ fallback: JinjaValue) -> JinjaValue {
        switch value {
        case .string(let text):
            let plain = JinjaText.strip(text, nil, left: true, right: true)
            if let integer = Int64(plain) { return .integer(integer) }
            return Double(plain).flatMap { Int64(exactly: $0.rounded(.towardZero)) }.map { .integer($0) } ?? fallback
        case .number(let number): return Int64(exactly: number.rounded(.towardZero)).map { .integer($0) } ?? fallback
        default: return value.integer.map { .integer($0) } ?? fallback
        }
    }

    private func rounded(_ value: JinjaValue, _ arguments: JinjaCallArguments) throws(TemplateError) -> JinjaValue {
        guard let number = value.double else { throw fail("round needs a number, found \(value.kindName)") }
        let scale = JinjaNumbers.power(10, Double(arguments.value(0, "precision")?.integer ?? 0))
        switch arguments.value(1, "method")?.text ?? "common" {
        case "ceil": return .number((number * scale).rounded(.up) / scale)
        case "floor": return .number((number * scale).rounded(.down) / scale)
        default: return .number((number * scale).rounded(.toNearestOrEven) / scale)
        }
    }

    /// As transformers defines it: `json.dumps` without escaping other alphabets.
    private func toJSON(_ value: JinjaValue, _ arguments: JinjaCallArguments) throws(TemplateError) -> String {
        guard let json = value.json else { throw fail("\(value.kindName) has no JSON form") }
        let escapes = arguments.value(0, "ensure_ascii")?.isTrue ?? false
        let sorts = arguments.value(3, "sort_keys")?.isTrue ?? false
        var style = JSONStyle.python
        if let width = arguments.value(1, "indent")?.integer { style = .indented(Int(max(0, min(width, 16)))) }
        if let separators = arguments.value(2, "separators") {
            let parts = try items(of: separators).map(\.text)
            if parts == [",", ":"] { style = .compact }
        }
        let text = json.text(style: style, sortedKeys: sorts, escapeNonASCII: escapes)
        try charge(text.utf8.count)
        return text
    }

    private func indented(_ text: String, _ arguments: JinjaCallArguments) throws(TemplateError) -> String {
        var prefix = "    "
        if let width = arguments.value(0, "width") {
            if case .string(let given) = width { prefix = given } else { prefix = String(repeating: " ", count: Int(max(0, min(width.integer ?? 4, 256)))) }
        }
        let indentsFirst = arguments.value(1, "first")?.isTrue ?? false
        let indentsBlank = arguments.value(2, "blank")?.isTrue ?? false
        let lines = JinjaText.split(text, "\n", .max, fromRight: false)
        try charge(lines.count * prefix.utf8.count)
        return lines.enumerated().map { index, line in
            if index == 0 { return indentsFirst ? prefix + line : line }
            return line.isEmpty && !indentsBlank ? line : prefix + line
        }.joined(separator: "\n")
    }

    private func truncated(_ text: String, _ arguments: JinjaCallArguments) -> String {
        let limit = Int(max(0, min(arguments.value(0, "length")?.integer ?? 255, 1 << 30)))
        let kills = arguments.value(1, "killwords")?.isTrue ?? false
        let end = arguments.value(2, "end")?.text ?? "..."
        let leeway = Int(max(0, min(arguments.value(3, "leeway")?.integer ?? 5, 1 << 30)))
        let scalars = Array(text.unicodeScalars)
        if scalars.count <= limit + leeway { return text }
        let head = JinjaText.string(scalars.prefix(max(0, limit - end.unicodeScalars.count)))
        if kills { return head + end }
        return (JinjaText.split(head, " ", 1, fromRight: true).first ?? head) + end
    }

    private func applyListFilter(_ name: String, _ value: JinjaValue, _ arguments: JinjaCallArguments) throws(TemplateError) -> JinjaValue {
        switch name {
        case "first": return try items(of: value).first ?? .undefined("the first element")
        case "last": return try items(of: value).last ?? .undefined("the last element")
        case "list": return .list(try items(of: value))
        case "items":
            if value.isUndefined { return .list([]) }
            guard case .dictionary(let dictionary) = value else { throw fail("items needs a mapping, found \(value.kindName)") }
            return .list(dictionary.pairs.map { .tuple([$0.key, $0.value]) })
        case "dictsort":
            guard case .dictionary(let dictionary) = value else { throw fail("dictsort needs a mapping, found \(value.kindName)") }
            let pairs = dictionary.pairs.map { JinjaValue.tuple([$0.key, $0.value]) }
            let byValue = arguments.value(1, "by")?.text == "value"
            return .list(
                try sorted(
                    pairs, reverse: arguments.value(2, "reverse")?.isTrue ?? false, caseSensitive: arguments.value(0, "case_sensitive")?.isTrue ?? false
                ) { (pair) throws(TemplateError) in
                    if case .tuple(let parts) = pair { return parts[byValue ? 1 : 0] }
                    return pair
                })
        case "reverse":
            if case .string(let text) = value { return .string(JinjaText.string(text.unicodeScalars.reversed())) }
            return .list(try items(of: value).reversed())
        case "join":
            let path = arguments.value(1, "attribute")?.text
            var parts: [String] = []
            for element in try items(of: value) {
                parts.append(try path.map { (path) throws(TemplateError) in try member(element, path) }?.text ?? element.text)
            }
            let text = parts.joined(separator: arguments.value(0, "d")?.text ?? "")
            try charge(text.utf8.count)
            return .string(text)
        case "sum":
            var total = arguments.value(1, "start") ?? .integer(0)
            let path = arguments.value(0, "attribute")?.text
            for element in try items(of: value) {
                let term = try path.map { (path) throws(TemplateError) in try member(element, path) } ?? element
                if let a = total.integer, let b = term.integer {
                    let (sum, overflow) = a.addingReportingOverflow(b)
                    if overflow { throw fail("a number is too large") }
                    total = .integer(sum)
                } else if let a = total.double, let b = term.double {
                    total = .number(a + b)
                } else {
                    throw fail("sum needs numbers, found \(term.kindName)")
                }
            }
            return total
        case "min", "max":
            let path = arguments.value(1, "attribute")?.text
            let ordered = try sorted(try items(of: value), reverse: name == "max", caseSensitive: arguments.value(0, "case_sensitive")?.isTrue ?? false) {
                [self] (element) throws(TemplateError) in
                try path.map { (path) throws(TemplateError) in try member(element, path) } ?? element
            }
            return ordered.first ?? .undefined("the \(name) of nothing")
        case "sort":
            let path = arguments.value(2, "attribute")?.text
            return .list(
                try sorted(
                    try items(of: value), reverse: arguments.value(0, "reverse")?.isTrue ?? false,
                    caseSensitive: arguments.value(1, "case_sensitive")?.isTrue ?? false
                ) { [self] (element) throws(TemplateError) in
                    try path.map { (path) throws(TemplateError) in try member(element, path) } ?? element
                })
        case "unique":
            var seen: [JinjaValue] = []
            var result: [JinjaValue] = []
            for element in try items(of: value) {
                var key = element
                if let path = arguments.value(1, "attribute")?.text { key = try member(element, path) }
                if case .string(let text) = key, !(arguments.value(0, "case_sensitive")?.isTrue ?? false) { key = .string(text.lowercased()) }
                if seen.contains(where: { JinjaValue.equal($0, key) }) { continue }
                seen.append(key)
                result.append(element)
            }
            return .list(result)
        case "map": return .list(try mapped(try items(of: value), arguments))
        case "select", "reject", "selectattr", "rejectattr": return .list(try selected(name, try items(of: value), arguments))
        case "groupby":
            guard let path = arguments.value(0, "attribute")?.text else { throw fail("groupby needs an attribute") }
            let isExact = arguments.value(2, "case_sensitive")?.isTrue ?? false
            func key(_ element: JinjaValue) throws(TemplateError) -> JinjaValue {
                let found = try member(element, path)
                if !isExact, case .string(let text) = found { return .string(JinjaText.lower(text)) }
                return found
            }
            var groups: [(JinjaValue, [JinjaValue])] = []
            var lastKey: JinjaValue?
            for element in try sorted(try items(of: value), reverse: false, caseSensitive: isExact, by: key) {
                let found = try key(element)
                if let last = lastKey, JinjaValue.equal(last, found) {
                    groups[groups.count - 1].1.append(element)
                } else {
                    groups.append((try member(element, path), [element]))
                }
                lastKey = found
            }
            return .list(groups.map { .tuple([$0.0, .list($0.1)]) })
        case "batch", "slice": return .list(try chunked(name, try items(of: value), arguments))
        default: throw fail("the filter \(name) is not known")
        }
    }

    private func chunked(_ name: String, _ values: [JinjaValue], _ arguments: JinjaCallArguments) throws(TemplateError) -> [JinjaValue] {
        guard let size = arguments.value(0, name == "batch" ? "linecount" : "slices")?.integer, size > 0, size < 1 << 20 else {
            throw fail("\(name) needs a size above 0")
        }
        let fill = arguments.value(1, "fill_with")
        var result: [JinjaValue] = []
        if name == "batch" {
            var place = 0
            while place < values.count {
                var part = Array(values[place..<min(place + Int(size), values.count)])
                if let fill { while part.count < Int(size) { part.append(fill) } }
                result.append(.list(part))
                place += Int(size)
            }
            return result
        }
        let whole = values.count / Int(size)
        let extra = values.count % Int(size)
        var place = 0
        for index in 0..<Int(size) {
            let count = whole + (index < extra ? 1 : 0)
            var part = Array(values[place..<place + count])
            if let fill, index >= extra { part.append(fill) }
            result.append(.list(part))
            place += count
        }
        return result
    }

    /// `a.b.0`: the member at the end of a path.
    private func member(_ value: JinjaValue, _ path: String) throws(TemplateError) -> JinjaValue {
        var result = value
        for part in JinjaText.split(path, ".", .max, fromRight: false) {
            if result.isUndefined { return result }
            result = try item(of: result, Int64(part).map { .integer($0) } ?? .string(part))
        }
        return result
    }

    private func mapped(_ values: [JinjaValue], _ arguments: JinjaCallArguments) throws(TemplateError) -> [JinjaValue] {
        var result: [JinjaValue] = []
        if let path = arguments.named.first(where: { $0.name == "attribute" })?.value {
            let fallback = arguments.named.first { $0.name == "default" }?.value
            for value in values {
                try step()
                let found = try member(value, path.text)
                result.append(found.isUndefined ? fallback ?? found : found)
            }
            return result
        }
        guard case .string(let filter)? = arguments.positional.first else { throw fail("map needs a filter or an attribute") }
        let rest = JinjaCallArguments(positional: Array(arguments.positional.dropFirst()), named: arguments.named)
        for value in values {
            try step()
            result.append(try applyFilter(filter, value, rest))
        }
        return result
    }

    private func selected(_ name: String, _ values: [JinjaValue], _ arguments: JinjaCallArguments) throws(TemplateError) -> [JinjaValue] {
        let keeps = name.hasPrefix("select")
        let usesAttribute = name.hasSuffix("attr")
        var rest = arguments.positional
        var path: String?
        if usesAttribute {
            guard case .string(let given)? = rest.first else { throw fail("\(name) needs an attribute") }
            path = given
            rest.removeFirst()
        }
        var test: String?
        if let first = rest.first {
            guard case .string(let given) = first else { throw fail("\(name) needs the name of a test, found \(first.kindName)") }
            test = given
            rest.removeFirst()
        }
        var result: [JinjaValue] = []
        for value in values {
            try step()
            let subject = try path.map { (path) throws(TemplateError) in try member(value, path) } ?? value
            let holds: Bool
            if let test {
                holds = try applyTest(test, subject, JinjaCallArguments(positional: rest, named: arguments.named))
            } else {
                holds = subject.isTrue
            }
            if holds == keeps { result.append(value) }
        }
        return result
    }

    private func sorted(
        _ values: [JinjaValue], reverse: Bool, caseSensitive: Bool, by key: (JinjaValue) throws(TemplateError) -> JinjaValue
    ) throws(TemplateError) -> [JinjaValue] {
        var keyed: [(key: JinjaValue, value: JinjaValue, place: Int)] = []
        for (place, value) in values.enumerated() {
            try step()
            var sortKey = try key(value)
            if !caseSensitive, case .string(let text) = sortKey { sortKey = .string(text.lowercased()) }
            keyed.append((sortKey, value, place))
        }
        for pair in zip(keyed, keyed.dropFirst()) where JinjaValue.order(pair.0.key, pair.1.key) == nil {
            throw fail("\(pair.0.key.kindName) and \(pair.1.key.kindName) cannot be sorted")
        }
        return keyed.sorted { first, second in
            let order = JinjaValue.order(first.key, second.key) ?? 0
            return order == 0 ? first.place < second.place : reverse ? order > 0 : order < 0
        }.map(\.value)
    }
}
