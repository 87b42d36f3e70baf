import Formats
import Testing

@testable import Tokenizers

/// Against jinja2 as transformers sets it up (Tests/Fixtures/generate/jinja_cases.py).
@Suite struct JinjaOracleTests {
    @Test("Every piece and every chat template renders byte for byte as jinja2 does, and fails where it fails")
    func rendersLikeTheReference() throws {
        let fixture = try Fixtures.json("templates/jinja.json")
        let contexts = try #require(fixture["contexts"]?.arrayValue).map { $0.objectValue ?? [:] }
        let sources = try #require(fixture["sources"]?.arrayValue).map { $0.stringValue ?? "" }
        for entry in fixture["cases"]?.arrayValue ?? [] {
            let source = sources[entry[0]?.intValue ?? 0]
            let number = entry[1]?.intValue ?? 0
            var found: String?
            var reason = ""
            do { found = try JinjaTemplate(source).render(context: contexts[number]) } catch { reason = "\(error)" }
            let expected = entry[2]?.stringValue
            let isEqual = found.map { Array($0.utf8) } == expected.map { Array($0.utf8) }
            #expect(isEqual, "context \(number): \(source.prefix(300))\nexpected \(expected ?? "an error")\nfound    \(found ?? reason)")
        }
    }

    @Test("Templates that never end, nest or double without end are stopped")
    func isBounded() {
        let hostile = [
            "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            "{% set ns = namespace(x='aaaaaaaaaaaaaaaa') %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
            "{{ 'x' * 100000000000 }}", "{{ [1] * 100000000000 }}", String(repeating: "(", count: 5000), "{{ " + String(repeating: "-", count: 100_000) + "1 }}",
            String(repeating: "{% if x %}", count: 3000), "{{ 'a'.ljust(99999999999) }}", "{{ " + String(repeating: "[", count: 3000),
        ]
        let limits = JinjaInterpreter.Limits(steps: 20_000, callDepth: 60, outputBytes: 4 << 20)
        for source in hostile {
            #expect(throws: TemplateError.self, "\(source.prefix(60))") {
                try JinjaTemplate(source + "{{ 1 / 0 }}", limits: limits).render(context: [:])
            }
        }
    }
}
