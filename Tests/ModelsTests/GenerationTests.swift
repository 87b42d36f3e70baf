import Formats
import Generation
import Models
import Tensors
import Testing
import Tokenizers

/// Decoding against transformers' `generate`, and what a chat relies on.
@Suite struct GenerationTests {
    @Test func thirtyTwoGreedyTokensEqualTransformers() throws {
        let expected = try Fixtures.json("expected.json")
        for (directory, key) in [(Fixtures.llama, "llama"), (Fixtures.qwen2, "qwen2")] {
            // The reference computes in f32; a checkpoint in bf16 as it is would keep its keys and values in bf16.
            let model = try Transformer.load(directory: directory, backend: backend, options: LoadOptions(dtype: .float32))
            let generator = TextGenerator(model: model, tokenizer: try Tokenizer(directory: Fixtures.llama))
            let found = try generator.generate(prompt: try prompt(), options: endless(.greedy(maxNewTokens: 32)))
            #expect(found.tokenIDs == Fixtures.tokens(expected[key]?["greedy"]), "\(key)")
            #expect(found.finishReason == .length)
        }
    }

    @Test func greedyTokensWithAnAdapterEqualPEFT() throws {
        let model = try Transformer.load(directory: Fixtures.llama, backend: backend)
        try AdapterFile.load(Fixtures.adapter, into: model)
        let generator = TextGenerator(model: model, tokenizer: try Tokenizer(directory: Fixtures.llama))
        let found = try generator.generate(prompt: try prompt(), options: endless(.greedy(maxNewTokens: 32)))
        #expect(found.tokenIDs == Fixtures.tokens(try Fixtures.json("expected.json")["llama"]?["adapterGreedy"]))
    }

    /// Ten positions are the original ones, the prompt has five; the reference's tokens come without a cache.
    @Test func aGenerationThatOutgrowsTheOriginalPositionsOfLongRoPEStartsOverAsTransformersDoes() throws {
        let model = try Transformer.load(directory: FamilyTests.directory("phi3"), backend: backend, options: LoadOptions(dtype: .float32))
        #expect(model.mustRecompute(from: 10, to: 11) && !model.mustRecompute(from: 9, to: 10) && !model.mustRecompute(from: 11, to: 12))
        let generator = TextGenerator(model: model, tokenizer: try Tokenizer(directory: Fixtures.llama))
        let expected = Fixtures.tokens(try FamilyTests.expected("phi3").values["greedy"])
        let prompt: [Int32] = [0, 14, 7, 29, 32]
        // The second time the cache is full of keys of the longer sequence.
        for _ in 0..<2 { #expect(try generator.generate(prompt: prompt, options: endless(.greedy(maxNewTokens: 32))).tokenIDs == expected) }
        let longer = prompt + expected[..<20]
        #expect(try generator.generate(prompt: longer, options: endless(.greedy(maxNewTokens: 12))).tokenIDs == expected[20...].map { $0 })
        var beams = endless(.greedy(maxNewTokens: 20))
        beams.beams = 2
        #expect(try generator.generate(prompt: prompt, options: beams).tokenIDs == Fixtures.tokens(try FamilyTests.expected("phi3").values["beams"]))
    }

    @Test func repetitionPenaltyEqualsTransformers() throws {
        let expected = try Fixtures.json("expected.json")["llama"]?["repetitionPenalty"]
        var options = SamplingOptions.greedy(maxNewTokens: 32)
        options.repetitionPenalty = try #require(expected?["penalty"]?.doubleValue)
        #expect(try continuation(Fixtures.llama, options).tokenIDs == Fixtures.tokens(expected?["tokens"]))
    }

    @Test func beamsEqualTransformers() throws {
        for expected in try #require(try Fixtures.json("expected.json")["llama"]?["beams"]?.arrayValue) {
            var options = SamplingOptions.greedy(maxNewTokens: 32)
            options.beams = try #require(expected["beams"]?.intValue)
            options.lengthPenalty = try #require(expected["lengthPenalty"]?.doubleValue)
            options.stopTokenIDs = Fixtures.tokens(expected["stop"])
            let found = try generator(Fixtures.llama).generate(prompt: try prompt(), options: options)
            #expect(found.tokenIDs == Fixtures.tokens(expected["tokens"]), "\(options.beams) beams")
        }
    }

    @Test func sampledBeamsRepeatWithTheirSeed() throws {
        var options = SamplingOptions(temperature: 1.5, topK: 20, topP: 0.95, maxNewTokens: 12, seed: 4, beams: 3)
        options.stopTokenIDs = []
        let first = try generator(Fixtures.llama).generate(prompt: try prompt(), options: options)
        #expect(first.tokenIDs.count == 12)
        #expect(try generator(Fixtures.llama).generate(prompt: try prompt(), options: options).tokenIDs == first.tokenIDs)
    }

    @Test func theNextTurnReusesTheCacheAndSaysTheSame() throws {
        let generator = try generator(Fixtures.llama)
        let first = try generator.generate(prompt: try prompt(), options: endless(.greedy(maxNewTokens: 6)))
        #expect(first.reusedTokens == 0)
        let next = try prompt() + first.tokenIDs.dropLast() + [9, 4]
        let second = try generator.generate(prompt: next, options: endless(.greedy(maxNewTokens: 4)))
        #expect(second.reusedTokens == next.count - 2)
        generator.forget()
        let fresh = try generator.generate(prompt: next, options: endless(.greedy(maxNewTokens: 4)))
        #expect(fresh.reusedTokens == 0)
        #expect(fresh.tokenIDs == second.tokenIDs)
    }

