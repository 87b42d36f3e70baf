import Configuration
import Events
import Exporting
import Formats
import Models
import Platform
import Tensors
import Testing
import Tokenizers

/// Models written as GGUF: read again they are the same model, and llama.cpp, where it is installed, answers as we do.
@Suite struct GGUFExportTests {
    static func export(_ source: String, to directory: String, type: String, adapter: String? = nil, alone: Bool = false, template: String? = nil) throws -> String {
        var configuration = Configuration()
        configuration[.modelNameOrPath] = source
        configuration[.exportDir] = directory
        configuration[.exportGGUF] = type
        configuration[.template] = template
        if let adapter { configuration[.adapterNameOrPath] = [adapter] }
        configuration[.exportGGUFAdapter] = alone
        _ = try ExportJob(configuration: configuration, sink: RecordingSink(), control: JobControl()).run()
        let name = try #require(try FileSystem.list(directory).first { $0.hasSuffix(".gguf") })
        return Path.join(directory, name)
    }

    @Test("a written model is read as the same one", arguments: GGUFFamilies.all)
    func roundTrip(family: GGUFFamilies.Family) throws {
        try Fixtures.withTemporaryDirectory { parent in
            let source = Path.join(parent, "model")
            let model = try GGUFFamilies.write(family, to: source)
            let path = try Self.export(source, to: Path.join(parent, "out"), type: "f32")
            let plain = try Tokenizer(directory: source), tokenizer = try Tokenizer(directory: path)
            for text in GGUFFamilies.texts {
                #expect(tokenizer.encode(text) == plain.encode(text), "\(text)")
                #expect(tokenizer.encode(text, addSpecialTokens: true) == plain.encode(text, addSpecialTokens: true))
                #expect(tokenizer.decode(plain.encode(text)) == plain.decode(plain.encode(text)))
            }
            #expect(tokenizer.chatTemplateSource == plain.chatTemplateSource && tokenizer.eosID == plain.eosID)
            let tokens = Array(plain.encode(GGUFFamilies.texts.joined()).prefix(40))
            let expected = GGUFFamilies.allLogits(model, tokens), scale = expected.reduce(0) { max($0, abs($1)) }
            for restores in [false, true] {
                let read = try Transformer.load(directory: path, backend: backend, options: LoadOptions(restoresLayout: restores))
                #expect(largestDifference(GGUFFamilies.allLogits(read, tokens), expected) < 1e-4 * scale, "restored: \(restores)")
                if restores, read.spec.modelType == model.spec.modelType {
                    let same = zip(read.parameters, model.parameters).allSatisfy { $0.name == $1.name && $0.shape == $1.shape }
                    #expect(same)
                }
            }
            let summary = try ModelSummary(directory: path)
            #expect(summary.hasWeights && summary.weightsKind == "GGUF" && summary.spec.layerCount == model.spec.layerCount)
            #expect(try ModelInspection(directory: path, length: 16).problems == [])
        }
    }

