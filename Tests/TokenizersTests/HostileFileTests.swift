import Formats
import Platform
import Testing

@testable import Tokenizers

/// Tokenizer files and templates that somebody made to hang, to fill the memory or to overflow the stack.
@Suite("Hostile tokenizer files")
struct HostileFileTests {
    private func core(_ parts: String) throws -> TokenizerCore {
        let source = "{\(parts),\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\" \":2},\"merges\":[]}}"
        let file = try Array(source.utf8).withUnsafeBytes { try TokenizerFile(bytes: $0, path: "hostile.json") }
        return try TokenizerCore(file: file, settings: TokenizerSettings(), path: "hostile.json")
    }

    private func ids(_ core: TokenizerCore, _ text: String) -> [Int32] {
        var ids: [Int32] = []
        Array(text.utf8).withUnsafeBufferPointer { core.encode($0, into: &ids) }
        return ids
    }

    private static func split(_ pattern: String) -> String {
        #""pre_tokenizer":{"type":"Split","pattern":{"Regex":"\#(pattern)"},"behavior":"Isolated","invert":false}"#
    }

    private static func replace(_ literal: String, _ content: String) -> String {
        #"{"type":"Replace","pattern":{"String":"\#(literal)"},"content":"\#(content)"}"#
    }

    @Test("Chains of quantifiers are refused before they overflow the stack", arguments: ["*", "?", "{1}", "+"])
    func refusesChains(quantifier: String) throws {
        let chain = "(?:a)" + String(repeating: quantifier, count: 200_000)
        #expect(throws: TokenizerError.self) { try core(Self.split(chain)) }
        #expect(throws: RegularExpression.Unreadable.self) { try RegularExpression(chain) }
        // Groups and chains together must not add up either; what people write stays.
        var nested = "a"
        for _ in 0..<60 { nested = "(?:\(nested)\(String(repeating: "*", count: 60)))" }
        #expect(throws: RegularExpression.Unreadable.self) { try RegularExpression(nested) }
        #expect(try RegularExpression("(?:ab)+?").matchesWhole("abab"))
        #expect(try RegularExpression(String(repeating: "(?:", count: 50) + "a" + String(repeating: ")", count: 50) + "+").matchesWhole("aaa"))
    }

    @Test("Repetitions of what is empty are counted, though they make no instructions")
    func refusesEmptyRepetitions() throws {
        var pattern = "(?:)"
        for _ in 0..<5 { pattern = "(?:\(pattern){1000})" }
        let started = Clock.threadSeconds()
        #expect(throws: TokenizerError.self) { try core(Self.split(pattern)) }
        #expect(Clock.threadSeconds() - started < 5)
        #expect(try RegularExpression("(?:){1000}a{1000}").matchesWhole(String(repeating: "a", count: 1000)))
    }

