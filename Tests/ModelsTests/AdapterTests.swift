import Formats
import Models
import Platform
import Tensors
import Testing

/// PEFT adapters in and out.
@Suite struct AdapterTests {
    @Test func anAdapterSavedByPEFTGivesEqualLogits() throws {
        let model = try Transformer.load(directory: Fixtures.llama, backend: backend)
        try AdapterFile.load(Fixtures.adapter, into: model)
        #expect(largestDifference(logits(model, try Fixtures.batch()), try expected("logits")) < 1e-4)
    }

    @Test func rankStabilisedScalesAndPatternsAreUnderstood() throws {
        let model = try Transformer.load(directory: Fixtures.llama, backend: backend)
        try AdapterFile.load(Fixtures.secondAdapter, into: model)
        #expect(model.linears.compactMap(\.adapter).map(\.rank).sorted() == [2, 2, 2, 2, 2, 3])
        #expect(largestDifference(logits(model, try Fixtures.batch()), try expected("logits.second")) < 1e-4)
    }

    @Test(arguments: [false, true]) func severalAdaptersAreMergedOneAfterTheOther(mergesAll: Bool) throws {
        let model = try Transformer.load(directory: Fixtures.llama, backend: backend)
        try AdapterFile.load([Fixtures.adapter, Fixtures.secondAdapter], into: model, mergesAll: mergesAll)
        #expect(model.hasAdapter == !mergesAll)
        #expect(largestDifference(logits(model, try Fixtures.batch()), try expected("logits.stacked")) < 1e-4)
    }

    @Test func switchedOffAnAdapterLeavesTheBase() throws {
        let model = try Transformer.load(directory: Fixtures.llama, backend: backend)
        let base = logits(model, try Fixtures.batch())
        try AdapterFile.load(Fixtures.adapter, into: model)
        model.setAdapter(enabled: false)
        #expect(logits(model, try Fixtures.batch()) == base)
        model.setAdapter(enabled: true)
        #expect(largestDifference(logits(model, try Fixtures.batch()), base) > 0.1)
        model.removeAdapter()
        #expect(logits(model, try Fixtures.batch()) == base)
    }

    @Test func aFreshAdapterChangesNothingAndIsAllThatIsTrained() throws {
        let model = try Transformer.load(directory: Fixtures.llama, backend: backend, options: LoadOptions(trainsBase: true))
        let base = logits(model, try Fixtures.batch())
        var random = RandomGenerator(seed: 1)
        let layers = try model.addLowRankAdapters(AdapterSettings(rank: 4), random: &random)
        #expect(layers.count == 14)
        #expect(logits(model, try Fixtures.batch()) == base)
        #expect(model.trainableParameters.count == 28)
        let values = layers[0].adapter?.a.value.floats() ?? []
        #expect(values.allSatisfy { abs($0) <= 1 / Float(32).squareRoot() })
        #expect(Set(values).count == values.count)
    }

