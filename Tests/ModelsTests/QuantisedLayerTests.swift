import Configuration
import Formats
import Models
import Platform
import Tensors
import Testing

/// Single quantised layers against peft and bitsandbytes (Tests/Fixtures/generate/quantised_layers.py), and what is refused.
@Suite struct QuantisedLayerTests {
    private static func tensor(_ name: String) throws -> Tensor {
        let found = try TensorFile.read(Path.join(QuantisedTests.directory, "layers.safetensors"), as: .float32)
        return try #require(found.first { $0.name == name }?.tensor)
    }

    private func product(_ b: Tensor, _ a: Tensor) -> Tensor {
        let result = Tensor.zeros([b.shape[0], a.shape[1]])
        backend.product(MatrixView(b), MatrixView(a), alpha: 1, beta: 0, into: MatrixView(result))
        return result
    }

    private func length(_ values: [Float]) -> Double { values.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot() }

    // MARK: LoftQ

    @Test("LoftQ's base and product are peft's", arguments: [1, 4])
    func loftqFollowsPEFT(_ rounds: Int) throws {
        let weight = try Self.tensor("loftq.weight")
        let quantizer = WeightQuantizer(.table(.nf4, doubleQuantized: false))
        let start = try #require(LoftQ(of: weight, rank: 6, quantizer: quantizer, rounds: rounds, backend: backend))
        let base = try Self.tensor("loftq.\(rounds).base").floats(), expected = try Self.tensor("loftq.\(rounds).product").floats()
        // A number that lies on the border between two codes may fall to either side.
        let strays = zip(start.base.floats(), base).filter { abs($0 - $1) > 1e-5 }.count
        #expect(strays <= base.count / 1000, "\(strays) of \(base.count) numbers of the base differ")
        let difference = zip(product(start.b, start.a).floats(), expected).map { $0 - $1 }
        #expect(length(difference) < 1e-3 * length(expected), "the products differ by \(length(difference) / length(expected))")
        // What the base stands for keeps its codes when it is quantised again, as loading it does.
        #expect(quantizer.quantize(start.base, backend: backend).dequantized().floats() == start.base.floats())
    }

    @Test("A model prepared with LoftQ is nearer to the full one than the same model quantised alone")
    func loftqLosesLess() throws {
        let full = try Transformer.load(directory: QuantisedTests.base, backend: backend)
        let batch = try QuantisedTests.expectation().batch
        let wanted = logits(full, batch)
        let quantizer = WeightQuantizer(.table(.nf4, doubleQuantized: false))
        let plain = try Transformer.load(directory: QuantisedTests.base, backend: backend, options: LoadOptions(quantizer: quantizer))
        let prepared = try Transformer.load(directory: QuantisedTests.base, backend: backend)
        var random = RandomGenerator(seed: 1)
        try prepared.addLowRankAdapters(AdapterSettings(rank: 8, alpha: 16), random: &random)
        try prepared.startBesideQuantization(quantizer, rounds: 3)
        try Fixtures.withTemporaryDirectory { directory in
            try SplitModel.write(prepared, to: directory, adapterFolder: "loftq_init")
            let again = try Transformer.load(directory: directory, backend: backend, options: LoadOptions(quantizer: quantizer))
            try AdapterFile.load(Path.join(directory, "loftq_init"), into: again, isTrainable: true)
            let ours = length(zip(logits(again, batch), wanted).map { $0 - $1 })
            let alone = length(zip(logits(plain, batch), wanted).map { $0 - $1 })
            #expect(ours < 0.75 * alone, "LoftQ is \(ours) away, plain NF4 \(alone)")
        }
    }

    // MARK: int8 with outliers

