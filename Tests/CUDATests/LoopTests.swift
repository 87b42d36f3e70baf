import Configuration
import Datasets
import Events
import FakeCUDA
import Formats
import Models
import Platform
import Testing

@testable import Tensors
@testable import Training

/// A small Llama, and samples for it.
enum SmallModel {
    static let configuration = JSONObject([
        ("architectures", ["LlamaForCausalLM"]), ("model_type", "llama"), ("hidden_size", 128), ("intermediate_size", 160),
        ("num_hidden_layers", 2), ("num_attention_heads", 2), ("num_key_value_heads", 1), ("vocab_size", 96),
        ("max_position_embeddings", 128), ("rms_norm_eps", 1e-5), ("rope_theta", 10000.0), ("hidden_act", "silu"),
        ("tie_word_embeddings", .bool(false)), ("bos_token_id", 1), ("eos_token_id", 2),
    ])

    static func lora(_ backend: any Backend) throws -> Transformer {
        var random = RandomGenerator(seed: 1)
        let model = try Transformer.initialized(
            folder: ModelFolder(configuration: configuration), backend: backend, random: &random, dtype: .bfloat16)
        try model.addLowRankAdapters(AdapterSettings(rank: 4), random: &random)
        return model
    }

    /// Token 95 appears in the sample with number `poisoned` alone.
    static func samples(_ count: Int, poisoned: Int = -1) -> [TrainingSample] {
        var random = RandomGenerator(seed: 8)
        return (0..<count).map { number in
            var tokens = (0..<(9 + number % 4)).map { _ in Int32(3 + random.index(below: 90)) }
            if number == poisoned { tokens[4] = 95 }
            return TrainingSample(tokens: tokens, labels: tokens)
        }
    }
}

private final class Samples: BatchSource {
    let samples: [TrainingSample]
    init(_ samples: [TrainingSample]) { self.samples = samples }
    var batchesPerEpoch: Int { samples.count / 2 }
    func batch(epoch: Int, index: Int) -> Batch { Batch(Array(samples[2 * index..<2 * index + 2])) }
}

