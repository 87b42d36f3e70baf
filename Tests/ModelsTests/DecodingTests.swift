import Formats
import Generation
import Models
import Platform
import Tensors
import Testing
import Tokenizers

/// Decoding without a tape against the tape, and several conversations against one.
@Suite struct DecodingTests {
    private func tapeLogits(_ model: Transformer, _ token: Int32, _ cache: KeyValueCache) -> [Float] {
        let tape = Tape(backend: model.backend, isRecording: false)
        let hidden = model.hidden(tape, tokens: [token], layout: SequenceLayout(appending: 1, to: cache))
        return tape.tensor(model.logits(tape, hidden)).floats()
    }

    private let tokens: [Int32] = [0, 14, 7, 29, 32, 5, 3, 21, 30, 11]

    @Test("steps without a tape give the tape's logits in every family", arguments: FamilyTests.families)
    func stepsAreTheTapes(family: String) throws {
        for type in [DType.float32, .bfloat16] {
            let model = try Transformer.load(directory: FamilyTests.directory(family), backend: backend, options: LoadOptions(dtype: type))
            let decoder = Decoder(model)
            #expect(decoder.isCompiled == (!FamilyTests.mixtures.contains(family) && family != "baichuan2"))
            let one = model.makeCache(capacity: 16, dtype: .float32), other = model.makeCache(capacity: 16, dtype: .float32)
            for token in tokens {
                let expected = tapeLogits(model, token, one)
                let found = decoder.step(tokens: [token], caches: [other]) { Array($0) }
                let scale = expected.reduce(0) { max($0, abs($1)) }
                // With weights in bf16 the rows have eleven bits.
                #expect(largestDifference(found, expected) < (type == .float32 ? 1e-5 : 4e-3) * scale)
            }
        }
    }

    @Test("an adapter counts in steps without a tape", arguments: ["llama", "qwen3", "glm", "phi3"])
    func adaptersCount(family: String) throws {
        let model = try Transformer.load(directory: FamilyTests.directory(family), backend: backend, options: LoadOptions(dtype: .float32))
        var random = RandomGenerator(seed: 1)
        try model.addLowRankAdapters(AdapterSettings(rank: 3, alpha: 8), random: &random)
        let before = Decoder(model).step(tokens: [5], caches: [model.makeCache(capacity: 4)]) { Array($0) }
        for parameter in model.adapterParameters { parameter.value.write((0..<parameter.count).map { _ in Float(0.2 * random.normal()) }) }
        let one = model.makeCache(capacity: 16), other = model.makeCache(capacity: 16), decoder = Decoder(model)
        for token in tokens {
            let expected = tapeLogits(model, token, one), found = decoder.step(tokens: [token], caches: [other]) { Array($0) }
            #expect(largestDifference(found, expected) < 1e-5 * expected.reduce(0) { max($0, abs($1)) })
        }
        let after = Decoder(model).step(tokens: [5], caches: [model.makeCache(capacity: 4)]) { Array($0) }
        #expect(largestDifference(before, after) > 1e-3)
        model.setAdapter(enabled: false)
        #expect(Decoder(model).step(tokens: [5], caches: [model.makeCache(capacity: 4)]) { Array($0) } == before)
    }

    @Test("conversations side by side get the very logits that each gets alone, at any number of threads")
    func sideBySideIsAlone() throws {
        for threads in [1, 3] {
            let own = CPUBackend(threadCount: threads)
            for type in [DType.float32, .bfloat16] {
                let model = try Transformer.load(directory: FamilyTests.directory("qwen2"), backend: own, options: LoadOptions(dtype: type))
                let decoder = Decoder(model)
                let lines = (0..<Decoder.maximumConversations).map { (line: Int) -> [Int32] in
                    tokens.map { (token: Int32) -> Int32 in (token + Int32(3 * line)) % 33 }
                }
                let caches = lines.map { _ in model.makeCache(capacity: 16) }
                #expect(caches[0].dtype == type)
                var together: [[Float]] = []
                for place in tokens.indices {
                    let logits = decoder.step(tokens: lines.map { $0[place] }, caches: caches) { Array($0) }
                    let width = logits.count / lines.count
                    together = lines.indices.map { Array(logits[$0 * width..<($0 + 1) * width]) }
                }
                for (line, expected) in zip(lines, together) {
                    let cache = model.makeCache(capacity: 16)
                    var found: [Float] = []
                    for token in line { found = decoder.step(tokens: [token], caches: [cache]) { Array($0) } }
                    #expect(found == expected)
                }
            }
        }
    }

