import Formats
import Platform
import Testing

@testable import Tokenizers

/// Against Hugging Face `tokenizers` and SentencePiece on 2,100 difficult strings a kind (Tests/Fixtures/generate/tokenizer_kinds.py).
@Suite struct TokenizerKindTests {
    static let kinds = [
        "cl100k", "bloom", "deepseek", "starcoder", "gemma", "llama2-pieces", "mistral-pieces", "t5", "unigram-bytes", "bert", "bert-cased",
        "suffix", "prefix", "words", "piece-pair", "piece-single", "piece-bytes", "piece-suffix",
    ]

    private func tokenizer(_ kind: String) throws -> Tokenizer { try Tokenizer(directory: Fixtures.path("kinds/\(kind)")) }

    private func texts() throws -> [String] { (try Fixtures.json("kinds/strings.json").arrayValue ?? []).compactMap(\.stringValue) }

    /// The digest of the fixtures: FNV-1a, its low 24 bits in hexadecimal.
    private func digest(_ bytes: some Sequence<UInt8>) -> String {
        var value: UInt32 = 0x811C_9DC5
        for byte in bytes { value = (value ^ UInt32(byte)) &* 0x0100_0193 }
        let digits = String(value & 0xFF_FFFF, radix: 16)
        return String(repeating: "0", count: 6 - digits.count) + digits
    }

    private func bytes(_ ids: [Int32]) -> [UInt8] { ids.flatMap { id in withUnsafeBytes(of: id.littleEndian) { Array($0) } } }

    @Test("Ids, with and without special tokens, and decoded text are the reference's for every string", arguments: kinds)
    func matchesTheReference(kind: String) throws {
        let tokenizer = try tokenizer(kind)
        let texts = try texts()
        let expected = try FileSystem.readText(Fixtures.path("kinds/\(kind)/digests.txt")).split(separator: "\n")
        try #require(texts.count == expected.count && texts.count >= 2000)
        for (text, line) in zip(texts, expected) {
            let ids = tokenizer.encode(text)
            let numbers = digest(bytes(ids) + [255, 255, 255, 255] + bytes(tokenizer.encode(text, addSpecialTokens: true)))
            #expect(line.prefix(6) == numbers, "\(kind): ids of \(text.debugDescription) are \(ids)")
            if line.prefix(6) != numbers { continue }
            let decoded = tokenizer.decode(ids, skipSpecialTokens: false)
            let plain = tokenizer.decode(ids, skipSpecialTokens: true)
            #expect(line.suffix(6) == digest(Array(decoded.utf8) + [0] + Array(plain.utf8)), "\(kind): \(ids) decode to \(decoded.debugDescription)")
        }
    }

    @Test("Text decoded token by token is the text decoded at once, and no piece ends inside a character", arguments: kinds)
    func streams(kind: String) throws {
        let tokenizer = try tokenizer(kind)
        for text in try texts().prefix(900) {
            let ids = tokenizer.encode(text)
            let whole = tokenizer.decode(ids, skipSpecialTokens: false)
            // What is no text is repaired over whole runs of bytes at once, but character by character in a stream.
            if whole.unicodeScalars.contains("\u{FFFD}") { continue }
            var stream = tokenizer.streamingDecoder(skipSpecialTokens: false)
            let pieces = ids.map { stream.push($0) } + [stream.finish()]
            #expect(Array(pieces.joined().utf8) == Array(whole.utf8), "\(kind): \(text.debugDescription)")
        }
    }

    @Test("Any list of ids decodes, known or not", arguments: kinds)
    func decodesAnything(kind: String) throws {
        let tokenizer = try tokenizer(kind)
        var random = RandomGenerator(seed: 3)
        for _ in 0..<200 {
            let ids = (0..<random.index(below: 20)).map { _ in Int32(random.index(below: tokenizer.vocabularySize + 20)) - 5 }
            _ = tokenizer.decode(ids)
            var stream = tokenizer.streamingDecoder()
            for id in ids { _ = stream.push(id) }
            _ = stream.finish()
        }
    }

    @Test("Long words are merged as short ones are: tokens taken in a chain equal merging by rank")
    func chainsLikeMerging() throws {
        var random = RandomGenerator(seed: 9)
        let alphabet = Array("aabbceorst 你好世界模型训练数据é👍ー テ▁\n".unicodeScalars)
        for kind in ["kinds/gemma", "kinds/cl100k", "kinds/piece-pair", "llama2", "qwen2"] {
            let tokenizer = try Tokenizer(directory: Fixtures.path(kind))
            guard case .bytePair(let model) = tokenizer.core.model, model.canChain else {
                Issue.record("\(kind) does not chain")
                continue
            }
            let scratch = EncoderScratch(model: tokenizer.core.model)
            for _ in 0..<400 {
                var view = String.UnicodeScalarView()
                for _ in 0..<random.index(below: 120) { view.append(alphabet[random.index(below: alphabet.count)]) }
                let text = Array(String(view).utf8) + [UInt8](repeating: 0, count: 32)
                let count = text.count - 32
                var chained: [Int32] = []
                text.withUnsafeBufferPointer { if let base = $0.baseAddress { scratch.chain?.encode(base, count, into: &chained) } }
                var merged: [Int32] = []
                if model.isByteLevel || model.addSymbols(text[..<count], to: scratch.work) {
                    if model.isByteLevel { _ = model.addSymbols(text[..<count], to: scratch.work) }
                    scratch.work.finish(model.merges, into: &merged)
                    #expect(chained == merged, "\(kind): \(String(view).debugDescription)")
                }
            }
        }
    }
}