extension CardTests {
    /// The loop on a card: steps are sent before the numbers of the one before them are read.
    @Suite(.enabled(if: !TestCard.isReal)) struct LoopTests {
        private struct Outcome: Equatable {
            var losses: [Double] = [], norms: [Double] = []
            var notes: [String] = []
            var savedSteps: [Int] = []
            /// Work that was sent and not yet done when a step's numbers were told.
            var waiting: [Int] = []
        }

        private func train(
            _ backend: any Backend, poisoned: Int = -1, saveSteps: String = "100", offload: Offload? = nil, act: @escaping (JobControl, Int) -> Void = { _, _ in }
        ) throws -> Outcome {
            var configuration = Configuration()
            for (name, text) in [
                ("model_name_or_path", "model"), ("output_dir", "output"), ("dataset", "samples"), ("per_device_train_batch_size", "2"),
                ("gradient_accumulation_steps", "2"), ("num_train_epochs", "2"), ("logging_steps", "1"), ("learning_rate", "0.01"),
                ("lr_scheduler_type", "cosine"), ("save_strategy", "steps"), ("save_steps", saveSteps), ("logging_nan_inf_filter", "false"),
            ] { try configuration.set(name, text: text) }
            let settings = try TrainingSettings(configuration), model = try SmallModel.lora(backend)
            if poisoned >= 0 {
                var rows = model.embedding.value.floats()
                for column in 95 * 128..<96 * 128 { rows[column] = .infinity }
                model.embedding.value.write(rows)
            }
            model.recomputesBlocks = offload != nil
            backend.offloadsCheckpoints = offload?.checkpoints ?? false
            let batches = Samples(SmallModel.samples(24, poisoned: poisoned))
            let steps = settings.stepPlan(batchesPerEpoch: batches.batchesPerEpoch), control = JobControl()
            let loop = try TrainingLoop(
                model: model, optimizer: Optimizer.adamW(model.trainableParameters, backend: backend, isOffloaded: offload?.optimizer ?? false),
                schedule: settings.schedule(totalSteps: steps.totalSteps), steps: steps, batches: batches, settings: settings,
                state: TrainerState(), control: control)
            var outcome = Outcome()
            loop.hooks.stepped = { metrics in
                outcome.losses.append(metrics.loss ?? .nan)
                outcome.norms.append(metrics.gradientNorm ?? .nan)
                outcome.waiting.append(tb_fake_read_counts().waiting)
                act(control, metrics.step)
            }
            loop.hooks.note = { outcome.notes.append($1) }
            loop.hooks.save = { [unowned loop] in outcome.savedSteps.append(loop.state.globalStep) }
            _ = try loop.run()
            try backend.throwIfFailed()
            return outcome
        }

        private func card(isLazy: Bool, type: DType = .float32) throws -> CUDABackend {
            var settings = tb_fake_settings()
            settings.is_lazy = isLazy ? 1 : 0
            return try TestCard.start(settings, activationType: type)
        }

        private func expectClose(_ found: [Double], _ wanted: [Double], _ tolerance: Double) {
            #expect(found.count == wanted.count)
            for (have, want) in zip(found, wanted) where !(have.isNaN && want.isNaN) {
                #expect(abs(have - want) <= tolerance * max(1, abs(want)), "\(found) and \(wanted)")
            }
        }

        @Test("a step is sent before the numbers of the last one are read, and the numbers are the processor's")
        func ahead() throws {
            let expected = try train(CPUBackend(threadCount: 1))
            let lazy = try train(try card(isLazy: true))
            #expect(TestCard.complaint == "")
            expectClose(lazy.losses, expected.losses, 1e-3)
            expectClose(lazy.norms, expected.norms, 2e-3)
            #expect(lazy.losses.count == 12)
            // Six steps a pass: nothing is sent ahead over the end of a pass.
            for (step, waiting) in lazy.waiting.enumerated() { #expect((waiting > 100) == (step % 6 != 5), "step \(step): \(waiting)") }
            // The host waits for a step's losses and its norm, and for nothing else.
            #expect(tb_fake_read_counts().waits <= 12 * 3 + 4, "\(tb_fake_read_counts().waits)")
            var prompt = try train(try card(isLazy: false))
            prompt.waiting = lazy.waiting
            #expect(prompt == lazy)
        }

        @Test("gradients that are no numbers leave the weights alone, and the step that was sent behind them is made again")
        func poisoned() throws {
            for sample in [5, 14, 23] {
                let expected = try train(CPUBackend(threadCount: 1), poisoned: sample)
                let found = try train(try card(isLazy: true), poisoned: sample)
                #expect(TestCard.complaint == "")
                expectClose(found.losses, expected.losses, 1e-3)
                expectClose(found.norms, expected.norms, 2e-3)
                #expect(found.notes == expected.notes && found.notes.count == 2, "\(found.notes)")
                #expect(found.norms.filter { !$0.isFinite }.count == 2)
            }
        }

        @Test("an optimizer's state and checkpoints in the host's memory give the same losses to the bit", arguments: [false, true])
        func offloaded(isLazy: Bool) throws {
            func uploads(_ offload: Offload) throws -> (outcome: Outcome, uploads: Int, stateBytes: Int) {
                let card = try card(isLazy: isLazy, type: .bfloat16), outcome = try train(card, offload: offload)
                #expect(TestCard.complaint == "")
                let states = card.memoryUses.first { $0.purpose == .optimizer }?.peakBytes ?? 0
                return (outcome, tb_fake_read_counts().uploads, states)
            }
            let plain = try uploads(Offload())
            for offload in [Offload(optimizer: true), Offload(checkpoints: true), Offload(optimizer: true, checkpoints: true)] {
                let found = try uploads(offload)
                #expect(found.outcome.losses == plain.outcome.losses && found.outcome.norms == plain.outcome.norms, "\(offload)")
                // What is left of the state is the gate of updates.
                #expect((found.stateBytes <= 512) == offload.optimizer, "\(found.stateBytes) bytes of state on the card")
                // Two blocks of 24 micro-batches come back.
                if offload.checkpoints { #expect(found.uploads == plain.uploads + 48) }
            }
        }

        @Test("checkpoints of ever new lengths share the host's memory that a few of them need")
        func parksManyLengths() throws {
            let card = try card(isLazy: false, type: .bfloat16)
            card.offloadsCheckpoints = true
            for megabytes in 1...20 {
                let tensor = card.empty([megabytes << 19], .bfloat16)
                card.fill(tensor, with: Float(megabytes))
                #expect(card.park(tensor).fetch().slice(rows: 0..<1).floats() == [Float(megabytes)])
            }
            try card.throwIfFailed()
            #expect(tb_fake_read_counts().live_pinned <= 192 << 20)
        }

        @Test("checkpoints hold the weights of their step, also where somebody asks for one at any time")
        func saving() throws {
            #expect(try train(try card(isLazy: true), saveSteps: "4").savedSteps == [4, 8, 12])
            let asked = try train(try card(isLazy: true)) { control, step in if step == 3 { control.post(.save) } }
            #expect(asked.savedSteps == [4, 12])
            let stopped = try train(try card(isLazy: true)) { control, step in if step == 3 { control.post(.stopAndSave) } }
            #expect(stopped.savedSteps == [4] && stopped.losses.count == 4)
        }

        @Test("moments in 8 bits of all parameters are updated by one launch, to the numbers that they get one by one")
        func groupOfEightBits() throws {
            var results: [[[UInt8]]] = [], norms: [Double] = []
            let counts = [40_000, 300, 5_001, 16_384]
            for isGrouped in [false, true] {
                let backend = try card(isLazy: true), tables = EightBitTables(), settings = AdamWSettings(weightDecay: 0.1)
                var random = RandomGenerator(seed: 4)
                let parameters = counts.enumerated().map { index, count in
                    let value = Tensor((0..<count).map { _ in Float(random.normal()) }, shape: [count])
                    return Parameter(
                        name: "linear\(count)", value: index == 2 ? value.converted(to: .bfloat16) : value, requiresGradient: true)
                }
                let optimizer = Optimizer(
                    name: "adamw_8bit",
                    members: parameters.map { parameter in
                        Optimizer.Member(parameter, decays: true) { memory -> any UpdateRule in
                            parameter.count < EightBitAdamW.smallestCount
                                ? AdamW(shape: parameter.shape, settings: settings, memory: memory)
                                : EightBitAdamW(count: parameter.count, settings: settings, tables: tables, memory: memory)
                        }
                    }, weightDecay: 0.1, memory: StateMemory(backend: backend))
                for _ in 0..<4 {
                    for parameter in parameters {
                        parameter.gradient = Tensor((0..<parameter.count).map { _ in Float(random.normal()) / 100 }, shape: [parameter.count])
                    }
                    if isGrouped {
                        let update = try #require(optimizer.updateGroup(learningRate: 0.01, maximumNorm: 0, gradientScale: 0.5))
                        norms.append(update.norm.value)
                    } else {
                        norms.append(optimizer.gradientNorm() * 0.5)
                        optimizer.update(learningRate: 0.01, gradientScale: 0.5)
                    }
                }
                let states = parameters.indices.flatMap { optimizer.rule(at: $0).state.map { Array($0.tensor.bytes) } }
                results.append(parameters.map { Array($0.value.bytes) } + states)
                try backend.throwIfFailed()
                #expect(TestCard.complaint == "")
                // Squares, their sum, the factor, one update for each kind of moments.
                if isGrouped { #expect(tb_fake_read_counts().launches == 4 * 5, "\(tb_fake_read_counts().launches)") }
            }
            #expect(results[0].count == 4 + 4 * 3 + 2 && results[0] == results[1])
            for (want, have) in zip(norms[..<4], norms[4...]) { #expect(abs(want - have) < 1e-9 * want) }
        }

        @Test("the norm and the clipped update of a group are those that parameters have one by one")
        func group() throws {
            for factor in [Float(1), 40] {
                let backends: [any Backend] = [CPUBackend(threadCount: 1), try card(isLazy: true)]
                var results: [[[Float]]] = [], norms: [Double] = []
                for backend in backends {
                    var random = RandomGenerator(seed: 4)
                    let parameters = [300, 17, 40_000].map { count in
                        Parameter(
                            name: "linear\(count)", value: Tensor((0..<count).map { _ in Float(random.normal()) }, shape: [count]), requiresGradient: true)
                    }
                    let optimizer = Optimizer.adamW(parameters, settings: AdamWSettings(weightDecay: 0.1), backend: backend)
                    for _ in 0..<3 {
                        for parameter in parameters {
                            parameter.gradient = Tensor((0..<parameter.count).map { _ in factor * Float(random.normal()) / 100 }, shape: [parameter.count])
                        }
                        if let update = optimizer.updateGroup(learningRate: 0.01, maximumNorm: 5, gradientScale: 0.5) {
                            norms.append(update.norm.value)
                            continue
                        }
                        let norm = optimizer.gradientNorm() * 0.5
                        norms.append(norm)
                        optimizer.update(learningRate: 0.01, gradientScale: 0.5 * Optimizer.clipFactor(norm: norm, maximum: 5))
                    }
                    results.append(parameters.map { $0.value.floats() })
                    try backend.throwIfFailed()
                }
                for (want, have) in zip(norms[..<3], norms[3...]) { #expect(abs(want - have) < 1e-6 * want) }
                for (want, have) in zip(results[0], results[1]) { #expect(zip(want, have).allSatisfy { abs($0 - $1) < 1e-5 }) }
            }
        }
    }
}
