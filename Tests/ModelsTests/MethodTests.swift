import Formats
import Models
import Platform
import Testing

@testable import Tensors

/// Ways to train that change what a model is or does, against PEFT and torch (Tests/Fixtures/generate/methods.py).
@Suite struct MethodTests {
    static let expected = try? JSONValue.read(file: Path.join(Path.directory(Fixtures.directory), "methods", "expected.json"))

    // MARK: PiSSA

    @Test func tenStepsFromThePrincipalComponentsFollowPEFT() throws {
        let model = try principal(iterations: nil)
        let batch = try Fixtures.batch()
        let base = logits(try Transformer.load(directory: Fixtures.llama, backend: backend), batch)
        #expect(largestDifference(logits(model, batch), base) < 1e-4)
        #expect(largestDifference(logits(model, batch), numbers("pissa", "start")) < 1e-4)
        let losses = tenSteps(model, learningRate: 5e-3) { trainingLoss(model, batch) }
        let reference = numbers("pissa", "losses")
        try #require(reference.count == 10)
        for (loss, expected) in zip(losses, reference) { #expect(abs(loss - Double(expected)) / Double(expected) < 1e-3) }
        #expect(largestDifference(logits(model, batch), numbers("pissa", "end")) < 2e-3)
        model.setAdapter(enabled: false)
        #expect(logits(model, batch) == base)
    }

    @Test(arguments: [nil, 16] as [Int?]) func principalAdaptersAreSavedLoadedMergedAndConverted(iterations: Int?) throws {
        let model = try principal(iterations: iterations)
        let batch = try Fixtures.batch()
        _ = tenSteps(model, learningRate: 5e-3) { trainingLoss(model, batch) }
        let trained = logits(model, batch)
        try Fixtures.withTemporaryDirectory { directory in
            try AdapterFile.save(model, to: directory)
            let again = try Transformer.load(directory: Fixtures.llama, backend: backend)
            let configuration = try AdapterFile.load(directory, into: again)
            #expect(configuration.start == .principal(iterations: iterations))
            #expect(logits(again, batch) == trained)
            try again.mergeAdapter()
            #expect(largestDifference(logits(again, batch), trained) < 1e-4)
        }
        try Fixtures.withTemporaryDirectory { directory in
            try AdapterFile.saveConverted(model, start: try model.principalStart(), to: directory)
            let again = try Transformer.load(directory: Fixtures.llama, backend: backend)
            let configuration = try AdapterFile.load(directory, into: again)
            #expect(configuration.start == .plain)
            #expect(configuration.rank == 8)
            #expect(largestDifference(logits(again, batch), trained) < 1e-4)
            guard let python = Python.interpreter else { return }
            try Python.compareLogits(python, model: Fixtures.llama, adapter: directory, logits: trained)
        }
    }

    /// Components of nearly the same strength may come mixed; together they must be as strong.
    @Test func theFastDecompositionFindsComponentsAsStrong() throws {
        let exact = try principal(iterations: nil), fast = try principal(iterations: 16)
        for (left, right) in zip(exact.linears, fast.linears) {
            guard let one = left.adapter, let other = right.adapter else { continue }
            let strengths = [one, other].map { product($0).reduce(0) { $0 + Double($1) * Double($1) }.squareRoot() }
            #expect(abs(strengths[1] / strengths[0] - 1) < 0.01, "\(left.name): \(strengths)")
        }
    }

    @Test func aRankBeyondALayersSizeIsNamed() throws {
        let error = #expect(throws: ModelError.self) { try principal(iterations: nil, rank: 17) }
        #expect(error?.description.contains("v_proj is [16, 32] and has no 17 principal components") == true)
    }

    @Test func aSplitBaseAndItsAdapterAreTheModelTogether() throws {
        let model = try principal(iterations: 16)
        let batch = try Fixtures.batch()
        let before = logits(model, batch)
        try Fixtures.withTemporaryDirectory { directory in
            try SplitModel.write(model, to: directory, adapterFolder: "pissa_init")
            let rest = try Transformer.load(directory: directory, backend: backend)
            #expect(largestDifference(logits(rest, batch), before) > 0.1)
            try AdapterFile.load(Path.join(directory, "pissa_init"), into: rest)
            #expect(largestDifference(logits(rest, batch), before) < 1e-4)
        }
    }

    // MARK: Shifted attention and noise

    @Test(arguments: [("shift", Fixtures.llama), ("shift-bias", Fixtures.qwen2)])
    func attentionInShiftedGroupsIsThePapers(name: String, folder: String) throws {
        let model = try Transformer.load(directory: folder, backend: backend, options: LoadOptions(dtype: .float32))
        let sequences = Fixtures.tokenLists(Self.expected?[name]?["sequences"])
        let batch = PackedBatch(sequences: sequences, labels: sequences)
        let plain = logits(model, batch)
        model.shiftsAttention = true
        #expect(logits(model, batch) == plain)
        let tape = Tape(backend: backend, isRecording: true)
        let found = tape.tensor(model.logits(tape, model.hidden(tape, tokens: batch.tokens, layout: batch.layout))).floats()
        #expect(largestDifference(found, numbers(name, "logits")) < 1e-4)
        #expect(largestDifference(found, plain) > 0.1)
    }

    @Test func noiseIsAsLargeAsTheSequenceAllowsAndOnlyInTraining() throws {
        let model = try Transformer.load(directory: Fixtures.llama, backend: backend)
        let tokens = (0..<60).map { Int32($0 % 40) }, layout = SequenceLayout(lengths: [50, 10])
        func stream(training: Bool) -> [Float] {
            var found: [Float] = []
            let tape = Tape(backend: backend, isRecording: training, random: RandomGenerator(seed: 4))
            _ = model.hidden(tape, tokens: tokens, layout: layout) { layer, value in if layer == 0 { found = tape.tensor(value).floats() } }
            return found
        }
        let plain = stream(training: true)
        model.noiseAlpha = 5
        #expect(stream(training: false) == plain)
        let noise = zip(stream(training: true), plain).map { $0 - $1 }
        #expect(stream(training: true) == zip(plain, noise).map { $0 + $1 })
        for (rows, length) in [(0..<50, 50), (50..<60, 10)] {
            let bound = 5 / Float(length * 32).squareRoot(), part = noise[rows.lowerBound * 32..<rows.upperBound * 32]
            #expect(part.allSatisfy { abs($0) <= bound * 1.001 })
            #expect(abs(part.reduce(0, +) / Float(part.count)) < 0.15 * bound)
            let variance = part.reduce(0) { $0 + $1 * $1 } / Float(part.count)
            #expect(abs(variance / (bound * bound / 3) - 1) < 0.15)
        }
    }

    // MARK: Freezing and expanding

    @Test func freezeTuningTrainsTheLayersAndModulesItNames() throws {
        func trained(_ selection: FreezeSelection) throws -> [String] {
            let model = try Transformer.load(directory: Fixtures.llama, backend: backend)
            try model.freeze(selection, trainedType: .float32)
            return model.trainableParameters.map(\.name)
        }
        #expect(try trained(FreezeSelection(layers: 1)).allSatisfy { $0.hasPrefix("model.layers.1.") })
        #expect(try trained(FreezeSelection(layers: 1)).count == 9)
        #expect(try trained(FreezeSelection(layers: -1, modules: ["mlp"])) == ["gate", "up", "down"].map { "model.layers.0.mlp.\($0)_proj.weight" })
        #expect(
            try trained(FreezeSelection(layers: 9, modules: ["input_layernorm"], extraModules: ["norm", "lm_head"])) == [
                "model.layers.0.input_layernorm.weight", "model.layers.0.post_attention_layernorm.weight", "model.layers.1.input_layernorm.weight",
                "model.layers.1.post_attention_layernorm.weight", "model.norm.weight", "lm_head.weight",
            ])
        #expect(throws: ModelError.unknownModule(
            name: "attn", available: ["input_layernorm", "self_attn", "post_attention_layernorm", "mlp", "all"])
        ) { try trained(FreezeSelection(modules: ["attn"])) }
        #expect(throws: ModelError.unknownModule(name: "mlp", available: ["embed_tokens", "norm", "lm_head"])) {
            try trained(FreezeSelection(extraModules: ["mlp"]))
        }
        #expect(throws: ModelError.self) { try trained(FreezeSelection(layers: 0)) }
        #expect(throws: ModelError.self) { try trained(FreezeSelection(layers: 3, isExpanded: true)) }
    }

    @Test(arguments: ["models/llama", "models/qwen2", "families/gpt2", "families/gemma2"])
    func anExpandedModelSaysWhatTheOriginalSaid(name: String) throws {
        let folder = Path.join(Path.directory(Fixtures.directory), name)
        try Fixtures.withTemporaryDirectory { directory in
            try BlockExpansion(directory: folder, added: 2).write(to: directory, maximumShardBytes: 30_000)
            let original = try Transformer.load(directory: folder, backend: backend)
            let expanded = try Transformer.load(directory: directory, backend: backend)
            #expect(expanded.spec.layerCount == 4)
            let sequences: [[Int32]] = [[0, 5, 17, 9, 33, 21], [0, 31, 4]]
            let batch = PackedBatch(sequences: sequences, labels: sequences)
            #expect(largestDifference(logits(expanded, batch), logits(original, batch)) < 1e-5)
            try expanded.freeze(FreezeSelection(layers: 2, isExpanded: true), trainedType: .float32)
            let layers = Set(expanded.trainableParameters.compactMap { $0.name.split(separator: ".").compactMap { Int($0) }.first })
            #expect(layers == [1, 3])
            _ = trainingLoss(expanded, batch)
            #expect(expanded.trainableParameters.contains { parameter in (parameter.gradient?.floats() ?? []).contains { $0 != 0 } })
        }
        #expect(throws: ModelError.self) { try BlockExpansion(directory: folder, added: 3) }
    }

    private func principal(iterations: Int?, rank: Int = 4) throws -> Transformer {
        let model = try Transformer.load(directory: Fixtures.llama, backend: backend, options: LoadOptions(dtype: .float32))
        var settings = AdapterSettings(targets: ["q_proj", "v_proj", "down_proj"], rank: rank, alpha: 6)
        settings.start = .principal(iterations: iterations)
        var random = RandomGenerator(seed: 1)
        try model.addLowRankAdapters(settings, random: &random)
        return model
    }

    /// scale * B A
    private func product(_ adapter: LowRankAdapter) -> [Float] {
        let result = Tensor.zeros([adapter.b.shape[0], adapter.a.shape[1]])
        backend.product(MatrixView(adapter.b.value), MatrixView(adapter.a.value), alpha: adapter.scale, beta: 0, into: MatrixView(result))
        return result.floats()
    }

    private func numbers(_ name: String, _ key: String) -> [Float] { Fixtures.numbers(Self.expected?[name]?[key]).map { Float($0) } }
}
