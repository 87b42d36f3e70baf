import Formats
import Platform
import Testing

@testable import Tokenizers

@Suite struct VocabularyMergeTests {
    private func merged(_ base: String, _ addition: String, limit: Int? = nil, _ body: (Tokenizer, VocabularyMerge.Summary) throws -> Void) throws {
        let directory = try FileSystem.createTemporaryDirectory()
        defer { try? FileSystem.removeTree(directory) }
        let summary = try VocabularyMerge(base: base, addition: addition, limit: limit).write(to: directory)
        try body(try Tokenizer(directory: directory), summary)
    }

    private func trained(_ text: String, size: Int) throws -> String {
        let directory = try FileSystem.createTemporaryDirectory()
        var trainer = TokenizerTrainer(vocabularySize: size, specialTokens: ["<|endoftext|>"], pattern: .qwen2, minimumFrequency: 1)
        trainer.add(text)
        try trainer.train().write(to: directory, endToken: "<|endoftext|>")
        return directory
    }

    @Test("New byte-level tokens follow the largest id, old ids and special tokens stay, and new words become one token")
    func extendsBytes() throws {
        let base = Fixtures.path("qwen2")
        let old = try Tokenizer(directory: base)
        let addition = try trained(String(repeating: "鸿鹄之志 ", count: 20), size: 290)
        defer { try? FileSystem.removeTree(addition) }
        try merged(base, addition) { tokenizer, summary in
            #expect(summary.baseSize == old.vocabularySize && summary.newTokens > 5 && summary.newMerges >= summary.newTokens)
            #expect(tokenizer.vocabularySize == summary.size)
            for id in 0..<Int32(old.vocabularySize) { #expect(tokenizer.token(id) == old.token(id)) }
            #expect(tokenizer.encode("<|end|>") == old.encode("<|end|>"))
            let ids = tokenizer.encode("鸿鹄之志")
            #expect(ids.count == 1 && ids.allSatisfy { $0 >= Int32(old.vocabularySize) })
            #expect(tokenizer.decode(ids) == "鸿鹄之志")
            #expect(tokenizer.encode("hello world").allSatisfy { $0 < Int32(old.vocabularySize) })
        }
        try merged(base, addition, limit: 3) { tokenizer, summary in
            #expect(summary.newTokens == 3 && tokenizer.vocabularySize == old.vocabularySize + 3)
        }
    }

    @Test("A SentencePiece model grows by pieces at its end")
    func extendsPieces() throws {
        let base = Fixtures.path("kinds/piece-pair")
        let old = try Tokenizer(directory: base)
        try merged(base, Fixtures.path("kinds/piece-suffix")) { tokenizer, summary in
            #expect(summary.newTokens > 10 && tokenizer.vocabularySize == old.vocabularySize + summary.newTokens)
            for id in 0..<Int32(old.vocabularySize) { #expect(tokenizer.token(id) == old.token(id)) }
            #expect(tokenizer.decode(tokenizer.encode("模型训练 hello")) == "模型训练 hello")
        }
    }

    @Test("Bytes and text do not mix, and that is said")
    func refusesToMix() throws {
        let directory = try FileSystem.createTemporaryDirectory()
        defer { try? FileSystem.removeTree(directory) }
        #expect(throws: TokenizerError.self) {
            try VocabularyMerge(base: Fixtures.path("qwen2"), addition: Fixtures.path("kinds/gemma")).write(to: directory)
        }
    }
}
