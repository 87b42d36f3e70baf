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
            #expect(error?.description.contains("model.layers.1.mlp.down_proj is not among the base model's linear layers and embeddings") == true)
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

    @Test func aTensorThatDoesNotFitIsNamedAndTheBaseLeftAlone() throws {
        let model = try Transformer.load(directory: Fixtures.llama, backend: backend)
        let base = logits(model, try Fixtures.batch())
        func refusal(_ name: String, _ shape: [Int]) throws -> String {
            try Fixtures.withTemporaryDirectory { directory in
                try Fixtures.copy(Fixtures.adapter, to: directory)
                try TensorFile.write(Path.join(directory, AdapterFile.weightsName), tensors: [(name, Tensor.zeros(shape))])
                let error = #expect(throws: ModelError.self) { try AdapterFile.load(directory, into: model) }
                #expect(!model.hasAdapter)
                return error?.description ?? ""
            }
        }
        let inside = "base_model.model."
        #expect(try refusal(inside + "model.norm.weight", [31]).contains("model.norm.weight must have shape [32], found [31]"))
        #expect(try refusal(inside + "model.layers.0.self_attn.q_proj.lora_A.weight", [4, 32]).contains("q_proj.lora_B.weight of shape [32, 4] is missing"))
        #expect(try refusal(inside + "model.layers.0.self_attn.q_proj.oft_R.weight", [8, 6]).contains("adapter_config.json speaks of LoRA"))
        #expect(try refusal(inside + "model.embed_tokens.lora_A.weight", [4, 32]).contains("is an embedding in the base"))
        #expect(try refusal(inside + "model.layers.0.self_attn.q_proj.lora_E", [4, 1]).contains("is no tensor of a LoRA or OFT adapter"))
        #expect(try refusal("model.norm.weight", [32]).contains("is no tensor of a PEFT adapter"))
        #expect(try refusal(inside + "model.layers.7.mlp.up_proj.weight", [36, 32]).contains("is none of the base model's weights"))
        #expect(logits(model, try Fixtures.batch()) == base)
    }

    @Test func anAdapterThatNamesAnotherBaseIsNoticed() throws {
        let model = try Transformer.load(directory: Fixtures.qwen2, backend: backend)
        try AdapterFile.load(Fixtures.adapter, into: model)
        #expect(model.adapterNotes.count == 1)
        #expect(model.adapterNotes.first?.contains("says that it was made for tiny-random-llama") == true)
    }

    @Test func tensorsThatTargetModulesDoesNotNameAreLeftOutAsPEFTDoes() throws {
        try Fixtures.withTemporaryDirectory { directory in
            try Fixtures.copy(Fixtures.adapter, to: directory)
            let path = Path.join(directory, AdapterFile.configurationName)
            var object = try JSONValue.read(file: path).objectValue ?? [:]
            object.set("target_modules", ["q_proj", "down_proj"])
            object.set("base_model_name_or_path", "llama")
            try FileSystem.writeAtomically(path, text: JSONValue.object(object).text())
            let model = try Transformer.load(directory: Fixtures.llama, backend: backend)
            try AdapterFile.load(directory, into: model)
            #expect(model.linears.filter { $0.adapter != nil }.count == 4)
            #expect(model.adapterNotes.first?.contains("and 9 more modules, which target_modules of its configuration does not name") == true)
        }
    }

    @Test(arguments: [false, true]) func modulesTrainedWholeBeginAsTheBaseHasThem(usesMagnitudes: Bool) throws {
        let model = try Transformer.load(directory: Fixtures.qwen2, backend: backend)
        let base = logits(model, try Fixtures.batch())
        var settings = AdapterSettings(targets: ["q_proj", "embed_tokens"], rank: 2)
        settings.usesMagnitudes = usesMagnitudes
        settings.savedModules = ["lm_head", "norm"]
        var random = RandomGenerator(seed: 1)
        try model.addLowRankAdapters(settings, random: &random)
        #expect(largestDifference(logits(model, try Fixtures.batch()), base) < 1e-5)
        #expect(model.overlays.map(\.parameter.name) == [
            "model.layers.0.input_layernorm.weight", "model.layers.0.post_attention_layernorm.weight",
            "model.layers.1.input_layernorm.weight", "model.layers.1.post_attention_layernorm.weight", "model.norm.weight", "lm_head.weight",
        ])
        // Two matrices for each of two layers and the embedding, a magnitude for each, and what is trained whole.
        #expect(model.trainableParameters.count == (usesMagnitudes ? 9 : 6) + 6)
        settings.savedModules = ["lm_hat"]
        #expect(throws: ModelError.unknownModule(name: "lm_hat", available: model.moduleNames)) {
            try model.addLowRankAdapters(settings, random: &random)
        }
    }

    @Test func targetsMayBeARegularExpression() throws {
        let model = try Transformer.load(directory: Fixtures.llama, backend: backend)
        var random = RandomGenerator(seed: 1)
        let layers = try model.addLowRankAdapters(AdapterSettings(targets: [#".*\.1\.mlp\.(up|down)_proj"#], rank: 2), random: &random)
        #expect(layers.map(\.name) == ["model.layers.1.mlp.up_proj", "model.layers.1.mlp.down_proj"])
    }

    private func expected(_ name: String) throws -> [Float] {
        try #require(try Fixtures.tensors("llama-adapter-expected.safetensors")[name])
    }
}

/// A key, a value that cannot be served, and what the error must say.
private let unsupportedSettings: [(String, JSONValue, String)] = [
    ("peft_type", JSONValue.string("LOHA"), "an adapter of type LOHA"),
    ("lora_bias", true, "\"lora_bias\": true"),
    ("target_parameters", ["mlp.experts.gate_up_proj"], "\"target_parameters\""),
    ("modules_to_save", [3], "\"modules_to_save\" must be a list of texts"),
    ("bias", "some", "\"bias\" must be none, all or lora_only"),
    ("rank_pattern", ["layers.[01.q_proj": 2], "\"rank_pattern\" must be a regular expression"),
    ("rank_pattern", ["q_proj": 0], "\"q_proj\" must be a number above 0"),
    ("rank_pattern", ["q_proj": 1e9], "\"q_proj\" must be a number above 0 and below 16,777,216, found 1000000000.0"),
    ("alpha_pattern", ["q_proj": 1e300], "\"q_proj\" must be a number between -16,777,216 and 16,777,216, found 1e+300"),
    ("init_lora_weights", "pissa_niter_9999", "\"init_lora_weights\" must be pissa_niter_ and a number from 0 to 1000"),
    ("alpha_pattern", ["q_proj": "two"], "\"q_proj\" must be a number"),
    ("target_modules", "(q_proj", "\"target_modules\" must be a regular expression"),
    ("layers_to_transform", ["one"], "\"layers_to_transform\" must be numbers of layers"),
    ("trainable_token_indices", [4, 4], "\"trainable_token_indices\" must be lists of different token ids"),
    ("lora_dropout", 1.5, "\"lora_dropout\" must be a number from 0 to below 1"),
    ("r", "eight", "\"r\" must be a whole number"),
]
