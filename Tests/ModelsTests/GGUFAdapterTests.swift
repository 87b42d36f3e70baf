import Configuration
import Events
import Exporting
import Formats
import Models
import Platform
import Tensors
import Testing

/// LoRA adapters as GGUF files of their own.
@Suite struct GGUFAdapterTests {
    /// A model folder, an adapter folder beside it, and the model with that adapter on.
    private func prepare(_ family: String, _ parent: String, alpha: Double = 6) throws -> (source: String, adapter: String, model: Transformer) {
        let source = Path.join(parent, "model"), adapter = Path.join(parent, "adapter")
        try GGUFFamilies.write(try #require(GGUFFamilies.all.first { $0.name == family }), to: source)
        let model = try Transformer.load(directory: source, backend: backend)
        var random = RandomGenerator(seed: 9)
        try model.addLowRankAdapters(AdapterSettings(rank: 4, alpha: alpha), random: &random)
        for linear in model.linears {
            if let b = linear.adapter?.b { b.value = Tensor((0..<b.count).map { _ in Float(random.normal()) * 0.1 }, shape: b.shape) }
        }
        try AdapterFile.save(model, to: adapter)
        return (source, adapter, model)
    }

    @Test("an adapter on its own works in llama.cpp", .enabled(if: Python.interpreter != nil), arguments: ["llama", "qwen2", "internlm2"], [6.0, 0])
    func adapterAlone(family: String, alpha: Double) throws {
        let python = try #require(Python.interpreter)
        try Fixtures.withTemporaryDirectory { parent in
            let (source, adapter, model) = try prepare(family, parent, alpha: alpha)
            let base = try GGUFExportTests.export(source, to: Path.join(parent, "base"), type: "f32")
            let alone = try GGUFExportTests.export(source, to: Path.join(parent, "alone"), type: "f32", adapter: adapter, alone: true)
            let merged = try GGUFExportTests.export(source, to: Path.join(parent, "merged"), type: "f32", adapter: adapter)
            try GGUFExportTests.compare(python, [(base, alone, 1e-4), (merged, nil, 1e-4)], model: model, source: source)
        }
    }

    /// llama.cpp takes an alpha of 0 for a scale of 1, PEFT for no adapter.
    @Test func aScaleOfZeroIsWrittenAsZeros() throws {
        try Fixtures.withTemporaryDirectory { parent in
            let (source, adapter, _) = try prepare("llama", parent)
            let settings = Path.join(adapter, AdapterFile.configurationName)
            // All of them, and those on queries: the first in the file.
            for (alpha, pattern) in [(0, [:]), (6, ["q_proj": 0])] as [(Int64, JSONObject)] {
                var object = try #require(try JSONValue.read(file: settings).objectValue)
                object.set("lora_alpha", .integer(alpha))
                object.set("alpha_pattern", .object(pattern))
                try FileSystem.writeAtomically(settings, text: JSONValue.object(object).text())
                let path = try GGUFExportTests.export(source, to: Path.join(parent, "alone\(alpha)"), type: "f32", adapter: adapter, alone: true)
                let file = try GGUFFile(path: path)
                #expect(try #require(try file.number("adapter.lora.alpha")) != 0)
                for tensor in file.tensors where tensor.name.hasSuffix("lora_b") {
                    let isZero = file.bytes(tensor).allSatisfy { $0 & 0x7f == 0 }
                    #expect(isZero == (alpha == 0 || tensor.name.contains("attn_q.")), "\(tensor.name)")
                }
            }
        }
    }

    @Test("what is written is opened, compared and told", arguments: ["llama", "internlm2", "gemma2"])
    func outputs(family: String) throws {
        try Fixtures.withTemporaryDirectory { parent in
            let (source, adapter, model) = try prepare(family, parent)
            // Not part of the adapter.
            try FileSystem.writeAtomically(Path.join(adapter, "notes.bin"), bytes: [UInt8](repeating: 7, count: 1 << 20))
            var configuration = Configuration()
            configuration[.modelNameOrPath] = source
            configuration[.adapterNameOrPath] = [adapter]
            configuration[.exportDir] = Path.join(parent, "out")
            configuration[.exportGGUF] = "f16"
            configuration[.exportGGUFAdapter] = true
            configuration[.template] = "vicuna"
            let numbers = model.adapterParameters.reduce(0) { $0 + $1.count }
            let plan = try ExportJob.plan(configuration)
            #expect(plan.isAdapter && plan.parameterCount == numbers && plan.totalBytes == Int64(2 * numbers))
            let summary = try ExportJob(configuration: configuration, sink: RecordingSink(), control: JobControl()).run()
            let values = Dictionary(uniqueKeysWithValues: summary.values.map { ($0.name, $0.value) })
            #expect(try #require(values["verified_tokens"]) > 20)
            let divergence = try #require(values["kl_divergence"])
            #expect(divergence < 1e-3)
            let name = "model-adapter-F16.gguf", path = Path.join(parent, "out", name)
            #expect(values["export_bytes"] == Double(try FileSystem.size(path)))
            #expect(summary.text.hasPrefix("exported the adapter, "))
            let card = try FileSystem.readText(Path.join(parent, "out", "README.md"))
            #expect(card.contains("The LoRA adapter `adapter` for `model`") && !card.contains("merged") && card.contains("compared with base and adapter"))
            #expect(card.contains("| parameters | \(NumberText.grouped(numbers)) |"))
            let modelfile = try FileSystem.readText(Path.join(parent, "out", "Modelfile"))
            #expect(modelfile.contains("FROM \(source)\nADAPTER ./\(name)\n") && modelfile.contains("USER: {{ .Content }}"))
            // Without the adapter the answers are others, which the comparison would see.
            let tokens: [Int32] = [5, 9, 17, 3, 28]
            let with = GGUFFamilies.allLogits(model, tokens)
            model.setAdapter(enabled: false)
            #expect(largestDifference(GGUFFamilies.allLogits(model, tokens), with) > 1e-2)
        }
    }

    @Test func aModelsOwnChatTemplateGoesIntoTheModelfileAlsoFromOneGGUFToTheNext() throws {
        try Fixtures.withTemporaryDirectory { parent in
            let source = Path.join(parent, "model")
            try GGUFFamilies.write(try #require(GGUFFamilies.all.first { $0.name == "qwen2" }), to: source)
            let turns = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
            let ask = "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
            let begin = "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nBe brief.<|im_end|>\n{% endif %}"
            let expected = "TEMPLATE \"\"\"{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>\n{{ else }}<|im_start|>system\nBe brief.<|im_end|>\n"
                + "{{ end }}{{ range .Messages }}{{ if eq .Role \"user\" }}<|im_start|>user\n{{ .Content }}<|im_end|>\n<|im_start|>assistant\n"
                + "{{ else if eq .Role \"assistant\" }}{{ .Content }}<|im_end|>\n{{ end }}{{ end }}\"\"\"\n"
            // The second cannot be said in Ollama's words: its first question is unlike the others.
            for (template, isSaid) in [(begin + turns + ask, true), ("{{ messages[0]['content'] }}!" + turns, false)] {
                let settings: JSONObject = ["eos_token": "<|end|>", "chat_template": .string(template)]
                try FileSystem.writeAtomically(Path.join(source, "tokenizer_config.json"), text: JSONValue.object(settings).text())
                let first = try GGUFExportTests.export(source, to: Path.join(parent, "first"), type: "f16")
                let second = try GGUFExportTests.export(first, to: Path.join(parent, "second"), type: "q8_0")
                for path in [first, second] {
                    let text = try FileSystem.readText(Path.join(Path.directory(path), "Modelfile"))
                    #expect(text.contains(expected) == isSaid && text.contains("cannot be said here") == !isSaid, "\(text)")
                    #expect(try GGUFFile(path: path).text("tokenizer.chat_template") == template)
                }
            }
        }
    }
}