    @Test("prompts answered side by side are answered as alone")
    func answersAreThose() throws {
        let model = try Transformer.load(directory: Fixtures.llama, backend: backend)
        let tokenizer = try Tokenizer(directory: Fixtures.llama)
        let prompts: [[Int32]] = (0..<11).map { (number: Int) -> [Int32] in
            let length = 3 + number % 4
            return (0..<length).map { (place: Int) -> Int32 in Int32(5 + (number * 7 + place * 3) % 40) }
        }
        for options in [
            SamplingOptions.greedy(maxNewTokens: 12),
            SamplingOptions(doSample: true, temperature: 1.3, topK: 20, topP: 0.9, maxNewTokens: 9, stopTokenIDs: [7, 9, 11]),
        ] {
            let seeds = prompts.indices.map { UInt64($0) }
            let alone = try prompts.indices.map { number in
                var own = options
                own.seed = seeds[number]
                return try TextGenerator(model: model, tokenizer: tokenizer).generate(prompt: prompts[number], options: own)
            }
            var heard = [[Int32]](repeating: [], count: prompts.count)
            let together = try TextGenerator(model: model, tokenizer: tokenizer).generate(prompts: prompts, options: options, seeds: seeds) {
                if let token = $1.tokenID { heard[$0].append(token) }
                return true
            }
            #expect(together.map(\.tokenIDs) == alone.map(\.tokenIDs))
            #expect(together.map(\.text) == alone.map(\.text))
            #expect(together.map(\.finishReason) == alone.map(\.finishReason))
            for (tokens, result) in zip(heard, together) { #expect(tokens == Array(result.tokenIDs.prefix(tokens.count))) }
        }
    }

    @Test("a prompt in bf16 gives the logits of f32 within what bf16 leaves", arguments: ["llama", "gemma2", "phi3", "gpt2", "qwen2"])
    func promptsInHalves(family: String) throws {
        let model = try Transformer.load(directory: FamilyTests.directory(family), backend: backend, options: LoadOptions(dtype: .bfloat16))
        let prompt = tokens + tokens
        func logits(isAnswering: Bool) -> [Float] {
            let tape = Tape(backend: model.backend, isRecording: false)
            tape.isAnswering = isAnswering
            return tape.tensor(model.logits(tape, model.hidden(tape, tokens: prompt, layout: SequenceLayout(lengths: [prompt.count])))).floats()
        }
        let exact = logits(isAnswering: false), found = logits(isAnswering: true)
        #expect(cosine(found, exact) > 0.9999)
        #expect(largestDifference(found, exact) < 0.03 * exact.reduce(0) { max($0, abs($1)) })
    }

    @Test("cancelling one of several conversations ends all")
    func cancelling() throws {
        let model = try Transformer.load(directory: Fixtures.llama, backend: backend)
        let generator = TextGenerator(model: model, tokenizer: try Tokenizer(directory: Fixtures.llama))
        var count = 0
        let results = try generator.generate(prompts: [[5, 6], [7, 8], [9, 10]], options: .greedy(maxNewTokens: 50)) { _, _ in
            count += 1
            return count < 8
        }
        #expect(results.count == 3)
        #expect(results.contains { $0.finishReason == .cancelled })
        #expect(results.reduce(0) { $0 + $1.tokenIDs.count } < 12)
    }

    @Test("a cache has as many digits as the weights, unless it is told")
    func cachesFollowWeights() throws {
        for type in [DType.float32, .bfloat16, .float16] {
            let model = try Transformer.load(directory: FamilyTests.directory("llama"), backend: backend, options: LoadOptions(dtype: type))
            #expect(model.makeCache(capacity: 4).dtype == (type == .float32 ? .float32 : .bfloat16))
            #expect(model.makeCache(capacity: 4, dtype: .float32).dtype == .float32)
        }
    }
}