    @Test func targetsAreTheLastPartsOfModulePaths() throws {
        let model = try Transformer.load(directory: Fixtures.llama, backend: backend)
        var random = RandomGenerator(seed: 1)
        let layers = try model.addLowRankAdapters(AdapterSettings(targets: ["v_proj", "layers.1.mlp.down_proj"], rank: 2), random: &random)
        #expect(
            layers.map(\.name) == [
                "model.layers.0.self_attn.v_proj", "model.layers.1.self_attn.v_proj", "model.layers.1.mlp.down_proj",
            ])
        #expect(throws: ModelError.unknownTarget(target: "q_prj", available: model.targetNames)) {
            try model.addLowRankAdapters(AdapterSettings(targets: ["q_prj"]), random: &random)
        }
    }

    @Test func whatIsSavedIsWhatWasLoadedUnknownKeysIncluded() throws {
        try Fixtures.withTemporaryDirectory { directory in
            let model = try Transformer.load(directory: Fixtures.llama, backend: backend)
            try AdapterFile.load(Fixtures.secondAdapter, into: model)
            try AdapterFile.save(model, to: directory)
            let original = try FileSystem.readText(Path.join(Fixtures.secondAdapter, AdapterFile.configurationName))
            #expect(try FileSystem.readText(Path.join(directory, AdapterFile.configurationName)) == original)
            let tensors = try TensorFile.read(Path.join(directory, AdapterFile.weightsName))
            let reference = try TensorFile.read(Path.join(Fixtures.secondAdapter, AdapterFile.weightsName))
            #expect(tensors.map(\.name).sorted() == reference.map(\.name).sorted())
            let values = Dictionary(uniqueKeysWithValues: reference.map { ($0.name, $0.tensor.floats()) })
            for (name, tensor) in tensors { #expect(tensor.floats() == values[name]) }
        }
    }

    @Test func PEFTLoadsOurAdapterWithEqualLogits() throws {
        guard let python = Python.interpreter else { return }
        try Fixtures.withTemporaryDirectory { directory in
            let model = try Transformer.load(directory: Fixtures.llama, backend: backend)
            var random = RandomGenerator(seed: 3)
            let settings = AdapterSettings(targets: ["all"], rank: 3, alpha: 9, usesRankStabilisedScale: true)
            for layer in try model.addLowRankAdapters(settings, random: &random) {
                layer.adapter?.b.value.write((0..<(layer.outputCount * 3)).map { _ in Float(random.normal()) * 0.2 })
            }
            try AdapterFile.save(model, to: directory)
            try Python.compareLogits(python, model: Fixtures.llama, adapter: directory, logits: logits(model, try Fixtures.batch()))
        }
    }

    @Test func anAdapterForAnotherBaseIsRefused() throws {
        let model = try Transformer.load(directory: Fixtures.qwen2, backend: backend)
        #expect(throws: Never.self) { try AdapterFile.load(Fixtures.adapter, into: model) }
        try Fixtures.withTemporaryDirectory { directory in
            try Fixtures.copy(Fixtures.llama, to: directory)
            try Fixtures.changeConfiguration(directory) { $0.set("num_hidden_layers", 1) }
            let folder = try ModelFolder(directory: directory)
            var random = RandomGenerator(seed: 1)
            let small = try Transformer.initialized(folder: folder, backend: backend, random: &random)
            let error = #expect(throws: ModelError.self) { try AdapterFile.load(Fixtures.adapter, into: small) }
            #expect(error?.description.contains("model.layers.1.mlp.down_proj is not among the base model's linear layers") == true)
            #expect(!small.hasAdapter)
        }
    }

    @Test(arguments: unsupportedSettings) func whatCannotBeServedIsNamed(key: String, value: JSONValue, message: String) throws {
        try Fixtures.withTemporaryDirectory { directory in
            try Fixtures.copy(Fixtures.adapter, to: directory)
            let path = Path.join(directory, AdapterFile.configurationName)
            var object = try JSONValue.parse(try FileSystem.readText(path), name: path).objectValue ?? [:]
            object.set(key, value)
            try FileSystem.writeAtomically(path, text: JSONValue.object(object).text())
            let error = #expect(throws: ModelError.self) { try AdapterFile.configuration(directory) }
            #expect(error?.description.contains(message) == true)
        }
    }

    private func expected(_ name: String) throws -> [Float] {
        try #require(try Fixtures.tensors("llama-adapter-expected.safetensors")[name])
    }
}

/// A key, a value that cannot be served, and what the error must say.
private let unsupportedSettings: [(String, JSONValue, String)] = [
    ("peft_type", JSONValue.string("LOHA"), "an adapter of type LOHA"),
    ("use_dora", true, "\"use_dora\": true"),
    ("modules_to_save", ["lm_head"], "\"modules_to_save\""),
    ("bias", "all", "\"bias\": \"all\""),
    ("rank_pattern", ["layers.[01].q_proj": 2], "the regular expression \"layers.[01].q_proj\""),
    ("r", "eight", "\"r\" must be a whole number"),
]
