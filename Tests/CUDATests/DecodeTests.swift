import FakeCUDA
import Formats
import Generation
import Models
import Platform
import Testing

@testable import Tensors

extension CardTests {
    /// Decoding whose tokens stay on the card, against the processor's decoder and sampler.
    @Suite struct DecodeTests {
        private static let greedy = SamplingOptions.greedy(maxNewTokens: 1)
        private static let sampled = SamplingOptions(temperature: 0.9, topK: 40, topP: 0.9, seed: 5)

        private func model(_ backend: any Backend, isMixture: Bool = false) throws -> Transformer {
            var configuration = SmallModel.configuration
            configuration.set("max_position_embeddings", 512)
            if isMixture {
                configuration.set("architectures", ["MixtralForCausalLM"])
                configuration.set("model_type", "mixtral")
                configuration.set("num_local_experts", 4)
                configuration.set("num_experts_per_tok", 2)
            }
            var random = RandomGenerator(seed: 1)
            return try Transformer.initialized(
                folder: ModelFolder(configuration: configuration), backend: backend, random: &random, dtype: .float32)
        }

        private func feed(_ model: Transformer, _ tokens: [Int32], _ cache: KeyValueCache) -> [Float] {
            let tape = Tape(backend: model.backend, isRecording: false)
            let hidden = model.hidden(tape, tokens: tokens, layout: SequenceLayout(appending: tokens.count, to: cache))
            return tape.tensor(model.logits(tape, hidden, rows: [Int32(tokens.count - 1)])).floats()
        }

        /// The processor's way: logits come home and are sampled there.
        private func reference(_ prompt: [Int32], _ count: Int, _ options: SamplingOptions, isMixture: Bool = false) throws -> [Int32] {
            let model = try model(CPUBackend(threadCount: 1), isMixture: isMixture), cache = model.makeCache(capacity: prompt.count + count)
            var sampler = Sampler(options), history = prompt, logits = feed(model, prompt, cache)
            let decoder = Decoder(model)
            for index in 0..<count {
                history.append(sampler.next(&logits, history: history))
                if index + 1 < count { decoder.step(tokens: [history[history.count - 1]], caches: [cache]) { logits = Array($0) } }
            }
            return Array(history.dropFirst(prompt.count))
        }

        /// A conversation as it joins a loop: its first token is sampled from the prompt's logits.
        private func begin(_ model: Transformer, _ prompt: [Int32], _ options: SamplingOptions, capacity: Int) -> LoopedConversation {
            let cache = model.makeCache(capacity: capacity)
            var sampler = Sampler(options), logits = feed(model, prompt, cache)
            let token = sampler.next(&logits, history: prompt)
            let rules = TokenRules(
                temperature: options.doSample ? Float(options.temperature) : 0, topK: options.doSample ? options.topK : 0,
                topP: options.doSample ? Float(options.topP) : 1, minP: Float(options.minP), repetitionPenalty: Float(options.repetitionPenalty))
            return LoopedConversation(cache: cache, nextToken: token, history: prompt, rules: rules, random: sampler.random)
        }

