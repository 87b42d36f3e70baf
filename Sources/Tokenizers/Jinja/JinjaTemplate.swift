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

    private static func textBytes(_ value: JSONValue) -> Int {
        switch value {
        case .string(let text): return text.utf8.count
        case .array(let values): return values.reduce(0) { $0 + textBytes($1) }
        case .object(let object): return object.pairs.reduce(0) { $0 + textBytes($1.value) }
        case .null, .bool, .integer, .number: return 0
        }
    }

    /// The text, and the byte ranges in it that stand in `{% generation %}` blocks.
    public func renderWithGenerations(
        context: JSONObject, unixTime: Double = Clock.unixTime()
    ) throws(TemplateError) -> (text: String, generations: [Range<Int>]) {
        var globals = JinjaGlobals.values(unixTime: unixTime)
        for (name, value) in context { globals[name] = JinjaValue(value) }
        let interpreter = JinjaInterpreter(globals: globals, limits: limits)
        interpreter.allowWork(forBytes: JinjaTemplate.textBytes(.object(context)))
        _ = try interpreter.run(body)
        return (interpreter.output, interpreter.generationRanges)
    }
}
