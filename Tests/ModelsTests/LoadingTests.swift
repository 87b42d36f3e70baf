import Formats
import Models
import Platform
import Tensors
import Testing

/// Model folders that are fine in unusual ways, and folders that are not.
@Suite struct LoadingTests {
    @Test func bothSpellingsOfAConfigurationMeanTheSame() throws {
        let newer = try ModelFolder(directory: Fixtures.llama)
        var object = newer.fields.object
        object.remove("rope_parameters")
        object.set(
            "rope_scaling",
            ["type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16])
        object.set("rope_theta", 10000.0)
        object.remove("dtype")
        object.set("torch_dtype", "float32")
        let older = try ModelFolder(configuration: object)
        #expect(older.spec == newer.spec)
        #expect(older.declaredType == newer.declaredType)
        #expect(older.configuration(dtype: .bfloat16, tiesEmbeddings: false)["torch_dtype"] == "bfloat16")
        #expect(newer.configuration(dtype: .bfloat16, tiesEmbeddings: false)["dtype"] == "bfloat16")
    }

    @Test func aStretchedModelIsWrittenWithItsScaling() throws {
        for source in [Fixtures.llama, Fixtures.qwen2] {
            try Fixtures.withTemporaryDirectory { directory in
                let scaling = RotaryScaling.linear(factor: 3)
                let model = try Transformer.load(directory: source, backend: backend, options: LoadOptions(rotaryScaling: scaling))
                try CheckpointWriter(model).write(to: directory)
                let again = try ModelFolder(directory: directory)
                #expect(again.spec == model.spec)
                #expect(again.spec.maximumPositions == 192)
            }
        }
    }

    @Test(arguments: FamilyTests.families) func everyWeightHasANameOfItsOwn(family: String) throws {
        let folder = try ModelFolder(directory: FamilyTests.directory(family))
        let names = folder.spec.weights(names: folder.definition.names).map(\.name)
        #expect(Set(names).count == names.count)
        #expect(!names.contains { $0.contains("#") || $0.contains("@") || !$0.contains(".") })
    }

    @Test func storedTypesStayAndWeightsAreMapped() throws {
        let model = try Transformer.load(directory: Fixtures.qwen2, backend: backend)
        #expect(model.parameters.allSatisfy { $0.value.dtype == .bfloat16 && $0.value.storage.isBorrowed && !$0.requiresGradient })
        #expect(model.spec.tiesEmbeddings && model.head.weight.parameter === model.embedding)
        let trained = try Transformer.load(directory: Fixtures.qwen2, backend: backend, options: LoadOptions(dtype: .float32, trainsBase: true))
        #expect(trained.parameters.allSatisfy { $0.value.dtype == .float32 && !$0.value.storage.isBorrowed && $0.requiresGradient })
    }

    @Test func aTiedHeadThatIsStoredTooIsTiedWhenEqualAndKeptApartWhenNot() throws {
        let model = try Transformer.load(directory: Fixtures.qwen2, backend: backend)
        var tensors = model.parameters.map { (name: $0.name, tensor: $0.value) }
        let table = model.embedding.value
        for (values, isTied) in [(table.floats(), true), (table.floats().map { $0 + 1 }, false)] {
            try Fixtures.withTemporaryDirectory { directory in
                try Fixtures.copy(Fixtures.qwen2, to: directory)
                let head = Tensor.zeros(table.shape, .bfloat16)
                head.write(values)
                try TensorFile.write(Path.join(directory, "model.safetensors"), tensors: tensors + [("lm_head.weight", head)])
                let loaded = try Transformer.load(directory: directory, backend: backend)
                #expect(loaded.spec.tiesEmbeddings == isTied)
                #expect(loaded.notes.isEmpty == isTied)
            }
        }
        tensors[0].name = "lm_head.weight"
        try Fixtures.withTemporaryDirectory { directory in
            try Fixtures.copy(Fixtures.qwen2, to: directory)
            try TensorFile.write(Path.join(directory, "model.safetensors"), tensors: tensors)
            #expect(try Transformer.load(directory: directory, backend: backend).embedding.value.floats() == table.floats())
        }
    }

    @Test func aModelFromScratchIsDrawnAsTransformersDrawsIt() throws {
        let folder = try ModelFolder(directory: Fixtures.llama)
        var random = RandomGenerator(seed: 5)
        let model = try Transformer.initialized(folder: folder, backend: backend, random: &random)
        let values = model.linears[4].weight.parameter?.value.floats() ?? []
        let deviation = (values.reduce(0) { $0 + $1 * $1 } / Float(values.count)).squareRoot()
        #expect(abs(deviation - 0.02) < 0.002)
        #expect(model.finalNorm.weight.value.floats().allSatisfy { $0 == 1 })
        #expect(model.embedding.value.slice(rows: 2..<3).floats().allSatisfy { $0 == 0 })
        #expect(model.trainableParameters.count == model.parameters.count)
        var again = RandomGenerator(seed: 5)
        let twin = try Transformer.initialized(folder: folder, backend: backend, random: &again)
        #expect(twin.embedding.value.floats() == model.embedding.value.floats())
    }

    @Test func aSummaryKnowsSizesWithoutWeights() throws {
        let llama = try ModelSummary(directory: Fixtures.llama)
        #expect(llama.parameterCount == 16288 && llama.weightBytes == 65152 && llama.dtype == .float32)
        #expect(llama.linears.count == 14)
        #expect(llama.adapterParameterCount(targets: ["all"], rank: 4) == 3424)
        #expect(llama.adapterParameterCount(targets: ["q_proj", "v_proj"], rank: 2) == 448)
        let qwen2 = try ModelSummary(directory: Fixtures.qwen2)
        #expect(qwen2.dtype == .bfloat16 && qwen2.weightBytes == Int64(2 * qwen2.parameterCount))
        #expect(qwen2.embeddingCount == 48 * 32)
    }

    @Test(arguments: unfitSettings) func aConfigurationThatDoesNotFitIsExplained(key: String, value: JSONValue, message: String) throws {
        try Fixtures.withTemporaryDirectory { directory in
            try Fixtures.copy(Fixtures.llama, to: directory)
            try Fixtures.changeConfiguration(directory) { $0.set(key, value) }
            let error = #expect(throws: ModelError.self) { try Transformer.load(directory: directory, backend: backend) }
            #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
        }
    }

    @Test func damagedFilesAreNamed() throws {
        try expectFailure("there is no such folder") { try FileSystem.removeTree($0) }
        try expectFailure("there is no config.json in it") { try FileSystem.remove(Path.join($0, "config.json")) }
        try expectFailure("config.json, line 1") { try FileSystem.writeAtomically(Path.join($0, "config.json"), text: "{\"model_type\": llama}") }
        try expectFailure("expected a JSON object") { try FileSystem.writeAtomically(Path.join($0, "config.json"), text: "[]") }
        let shard = "model-00002-of-00003.safetensors"
        try expectFailure(shard) { try FileSystem.remove(Path.join($0, shard)) }
        try expectFailure(shard) { directory in
            let path = Path.join(directory, shard)
            try FileSystem.writeAtomically(path, bytes: Array(try FileSystem.readBytes(path).dropLast(100)))
        }
        try expectFailure("which does not hold it") { directory in
            try changeIndex(directory) { $0.set("model.norm.weight", .string(shard)) }
        }
        try expectFailure("must be a file name in the same folder") { directory in
            try changeIndex(directory) { $0.set("model.norm.weight", "../elsewhere.safetensors") }
        }
        try expectFailure("the tensor model.norm.weight of shape [32] is missing") { directory in
            try changeIndex(directory) { $0.remove("model.norm.weight") }
        }
        try expectFailure("pytorch_model.bin: this is not a file of torch.save") { directory in
            for name in try FileSystem.list(directory) where name.contains("safetensors") { try FileSystem.remove(Path.join(directory, name)) }
            try FileSystem.writeAtomically(Path.join(directory, "pytorch_model.bin"), text: "")
        }
        try expectFailure("there is consolidated.00.pth, but neither model.safetensors nor pytorch_model.bin") { directory in
            for name in try FileSystem.list(directory) where name.contains("safetensors") { try FileSystem.remove(Path.join(directory, name)) }
            try FileSystem.writeAtomically(Path.join(directory, "consolidated.00.pth"), text: "")
        }
        try expectFailure("into model-00004-of-00004.safetensors, but there is no such file") { directory in
            try changeIndex(directory) { $0.set("model.norm.weight", "model-00004-of-00004.safetensors") }
        }
        try expectFailure("\(shard): the safetensors header is damaged: ") { directory in
            try changeHeader(Path.join(directory, shard)) { text in
                let name = text.dropFirst(2).prefix { $0 != "\"" }
                return text.dropLast(1) + ",\"\(name)\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}"
            }
        }
        try expectFailure("overlap") { directory in
            try changeHeader(Path.join(directory, shard)) { text in
                text.dropLast(1) + ",\"other\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}"
            }
        }
    }

    @Test func weightsOfOtherTypesAreNamed() throws {
        try Fixtures.withTemporaryDirectory { directory in
            try Fixtures.copy(Fixtures.qwen2, to: directory)
            let path = Path.join(directory, "model.safetensors")
            let tensors = try TensorFile.read(path).map { tensor in
                tensor.name == "model.norm.weight" ? (tensor.name, Tensor(integers: [Int32](repeating: 1, count: 32), shape: [32])) : tensor
            }
            try TensorFile.write(path, tensors: tensors)
            #expect(throws: ModelError.unsupportedType(file: path, tensor: "model.norm.weight", found: "I32")) {
                try Transformer.load(directory: directory, backend: backend)
            }
        }
    }

    @Test func pickledShardsLoadTrainAndExportLikeSafetensors() throws {
        let source = Path.join(Fixtures.directory, "qwen2-pickled")
        let reference = try Transformer.load(directory: Fixtures.qwen2, backend: backend)
        let model = try Transformer.load(directory: source, backend: backend)
        for (left, right) in zip(model.parameters, reference.parameters) {
            #expect(left.name == right.name && Array(left.value.bytes) == Array(right.value.bytes) && left.value.storage.isBorrowed)
        }
        #expect(try ModelSummary(directory: source).hasWeights)
        var random = RandomGenerator(seed: 3)
        try model.addLowRankAdapters(AdapterSettings(rank: 2), random: &random)
        #expect(trainingLoss(model, try Fixtures.batch()) > 0)
        try Fixtures.withTemporaryDirectory { directory in
            try CheckpointWriter(model).write(to: directory)
            let again = try Transformer.load(directory: directory, backend: backend)
            #expect(logits(again, try Fixtures.batch()) == logits(reference, try Fixtures.batch()))
        }
    }

    @Test func aHostilePickleIsRefusedByNameAndNothingIsRun() throws {
        try Fixtures.withTemporaryDirectory { directory in
            try FileSystem.copy(Path.join(Fixtures.qwen2, "config.json"), Path.join(directory, "config.json"))
            let hostile = Path.join(Path.directory(Fixtures.directory), "formats/torch/hostile.bin")
            try FileSystem.copy(hostile, Path.join(directory, "pytorch_model.bin"))
            let error = #expect(throws: ModelError.self) { try Transformer.load(directory: directory, backend: backend) }
            #expect(error?.description.contains("pytorch_model.bin: the pickle asks for posix.system") == true)
        }
    }

    /// Rewrites the text of a safetensors header, and its length.
    private func changeHeader(_ path: String, _ change: (String) -> String) throws {
        let bytes = try FileSystem.readBytes(path)
        let length = bytes[..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
        var text = String(decoding: bytes[8..<8 + length], as: UTF8.self)
        while text.hasSuffix(" ") { text.removeLast() }
        let header = Array(change(text).utf8)
        let count = (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) }
        try FileSystem.writeAtomically(path, bytes: count + header + bytes[(8 + length)...])
    }

    private func changeIndex(_ directory: String, _ change: (inout JSONObject) -> Void) throws {
        let path = Path.join(directory, "model.safetensors.index.json")
        var index = try JSONValue.parse(try FileSystem.readText(path), name: path).objectValue ?? [:]
        var map = index["weight_map"]?.objectValue ?? [:]
        change(&map)
        index.set("weight_map", .object(map))
        try FileSystem.writeAtomically(path, text: JSONValue.object(index).text())
    }

    private func expectFailure(_ message: String, _ damage: (String) throws -> Void) throws {
        try Fixtures.withTemporaryDirectory { parent in
            let directory = Path.join(parent, "model")
            try Fixtures.copy(Fixtures.llama, to: directory)
            try damage(directory)
            let error = #expect(throws: ModelError.self) { try Transformer.load(directory: directory, backend: backend) }
            #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
        }
    }
}

/// A key, a value that cannot be served, and what the error must say.
private let unfitSettings: [(String, JSONValue, String)] = [
    ("hidden_size", JSONValue.null, "the key \"hidden_size\" is missing"),
    ("num_hidden_layers", "many", "\"num_hidden_layers\" must be a whole number from 1 to 4096, found \"many\""),
    ("num_key_value_heads", 3, "\"num_key_value_heads\" must be a divisor of num_attention_heads (4), found 3"),
    ("hidden_act", "relu", "\"hidden_act\" must be silu, gelu or gelu_pytorch_tanh, found \"relu\""),
    ("model_type", "mamba", "the architecture \"mamba\" is not supported. Supported: llama, qwen2, qwen3, mistral, mixtral"),
    ("rope_parameters", ["rope_type": "spiral"], "the position scaling \"spiral\" (rope_type) is not supported"),
    ("rope_parameters", ["rope_type": "linear"], "the key \"rope_scaling.factor\" is missing"),
    ("quantization_config", ["quant_method": "aqlm"], "a checkpoint quantised with aqlm is not supported. bitsandbytes, GPTQ and AWQ"),
    ("quantization_config", ["quant_method": "gptq", "bits": 5], "\"bits\" must be 2, 3, 4 or 8, found 5"),
    ("intermediate_size", 44, "must have shape [44, 32], found [36, 32]"),
    ("num_hidden_layers", 3, "is missing (and 8 more)"),
    ("num_hidden_layers", 1, "has no place in this architecture (and 8 more)"),
]
