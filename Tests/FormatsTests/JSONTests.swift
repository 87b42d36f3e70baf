import Platform
import Testing

@testable import Formats

@Suite struct JSONTests {
    @Test func valuesOfEveryKindAreRead() throws {
        let value = try JSONValue.parse(#" {"a": [1, -2.5, 1e3, true, false, null], "b": {"c": "x\n\"y\" \u00e9\ud83d\ude00"}, "a2": 9223372036854775808} "#)
        #expect(value["a"] == [1, -2.5, 1000.0, true, false, nil])
        #expect(value["b"]?["c"] == "x\n\"y\" é😀")
        #expect(value["a2"] == .number(9.223372036854775808e18))
        #expect(value.objectValue?.keys == ["a", "b", "a2"])
        #expect(try JSONValue.parse("-9223372036854775808") == .integer(Int64.min))
        #expect(try JSONValue.parse("[NaN, -Infinity]")[1] == .number(-.infinity))
    }

    @Test(arguments: [
        ("", "t, line 1, column 1: expected a value, found the end of the text."),
        ("[1, 2", "t, line 1, column 6: expected a comma or ], found the end of the text."),
        ("[1, 2,]", "t, line 1, column 7: expected another value after the comma, found ']'."),
        ("{\"a\": 1,\n \"b\" 2}", "t, line 2, column 6: expected a colon, found a number."),
        ("{a: 1}", "t, line 1, column 2: expected a name in quotation marks, found 'a'."),
        ("[01]", "t, line 1, column 2: expected no zero in front of other digits, found a number."),
        ("[1.]", "t, line 1, column 4: expected a digit, found ']'."),
        ("\"a\nb\"", "t, line 1, column 3: expected no line feed or other control character within a string, found the end of the line."),
        ("\"abc", "t, line 1, column 5: expected the string's closing quotation mark, found the end of the text."),
        (#""\ud800x""#, "t, line 1, column 2: expected the second half of a surrogate pair, found '\\'."),
        (#""\udc00""#, "t, line 1, column 2: expected the first half of a surrogate pair before the second, found '\\'."),
        (#""\u12g4""#, "t, line 1, column 6: expected four hexadecimal digits after \\u, found 'g'."),
        ("true false", "t, line 1, column 6: expected the end of the text, found 'false'."),
        ("nul", "t, line 1, column 1: expected null, found 'nul'."),
    ])
    func whatIsWrongIsToldWithItsPlace(text: String, sentence: String) {
        do {
            _ = try JSONValue.parse(text, name: "t")
            Issue.record("\(text) was accepted")
        } catch {
            #expect(error.description == sentence)
        }
    }

    @Test func bytesThatAreNoTextAreRefused() {
        for bad: [UInt8] in [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xE2, 0x82]] {
            #expect(throws: JSONError.self) { try JSONValue.parse([0x22, 0x61] + bad + [0x22], name: "t") }
        }
    }

    @Test func depthIsBounded() {
        let deep = String(repeating: "[", count: 100_000)
        #expect(throws: JSONError.tooDeep(TextPlace(name: "t", line: 1, column: 513), limit: 512)) { try JSONValue.parse(deep, name: "t") }
    }

    @Test func keysAreComparedByTheirBytes() throws {
        // The same letter, precomposed and composed: equal to Swift, different to a vocabulary.
        let value = try JSONValue.parse("{\"\u{E9}\": 1, \"e\u{301}\": 2}")
        #expect(value.objectValue?.count == 2)
        #expect(value["e\u{301}"] == 2)
    }

    @Test func largeObjectsFindTheirMembers() {
        var object = JSONObject((0..<1000).map { ("key \($0)", .integer($0)) })
        object["key 500"] = "new"
        object["key 3"] = nil
        #expect(object.count == 999)
        #expect(object["key 500"] == "new")
        #expect(object["key 999"] == 999)
        #expect(object["key 3"] == nil)
        #expect(object.keys[3] == "key 4")
    }

    @Test func textIsLaidOutAsPythonDoes() {
        let value: JSONValue = ["b": [1, 2.0, 5e-05, "ü\u{1F600}\u{7F}\u{01}\n"], "a": [:], "c": []]
        #expect(value.text() == "{\"b\":[1,2.0,5e-05,\"ü😀\u{7F}\\u0001\\n\"],\"a\":{},\"c\":[]}")
        #expect(value.text(style: .python, escapeNonASCII: true) == "{\"b\": [1, 2.0, 5e-05, \"\\u00fc\\ud83d\\ude00\u{7F}\\u0001\\n\"], \"a\": {}, \"c\": []}")
        #expect(value.text(style: .indented(2), sortedKeys: true) == "{\n  \"a\": {},\n  \"b\": [\n    1,\n    2.0,\n    5e-05,\n    \"ü😀\u{7F}\\u0001\\n\"\n  ],\n  \"c\": []\n}")
        #expect(JSONValue.number(.nan).text(style: .python) == "NaN")
        #expect(JSONValue.number(.nan).text() == "null")
    }

    @Test func whatIsWrittenIsReadBack() throws {
        var random = RandomGenerator(seed: 3)
        for _ in 0..<300 {
            let value = randomValue(&random, depth: 0)
            for style in [JSONStyle.compact, .python, .indented(3)] {
                #expect(try JSONValue.parse(value.text(style: style, escapeNonASCII: random.uniform() < 0.5)) == value)
            }
        }
    }

    /// Cut off, flipped and spliced documents: an error or a value, never a trap.
    @Test func damagedTextNeverTraps() throws {
        var random = RandomGenerator(seed: 4)
        for _ in 0..<3000 {
            var bytes = Array(randomValue(&random, depth: 0).text(style: .python, escapeNonASCII: random.uniform() < 0.5).utf8)
            for _ in 0...random.index(below: 3) where !bytes.isEmpty {
                let place = random.index(below: bytes.count)
                switch random.index(below: 3) {
                case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes.removeSubrange(place...)
                default: bytes.insert(UInt8(random.index(below: 128)), at: place)
                }
            }
            if let value = try? JSONValue.parse(bytes, name: "t") { _ = value.text() }
            _ = try? YAML.parse(String(decoding: bytes, as: UTF8.self), name: "t")
        }
    }

    @Test func thePullReaderSkipsWhatIsNotWanted() throws {
        let text = Array(#"[{"skip": {"x": [1, "]"]}, "text": "a\tb", "n": 7}, {"text": "ü"}]"#.utf8)
        try text.withUnsafeBytes { buffer in
            var reader = JSONReader(buffer, name: "t")
            var texts: [String] = []
            try reader.beginArray()
            while try reader.nextElement() {
                try reader.beginObject()
                while let isText = try reader.nextKey({ $0.elementsEqual("text".utf8) }) {
                    if isText { texts.append(try reader.string()) } else { try reader.skip() }
                }
            }
            try reader.end()
            #expect(texts == ["a\tb", "ü"])
        }
    }

    private func randomValue(_ random: inout RandomGenerator, depth: Int) -> JSONValue {
        switch random.index(below: depth > 3 ? 5 : 7) {
        case 0: return .null
        case 1: return .bool(random.uniform() < 0.5)
        case 2: return .integer(Int64(bitPattern: random.next()) >> Int64(random.index(below: 60)))
        case 3: return .number(random.normal() * [1e-300, 1e-9, 1, 1e9, 1e300][random.index(below: 5)])
        case 4: return .string(randomString(&random))
        case 5: return .array((0..<random.index(below: 5)).map { _ in randomValue(&random, depth: depth + 1) })
        default: return .object(JSONObject((0..<random.index(below: 5)).map { _ in (randomString(&random), randomValue(&random, depth: depth + 1)) }))
        }
    }

    private func randomString(_ random: inout RandomGenerator) -> String {
        var text = ""
        for _ in 0..<random.index(below: 12) {
            let limit = [0x80, 0x800, 0xD800, 0x10FFFF][random.index(below: 4)]
            if let scalar = UnicodeScalar(UInt32(random.index(below: limit))) { text.unicodeScalars.append(scalar) }
        }
        return text
    }
}
