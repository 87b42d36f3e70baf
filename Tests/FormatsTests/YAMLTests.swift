import Testing

@testable import Formats

@Suite struct YAMLTests {
    @Test(arguments: [
        ("1e-4", JSONValue.number(1e-4)), ("1.0e-4", .number(1e-4)), ("5E+3", .number(5000)), ("1.", .number(1)), (".5", .number(0.5)),
        ("12", .integer(12)), ("-3", .integer(-3)), ("1_000", .integer(1000)), ("0x1F", .integer(31)), ("010", .integer(8)), ("0b11", .integer(3)),
        ("08", .number(8)), ("18446744073709551616", .number(18446744073709551616)),
        ("yes", .bool(true)), ("Off", .bool(false)), ("TRUE", .bool(true)), ("~", .null), ("", .null), ("Null", .null),
        ("none", .string("none")), ("12:30", .string("12:30")), ("1e", .string("1e")), ("e5", .string("e5")), ("1.2.3", .string("1.2.3")),
        ("_1", .string("_1")), ("-", .string("-")), (".", .string(".")), ("2024-01-02", .string("2024-01-02")), ("-.inf", .number(-.infinity)),
        ("0x", .string("0x")), ("1-2", .string("1-2")), ("+7", .integer(7)), ("nan", .string("nan")),
    ])
    func plainScalarsMeanWhatPeopleMean(text: String, value: JSONValue) {
        #expect(YAML.resolve(text) == value)
    }

    @Test func documentsAreReadWithAnchorsAndMerges() throws {
        let value = try YAML.parse(
            """
            base: &base
              lr: 1e-4
              layers: [1, 2]
            run:
              <<: *base
              lr: 5e-5
            copy: *base
            text: |
              two
              lines
            quoted: "yes"
            tagged: !!str 12
            """, name: "t.yaml")
        #expect(value["run"]?["lr"] == 5e-5)
        #expect(value["run"]?["layers"] == [1, 2])
        #expect(value["copy"] == value["base"])
        #expect(value["text"] == "two\nlines\n")
        #expect(value["quoted"] == "yes")
        #expect(value["tagged"] == "12")
        #expect(try YAML.parse("# nothing\n", name: "t") == .null)
    }

    @Test(arguments: [
        ("a: [1\nb: 2\n", 2), ("a: 1\na: 2\n", 2), ("a: *missing\n", 1), ("a: 1\n---\nb: 2\n", 2), ("a: !!python/object:os.system x\n", 1),
        ("\tx: 1", 1), ("a: 'x", 1), ("a: b: c", 1), ("- x\ny: 1", 2),
    ])
    func whatIsWrongIsToldWithItsLine(text: String, line: Int) {
        do {
            let value = try YAML.parse(text, name: "t.yaml")
            Issue.record("accepted as \(value)")
        } catch {
            #expect(error.description.hasPrefix("t.yaml, line \(line)") || error.description.hasPrefix("t.yaml, line \(line + 1)"), "\(error)")
        }
    }

    @Test func aBombOfAliasesIsRefused() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1..<12 {
            text += "a\(level): &a\(level) [" + (0..<10).map { _ in "*a\(level - 1)" }.joined(separator: ", ") + "]\n"
        }
        #expect(throws: YAMLError.self) { try YAML.parse(text, name: "bomb") }
        #expect(throws: YAMLError.self) { try YAML.parse(String(repeating: "[", count: 5000), name: "deep") }
    }

    @Test func linesAndColumnsAreKept() throws {
        let node = try YAML.parseNode("# comment\na: 1\n\nb:\n  - x\n", name: "t")
        guard case .mapping(let pairs) = node.content else { return #expect(Bool(false)) }
        #expect(pairs.map(\.key.line) == [2, 4])
        #expect(pairs[1].value.line == 5)
    }

    @Test func whatIsWrittenIsReadBack() throws {
        let object: JSONObject = [
            "plain": "hello world", "number": "1e-4", "flag": "yes", "empty": "", "null": "null", "colon": "a: b", "hash": "a #b",
            "multi": "x\ny\t\"z\" \\", "unicode": "漢字 ü \u{1F600} \u{85}", "dash": "- x", "float": 5e-05, "whole": 3.0, "int": 7, "none": nil,
            "list": ["a, b", 1, [2, nil], "no"], "map": ["x": ["y": "z: "], "e": [:]], "el": [], "key with: colon": 1, "2024-01-01": "2024-01-01",
            "quote": "it's", "percent": "%x", "spaces": " x ", "big": 1e300, "nan?": "nan",
        ]
        let text = YAML.text(object)
        #expect(try YAML.parse(text, name: "t") == .object(object), "\(text)")
        #expect(text.contains("float: 5.0e-05\n"))
        #expect(text.contains("plain: hello world\n"))
    }
}
