import Formats
import Platform
import Testing

@testable import Tokenizers

@Suite struct TokenizerTrainerTests {
    private static let specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]

    private func trained(_ size: Int = 400) throws -> TrainedTokenizer {
        var trainer = TokenizerTrainer(vocabularySize: size, specialTokens: Self.specials, pattern: .qwen2)
        trainer.add(try FileSystem.readText(Fixtures.path("trainer/corpus.txt")))
        return try trainer.train()
    }

    @Test("Tokens and merges are those that Hugging Face's trainer learns, in the same order")
    func learnsLikeTheReference() throws {
        let expected = try Fixtures.json("trainer/learnt.json")
        let result = try trained()
        #expect(result.tokens.dropFirst(256).map { ByteAlphabet.text(of: $0) } == expected["tokens"]?.arrayValue?.compactMap(\.stringValue))
        let model = try #require(result.tokenizerJSON()["model"])
        #expect(model["merges"] == expected["merges"])
    }

    @Test("A trained tokenizer is read back, keeps its special tokens and gives text back")
    func writesAFolderThatOpens() throws {
        let directory = try FileSystem.createTemporaryDirectory()
        defer { try? FileSystem.removeTree(directory) }
        try trained().write(to: directory, endToken: "<|im_end|>", padToken: "<|endoftext|>", chatTemplate: "{{ messages }}")
        let tokenizer = try Tokenizer(directory: directory)
        #expect(tokenizer.vocabularySize == 400)
        #expect(tokenizer.eosID == 2 && tokenizer.padID == 0)
        #expect(tokenizer.chatTemplateSource == "{{ messages }}")
        let text = "<|im_start|>alpha 你好 🙂 e\u{301}<|im_end|>\n"
        let ids = tokenizer.encode(text)
        #expect(ids.first == 1 && ids.contains(2))
        #expect(tokenizer.decode(ids, skipSpecialTokens: false) == "<|im_start|>alpha 你好 🙂 \u{e9}<|im_end|>\n")
        #expect(tokenizer.decode(ids) == "alpha 你好 🙂 \u{e9}\n")
    }

    @Test("Too small a vocabulary and an empty text are refused with the reason")
    func refusesNonsense() {
        var trainer = TokenizerTrainer(vocabularySize: 100, specialTokens: [])
        trainer.add("abc")
        #expect(throws: TokenizerError.self) { try trainer.train() }
        #expect(throws: TokenizerError.cannotTrain(reason: "the training text is empty")) {
            try TokenizerTrainer(vocabularySize: 400, specialTokens: []).train()
        }
    }
}