    @Test func switchingTheAdapterDropsTheCache() throws {
        let model = try Transformer.load(directory: Fixtures.llama, backend: backend)
        try AdapterFile.load(Fixtures.adapter, into: model)
        let generator = TextGenerator(model: model, tokenizer: try Tokenizer(directory: Fixtures.llama))
        _ = try generator.generate(prompt: try prompt(), options: endless(.greedy(maxNewTokens: 4)))
        model.setAdapter(enabled: false)
        let base = try generator.generate(prompt: try prompt(), options: endless(.greedy(maxNewTokens: 32)))
        #expect(base.reusedTokens == 0)
        #expect(base.tokenIDs == Fixtures.tokens(try Fixtures.json("expected.json")["llama"]?["greedy"]))
    }

    @Test func aLongPromptIsComputedInPiecesWithTheSameResult() throws {
        let model = try Transformer.load(directory: Fixtures.llama, backend: backend)
        let long = (0..<1200).map { Int32(($0 * 7 + $0 / 5) % 48) }
        let generator = TextGenerator(model: model, tokenizer: try Tokenizer(directory: Fixtures.llama))
        let found = try generator.generate(prompt: long, options: endless(.greedy(maxNewTokens: 1)))
        let whole = logits(model, PackedBatch(sequences: [long], labels: [long])).suffix(48)
        let best = whole.indices.max { whole[$0] < whole[$1] }.map { $0 - whole.startIndex }
        #expect(found.tokenIDs.first == best.map { Int32($0) })
    }

    @Test func seedsRepeatAndPiecesAddUpToTheText() throws {
        var options = SamplingOptions(temperature: 1.2, topK: 0, topP: 1, maxNewTokens: 20, seed: 11)
        options.stopTokenIDs = []
        var streamed = ""
        let first = try generator(Fixtures.llama).generate(prompt: try prompt(), options: options) {
            streamed += $0.text
            return true
        }
        #expect(streamed == first.text)
        #expect(try generator(Fixtures.llama).generate(prompt: try prompt(), options: options).tokenIDs == first.tokenIDs)
        options.seed = 12
        #expect(try generator(Fixtures.llama).generate(prompt: try prompt(), options: options).tokenIDs != first.tokenIDs)
    }

    @Test func stopTokensEndAnAnswerAndAreNotShown() throws {
        let greedy = Fixtures.tokens(try Fixtures.json("expected.json")["llama"]?["greedy"])
        var options = SamplingOptions.greedy(maxNewTokens: 32)
        options.stopTokenIDs = [greedy[5]]
        let found = try generator(Fixtures.llama).generate(prompt: try prompt(), options: options)
        let end = try #require(greedy.firstIndex(of: greedy[5]))
        #expect(found.tokenIDs == Array(greedy[...end]))
        #expect(found.finishReason == .stop)
        #expect(found.text == (try Tokenizer(directory: Fixtures.llama)).decode(Array(greedy[..<end])))
    }

    @Test func stopStringsEndAnAnswerAcrossTokens() throws {
        let tokenizer = try Tokenizer(directory: Fixtures.llama)
        let greedy = Fixtures.tokens(try Fixtures.json("expected.json")["llama"]?["greedy"])
        let text = tokenizer.decode(greedy)
        let stop = String(text.dropFirst(4).prefix(3))
        var options = endless(.greedy(maxNewTokens: 32))
        options.stopStrings = ["never there", stop]
        var streamed = ""
        let found = try generator(Fixtures.llama).generate(prompt: try prompt(), options: options) {
            streamed += $0.text
            return true
        }
        #expect(found.finishReason == .stop)
        #expect(!found.text.contains(stop))
        #expect(text.hasPrefix(found.text + stop))
        #expect(streamed == found.text)
    }

    @Test func cancellingStopsAtOnce() throws {
        var count = 0
        let found = try generator(Fixtures.llama).generate(prompt: try prompt(), options: endless(.greedy(maxNewTokens: 30))) { _ in
            count += 1
            return count < 3
        }
        #expect(found.finishReason == .cancelled)
        #expect(found.tokenIDs.count == 3)
    }

    @Test func impossibleRequestsAreExplained() throws {
        let generator = try generator(Fixtures.llama)
        #expect(throws: GenerationError.emptyPrompt) { try generator.generate(prompt: [], options: .greedy(maxNewTokens: 1)) }
        #expect(throws: GenerationError.unknownToken(token: 48, vocabularySize: 48)) {
            try generator.generate(prompt: [48], options: .greedy(maxNewTokens: 1))
        }
        #expect(throws: GenerationError.promptTooLong(tokens: 5, limit: 5)) {
            try generator.generate(prompt: try prompt(), options: SamplingOptions(maxNewTokens: nil, maxLength: 5))
        }
        #expect(throws: GenerationError.invalidOption("temperature", "above 0", "0.0")) {
            try generator.generate(prompt: try prompt(), options: SamplingOptions(temperature: 0))
        }
    }

    private func prompt() throws -> [Int32] { Fixtures.tokens(try Fixtures.json("expected.json")["prompt"]) }

    private func generator(_ directory: String) throws -> TextGenerator {
        TextGenerator(
            model: try Transformer.load(directory: directory, backend: backend), tokenizer: try Tokenizer(directory: Fixtures.llama))
    }

    private func endless(_ options: SamplingOptions) -> SamplingOptions {
        var options = options
        options.stopTokenIDs = []
        return options
    }

    private func continuation(_ directory: String, _ options: SamplingOptions) throws -> GenerationResult {
        try generator(directory).generate(prompt: try prompt(), options: endless(options))
    }
}
