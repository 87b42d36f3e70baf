import FakeCUDA
import Formats
import Models
import Platform
import Testing

@testable import Tensors

extension CardTests {
    /// Training and decoding of a small model on a card, against the processor.
    @Suite struct StepTests {
        private static let configuration = JSONObject([
            ("architectures", ["LlamaForCausalLM"]), ("model_type", "llama"), ("hidden_size", 128), ("intermediate_size", 160),
            ("num_hidden_layers", 2), ("num_attention_heads", 2), ("num_key_value_heads", 1), ("vocab_size", 96),
            ("max_position_embeddings", 128), ("rms_norm_eps", 1e-5), ("rope_theta", 10000.0), ("hidden_act", "silu"),
            ("tie_word_embeddings", .bool(false)), ("bos_token_id", 1), ("eos_token_id", 2),
        ])
        private static let lengths = [19, 12]

        private struct Run {
            var losses: [Double] = []
            var norms: [Double] = []
            var downloads: [Int] = []
            var misses: [Int] = []
        }

        /// Ten steps of AdamW on one batch.
        private func train(_ backend: any Backend, isLora: Bool, recomputes: Bool = false) throws -> Run {
            var random = RandomGenerator(seed: 1)
            let model = try Transformer.initialized(
                folder: ModelFolder(configuration: Self.configuration), backend: backend, random: &random, dtype: isLora ? .bfloat16 : .float32)
            if isLora { try model.addLowRankAdapters(AdapterSettings(rank: 8), random: &random) }
            model.recomputesBlocks = recomputes
            let parameters = model.trainableParameters
            let moments = parameters.map { (Tensor.zeros($0.shape), Tensor.zeros($0.shape)) }
            let tokens = (0..<Self.lengths.reduce(0, +)).map { _ in Int32(random.index(below: 96)) }
            var targets = Array(tokens.dropFirst()) + [Tape.ignoredTarget]
            targets[Self.lengths[0] - 1] = Tape.ignoredTarget
            var run = Run()
            let card = backend as? CUDABackend
            for number in 1...10 {
                let before = card?.transfers.downloads ?? 0
                let tape = Tape(backend: backend, isRecording: true)
                let hidden = model.hidden(tape, tokens: tokens, layout: SequenceLayout(lengths: Self.lengths))
                let output = tape.linearCrossEntropy(hidden, head: model.head, targets: targets, normalizer: 29)
                tape.backward(output.loss)
                run.losses.append(output.lossSum / 29)
                run.norms.append(backend.sumOfSquares(parameters.compactMap(\.gradient)).squareRoot())
                for (parameter, moment) in zip(parameters, moments) {
                    guard let gradient = parameter.gradient else { continue }
                    backend.adamW(
                        parameter: parameter.value, gradient: gradient, firstMoment: moment.0, secondMoment: moment.1,
                        step: AdamWStep(learningRate: isLora ? 5e-3 : 1e-3, step: number))
                    parameter.gradient = nil
                }
                try backend.throwIfFailed()
                run.downloads.append((card?.transfers.downloads ?? 0) - before)
                run.misses.append(card?.memory.missCount ?? 0)
            }
            return run
        }

        @Test("ten steps follow the processor's: f32 within 1e-3, bf16 within 1 %", arguments: [true, false], [DType.float32, .bfloat16])
        func curves(isLora: Bool, type: DType) throws {
            let expected = try train(CPUBackend(threadCount: 1), isLora: isLora)
            let found = try train(try TestCard.start(activationType: type), isLora: isLora)
            let tolerance = type == .float32 ? 1e-3 : 1e-2
            for (want, have) in zip(expected.losses, found.losses) {
                #expect(abs(want - have) <= tolerance * want, "\(expected.losses) and \(found.losses)")
            }
            #expect(TestCard.complaint == "")
            // The loss and the norm, and nothing else; no new memory after the second step.
            #expect(found.downloads.dropFirst().allSatisfy { $0 == 2 }, "\(found.downloads)")
            #expect(found.misses[1] == found.misses[9], "\(found.misses)")
        }

        @Test("recomputed blocks give the same losses and norms, and so does the same seed twice")
        func repeated() throws {
            let plain = try train(try TestCard.start(activationType: .bfloat16), isLora: true)
            let again = try train(try TestCard.start(activationType: .bfloat16), isLora: true, recomputes: true)
            #expect(plain.losses == again.losses && plain.norms == again.norms)
            let twice = try train(try TestCard.start(activationType: .bfloat16), isLora: true)
            #expect(plain.losses == twice.losses && plain.norms == twice.norms)
        }

        @Test("a prompt and tokens one by one give the processor's logits", arguments: [DType.float32, .bfloat16])
        func decoding(type: DType) throws {
            func logits(_ backend: any Backend) throws -> [[Float]] {
                var random = RandomGenerator(seed: 1)
                let model = try Transformer.initialized(
                    folder: ModelFolder(configuration: Self.configuration), backend: backend, random: &random, dtype: .bfloat16)
                let cache = model.makeCache(capacity: 40)
                return [[3, 14, 15, 92, 65, 35, 89, 79, 32, 38], [46], [26], [43]].map { (tokens: [Int32]) in
                    let tape = Tape(backend: backend, isRecording: false)
                    let hidden = model.hidden(tape, tokens: tokens, layout: SequenceLayout(appending: tokens.count, to: cache))
                    return tape.tensor(model.logits(tape, hidden, rows: [Int32(tokens.count - 1)])).floats()
                }
            }
            let card = try TestCard.start(activationType: type)
            let expected = try logits(CPUBackend(threadCount: 1)), found = try logits(card)
            try card.throwIfFailed()
            for (want, have) in zip(expected, found) {
                let scale = want.map(abs).max() ?? 1
                let worst = zip(want, have).map { abs($0 - $1) }.max() ?? .infinity
                #expect(worst <= (type == .float32 ? 1e-3 : 3e-2) * scale, "off by \(worst) of \(scale)")
            }
            #expect(TestCard.complaint == "")
        }
    }
}
