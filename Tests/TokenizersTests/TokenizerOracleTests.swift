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

    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
}
