import Formats

/// Filters of lists and mappings. Those that are lazy in jinja2 give generators here, which differ from lists in what is true of them.
extension JinjaInterpreter {
    func applyListFilter(_ name: String, _ value: JinjaValue, _ arguments: JinjaCallArguments) throws(TemplateError) -> JinjaValue {
        switch name {
        case "first":
            if case .generator(let generator) = value { return generator.next() ?? .undefined("the first element") }
            if case .string(let text) = value { return text.unicodeScalars.first.map { .string(String(Character($0))) } ?? .undefined("the first element") }
            return try items(of: value).first ?? .undefined("the first element")
        case "last":
            if case .generator = value { throw fail("a generator has no last element; make it a list first") }
            if case .string(let text) = value { return text.unicodeScalars.last.map { .string(String(Character($0))) } ?? .undefined("the last element") }
            return try items(of: value).last ?? .undefined("the last element")
        case "list": return .list(try items(of: value))
        case "items":
            if value.isUndefined { return try lazily("do_items", []) }
            guard case .dictionary(let dictionary) = value else { throw fail("items needs a mapping, found \(value.kindName)") }
            return try lazily("do_items", dictionary.pairs.map { .tuple([$0.key, $0.value]) })
        case "dictsort":
            guard case .dictionary(let dictionary) = value else { throw fail("dictsort needs a mapping, found \(value.kindName)") }
            let pairs = dictionary.pairs.map { JinjaValue.tuple([$0.key, $0.value]) }
            let byValue = try optionalText(arguments.value(1, "by")) == "value"
            return .list(
                try sorted(
                    pairs, reverse: arguments.value(2, "reverse")?.isTrue ?? false, caseSensitive: arguments.value(0, "case_sensitive")?.isTrue ?? false
                ) { (pair) throws(TemplateError) in
                    if case .tuple(let parts) = pair { return parts[byValue ? 1 : 0] }
                    return pair
                })
        case "reverse":
            if case .string(let text) = value {
                try spend(text.utf8.count * 64)
                return .string(JinjaText.string(text.unicodeScalars.reversed()))
            }
            if case .generator = value { return .list(try items(of: value).reversed()) }
            return try lazily("reversed", try items(of: value).reversed())
        case "join":
            let path = try optionalText(arguments.value(1, "attribute"))
            var parts: [String] = []
            for element in try items(of: value) {
                try step()
                parts.append(try text(of: try path.map { (path) throws(TemplateError) in try member(element, path) } ?? element))
            }
            return .string(try joined(parts, separator: try optionalText(arguments.value(0, "d")) ?? ""))
        case "sum":
            var total = arguments.value(1, "start") ?? .integer(0)
            let path = try optionalText(arguments.value(0, "attribute"))
            for element in try items(of: value) {
                try step()
                let term = try path.map { (path) throws(TemplateError) in try member(element, path) } ?? element
                if case .list(let a) = total, case .list(let b) = term {
                    try chargeElements(a.count + b.count)
                    total = .list(a + b)
                } else if let a = total.integer, let b = term.integer {
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
            let path = try optionalText(arguments.value(1, "attribute"))
            let ordered = try sorted(try items(of: value), reverse: name == "max", caseSensitive: arguments.value(0, "case_sensitive")?.isTrue ?? false) {
                [self] (element) throws(TemplateError) in
                try path.map { (path) throws(TemplateError) in try member(element, path) } ?? element
            }
            return ordered.first ?? .undefined("the \(name) of nothing")
        case "sort":
            let paths = try optionalText(arguments.value(2, "attribute")).map { JinjaText.split($0, ",", .max, fromRight: false) }
            return .list(
                try sorted(
                    try items(of: value), reverse: arguments.value(0, "reverse")?.isTrue ?? false,
                    caseSensitive: arguments.value(1, "case_sensitive")?.isTrue ?? false
                ) { [self] (element) throws(TemplateError) in
                    guard let paths else { return element }
                    if paths.count == 1 { return try member(element, paths[0]) }
                    var parts: [JinjaValue] = []
                    for path in paths { parts.append(try member(element, path)) }
                    return .list(parts)
                })
        case "unique":
            var seen: Set<JinjaKey> = []
            var result: [JinjaValue] = []
            let path = try optionalText(arguments.value(1, "attribute"))
            for element in try items(of: value) {
                try step()
                var key = element
                if let path { key = try member(element, path) }
                try spendWeight(key, times: 8)
                if case .string(let text) = key, !(arguments.value(0, "case_sensitive")?.isTrue ?? false) { key = .string(text.lowercased()) }
                guard let known = JinjaKey(key) else { throw fail("\(key.kindName) cannot be compared by unique") }
                if seen.insert(known).inserted { result.append(element) }
            }
            return try lazily("unique", result)
        // What is false (nothing, 0, an empty list) gives nothing, as jinja2 asks before it goes through it.
        case "map": return try lazily("map", value.isTrue ? try mapped(try items(of: value), arguments) : [])
        case "select", "reject", "selectattr", "rejectattr":
            return try lazily("select_or_reject", value.isTrue ? try selected(name, try items(of: value), arguments) : [])
        case "groupby":
            guard let path = try optionalText(arguments.value(0, "attribute")) else { throw fail("groupby needs an attribute") }
            let isExact = arguments.value(2, "case_sensitive")?.isTrue ?? false
            func key(_ element: JinjaValue) throws(TemplateError) -> JinjaValue {
                let found = try member(element, path)
                if !isExact, case .string(let text) = found { return .string(JinjaText.lower(text)) }
                return found
            }
            var groups: [(JinjaValue, [JinjaValue])] = []
            var lastKey: JinjaValue?
            for element in try sorted(try items(of: value), reverse: false, caseSensitive: isExact, by: key) {
                try step()
                let found = try key(element)
                try spendWeight(found)
                if let last = lastKey, JinjaValue.equal(last, found) {
                    groups[groups.count - 1].1.append(element)
                } else {
                    groups.append((try member(element, path), [element]))
                }
                lastKey = found
            }
            return .list(groups.map { .tuple([$0.0, .list($0.1)]) })
        case "batch", "slice": return try lazily("do_\(name)", try chunked(name, try items(of: value), arguments))
        default: throw fail("the filter \(name) is not known")
        }
    }

    /// Texts put together, charged before they are.
    func joined(_ parts: [String], separator: String) throws(TemplateError) -> String {
        for part in parts { try charge(part.utf8.count + separator.utf8.count) }
        return parts.joined(separator: separator)
    }

    private func lazily(_ name: String, _ elements: [JinjaValue]) throws(TemplateError) -> JinjaValue {
        try chargeElements(elements.count)
        try spendElements(elements.count * 2)
        return .generator(JinjaGenerator(name, elements))
    }

    /// Filters that there are, for the test `filter`.
    static let filterNames: Set<String> = [
        "abs", "attr", "batch", "capitalize", "center", "count", "d", "default", "dictsort", "e", "escape", "filesizeformat", "first", "float",
        "forceescape", "format", "groupby", "indent", "int", "join", "last", "length", "list", "lower", "items", "map", "min", "max", "pprint",
        "random", "reject", "rejectattr", "replace", "reverse", "round", "safe", "select", "selectattr", "slice", "sort", "string", "striptags",
        "sum", "title", "trim", "truncate", "unique", "upper", "urlencode", "urlize", "wordcount", "wordwrap", "xmlattr", "tojson",
    ]

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
                if fill != nil { try chargeElements(Int(size)) }
                if let fill { while part.count < Int(size) { part.append(fill) } }
                result.append(.list(part))
                place += Int(size)
            }
            return result
        }
        try chargeElements(Int(size))
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
        try spend(path.utf8.count * 8 + 100)
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
            let path = try text(of: path)
            for value in values {
                try step()
                let found = try member(value, path)
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

    private func withoutCase(_ value: JinjaValue) -> JinjaValue {
        switch value {
        case .string(let text): return .string(text.lowercased())
        case .list(let parts): return .list(parts.map { if case .string(let text) = $0 { .string(text.lowercased()) } else { $0 } })
        default: return value
        }
    }

    private func sorted(
        _ values: [JinjaValue], reverse: Bool, caseSensitive: Bool, by key: (JinjaValue) throws(TemplateError) -> JinjaValue
    ) throws(TemplateError) -> [JinjaValue] {
        let rounds = 4 + Int.bitWidth - values.count.leadingZeroBitCount
        var keyed: [(key: JinjaValue, value: JinjaValue, place: Int)] = []
        for (place, value) in values.enumerated() {
            try step()
            var sortKey = try key(value)
            // Each is compared with some others, and made small before.
            try spendWeight(sortKey, times: rounds)
            if !caseSensitive { sortKey = withoutCase(sortKey) }
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
