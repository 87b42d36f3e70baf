import Formats
import Platform
import Testing

@testable import Tokenizers

/// Against jinja2 as transformers sets it up (Tests/Fixtures/generate/jinja_cases.py).
@Suite struct JinjaOracleTests {
    @Test("Every piece and every chat template renders byte for byte as jinja2 does, and fails where it fails")
    func rendersLikeTheReference() throws {
        #expect(try compare(try Fixtures.json("templates/jinja.json")) > 100)
    }

    /// Published templates are other people's text and are not kept here. `TUNEBOARD_JINJA_CASES=FILE` names a file that
    /// jinja_cases.py made from a folder of them.
    @Test("Templates from elsewhere render byte for byte as jinja2 does", .enabled(if: Environment.value("TUNEBOARD_JINJA_CASES") != nil))
    func rendersOthersLikeTheReference() throws {
        let count = try compare(try JSONValue.read(file: Environment.value("TUNEBOARD_JINJA_CASES") ?? ""))
        print("\(count) renderings compared")
    }

    @Test("What a template stored in a circle is let go of when it ends")
    func releasesCircles() throws {
        let source = "{% set n = namespace() %}{% set n.x = [n] %}{% macro m() %}{{ m }}{% endmacro %}{% set n.m = m %}done"
        weak var interpreter: JinjaInterpreter?
        weak var space: JinjaNamespace?
        try {
            let made = JinjaInterpreter(globals: JinjaGlobals.values(unixTime: 0), limits: JinjaInterpreter.Limits())
            _ = try made.run(try JinjaParser.parse(source))
            guard case .namespace(let found) = made.lookUp("n") else { return }
            (interpreter, space) = (made, found)
            #expect(made.output == "done")
        }()
        #expect(interpreter == nil && space == nil)
    }

    /// Compares all cases of a file; returns how many there were.
    private func compare(_ fixture: JSONValue) throws -> Int {
        let contexts = try #require(fixture["contexts"]?.arrayValue).map { $0.objectValue ?? [:] }
        let sources = try #require(fixture["sources"]?.arrayValue).map { $0.stringValue ?? "" }
        let cases = fixture["cases"]?.arrayValue ?? []
        for entry in cases {
            let place = entry[0]?.intValue ?? 0
            let source = sources[place]
            let number = entry[1]?.intValue ?? 0
            var found: String?
            var reason = ""
            do { found = try JinjaTemplate(source).render(context: contexts[number]) } catch { reason = "\(error)" }
            let expected = entry[2]?.stringValue
            let isEqual = found.map { Array($0.utf8) } == expected.map { Array($0.utf8) }
            let name = fixture["names"]?[place]?.stringValue ?? "\(source.prefix(300))"
            #expect(isEqual, "context \(number): \(name)\nexpected \(expected ?? "an error")\nfound    \(found ?? reason)")
        }
        return cases.count
    }

    @Test("Formats that Python refuses are refused", arguments: ["{0[a]]}", "{0[a]b]}", "{0[a]", "{0", "0}", "{0!x}", "{0:q}"])
    func badFormatsAreRefused(format: String) {
        #expect(throws: TemplateError.self) { try JinjaTemplate("{{ f.format({'a': 1}) }}").render(context: ["f": .string(format)]) }
    }

