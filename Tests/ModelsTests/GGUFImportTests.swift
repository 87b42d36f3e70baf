import Configuration
import Events
import Exporting
import Formats
import Generation
import Models
import Platform
import Tensors
import Testing
import Tokenizers

/// Files that other programs made: gguf-py's from Tests/Fixtures/gguf, and those of llama.cpp's own quantiser where it is installed.
@Suite struct GGUFImportTests {
    static func fixture(_ name: String) -> String { Path.join(Path.directory(Fixtures.directory), "gguf", name) }

    @Test("logits are those of the dequantised weights", arguments: ["f16", "q8_0", "q4_0", "q4_k_m"], [false, true])
    func logits(name: String, restores: Bool) throws {
        let tensors = try TensorFile.read(Self.fixture("expected.safetensors"))
        let numbers = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0.tensor) })
        // As the script that made the files has them.
        let tokens: [Int32] = [1, 5, 17, 9, 33, 21, 8, 36, 12, 3, 30, 27, 19, 2, 44, 51, 60, 7, 11, 13, 29, 31, 37, 41]
        let expected = try #require(numbers[name]).floats(), scale = expected.reduce(0) { max($0, abs($1)) }
        let model = try Transformer.load(
            directory: Self.fixture(name + ".gguf"), backend: backend, options: LoadOptions(restoresLayout: restores))
        #expect(model.isQuantized == (name != "f16") && model.spec.tiesEmbeddings && model.usesFileLayout == !restores)
        let found = Array(GGUFFamilies.allLogits(model, tokens).suffix(expected.count))
        #expect(largestDifference(found, expected) < 1e-4 * scale)
        // One token at a time, activations may become bytes where weights are blocks.
        let cache = model.makeCache(capacity: 24)
        var stepwise: [Float] = []
        for token in tokens {
            let tape = Tape(backend: backend, isRecording: false)
            stepwise += tape.tensor(model.logits(tape, model.hidden(tape, tokens: [token], layout: SequenceLayout(appending: 1, to: cache)))).floats()
        }
        #expect(cosine(Array(stepwise.suffix(expected.count)), expected) > 0.999)
    }

    @Test func weightsAreTheFilesOwnPages() throws {
        let path = Self.fixture("q8_0.gguf")
        let model = try Transformer.load(directory: path, backend: backend, options: LoadOptions(restoresLayout: false))
        let summary = try ModelSummary(directory: path)
        #expect(model.parameters.allSatisfy { $0.quantized != nil || $0.value.storage.isBorrowed })
        #expect(summary.quantization == "Q8_0" && summary.weightBytes == Int64(model.parameters.reduce(0) { $0 + $1.byteCount }))
        #expect(try FileSystem.size(path) > summary.weightBytes)
    }

    @Test func aMixtureIsToldByItsKinds() throws {
        try Fixtures.withTemporaryDirectory { parent in
            let source = Path.join(parent, "model")
            let wide: JSONObject = [
                "hidden_size": 256, "intermediate_size": 512, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 64,
                "num_hidden_layers": 8, "initializer_range": 0.03,
            ]
            try GGUFFamilies.write(try #require(GGUFFamilies.all.first), to: source, extra: wide)
            let path = try GGUFExportTests.export(source, to: Path.join(parent, "out"), type: "q4_k_m")
            let file = try GGUFFile(path: path), told = try #require(try ModelSummary(directory: path).quantization)
            let total = file.tensors.filter { !$0.name.hasPrefix("rope") }.reduce(0) { $0 + $1.elementCount }
            let kinds = Dictionary(grouping: file.tensors.filter(\.type.isQuantized), by: \.type.name)
            #expect(kinds.count == 2)
            for (name, tensors) in kinds {
                let share = NumberText.fixed(100 * Double(tensors.reduce(0) { $0 + $1.elementCount }) / Double(total), digits: 0)
                #expect(told.contains("\(name) (\(tensors.count)") && told.contains("\(share) %"), "\(told)")
            }
        }
    }

    @Test func theTokenizerIsSentencePieceWithItsTemplate() throws {
        let tokenizer = try Tokenizer(directory: Self.fixture("q8_0.gguf"))
        #expect(tokenizer.encode("the world").map { tokenizer.token($0) } == ["▁the", "▁world"])
        #expect(tokenizer.encode("hello", addSpecialTokens: true).first == 1 && tokenizer.eosID == 2 && tokenizer.unkID == 0)
        #expect(tokenizer.decode(tokenizer.encode("hello the world ü")) == "hello the world ü")
        let turn = tokenizer.encode("<|user|>hello")
        #expect(turn.first == 282 && tokenizer.isSpecial(282))
        let template = try PromptTemplate.choose(name: nil, tokenizer: tokenizer)
        #expect(template.name == "chat_template")
    }

    @Test func aFolderWithOneFileStandsForIt() throws {
        try Fixtures.withTemporaryDirectory { parent in
            try FileSystem.copy(Self.fixture("q4_0.gguf"), Path.join(parent, "a.gguf"))
            try FileSystem.copy(Self.fixture("q4_0.gguf"), Path.join(parent, "mmproj-a.gguf"))
            #expect(try ModelFolder(directory: parent).spec.modelType == "llama")
            #expect(try Tokenizer(directory: parent).eosID == 2)
            try FileSystem.copy(Self.fixture("q4_0.gguf"), Path.join(parent, "b.gguf"))
            #expect { try ModelFolder(directory: parent) } throws: { "\($0)".contains("2 GGUF files: name one") }
        }
    }

    @Test func aFileIsExportedToGGUFAgainAndNotToSafetensors() throws {
        try Fixtures.withTemporaryDirectory { parent in
            let written = try GGUFExportTests.export(Self.fixture("f16.gguf"), to: Path.join(parent, "again"), type: "f32")
            let tokens: [Int32] = [1, 5, 17, 9, 33, 21]
            let models = try [written, Self.fixture("f16.gguf")].map { try Transformer.load(directory: $0, backend: backend) }
            #expect(largestDifference(GGUFFamilies.allLogits(models[0], tokens), GGUFFamilies.allLogits(models[1], tokens)) < 1e-4)
            var configuration = Configuration()
            configuration[.modelNameOrPath] = Self.fixture("f16.gguf")
            configuration[.exportDir] = Path.join(parent, "plain")
            #expect(throws: ExportError.self) { try ExportJob(configuration: configuration, sink: RecordingSink(), control: JobControl()).run() }
        }
    }

    @Test func adaptersTrainOnQuantisedFilesAndStayThoseOfTheFamily() throws {
        let path = Self.fixture("q8_0.gguf")
        let batch = PackedBatch(sequences: [[1, 5, 17, 9, 33, 21, 8, 36]], labels: [[-100, 5, 17, 9, 33, 21, 8, 36]])
        let model = try Transformer.load(directory: path, backend: backend)
        var random = RandomGenerator(seed: 3)
        try model.addLowRankAdapters(AdapterSettings(rank: 4), random: &random)
        let before = trainingLoss(model, batch)
        for parameter in model.trainableParameters {
            guard let gradient = parameter.gradient else { continue }
            parameter.value = Tensor(zip(parameter.value.floats(), gradient.floats()).map { $0 - 0.02 * $1 }, shape: parameter.shape)
            parameter.gradient = nil
        }
        let after = trainingLoss(model, batch)
        #expect(after < before)
        try Fixtures.withTemporaryDirectory { directory in
            try AdapterFile.save(model, to: directory)
            // The same adapter on the dequantised weights in Hugging Face order.
            let full = Path.join(directory, "full")
            let base = try Transformer.load(directory: path, backend: backend)
            try CheckpointWriter(base, options: CheckpointWriter.Options(dtype: .float32, copiesCompanions: false)).write(to: full)
            let other = try Transformer.load(directory: full, backend: backend)
            try AdapterFile.load(directory, into: other)
            #expect(abs(trainingLoss(other, batch) - after) < 1e-4)
            let inPlace = try Transformer.load(directory: path, backend: backend, options: LoadOptions(restoresLayout: false))
            #expect(throws: ModelError.self) { try AdapterFile.load(directory, into: inPlace) }
        }
    }

    @Test func whatCannotBeUsedIsRefusedWithAReason() throws {
        try Fixtures.withTemporaryDirectory { parent in
            let path = Path.join(parent, "x.gguf")
            func expect(_ metadata: [(String, GGUFEntry)], _ reason: String, tensors: [GGUFDeclaration] = []) throws {
                let writer = try GGUFWriter(path: path, metadata: metadata, tensors: tensors)
                for tensor in tensors { try [UInt8](repeating: 0, count: tensor.type.byteCount(tensor.shape) ?? 0).withUnsafeBytes { try writer.write($0, to: tensor.name) } }
                try writer.finish()
                #expect { try Transformer.load(directory: path, backend: backend) } throws: { "\($0)".contains(reason) }
            }
            try expect([], "general.architecture")
            try expect([("general.architecture", .text("mamba"))], "the architecture \"mamba\" is not supported")
            try expect([("general.architecture", .text("llama")), ("general.type", .text("adapter"))], "holds no model but: adapter")
            try expect([("general.architecture", .text("llama")), ("split.count", .uint32(3))], "llama-gguf-split --merge")
            try expect([("general.architecture", .text("llama"))], "token_embd.weight")
            let sizes: [(String, GGUFEntry)] = [
                ("general.architecture", .text("llama")), ("llama.embedding_length", .uint32(8)), ("llama.block_count", .uint32(1)),
                ("llama.attention.head_count", .uint32(2)), ("llama.context_length", .uint32(16)), ("llama.feed_forward_length", .uint32(8)),
            ]
            let table = GGUFDeclaration(name: "token_embd.weight", type: .float32, shape: [4, 8])
            try expect(Array(sizes.dropLast(2)), "llama.context_length", tensors: [table])
            try expect(sizes, "blk.0.attn_norm.weight", tensors: [table])
            try expect(sizes.map { $0.0 == "llama.attention.head_count" ? ($0.0, .text("two")) : $0 }, "head_count", tensors: [table])
            #expect(throws: TokenizerError.self) { try Tokenizer(directory: path) }
        }
    }

    @Test("llama.cpp's own quantised files give its answers", .enabled(if: Python.interpreter != nil), arguments: ["q8_0", "q4_0", "q4_k_m", "q5_k_m", "q6_k"])
    func llamaQuantises(type: String) throws {
        let python = try #require(Python.interpreter)
        try Fixtures.withTemporaryDirectory { parent in
            let source = Path.join(parent, "model")
            let wide: JSONObject = [
                "hidden_size": 256, "intermediate_size": 512, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 64,
                "num_hidden_layers": 8, "initializer_range": 0.03,
            ]
            let full = try GGUFFamilies.write(try #require(GGUFFamilies.all.first), to: source, extra: wide)
            let plain = try GGUFExportTests.export(source, to: Path.join(parent, "plain"), type: "f32")
            let ours = try GGUFExportTests.export(source, to: Path.join(parent, "ours"), type: type)
            let theirs = Path.join(parent, "theirs.gguf")
            let script = Path.join(Path.directory(Fixtures.directory), "generate/quantize_gguf.py")
            let result = try ProcessRunner.run([python, script, plain, theirs, type])
            #expect(result.ending == .exited(0), "\(String(decoding: result.output, as: UTF8.self))")
            // The same types for the same tensors, and the same bytes where the type has one way.
            let ourFile = try GGUFFile(path: ours), theirFile = try GGUFFile(path: theirs)
            #expect(Set(ourFile.tensors.map(\.name)) == Set(theirFile.tensors.map(\.name)))
            for tensor in theirFile.tensors {
                let own = try #require(ourFile.tensor(named: tensor.name))
                #expect(own.type == tensor.type, "\(tensor.name)")
                if tensor.type.blockElements <= 32 { #expect(ourFile.bytes(own).elementsEqual(theirFile.bytes(tensor)), "\(tensor.name)") }
            }
            // Read here, theirs say what llama.cpp says of it, and ours are no further from the full model.
            let tokens = Array(try Tokenizer(directory: source).encode(GGUFFamilies.texts.joined()).prefix(40))
            let expected = GGUFFamilies.allLogits(full, tokens)
            let read = try [ours, theirs].map { path in
                relativeDifference(GGUFFamilies.allLogits(try Transformer.load(directory: path, backend: backend, options: LoadOptions(restoresLayout: false)), tokens), expected)
            }
            print("\(type): distance from the full model: ours \(read[0]), llama.cpp's \(read[1])")
            #expect(read[0] < read[1] * 1.1 + 1e-6 && read[1] < 0.5)
            try GGUFExportTests.compareNear(python, [ours, theirs], source: source)
        }
    }
}
