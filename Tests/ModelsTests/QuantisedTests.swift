import Formats
import Glibc
import Models
import Platform
import Tensors
import Testing

/// Bases of two to eight bits against bitsandbytes, transformers and peft, and against the formulas of GPTQ and AWQ.
@Suite struct QuantisedTests {
    static let directory = Path.join(Path.directory(Fixtures.directory), "quantised")
    static let base = Path.join(directory, "base"), adapter = Path.join(directory, "adapter")
    static let quantizers: [(String, WeightQuantizer)] = [
        ("nf4-double", WeightQuantizer(.table(.nf4, doubleQuantized: true))), ("nf4", WeightQuantizer(.table(.nf4, doubleQuantized: false))),
        ("fp4", WeightQuantizer(.table(.fp4, doubleQuantized: false))), ("int8", WeightQuantizer(.int8)),
    ]

    static func tensors(_ name: String) throws -> [String: [Float]] {
        let tensors = try TensorFile.read(Path.join(directory, name), as: .float32)
        return Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0.tensor.floats()) })
    }

    static func expectation() throws -> (batch: PackedBatch, losses: (String) -> [Double]) {
        let path = Path.join(directory, "expected.json")
        let value = try JSONValue.parse(try FileSystem.readText(path), name: path)
        let batch = PackedBatch(sequences: Fixtures.tokenLists(value["sequences"]), labels: Fixtures.tokenLists(value["labels"]))
        return (batch, { Fixtures.numbers(value[$0]?["losses"]) })
    }

    private func difference(_ left: [Float], _ right: [Float]) -> Float {
        left.count == right.count ? zip(left, right).map { abs($0 - $1) }.max() ?? 0 : .infinity
    }

    // MARK: bitsandbytes

    @Test(arguments: quantizers)
    func aBaseQuantisedWhileLoadingComputesWhatTransformersComputes(_ name: String, _ quantizer: WeightQuantizer) throws {
        let model = try Transformer.load(directory: Self.base, backend: backend, options: LoadOptions(quantizer: quantizer))
        #expect(model.linears.allSatisfy { $0.weight.quantized?.format == quantizer.format })
        #expect(model.head.weight.quantized == nil && model.embedding.quantized == nil)
        let found = logits(model, try Self.expectation().batch)
        #expect(difference(found, try Self.tensors("bitsandbytes-expected.safetensors")[name + ".logits"] ?? []) < 1e-4)
    }

    @Test(arguments: ["nf4-double", "int8"])
    func checkpointsOfBitsandbytesAreRead(_ name: String) throws {
        let folder = Path.join(Self.directory, "bnb-" + name)
        let model = try Transformer.load(directory: folder, backend: backend)
        #expect(model.linears.allSatisfy { $0.weight.quantized != nil })
        let found = logits(model, try Self.expectation().batch)
        #expect(difference(found, try Self.tensors("bitsandbytes-expected.safetensors")[name + ".logits"] ?? []) < 1e-4)
        let summary = try ModelSummary(directory: folder)
        #expect(summary.quantization == (name == "int8" ? "int8" : "nf4"))
        #expect(summary.weightBytes == Int64(model.parameters.reduce(0) { $0 + $1.byteCount }))
    }

    @Test(arguments: quantizers)
    func tenAdapterStepsOnAQuantisedBaseFollowPEFT(_ name: String, _ quantizer: WeightQuantizer) throws {
        let model = try Transformer.load(directory: Self.base, backend: backend, options: LoadOptions(quantizer: quantizer))
        try AdapterFile.load(Self.adapter, into: model, isTrainable: true)
        let (batch, losses) = try Self.expectation()
        try follow(model, batch, losses(name), within: 1e-3)
    }

    @Test(arguments: ["nf4-double", "int8"])
    func gradientsThroughAQuantisedBaseAreThoseOfPEFT(_ name: String) throws {
        let quantizer = try #require(Self.quantizers.first { $0.0 == name }?.1)
        let model = try Transformer.load(directory: Self.base, backend: backend, options: LoadOptions(quantizer: quantizer))
        try AdapterFile.load(Self.adapter, into: model, isTrainable: true)
        _ = trainingLoss(model, try Self.expectation().batch)
        let expected = try Self.tensors("bitsandbytes-expected.safetensors")
        var compared = 0
        for parameter in model.adapterParameters {
            guard let reference = expected["\(name).\(parameter.name)"] else { continue }
            let largest = reference.map { abs($0) }.max() ?? 0
            #expect(difference(parameter.gradient?.floats() ?? [], reference) < 1e-4 * max(largest, 1e-3), "\(parameter.name)")
            compared += 1
        }
        #expect(compared == 4)
    }

    // MARK: GPTQ and AWQ

    @Test(arguments: ["gptq-4", "gptq-3", "gptq-2", "gptq-8-act", "gptq-4-v2", "awq"])
    func groupedCheckpointsAreReadAndTrained(_ name: String) throws {
        let model = try Transformer.load(directory: Path.join(Self.directory, name), backend: backend)
        let expected = try Self.tensors("grouped-expected.safetensors"), key = "model.layers.0.mlp.down_proj.weight"
        let weight = try #require(model.parameters.first { $0.name == key }?.quantized)
        #expect(weight.dequantized(rows: 0..<16).floats() == expected["\(name).\(key)"])
        let (batch, losses) = try Self.expectation()
        #expect(difference(logits(model, batch), expected[name + ".logits"] ?? []) < 1e-4)
        try AdapterFile.load(Self.adapter, into: model, isTrainable: true)
        try follow(model, batch, losses(name), within: 1e-3)
    }

    private func follow(_ model: Transformer, _ batch: PackedBatch, _ expected: [Double], within tolerance: Double) throws {
        try #require(expected.count == 10)
        let found = tenSteps(model, learningRate: 5e-3) { trainingLoss(model, batch) }
        for (loss, reference) in zip(found, expected) { #expect(abs(loss - reference) < tolerance, "\(loss), peft has \(reference)") }
    }

    // MARK: Refusals

    @Test func mergingIntoAQuantisedBaseIsRefusedAndWritingItWritesFullWeights() throws {
        let options = LoadOptions(quantizer: WeightQuantizer(.table(.nf4, doubleQuantized: true)))
        let model = try Transformer.load(directory: Self.base, backend: backend, options: options)
        #expect(throws: ModelError.self) { try AdapterFile.load([Self.adapter, Self.adapter], into: model) }
        let before = logits(model, try Self.expectation().batch)
        try Fixtures.withTemporaryDirectory { directory in
            let target = Path.join(directory, "written")
            try CheckpointWriter(model, options: .init(dtype: .float32)).write(to: target)
            let again = try Transformer.load(directory: target, backend: backend)
            #expect(!again.isQuantized)
            #expect(difference(logits(again, try Self.expectation().batch), before) < 1e-5)
        }
    }

    @Test(arguments: [
        ("gptq-4", "model.layers.0.mlp.up_proj.g_idx", "g_idx"), ("awq", "model.layers.0.mlp.up_proj.scales", "scales"),
        ("bnb-nf4-double", "model.layers.0.mlp.up_proj.weight.absmax", "absmax"), ("bnb-int8", "model.layers.0.mlp.up_proj.SCB", "SCB"),
    ])
    func aDamagedQuantisedCheckpointNamesTheTensor(_ name: String, _ tensor: String, _ word: String) throws {
        try Fixtures.withTemporaryDirectory { directory in
            let copy = Path.join(directory, name)
            try Fixtures.copy(Path.join(Self.directory, name), to: copy)
            let path = Path.join(copy, "model.safetensors")
            // The tensor gets a name that no program knows, of the same length.
            var text = try FileSystem.readBytes(path)
            let found = try #require(text.firstRange(of: Array("\"\(tensor)\"".utf8)))
            text[found.upperBound - 2] = UInt8(ascii: "X")
            try FileSystem.writeAtomically(path, bytes: text)
            #expect { try Transformer.load(directory: copy, backend: backend) } throws: { error in
                "\(error)".contains("mlp.up_proj")
            }
        }
    }
}
