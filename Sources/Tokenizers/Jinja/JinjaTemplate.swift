import Formats
import Platform

/// A chat template in the Jinja language, rendered as transformers does with jinja2: same white space rules, `raise_exception`,
/// `strftime_now`, `tojson` that keeps the order of keys, `{% generation %}`, break and continue.
///
/// A template is part of a downloaded model, so it is not trusted: nothing outside the given values can be reached, and steps,
/// nesting and the size of the text are limited.
public struct JinjaTemplate: Sendable {
    private let body: [JinjaStatement]
    private let limits: JinjaInterpreter.Limits

    public init(_ source: String) throws(TemplateError) { try self.init(source, limits: JinjaInterpreter.Limits()) }

    init(_ source: String, limits: JinjaInterpreter.Limits) throws(TemplateError) {
        if source.utf8.count > 4 << 20 { throw .tooExpensive(what: "its source is longer than 4 MB") }
        body = try JinjaParser.parse(source)
        self.limits = limits
    }

    /// The text of the template for these values.
    /// - Parameter unixTime: what `strftime_now` calls now.
    public func render(context: JSONObject, unixTime: Double = Clock.unixTime()) throws(TemplateError) -> String {
        try renderWithGenerations(context: context, unixTime: unixTime).text
    }

    /// The text, and the byte ranges in it that stand in `{% generation %}` blocks.
    public func renderWithGenerations(
        context: JSONObject, unixTime: Double = Clock.unixTime()
    ) throws(TemplateError) -> (text: String, generations: [Range<Int>]) {
        var globals = JinjaTemplate.globals(unixTime)
        for (name, value) in context { globals[name] = JinjaValue(value) }
        let interpreter = JinjaInterpreter(globals: globals, limits: limits)
        _ = try interpreter.run(body)
        return (interpreter.output, interpreter.generationRanges)
    }

    private static func globals(_ unixTime: Double) -> [String: JinjaValue] {
        var globals: [String: JinjaValue] = [:]
        func add(_ name: String, _ body: @escaping (JinjaInterpreter, JinjaCallArguments) throws(TemplateError) -> JinjaValue) {
            globals[name] = .function(JinjaFunction(name, body))
        }
        add("raise_exception") { (_, arguments) throws(TemplateError) in
            throw .refused(message: arguments.positional.first?.text ?? "no reason given")
        }
        add("strftime_now") { (_, arguments) throws(TemplateError) in
            .string(DateText.format(arguments.positional.first?.text ?? "", unixTime: unixTime))
        }
        add("namespace") { (_, arguments) throws(TemplateError) in
            let space = JinjaNamespace()
            if case .dictionary(let dictionary)? = arguments.positional.first {
                for pair in dictionary.pairs { space[pair.key.text] = pair.value }
            }
            for (name, value) in arguments.named { space[name] = value }
            return .namespace(space)
        }
        add("dict") { (_, arguments) throws(TemplateError) in
            var dictionary = JinjaDictionary()
            if case .dictionary(let given)? = arguments.positional.first { dictionary = given }
            for (name, value) in arguments.named { dictionary[.string(name)] = value }
            return .dictionary(dictionary)
        }
        add("range") { (interpreter, arguments) throws(TemplateError) in
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
            return .list(result)
        }
        return globals
    }
}