    @Test("Templates that never end, nest or double without end are stopped")
    func isBounded() {
        let hostile = [
            "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            "{% set ns = namespace(x='aaaaaaaaaaaaaaaa') %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
            "{{ 'x' * 100000000000 }}", "{{ [1] * 100000000000 }}", String(repeating: "(", count: 5000), "{{ " + String(repeating: "-", count: 100_000) + "1 }}",
            String(repeating: "{% if x %}", count: 3000), "{{ 'a'.ljust(99999999999) }}",
            // Small to hold and large to write: one long text many times over.
            "{{ (['x' * 10000000] * 1000000)|join }}", "{{ ''.join(['x' * 10000000] * 1000000) }}", "{{ ['x' * 10000000] * 1000000 }}",
            "{{ ('%s' * 100000) % ((('x' * 10000000),) * 100000) }}", "{{ ('{0}' * 100000).format('x' * 10000000) }}",
            "{{ (['x' * 10000000] * 1000000)|tojson }}", "{{ ('a ' * 100000)|wordwrap(1, wrapstring='x' * 10000000) }}",
            "{{ 'a'.ljust(10000000, 'x' * 10000000) }}",
            "{{ 'x' * 10000000" + String(repeating: " ~ 'x' * 10000000", count: 50) + " }}", "{{ " + String(repeating: "[", count: 3000),
            // As deep as a tree can be made without brackets: letting go of it would overflow the stack as well.
            "{{ 1" + String(repeating: " + 1", count: 200_000) + " }}", "{{ a" + String(repeating: ".a", count: 200_000) + " }}",
            "{{ a" + String(repeating: "|trim", count: 200_000) + " }}", "{{ 1" + String(repeating: " or 1", count: 200_000) + " }}",
            "{{ " + String(repeating: "not ", count: 200_001) + "1 if " + String(repeating: "x if ", count: 100_000) + "1 }}",
            "{{ " + String(repeating: "x(", count: 4000), "{% set x = " + String(repeating: "{'a':", count: 4000),
            // Values nested without end, and circles.
            "{% set n = namespace(x=[]) %}{% for i in range(100000) %}{% set n.x = [n.x] %}{% endfor %}",
            "{% set n = namespace(x={}) %}{% for i in range(100000) %}{% set n.x = {'a': n.x} %}{% endfor %}",
            "{% set n = namespace(x=[]) %}{% for i in range(100000) %}{% set n.x = [n.x]|batch(1)|list %}{% endfor %}",
            "{% set n = namespace() %}{% set n.x = [n] %}{% set n.y = [n] %}{% set n.z = [n] %}",
            "{% set n = namespace() %}{% for i in range(100000) %}{% set n = namespace(x=n) %}{% set n.n = namespace(x=n) %}{% endfor %}{{ loop() }}",
            // Deep recursion of every kind.
            "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", "{% macro m(n) %}{% call m(n) %}{{ caller() }}{% endcall %}{% endmacro %}{{ m(1) }}",
            "{% macro m(f) %}{{ f(f) }}{% endmacro %}{{ m(m) }}",
            // Work that makes nothing.
            "{% set s = 'abcdefgh' * 100000 %}{% for i in range(100000) %}{% if s.find('z') %}{% endif %}{% endfor %}",
            "{% set s = 'abcdefgh' * 100000 %}{% for i in range(100000) %}{% for c in s %}{% endfor %}{% endfor %}",
            "{% set s = 'abcdefgh' * 100000 %}{% for i in range(100000) %}{% if s == s ~ '' %}{% endif %}{% endfor %}",
            "{% set s = 'abcdefgh' * 100000 %}{% for i in range(100000) %}{% if s|length and s[5] and s[1:2] and 'q' in s %}{% endif %}{% endfor %}",
            "{{ ('a' * 10000).replace('', 'a' * 10000)|length }}", "{{ ('a' * 100000)|replace('a', 'b' * 100000) }}", "{{ ('ab' * 100000)|join('c' * 100000) }}",
            "{{ '%999999999d' % 1 }}", "{{ '{:>999999999}'.format(1) }}", "{{ '%*d' % (999999999, 1) }}", "{{ range(100000)|slice(1000000)|list }}",
            "{{ [1]|batch(999999, 0)|list|length * 0 }}{{ [1]|batch(999999, 0)|list|length }}{{ [1]|batch(999999, 0)|list }}",
            "{% set n = namespace(x=1) %}{% for i in range(64) %}{% set n.x = n.x * 3 %}{% endfor %}", "{{ 9223372036854775807 + 1 }}", "{{ 2 ** 99999999999 }}",
            "{{ 'a'|indent(99999999999)|indent('x' * 10000000) }}", "{{ ('a\n' * 100000)|indent('x' * 10000) }}", "{{ 'a'|center(99999999999) }}",
        ]
        let limits = JinjaInterpreter.Limits(steps: 20_000, outputBytes: 4 << 20, work: 1 << 28)
        for source in hostile {
            let started = Clock.monotonicSeconds()
            defer { #expect(Clock.monotonicSeconds() - started < 20, "\(source.prefix(60))") }
            #expect(throws: TemplateError.self, "\(source.prefix(60))") {
                try JinjaTemplate(source + "{{ 1 / 0 }}", limits: limits).render(context: [:])
            }
        }
    }
}