    @Test("The int8 layer stays within the rounding of LLM.int8's product with outliers, which the product without them leaves")
    func outliersAreNotLost() throws {
        let weight = try Self.tensor("int8.weight"), x = try Self.tensor("int8.x")
        let matrix = WeightQuantizer(.int8).quantize(weight, backend: backend)
        let tape = Tape(backend: backend, isRecording: false)
        let layer = Linear(name: "layer", weight: .quantized(matrix))
        let found = tape.tensor(tape.linear(tape.constant(x), layer)).floats()
        // A row of x is rounded to 127 steps of its largest number below the threshold: half a step for each number of the weight.
        let numbers = matrix.dequantized().floats(), inputs = x.floats(), (rows, width, outputs) = (x.shape[0], x.shape[1], weight.shape[0])
        let isOutlier = (0..<width).map { column in (0..<rows).contains { abs(inputs[$0 * width + column]) >= 6 } }
        let bounds = (0..<rows * outputs).map { place in
            let (row, output) = (place / outputs, place % outputs)
            let kept = (0..<width).filter { !isOutlier[$0] }
            let largest = kept.map { abs(inputs[row * width + $0]) }.max() ?? 0
            return largest / 254 * kept.reduce(0) { $0 + abs(numbers[output * width + $1]) }
        }
        func excess(_ name: String) throws -> Float {
            let other = try Self.tensor(name).floats()
            return found.indices.map { abs(found[$0] - other[$0]) / bounds[$0] }.max() ?? .infinity
        }
        #expect(isOutlier.filter { $0 }.count == 2)
        #expect(try excess("int8.result") < 1)
        #expect(try excess("int8.layer") < 0.2)
        #expect(try excess("int8.result_without_outliers") > 2)
    }

    // MARK: Refused

    @Test("More tokens than a quantised base has are refused before anything is read", arguments: [true, false])
    func growthOfAQuantisedBaseIsRefused(_ isStoredQuantised: Bool) throws {
        let folder = isStoredQuantised ? Path.join(QuantisedTests.directory, "bnb-int8") : QuantisedTests.base
        let rows = try ModelFolder(directory: folder).spec.vocabularySize
        let quantizer = isStoredQuantised ? nil : WeightQuantizer(.int8)
        var reason = ""
        do {
            _ = try Transformer.load(
                directory: folder, backend: backend, options: LoadOptions(quantizer: quantizer, growth: VocabularyGrowth(tokenCount: rows + 1)))
        } catch { reason = error.description }
        #expect(reason.contains("quantised base"), "\(reason)")
        let model = try Transformer.load(
            directory: folder, backend: backend, options: LoadOptions(quantizer: quantizer, growth: VocabularyGrowth(tokenCount: rows)))
        #expect(model.spec.vocabularySize == rows)
    }

    @Test("A folder that says OFT and holds LoRA tensors is refused")
    func mixedAdaptersAreRefused() throws {
        try Fixtures.withTemporaryDirectory { directory in
            try Fixtures.copy(Fixtures.adapter, to: Path.join(directory, "mixed"))
            let file = Path.join(directory, "mixed", "adapter_config.json")
            var object = try JSONValue.parse(try FileSystem.readText(file), name: file).objectValue ?? [:]
            for (key, value) in [("peft_type", JSONValue.string("OFT")), ("oft_block_size", 8), ("r", 0)] { object.set(key, value) }
            try FileSystem.writeAtomically(file, text: JSONValue.object(object).text())
            let model = try Transformer.load(directory: Fixtures.llama, backend: backend)
            var reason = ""
            do { try AdapterFile.load(Path.join(directory, "mixed"), into: model) } catch { reason = String(describing: error) }
            #expect(reason.contains("has LoRA tensors, but adapter_config.json speaks of OFT"), "\(reason)")
        }
    }

    @Test("Whole modules of an adapter stay in the type that they are stored in unless they are trained")
    func storedTypesAreKept() throws {
        try Fixtures.withTemporaryDirectory { directory in
            let model = try Transformer.load(directory: Fixtures.llama, backend: backend)
            var random = RandomGenerator(seed: 3)
            var settings = AdapterSettings(rank: 4)
            settings.savedModules = ["embed_tokens"]
            try model.addLowRankAdapters(settings, random: &random)
            try AdapterFile.save(model, to: directory)
            let file = Path.join(directory, AdapterFile.weightsName)
            let halves = try TensorFile.read(file).map { (name: $0.name, tensor: $0.tensor.converted(to: .bfloat16)) }
            try TensorFile.write(file, tensors: halves)
            let again = try Transformer.load(directory: Fixtures.llama, backend: backend)
            try AdapterFile.load(directory, into: again)
            #expect(again.embedding.dtype == .bfloat16)
            #expect(again.adapterParameters.allSatisfy { $0.dtype == .float32 })
            try AdapterFile.load(directory, into: again, isTrainable: true)
            #expect(again.embedding.dtype == .float32)
        }
    }
}