    @Test("Pieces of a length beyond every text are whole texts")
    func cutsHugeLengths() throws {
        let whole = try core(#""pre_tokenizer":{"type":"FixedLength","length":4611686018427387904}"#)
        #expect(ids(whole, "abab") == [0, 1, 0, 1])
    }

    @Test("Replacements that each blow the text up stop before the memory is full, one step alone and many of them")
    func boundsGrowth() throws {
        let content = String(repeating: "a", count: 1000)
        let step = Self.replace("a", content)
        let normalizer = try core(#""normalizer":{"type":"Sequence","normalizers":[\#(Array(repeating: step, count: 6).joined(separator: ","))]}"#).normalizer
        #expect(try #require(normalizer).apply(Array("a".utf8)).count == 1_000_000)
        let alone = try core("\"normalizer\":" + step).normalizer
        #expect(try #require(alone).apply(Array(repeating: 0x61, count: 100)).count == 100_000)
        // 1000 times 100,000 bytes are too many: the text stays as it is.
        #expect(try #require(alone).apply(Array(repeating: 0x61, count: 100_000)).count == 100_000)
        let decoder = try core(#""decoder":{"type":"Sequence","decoders":[\#(Array(repeating: step, count: 6).joined(separator: ","))]}"#).decoder
        let decoded = try #require(decoder).apply(Array(repeating: [0x61], count: 20))
        #expect(decoded.count == 20 && decoded[0].count == 1_000_000 && decoded.reduce(0) { $0 + $1.count } < 3 << 20)
    }

    @Test("A pattern that takes too many steps on a text is told about once it did, and not before")
    func tellsOfExhaustion() throws {
        let core = try core(Self.split("(?:a+)+b"))
        _ = ids(core, "aab")
        #expect(core.patterns.count == 1 && !core.patterns[0].wasExhausted)
        #expect(ids(core, String(repeating: "a", count: 60)).count == 60)
        #expect(core.patterns[0].wasExhausted)
    }

    @Test("Errors quote the beginning of long values")
    func cutsQuotedValues() throws {
        do {
            _ = try core(Self.split("(" + String(repeating: "x", count: 100_000)))
            Issue.record("an open group was read")
        } catch let error as TokenizerError {
            #expect(error.description.utf8.count < 500 && error.description.contains("(xxx") && error.description.contains("(100001 bytes)"))
        }
    }

    // MARK: Templates

    @Test("Names of a loop that are nested without end are refused")
    func refusesNestedTargets() {
        let deep = String(repeating: "(", count: 50_000) + "a" + String(repeating: ")", count: 50_000)
        #expect(throws: TemplateError.tooExpensive(what: "names are nested more than 150 deep")) {
            try JinjaTemplate("{% for \(deep) in x %}{% endfor %}")
        }
        #expect(throws: Never.self) { try JinjaTemplate("{% for (a, (b, c)) in x %}{% endfor %}").render(context: ["x": []]) }
    }

    private static let dear = [
        "{% for k in range(100000) %}{% set n = namespace(range(100000)|batch(2)) %}{% endfor %}",
        "{% set d = dict(range(100000)|map('string')|batch(2)) %}{% macro f() %}{{ kwargs|length }}{% endmacro %}{% for k in range(2000) %}{{ f(**d) }}{% endfor %}",
        "{% for i in range(100000) %}{% set t = ('a ' * 100000)|title %}{% endfor %}", "{% set d = range(100000)|list %}{% for k in range(100000) %}{% if -1 in d %}{% endif %}{% endfor %}",
        "{% for k in range(1000) %}{{ range(100000)|unique|list|length }}{% endfor %}", "{% for k in range(1000) %}{{ range(100000)|map('string')|sort|length }}{% endfor %}",
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{% set ns = namespace(s=[1]) %}{% for a in range(100) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}",
        "{% macro f(n) %}{% if n > 0 %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
        "{% set s = ' ' * 10000000 %}{% for i in range(5000) %}{% set t = s|trim %}{% endfor %}",
        "{% set s = 'a,' * 1000000 %}{% for i in range(2000) %}{% set t = s.split(',') %}{% endfor %}",
        "{% set d = dict(range(100000)|map('string')|batch(2)) %}{% for i in range(100000) %}{% set t = d.items() %}{% endfor %}",
        "{% for i in range(100000) %}{% set t = ('é' * 100000).upper() %}{% endfor %}", "{% for i in range(100000) %}{% set t = strftime_now('%Y' * 100000) %}{% endfor %}",
        "{% set l = range(100000)|list %}{% for i in range(100000) %}{% if l == l %}{% endif %}{% if l.count(1) %}{% endif %}{% endfor %}",
        "{% for i in range(100000) %}{% set t = ('ab ' * 30000)|wordwrap(5) %}{% endfor %}",
        "{% set s = 'ab ' * 30000 %}{% for i in range(100000) %}{% set t = s|int %}{% endfor %}", "{% set s = 'ab ' * 30000 %}{% for i in range(100000) %}{% set t = s|pprint %}{% endfor %}",
        "{% set s = 'ab ' * 30000 %}{% for i in range(100000) %}{% set t = s.splitlines() %}{% endfor %}", "{% set s = 'ab ' * 30000 %}{% for i in range(100000) %}{% set t = s|format %}{% endfor %}",
    ]

    @Test("Templates that only take time are stopped soon", arguments: dear)
    func stopsDearTemplates(source: String) {
        let started = Clock.threadSeconds()
        // A tenth of what is allowed, as nothing is optimised here: what counts is that the cost is noticed.
        let limits = JinjaInterpreter.Limits(work: 200_000_000)
        #expect(throws: TemplateError.self) { try JinjaTemplate(source, limits: limits).render(context: [:]) }
        #expect(Clock.threadSeconds() - started < 6)
    }

    @Test("Finding a long text in a longer one takes no longer than reading both", arguments: ["find", "rfind", "count"])
    func searchesInLinearTime(method: String) throws {
        let started = Clock.threadSeconds()
        let text = try JinjaTemplate("{{ ('a' * 400000).\(method)('a' * 200000 ~ 'b' ~ 'a' * 1000) }}").render(context: [:])
        #expect(text == (method == "count" ? "0" : "-1"))
        #expect(Clock.threadSeconds() - started < 5)
        #expect(try JinjaTemplate("{{ 'aéaéa'.find('é') }} {{ 'aéaéa'.rfind('é') }} {{ 'abab'.rfind('') }} {{ ''.find('a') }}").render(context: [:]) == "1 3 4 -1")
    }

    @Test("A long conversation in a template of the usual kind costs a small part of what is allowed")
    func leavesRoom() throws {
        // What the dearer published ones do for each message: look ahead, cut thoughts out, trim, compare.
        let source = """
            {%- set ns = namespace(last=messages|length - 1, found=false) %}
            {%- for m in messages[::-1] %}{% if not ns.found and m.role == 'user' and not m.content.startswith('<tool>') %}\
            {% set ns.found = true %}{% set ns.last = messages|length - loop.index0 - 1 %}{% endif %}{% endfor %}
            {%- for m in messages %}{% set content = m.content|trim %}{% if '</think>' in content %}\
            {% set content = content.split('</think>')[-1].lstrip('\\n') %}{% endif %}
            {%- if m.role == 'assistant' and loop.index0 > ns.last %}{{ m|tojson|length }}{% endif %}
            {{- '<|im_start|>' + m.role + '\\n' + content.rstrip('\\n') + '<|im_end|>\\n' }}{% endfor %}
            {%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}
            """
        let text = JSONValue.string(String(repeating: "some words of it ", count: 300))
        let messages = (0..<400).map { JSONValue.object(["role": $0 % 2 == 0 ? "user" : "assistant", "content": text]) }
        let limits = JinjaInterpreter.Limits(steps: 200_000, work: 200_000_000)
        let rendered = try JinjaTemplate(source, limits: limits).render(context: ["messages": .array(messages), "add_generation_prompt": true])
        #expect(rendered.utf8.count > 400 * 5000)
    }
}
