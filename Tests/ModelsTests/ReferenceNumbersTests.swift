import Formats
import Models
import Tensors
import Testing

/// Logits, losses and gradients against transformers and peft.
@Suite struct ReferenceNumbersTests {
    @Test func llamaLogitsEqualTransformers() throws {
        let model = try Transformer.load(directory: Fixtures.llama, backend: backend)
        let expected = try Fixtures.tensors("llama-expected.safetensors")
        #expect(largestDifference(logits(model, try Fixtures.batch()), try #require(expected["logits"])) < 1e-4)
    }

    @Test func qwen2LogitsEqualTransformersFromWidenedAndFromStoredWeights() throws {
        let expected = try Fixtures.tensors("qwen2-expected.safetensors")
        for type in [DType.float32, nil] {
            let model = try Transformer.load(directory: Fixtures.qwen2, backend: backend, options: LoadOptions(dtype: type))
            #expect(model.embedding.value.dtype == type ?? .bfloat16)
            #expect(largestDifference(logits(model, try Fixtures.batch()), try #require(expected["logits"])) < 1e-4)
            #expect(cosine(logits(model, try Fixtures.batch()), try #require(expected["logits.bfloat16"])) > 0.999)
        }
    }

    @Test func aLlamaCheckpointInBfloat16StaysCloseToTransformersInBfloat16() throws {
        let expected = try Fixtures.tensors("llama-expected.safetensors")
        let model = try Transformer.load(directory: Fixtures.llama, backend: backend, options: LoadOptions(dtype: .bfloat16))
        let found = logits(model, try Fixtures.batch())
        #expect(largestDifference(found, try #require(expected["logits.widened"])) < 1e-4)
        #expect(cosine(found, try #require(expected["logits.bfloat16"])) > 0.999)
    }

    @Test(arguments: [false, true]) func everyLlamaGradientEqualsTransformers(recomputesBlocks: Bool) throws {
        let model = try Transformer.load(directory: Fixtures.llama, backend: backend, options: LoadOptions(trainsBase: true))
        model.recomputesBlocks = recomputesBlocks
        try compareGradients(model, file: "llama-expected.safetensors", loss: try Fixtures.json("expected.json")["llama"]?["loss"])
    }

    @Test func everyQwen2GradientEqualsTransformers() throws {
        let options = LoadOptions(dtype: .float32, trainsBase: true)
        let model = try Transformer.load(directory: Fixtures.qwen2, backend: backend, options: options)
        try compareGradients(model, file: "qwen2-expected.safetensors", loss: try Fixtures.json("expected.json")["qwen2"]?["loss"])
    }

    @Test(arguments: [false, true]) func everyAdapterGradientEqualsPEFT(recomputesBlocks: Bool) throws {
        let model = try Transformer.load(directory: Fixtures.llama, backend: backend)
        try AdapterFile.load(Fixtures.adapter, into: model, isTrainable: true)
        model.recomputesBlocks = recomputesBlocks
        try compareGradients(model, file: "llama-adapter-expected.safetensors", loss: try Fixtures.json("expected.json")["llama"]?["adapterLoss"])
        #expect(model.parameters.allSatisfy { $0.gradient == nil })
    }

    @Test(arguments: ["default", "linear", "dynamic", "yarn"]) func positionScalingsEqualTransformers(kind: String) throws {
        let parameters: JSONObject =
            switch kind {
            case "linear": ["rope_type": "linear", "factor": 2.5]
            case "dynamic": ["type": "dynamic", "factor": 2]
            case "yarn": ["rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 16]
            default: [:]
            }
        try compareVariant(kind) { configuration in
            configuration.remove("rope_parameters")
            configuration.set("rope_theta", 10000)
            configuration.set("rope_scaling", parameters.isEmpty ? nil : .object(parameters))
            if kind == "dynamic" { configuration.set("max_position_embeddings", 10) }
        }
    }

    @Test func mistralWithASlidingWindowEqualsTransformers() throws {
        try compareVariant("mistral") { configuration in
            configuration.set("model_type", "mistral")
            configuration.set("sliding_window", 5)
            configuration.set("rope_parameters", ["rope_type": "default", "rope_theta": 10000])
        }
    }

    private func compareVariant(_ name: String, _ change: (inout JSONObject) -> Void) throws {
        let expected = try #require(try Fixtures.tensors("llama-variants.safetensors")[name])
        let sequences = Fixtures.tokenLists(try Fixtures.json("expected.json")["sequences"])
        try Fixtures.withTemporaryDirectory { directory in
            try Fixtures.copy(Fixtures.llama, to: directory)
            try Fixtures.changeConfiguration(directory, change)
            let model = try Transformer.load(directory: directory, backend: backend)
            let batch = PackedBatch(sequences: [sequences[0]], labels: [sequences[0]])
            #expect(largestDifference(logits(model, batch), expected) < 1e-4)
        }
    }

    private func compareGradients(_ model: Transformer, file: String, loss: JSONValue?) throws {
        let expected = try Fixtures.tensors(file)
        let found = trainingLoss(model, try Fixtures.batch())
        #expect(abs(found - (loss?.doubleValue ?? .nan)) < 1e-5)
        let trained = model.trainableParameters
        #expect(trained.count == expected.keys.filter { $0.hasPrefix("gradient.") }.count)
        for parameter in trained {
            let reference = try #require(expected["gradient." + parameter.name], "\(parameter.name) is not in the fixture")
            let gradient = try #require(parameter.gradient, "\(parameter.name) has no gradient").floats()
            #expect(relativeDifference(gradient, reference) < 1e-4, "\(parameter.name)")
        }
    }
}
