import Platform

/// What every template can call.
enum JinjaGlobals {
    typealias Body = (JinjaInterpreter, JinjaCallArguments) throws(TemplateError) -> JinjaValue

    /// - Parameter unixTime: what `strftime_now` calls now.
    static func values(unixTime: Double) -> [String: JinjaValue] {
        var globals: [String: JinjaValue] = [:]
        func add(_ name: String, _ body: @escaping Body) { globals[name] = .function(JinjaFunction(name, body)) }
        add("raise_exception") { (interpreter, arguments) throws(TemplateError) in
            throw .refused(message: try interpreter.optionalText(arguments.positional.first) ?? "no reason given")
        }
        add("strftime_now") { (interpreter, arguments) throws(TemplateError) in
            let format = try interpreter.optionalText(arguments.positional.first) ?? ""
            try interpreter.spend(format.utf8.count * 64)
            return .string(DateText.format(format, unixTime: unixTime))
        }
        add("namespace", namespace)
        add("dict", dictionary)
        add("range", range)
        add("cycler", cycler)
        add("joiner", joiner)
        return globals
    }

    private static func namespace(_ interpreter: JinjaInterpreter, _ arguments: JinjaCallArguments) throws(TemplateError) -> JinjaValue {
        let space = interpreter.makeNamespace()
        for (key, value) in try pairs(interpreter, arguments) {
            try interpreter.checkDepth(value)
            space[try interpreter.text(of: key)] = value
        }
        return .namespace(space)
    }

    private static func dictionary(_ interpreter: JinjaInterpreter, _ arguments: JinjaCallArguments) throws(TemplateError) -> JinjaValue {
        let value = JinjaValue.dictionary(JinjaDictionary(try pairs(interpreter, arguments)))
        try interpreter.checkDepth(value)
        return value
    }

    /// A mapping or pairs, then values by name.
    private static func pairs(
        _ interpreter: JinjaInterpreter, _ arguments: JinjaCallArguments
    ) throws(TemplateError) -> [(JinjaValue, JinjaValue)] {
        var result: [(JinjaValue, JinjaValue)] = []
        switch arguments.positional.first {
        case nil: break
        case .dictionary(let given)?: result = given.pairs.map { ($0.key, $0.value) }
        case .namespace(let given)?: result = given.pairs.map { ($0.key, $0.value) }
        case let given?:
            for element in try interpreter.items(of: given) {
                let pair = try interpreter.items(of: element)
                guard pair.count == 2, JinjaKey(pair[0]) != nil else { throw interpreter.fail("a mapping is made of pairs of a key and a value") }
                result.append((pair[0], pair[1]))
            }
        }
        for (name, value) in arguments.named { result.append((.string(name), value)) }
        try interpreter.spendElements(result.count * 40)
        return result
    }

    /// As the sandbox: at most 100000 numbers.
    private static func range(_ interpreter: JinjaInterpreter, _ arguments: JinjaCallArguments) throws(TemplateError) -> JinjaValue {
        let bounds = arguments.positional.compactMap(\.integer)
        guard bounds.count == arguments.positional.count, (1...3).contains(bounds.count) else {
            throw interpreter.fail("range needs one to three integers")
        }
        let start = bounds.count > 1 ? bounds[0] : 0
        let stop = bounds.count > 1 ? bounds[1] : bounds[0]
        let stride = bounds.count > 2 ? bounds[2] : 1
        if stride == 0 { throw interpreter.fail("a range's step cannot be 0") }
        var result: [JinjaValue] = []
        var value = start
        while stride > 0 ? value < stop : value > stop {
            if result.count >= 100_000 { throw .tooExpensive(what: "a range has more than 100000 numbers") }
            result.append(.integer(value))
            let (next, overflow) = value.addingReportingOverflow(stride)
            if overflow { break }
            value = next
        }
        try interpreter.chargeElements(result.count)
        return .view(JinjaView(kind: .range(start, stop, stride), elements: result))
    }

    /// Values in turn: `next()`, `reset()`, `current`.
    private static func cycler(_ interpreter: JinjaInterpreter, _ arguments: JinjaCallArguments) throws(TemplateError) -> JinjaValue {
        let values = arguments.positional
        if values.isEmpty { throw interpreter.fail("cycler needs values") }
        let space = interpreter.makeNamespace()
        var place = 0
        space["current"] = values[0]
        space["next"] = .function(
            JinjaFunction("next") { (_, _) throws(TemplateError) in
                defer {
                    place = (place + 1) % values.count
                    space["current"] = values[place]
                }
                return values[place]
            })
        space["reset"] = .function(
            JinjaFunction("reset") { (_, _) throws(TemplateError) in
                place = 0
                space["current"] = values[0]
                return .none
            })
        return .namespace(space)
    }

    /// Nothing at the first call, the separator at the others.
    private static func joiner(_ interpreter: JinjaInterpreter, _ arguments: JinjaCallArguments) throws(TemplateError) -> JinjaValue {
        let separator = try interpreter.optionalText(arguments.value(0, "sep")) ?? ", "
        var isUsed = false
        return .function(
            JinjaFunction("joiner") { (_, _) throws(TemplateError) in
                defer { isUsed = true }
                return .string(isUsed ? separator : "")
            })
    }
}
