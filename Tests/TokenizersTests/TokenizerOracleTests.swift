import Formats
import Testing

@testable import Tokenizers

/// Against what Hugging Face `tokenizers` made of the same strings (Tests/Fixtures/generate/tokenizer_cases.py).
@Suite struct TokenizerOracleTests {
    @Test("Every difficult string has the reference's ids", arguments: Fixtures.kinds)
    func encodesLikeTheReference(kind: String) throws {
        let tokenizer = try Tokenizer(directory: Fixtures.path(kind))
        let texts = try #require(try Fixtures.json("strings.json").arrayValue)
        let cases = try #require(try Fixtures.json("\(kind)/cases.json").arrayValue)
        try #require(texts.count == cases.count && texts.count > 300)
        for (text, expected) in zip(texts, cases) {
            let text = try #require(text.stringValue)
            let ids = Fixtures.ids(expected[0])
            let found = tokenizer.encode(text)
            #expect(found == ids, "\(kind): \(text.debugDescription)")
            if let special = expected[3]?.arrayValue {
                #expect(tokenizer.encode(text, addSpecialTokens: true).prefix(2) == Fixtures.ids(.array(special))[...])
            }
        }
    }

    @Test("Every list of ids decodes to the reference's text, at once and one by one", arguments: Fixtures.kinds)
    func decodesLikeTheReference(kind: String) throws {
        let tokenizer = try Tokenizer(directory: Fixtures.path(kind))
        let texts = try #require(try Fixtures.json("strings.json").arrayValue)
        let cases = try #require(try Fixtures.json("\(kind)/cases.json").arrayValue)
        for (text, expected) in zip(texts, cases) {
            let ids = Fixtures.ids(expected[0])
            let decoded = expected[1]?.stringValue ?? text.stringValue ?? ""
            let plain = expected[2]?.stringValue ?? decoded
            #expect(bytes(tokenizer.decode(ids, skipSpecialTokens: false)) == bytes(decoded), "\(kind): \(text)")
            #expect(bytes(tokenizer.decode(ids, skipSpecialTokens: true)) == bytes(plain), "\(kind): \(text)")
            var stream = tokenizer.streamingDecoder(skipSpecialTokens: false)
            let streamed = ids.map { stream.push($0) }.joined() + stream.finish()
            #expect(bytes(streamed) == bytes(decoded), "\(kind), streamed: \(text)")
        }
    }

    @Test("Where special tokens are to be split, they have the ids of the text that they are written with", arguments: Fixtures.kinds)
    func splitsSpecialTokensLikeTheReference(kind: String) throws {
        let plain = try Tokenizer(directory: Fixtures.path(kind))
        let tokenizer = plain.splittingSpecialTokens()
        let texts = try #require(try Fixtures.json("strings.json").arrayValue)
        let changed = try #require(try Fixtures.json("split.json")[kind]?.arrayValue)
        #expect(!changed.isEmpty)
        var indices: Set<Int> = []
        for entry in changed {
            let index = try #require(entry[0]?.intValue)
            indices.insert(index)
            let text = try #require(texts[index].stringValue), ids = Fixtures.ids(entry[1] ?? .null)
            #expect(tokenizer.encode(text) == ids, "\(kind): \(text.debugDescription)")
        }
        for (index, text) in texts.enumerated() where !indices.contains(index) {
            #expect(tokenizer.encode(text.stringValue ?? "") == plain.encode(text.stringValue ?? ""), "\(kind): \(text)")
        }
        // Marks by name stay what they are, and texts are read as before.
        #expect(tokenizer.id(of: "<|end|>") == plain.id(of: "<|end|>") && tokenizer.decode(plain.encode("a<|end|>")) == plain.decode(plain.encode("a<|end|>")))
    }

    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
}