        private func looped(
            _ prompt: [Int32], _ count: Int, _ options: SamplingOptions, usesGraphs: Bool = true, isMixture: Bool = false,
            settings: tb_fake_settings? = nil, check: (CUDABackend, CUDATokenLoop) throws -> Void = { _, _ in }
        ) throws -> [Int32] {
            let card = try TestCard.start(settings, activationType: .float32)
            card.usesGraphs = usesGraphs
            let model = try model(card, isMixture: isMixture)
            let conversation = begin(model, prompt, options, capacity: prompt.count + count)
            var tokens = [conversation.nextToken]
            let made = Decoder(model).tokenLoop(slotCount: 1, mostTokens: prompt.count + count)
            let loop = try #require(made as? CUDATokenLoop)
            #expect(loop.join(conversation) == 0)
            let before = card.transfers
            for _ in 1..<count { tokens += loop.step() }
            try card.throwIfFailed()
            #expect(TestCard.complaint == "")
            if !isMixture { #expect(card.transfers.downloadedBytes - before.downloadedBytes == 4 * (count - 1)) }
            #expect(conversation.cache.length == prompt.count + count - 1)
            try check(card, loop)
            return tokens
        }

        private static let prompt: [Int32] = [3, 14, 15, 92, 65, 35, 89, 79, 32, 38]

        @Test("the same seed gives the processor's tokens, whatever the rules")
        func rules() throws {
            var penalised = Self.sampled
            penalised.repetitionPenalty = 1.4
            var near = SamplingOptions(temperature: 1.2, topK: 0, topP: 1, minP: 0.05, seed: 11)
            near.repetitionPenalty = 1.1
            let nucleus = SamplingOptions(temperature: 1, topK: 0, topP: 0.7, seed: 3), all = SamplingOptions(temperature: 1.1, topK: 0, topP: 1, seed: 3)
            for options in [Self.greedy, Self.sampled, penalised, near, nucleus, all] {
                let expected = try reference(Self.prompt, 24, options)
                #expect(try looped(Self.prompt, 24, options) == expected, "\(options)")
            }
        }

        @Test("replayed steps give the tokens of steps sent kernel by kernel, over pages, random numbers and longer caches")
        func replay() throws {
            let count = 290
            let eager = try looped(Self.prompt, count, Self.sampled, usesGraphs: false) { _, loop in #expect(loop.replayCount == 0) }
            #expect(Set(eager).count > 20)
            var settings = tb_fake_settings()
            for isLazy in [false, true] {
                settings.is_lazy = isLazy ? 1 : 0
                let replayed = try looped(Self.prompt, count, Self.sampled, settings: settings) { card, loop in
                    // One step of each kind is sent kernel by kernel: up to 256 keys, and more.
                    #expect(loop.replayCount == count - 1 - 2)
                    guard !TestCard.isReal else { return }
                    let counts = tb_fake_read_counts()
                    #expect(counts.captures == 2 && counts.instantiations == 1 && counts.updates == 1 && counts.replays == count - 3)
                }
                #expect(replayed == eager)
            }
        }

        @Test("without graphs in the driver, and for mixtures, whose experts the host looks up, steps go kernel by kernel")
        func fallbacks() throws {
            var settings = tb_fake_settings()
            settings.has_no_graphs = 1
            let expected = try reference(Self.prompt, 12, Self.sampled)
            let eager = try looped(Self.prompt, 12, Self.sampled, settings: settings) { _, loop in #expect(loop.replayCount == 0) }
            #expect(eager == expected)
            settings = tb_fake_settings()
            settings.has_no_pinned_memory = 1
            #expect(try looped(Self.prompt, 12, Self.sampled, settings: settings) == expected)
            let mixture = try reference(Self.prompt, 12, Self.sampled, isMixture: true)
            let found = try looped(Self.prompt, 12, Self.sampled, isMixture: true) { _, loop in #expect(loop.replayCount == 0) }
            #expect(found == mixture)
        }

        @Test("what fails in the midst of a recording costs the recording alone, and a lost card is an error", .enabled(if: !TestCard.isReal))
        func brokenRecording() throws {
            let expected = try reference(Self.prompt, 12, Self.sampled)
            var settings = tb_fake_settings()
            settings.failure = 1
            for part in [1, 7, 30] {
                settings.fail_capture = part
                let found = try looped(Self.prompt, 12, Self.sampled, settings: settings) { _, loop in #expect(loop.replayCount == 0) }
                #expect(found == expected && tb_fake_read_counts().captures == 1)
            }
            settings.failure = 719
            do {
                _ = try looped(Self.prompt, 12, Self.sampled, settings: settings)
                Issue.record("a lost card went unnoticed")
            } catch let error as CUDAError {
                guard case .lost = error else {
                    Issue.record("\(error)")
                    return
                }
            }
        }

        @Test("two kinds of step are recorded where the card has little memory left, which statistics tell of", .enabled(if: !TestCard.isReal))
        func shortMemory() throws {
            let count = 290
            var held: [Int] = []
            let roomy = try looped(Self.prompt, count, Self.sampled) { card, loop in
                held.append(card.memoryUses.first { $0.purpose == .recordings }?.liveBytes ?? 0)
            }
            var settings = tb_fake_settings()
            // A segment of small blocks, the workspace of products, and no room for another segment.
            settings.memory_bytes = 65 << 20
            let short = try looped(Self.prompt, count, Self.sampled, settings: settings) { card, loop in
                held.append(card.memoryUses.first { $0.purpose == .recordings }?.liveBytes ?? 0)
                #expect(loop.replayCount == count - 1 - 2 && tb_fake_read_counts().captures == 2)
                #expect(tb_fake_read_counts().peak_bytes <= 65 << 20)
            }
            #expect(short == roomy)
            #expect(held[0] == 32 << 20 && held[1] > 0 && held[1] <= 4 << 20, "\(held)")
        }

        @Test("conversations that come and go get the tokens that they get alone, each with pages of its own")
        func together() throws {
            let prompts: [[Int32]] = [Self.prompt, [5, 6], [7, 8, 9, 10, 11], Array(Self.prompt.reversed())]
            let lengths = [70, 9, 30, 20], starts = [0, 0, 3, 12]
            let options = (0..<4).map { number in
                var options = number == 1 ? Self.greedy : Self.sampled
                options.seed = UInt64(number)
                options.repetitionPenalty = number == 2 ? 1.3 : 1
                return options
            }
            let expected = try (0..<4).map { try reference(prompts[$0], lengths[$0], options[$0]) }
            let card = try TestCard.start(activationType: .float32)
            let model = try model(card), loop = try #require(Decoder(model).tokenLoop(slotCount: 3, mostTokens: 90))
            var slots: [Int: Int] = [:], found = [[Int32]](repeating: [], count: 4), most = 0
            for step in 0..<80 {
                for number in 0..<4 where starts[number] == step {
                    let conversation = begin(model, prompts[number], options[number], capacity: 90)
                    found[number] = [conversation.nextToken]
                    let slot: Int = try #require(loop.join(conversation))
                    slots[number] = slot
                }
                guard !slots.isEmpty else { break }
                let tokens = loop.step()
                most = max(most, card.memoryUses.first { $0.purpose == .caches }?.liveBytes ?? 0)
                for (number, slot) in slots {
                    if found[number].count < lengths[number] { found[number].append(tokens[slot]) }
                    if found[number].count == lengths[number] {
                        loop.leave(slot)
                        slots[number] = nil
                    }
                }
            }
            try card.throwIfFailed()
            #expect(TestCard.complaint == "")
            #expect(found == expected)
            // A page of both layers in bf16 or f32, two of them for the long one, and one that idle rows write to.
            let page = 2 * 2 * 64 * 64 * 4
            #expect(most <= 6 * page, "\(most) bytes of caches, pages of \(page)")
        }

        @Test("a cache on a card grows page by page, gives pages back, and can be copied")
        func pages() throws {
            let card = try TestCard.start(activationType: .float32), model = try model(card)
            func bytes() -> Int { card.memoryUses.first { $0.purpose == .caches }?.liveBytes ?? 0 }
            let cache = model.makeCache(capacity: 500, dtype: .float32), page = 2 * 2 * 64 * 64 * 4
            #expect(bytes() == 0)
            let tokens = (0..<130).map { Int32($0 % 90 + 3) }
            _ = feed(model, tokens, cache)
            #expect(bytes() == 3 * page)
            let other = model.makeCache(capacity: 500, dtype: .float32)
            other.copyContents(of: cache)
            #expect(bytes() == 6 * page && other.length == 130)
            cache.truncate(to: 60)
            #expect(bytes() == 4 * page)
            let again = feed(model, Array(tokens[60...]), cache), next = feed(model, [9], other)
            let alone = model.makeCache(capacity: 500, dtype: .float32)
            #expect(zip(again, feed(model, tokens, alone)).allSatisfy { abs($0 - $1) < 1e-4 } && again.count == 96)
            #expect(zip(next, feed(model, [9], alone)).allSatisfy { abs($0 - $1) < 1e-4 } && next.count == 96)
            try card.throwIfFailed()
            #expect(TestCard.complaint == "")
        }
    }
}