    @Test func aTokenizerThatDiffersInLlamaIsToldAndOneThatItLacksRefused() throws {
        try Fixtures.withTemporaryDirectory { directory in
            for (folder, notice) in [("mistral", "after every special token"), ("qwen2", "NFC"), ("llama2", nil)] {
                let tokenizer = try Tokenizer(directory: Path.join(Path.directory(Fixtures.directory), "tokenizers", folder))
                let found = try tokenizer.ggufEntries(vocabularySize: tokenizer.vocabularySize)
                #expect(found.notices.count == (notice == nil ? 0 : 1))
                if let notice { #expect(found.notices.first?.contains(notice) == true) }
                #expect(throws: TokenizerError.self) { try tokenizer.ggufEntries(vocabularySize: 100) }
            }
            for folder in ["kinds/unigram-bytes", "kinds/bert", "kinds/deepseek", "gpt2-prefix"] {
                let tokenizer = try Tokenizer(directory: Path.join(Path.directory(Fixtures.directory), "tokenizers", folder))
                #expect(throws: TokenizerError.self) { try tokenizer.ggufEntries(vocabularySize: 10_000) }
            }
        }
    }

    @Test func familiesAndSettingsThatLlamaLacksAreRefusedBeforeAnythingIsWritten() throws {
        try Fixtures.withTemporaryDirectory { parent in
            let cases: [(String, JSONObject, String)] = [
                ("qwen3", ["attention_bias": true], "a bias on query, key and value"), ("qwen2_moe", ["norm_topk_prob": true], "add up to one"),
                ("baichuan", ["num_hidden_layers": 3], "a Baichuan model of 3 layers"), ("llama", ["hidden_act": "gelu"], "the activation"),
                ("gemma", ["tie_word_embeddings": false], "a head apart from the embedding"), ("glm", ["head_dim": 8], "heads that together"),
                ("qwen2", ["rope_parameters": Self.llamaScaling], "Llama 3's scaling of positions"),
                ("llama", ["rope_parameters": ["rope_type": "default", "partial_rotary_factor": 0.5]], "rotated in part"),
                ("llama", ["rope_parameters": ["rope_type": "yarn", "factor": 4, "truncate": false]], "YaRN with"),
            ]
            for (name, changes, reason) in cases {
                let family = try #require(GGUFFamilies.all.first { $0.name == name })
                let source = Path.join(parent, name)
                try GGUFFamilies.write(family, to: source, extra: changes)
                #expect { try Self.export(source, to: Path.join(parent, "out"), type: "f16") } throws: { "\($0)".contains(reason) }
                #expect(!FileSystem.exists(Path.join(parent, "out")))
            }
        }
    }

    private static let llamaScaling: JSONValue = [
        "rope_type": "llama3", "factor": 4, "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 16,
    ]
    private static let scalings: [(family: String, parameters: JSONObject)] = [
        ("qwen2", ["rope_type": "linear", "factor": 2]), ("llama", ["rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 16]),
        ("llama", ["rope_type": "yarn", "factor": 4, "attention_factor": 1.4, "original_max_position_embeddings": 16]),
        (
            "phi3",
            [
                "rope_type": "longrope", "partial_rotary_factor": 0.5, "original_max_position_embeddings": 16, "attention_factor": 1,
                "short_factor": [1.5, 2, 3], "long_factor": [1.5, 2, 3],
            ]
        ),
    ]

    @Test("llama.cpp scales positions as we do", .enabled(if: Python.interpreter != nil), arguments: scalings.indices)
    func llamaScales(index: Int) throws {
        let (family, parameters) = Self.scalings[index], python = try #require(Python.interpreter)
        try Fixtures.withTemporaryDirectory { parent in
            let source = Path.join(parent, "model")
            try GGUFFamilies.write(
                try #require(GGUFFamilies.all.first { $0.name == family }), to: source, extra: ["rope_parameters": .object(parameters)])
            let path = try Self.export(source, to: Path.join(parent, "out"), type: "f32")
            let model = try Transformer.load(directory: source, backend: backend)
            #expect(model.spec.rotary.scaling != .none)
            try Self.compare(python, [(path, nil, 1e-4)], model: model, source: source)
            let read = try Transformer.load(directory: path, backend: backend)
            #expect(largestDifference(GGUFFamilies.allLogits(read, [1, 2, 3, 4, 5]), GGUFFamilies.allLogits(model, [1, 2, 3, 4, 5])) < 1e-3)
        }
    }

    @Test func aModelfileIsTheOneOfLlamaFactory() throws {
        try Fixtures.withTemporaryDirectory { parent in
            let source = Path.join(parent, "model"), out = Path.join(parent, "out")
            try GGUFFamilies.write(try #require(GGUFFamilies.all.first { $0.name == "qwen2" }), to: source)
            _ = try Self.export(source, to: out, type: "q8_0", template: "vicuna")
            let text = try FileSystem.readText(Path.join(out, "Modelfile"))
            #expect(text.contains("FROM ./model-Q8_0.gguf\n"))
            let template = "TEMPLATE \"\"\"{{ if .System }}{{ .System }}{{ end }}{{ range .Messages }}{{ if eq .Role \"user\" }}USER: {{ .Content }} ASSISTANT:"
                + "{{ else if eq .Role \"assistant\" }}{{ .Content }}<|end|>{{ end }}{{ end }}\"\"\"\n"
            #expect(text.contains(template))
            #expect(text.contains("SYSTEM \"\"\"A chat between a curious user") && text.contains("PARAMETER stop \"<|end|>\"\nPARAMETER num_ctx"))
        }
    }

    @Test("llama.cpp answers as we do", .enabled(if: Python.interpreter != nil), arguments: GGUFFamilies.all, ["f32", "f16"])
    func llamaAgrees(family: GGUFFamilies.Family, type: String) throws {
        let python = try #require(Python.interpreter)
        try Fixtures.withTemporaryDirectory { parent in
            let source = Path.join(parent, "model")
            // Numbers that a half holds exactly.
            try GGUFFamilies.write(family, to: source, dtype: .float16)
            let path = try Self.export(source, to: Path.join(parent, "out"), type: type)
            // With f16 weights llama.cpp rounds what it multiplies them with to halves as well.
            try Self.compare(python, [(path, nil, type == "f32" ? family.tolerance : 5e-3)], model: try Transformer.load(directory: source, backend: backend), source: source)
        }
    }

    /// Runs llama.cpp on quantised files: both programs make bytes of activations there, in ways of their own.
    static func compareNear(_ python: String, _ paths: [String], source: String) throws {
        for path in paths {
            let model = try Transformer.load(directory: path, backend: backend, options: LoadOptions(restoresLayout: false))
            try compare(python, [(path, nil, 0.05)], model: model, source: source, isGreedy: false)
        }
    }

    /// Runs llama.cpp on files and compares tokens, logits and greedy answers with a model of ours.
    static func compare(_ python: String, _ files: [(path: String, adapter: String?, tolerance: Float)], model: Transformer, source: String, isGreedy: Bool = true) throws {
        try Fixtures.withTemporaryDirectory { directory in
            let tokenizer = try Tokenizer(directory: source)
            let prompt = Array(tokenizer.encode(GGUFFamilies.texts[0] + GGUFFamilies.texts[1]).prefix(24))
            let logits = GGUFFamilies.allLogits(model, prompt)
            let ours = Path.join(directory, "ours.safetensors"), expectations = Path.join(directory, "expected.json")
            try TensorFile.write(ours, tensors: [("logits", Tensor(logits, shape: [prompt.count, logits.count / prompt.count]))])
            func list(_ tokens: [Int32]) -> JSONValue { .array(tokens.map { .integer(Int64($0)) }) }
            let texts = JSONValue.array(GGUFFamilies.texts.map { text in
                ["text": .string(text), "tokens": list(tokenizer.encode(text)), "special": list(tokenizer.encode(text, addSpecialTokens: true))]
            })
            let object: JSONObject = ["texts": texts, "prompt": list(prompt), "greedy": list(isGreedy ? GGUFFamilies.greedy(model, after: prompt) : [])]
            try FileSystem.writeAtomically(expectations, text: object.text())
            var arguments = [python, Path.join(Path.directory(Fixtures.directory), "generate/open_gguf.py"), expectations, ours]
            for file in files { arguments += [file.path, file.adapter ?? "", "\(file.tolerance)"] }
            let result = try ProcessRunner.run(arguments)
            #expect(result.ending == .exited(0), "\(String(decoding: result.output, as: UTF8.self))")
        }
    }
}
