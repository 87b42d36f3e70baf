import Formats
import Glibc
import Models
import Platform
import Tensors
import Testing

/// Every family against the program that defines it: logits, loss, gradients, greedy tokens, and what is written back.
@Suite struct FamilyTests {
    static let families = [
        "llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3", "phi3", "glm", "glm4", "gpt2", "bloom", "baichuan", "baichuan2",
        "internlm2", "internlm3", "chatglm", "starcoder2", "mixtral", "qwen2_moe", "qwen3_moe",
    ]
    static let mixtures = ["mixtral", "qwen2_moe", "qwen3_moe"]

    static func directory(_ family: String) -> String {
        Path.join(Path.join(Path.directory(Fixtures.directory), "families"), family)
    }

    static func expected(_ family: String) throws -> (numbers: [String: Tensor], values: JSONValue) {
        let directory = directory(family), path = Path.join(directory, "expected.json")
        let tensors = try TensorFile.read(Path.join(directory, "expected.safetensors"), as: .float32)
        let numbers = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0.tensor) })
        return (numbers, try JSONValue.parse(try FileSystem.readText(path), name: path))
    }

    static let batch = PackedBatch(
        sequences: [[0, 5, 17, 9, 33, 21, 8, 36, 12, 3, 30, 27, 19], [0, 31, 4, 4, 25, 38, 11]],
        labels: [[-100, -100, -100, -100, 33, 21, 8, 36, 12, 3, 30, 27, 1], [-100, 31, 4, -100, 25, 38, 11]])

    @Test("logits are the reference's", arguments: families) func logitsAreEqual(family: String) throws {
        let expected = try Self.expected(family).numbers
        let reference = try #require(expected["logits"]).floats()
        let scale = reference.reduce(0) { max($0, abs($1)) }
        // LongRoPE goes by the longest sequence of a forward pass: the reference sees them one at a time.
        for type in [DType.float32, nil] {
            let model = try Transformer.load(directory: Self.directory(family), backend: backend, options: LoadOptions(dtype: type))
            let found = Self.logitsOneByOne(model)
            #expect(largestDifference(found, reference) < 1e-4 * scale)
            #expect(cosine(found, try #require(expected["logits.bfloat16"]).floats()) > 0.999)
        }
    }

    @Test("loss and gradients are the reference's", arguments: families, [false, true])
    func gradientsAreEqual(family: String, recomputesBlocks: Bool) throws {
        let (numbers, values) = try Self.expected(family)
        let model = try Transformer.load(
            directory: Self.directory(family), backend: backend, options: LoadOptions(dtype: .float32, trainsBase: true))
        model.recomputesBlocks = recomputesBlocks
        let loss = Self.loss(model)
        #expect(abs(loss - (values["loss"]?.doubleValue ?? .nan)) < 1e-5 * max(1, loss))
        #expect(Set(numbers.keys.filter { $0.hasPrefix("gradient.") && !$0.hasPrefix("gradient.bfloat16.") }) == Set(model.parameters.map { "gradient." + $0.name }))
        for parameter in model.parameters {
            let found = try #require(Self.storedGradient(parameter, model), "\(parameter.name) has no gradient")
            let reference = try #require(numbers["gradient." + parameter.name]).floats()
            #expect(relativeDifference(found, reference) < 1e-4, "\(parameter.name)")
            let rough = try #require(numbers["gradient.bfloat16." + parameter.name]).floats()
            if reference.contains(where: { $0 != 0 }) { #expect(cosine(found, rough) > 0.999, "\(parameter.name) in bf16") }
        }
    }

    @Test("the load-balancing loss and the routers' gradients are the reference's", arguments: mixtures, [false, true])
    func balanceIsEqual(family: String, recomputesBlocks: Bool) throws {
        let (numbers, values) = try Self.expected(family)
        let model = try Transformer.load(
            directory: Self.directory(family), backend: backend, options: LoadOptions(dtype: .float32, trainsBase: true))
        #expect(model.balanceWeight == 0 && model.routerRecord() == nil)
        model.balanceWeight = try #require(values["balanceWeight"]?.doubleValue)
        model.recomputesBlocks = recomputesBlocks
        let tape = Tape(backend: backend, isRecording: true)
        let routers = model.routerRecord()
        let hidden = model.hidden(tape, tokens: Self.batch.tokens, layout: Self.batch.layout, routers: routers)
        let output = tape.linearCrossEntropy(
            hidden, head: model.head, targets: Self.batch.targets, normalizer: Float(Self.batch.lossTokenCount))
        let balance = try #require(model.balanceLoss(tape, routers))
        let found = Double(tape.tensor(balance).floats()[0]) / model.balanceWeight
        #expect(abs(found - (values["balance"]?.doubleValue ?? .nan)) < 1e-5)
        tape.backward(tape.add(output.loss, balance))
        let expected = numbers.filter { $0.key.hasPrefix("balanced.") }
        #expect(expected.count == model.spec.mixture?.layers.count)
        for (name, reference) in expected {
            let parameter = try #require(model.parameters.first { "balanced." + $0.name == name }, "\(name)")
            #expect(relativeDifference(parameter.gradient?.floats() ?? [], reference.floats()) < 1e-4, "\(name)")
        }
    }

    @Test("experts in one tensor are read where they lie and written back so", arguments: mixtures) func fusedExpertsLoad(family: String) throws {
        let apart = try Transformer.load(directory: Self.directory(family), backend: backend)
        let source = Path.join(Self.directory(family), "fused")
        let fused = try Transformer.load(directory: source, backend: backend)
        #expect(Self.logitsOneByOne(fused) == Self.logitsOneByOne(apart))
        #expect(fused.parameters.map(\.name) == apart.parameters.map(\.name))
        let isMapped = fused.parameters.allSatisfy { $0.value.storage.isBorrowed }
        #expect(isMapped)
        try Self.expectSameFiles(fused, source)
        let (bytes, expectedBytes) = (try ModelSummary(directory: source).weightBytes, try ModelSummary(directory: Self.directory(family)).weightBytes)
        #expect(bytes == expectedBytes)
    }

    @Test("32 greedy tokens are the reference's, with a cache", arguments: families) func greedyTokensAreEqual(family: String) throws {
        let model = try Transformer.load(directory: Self.directory(family), backend: backend, options: LoadOptions(dtype: .float32))
        let expected = Fixtures.tokens(try Self.expected(family).values["greedy"])
        let cache = model.makeCache(capacity: 64)
        var next: [Int32] = [0, 14, 7, 29, 32], found: [Int32] = []
        while found.count < 32 {
            // The frequencies of LongRoPE change on the way, and with them the keys before: no cache then, as in the reference.
            if family == "phi3" { cache.truncate(to: 0) }
            let fed = family == "phi3" ? [0, 14, 7, 29, 32] + found : next
            let tape = Tape(backend: backend, isRecording: false)
            let hidden = model.hidden(tape, tokens: fed, layout: SequenceLayout(appending: fed.count, to: cache))
            let row = tape.tensor(model.logits(tape, hidden, rows: [Int32(fed.count - 1)])).floats()
            let best = Int32(row.indices.max { row[$0] < row[$1] } ?? 0)
            found.append(best)
            next = [best]
        }
        #expect(found == expected)
    }

    @Test("ten steps of LoRA go as peft's go", arguments: families) func adapterLossesAreEqual(family: String) throws {
        let values = try Self.expected(family).values
        let model = try Transformer.load(directory: Self.directory(family), backend: backend, options: LoadOptions(dtype: .float32))
        let targets = (values["targets"]?.arrayValue ?? []).compactMap(\.stringValue)
        var random = RandomGenerator(seed: 1)
        try model.addLowRankAdapters(AdapterSettings(targets: targets, rank: 2, alpha: 4), random: &random)
        for (index, parameter) in model.adapterParameters.sorted(by: { $0.name < $1.name }).enumerated() {
            parameter.value.write((0..<parameter.count).map { Float(0.1 * sin(1 + Double(index) + 0.7 * Double($0))) })
        }
        let found = tenSteps(model, learningRate: 5e-3) { Self.loss(model) }
        let expected = Fixtures.numbers(values["adapterLosses"])
        try #require(expected.count == 10)
        for (loss, reference) in zip(found, expected) { #expect(abs(loss - reference) < 1e-3 * reference) }
    }

    @Test("a checkpoint read and written is the one that transformers wrote, tensor for tensor and key for key", arguments: families)
    func checkpointsComeBack(family: String) throws {
        try Self.expectSameFiles(try Transformer.load(directory: Self.directory(family), backend: backend), Self.directory(family))
    }

    @Test("models of every family that transformers has open there after ten steps of training here, with equal logits")
    func trainedModelsOpenInTransformers() throws {
        guard let python = Python.interpreter else { return }
        let ownCode = ["baichuan", "baichuan2", "internlm2", "internlm3", "chatglm"]
        try Fixtures.withTemporaryDirectory { parent in
            var trained: [(directory: String, batch: PackedBatch, logits: [Float])] = []
            for family in Self.families where !ownCode.contains(family) {
                let options = LoadOptions(dtype: .float32, trainsBase: true)
                let model = try Transformer.load(directory: Self.directory(family), backend: backend, options: options)
                let losses = tenSteps(model, learningRate: 5e-3) { Self.loss(model) }
                #expect(losses[9] < losses[0])
                let directory = Path.join(parent, family)
                try CheckpointWriter(model).write(to: directory)
                trained.append((directory, Self.batch, Self.logitsOneByOne(model)))
            }
            try Python.compareLogits(python, models: trained)
        }
    }

    @Test("adapters on experts train, are saved under the experts' names and merge", arguments: mixtures)
    func expertsAreAdapted(family: String) throws {
        let source = Self.directory(family), options = LoadOptions(dtype: .float32)
        let model = try Transformer.load(directory: source, backend: backend, options: options)
        let targets = family == "mixtral" ? ["w1", "w2", "w3"] : ["experts.0.gate_proj", "experts.1.down_proj", "experts.2.up_proj"]
        var random = RandomGenerator(seed: 2)
        let adapted = try model.addLowRankAdapters(AdapterSettings(targets: targets, rank: 2), random: &random)
        #expect(adapted.count == (family == "mixtral" ? 24 : 6) && adapted.allSatisfy { $0.name.contains(".experts.") })
        let losses = tenSteps(model, learningRate: 2e-2) { Self.loss(model) }
        #expect(losses[9] < losses[0])
        let trained = Self.logitsOneByOne(model)
        try Fixtures.withTemporaryDirectory { directory in
            let adapter = Path.join(directory, "adapter"), merged = Path.join(directory, "merged")
            try AdapterFile.save(model, to: adapter)
            let again = try Transformer.load(directory: Path.join(source, "fused"), backend: backend, options: options)
            try AdapterFile.load(adapter, into: again)
            #expect(largestDifference(Self.logitsOneByOne(again), trained) < 1e-5)
            try CheckpointWriter(again).write(to: merged)
            #expect(largestDifference(Self.logitsOneByOne(try Transformer.load(directory: merged, backend: backend)), trained) < 1e-4)
            #expect(try TensorFile.read(Path.join(merged, "model.safetensors")).contains { $0.name.hasSuffix("experts.gate_up_proj") })
        }
    }

    /// The original normalises the head once and keeps it so; a checkpoint saved after that is normalised again when it is read.
    @Test("a Baichuan 2 head that is normalised already gives the same logits") func normalisedHeadsLoad() throws {
        let model = try Transformer.load(directory: Self.directory("baichuan2"), backend: backend, options: LoadOptions(dtype: .float32))
        let before = Self.logitsOneByOne(model)
        let head = try #require(model.head.weight.parameter)
        let values = head.value.floats(), width = head.shape[1]
        let normalised = (0..<head.shape[0]).flatMap { row in
            let own = values[row * width..<(row + 1) * width], norm = own.reduce(0) { $0 + $1 * $1 }.squareRoot()
            return own.map { $0 / norm }
        }
        head.value = Tensor(normalised, shape: head.shape)
        try Fixtures.withTemporaryDirectory { directory in
            try CheckpointWriter(model).write(to: directory)
            #expect(largestDifference(Self.logitsOneByOne(try Transformer.load(directory: directory, backend: backend)), before) < 1e-5)
        }
    }

    /// Names, types, shapes and bytes of all tensors, and the configuration.
    static func expectSameFiles(_ model: Transformer, _ source: String) throws {
        try Fixtures.withTemporaryDirectory { directory in
            try CheckpointWriter(model).write(to: directory)
            let contents = { (path: String) in
                try TensorFile.read(Path.join(path, "model.safetensors")).map { ("\($0.name) \($0.tensor.dtype) \($0.tensor.shape)", Array($0.tensor.bytes)) }
            }
            let written = Dictionary(uniqueKeysWithValues: try contents(directory))
            let read = Dictionary(uniqueKeysWithValues: try contents(source))
            #expect(written.keys.sorted() == read.keys.sorted())
            for (name, bytes) in read { #expect(written[name] == bytes, "\(name)") }
            let configuration = { (path: String) in
                try JSONValue.read(file: Path.join(path, "config.json")).text(style: .compact, sortedKeys: true)
            }
            #expect(try configuration(directory) == configuration(source))
        }
    }

    @Test("GPT-2 and BLOOM checkpoints without the first part of their names load as well", arguments: ["gpt2", "bloom"])
    func shortNamesLoad(family: String) throws {
        let before = Self.logitsOneByOne(try Transformer.load(directory: Self.directory(family), backend: backend))
        try Fixtures.withTemporaryDirectory { directory in
            try Fixtures.copy(Self.directory(family), to: directory)
            let path = Path.join(directory, "model.safetensors")
            let tensors = try TensorFile.read(path)
            try TensorFile.write(path, tensors: tensors.map { (String($0.name.dropFirst("transformer.".count)), $0.tensor) })
            #expect(Self.logitsOneByOne(try Transformer.load(directory: directory, backend: backend)) == before)
        }
    }

    static func logitsOneByOne(_ model: Transformer) -> [Float] {
        var start = 0, all: [Float] = []
        for length in batch.lengths {
            let tape = Tape(backend: backend, isRecording: false)
            let tokens = Array(batch.tokens[start..<start + length])
            all += tape.tensor(model.logits(tape, model.hidden(tape, tokens: tokens, layout: SequenceLayout(lengths: [length])))).floats()
            start += length
        }
        return all
    }

    /// The loss over both sequences, one forward pass each, with gradients left in the parameters.
    static func loss(_ model: Transformer) -> Double {
        var start = 0, sum = 0.0
        for length in batch.lengths {
            let tape = Tape(backend: backend, isRecording: true)
            let rows = start..<start + length
            let hidden = model.hidden(tape, tokens: Array(batch.tokens[rows]), layout: SequenceLayout(lengths: [length]))
            let output = tape.linearCrossEntropy(
                hidden, head: model.head, targets: Array(batch.targets[rows]), normalizer: Float(batch.lossTokenCount))
            tape.backward(output.loss)
            sum += output.lossSum
            start += length
        }
        return sum / Double(batch.lossTokenCount)
    }

    /// As the checkpoint would hold it.
    private static func storedGradient(_ parameter: Parameter, _ model: Transformer) -> [Float]? {
        guard let gradient = parameter.gradient else { return nil }
        let isTransposed = model.names.storesTransposed && model.linears.contains { $0.name + ".weight" == parameter.name }
        return isTransposed ? transposed(gradient) : gradient.floats()
    }

    private static func transposed(_ tensor: Tensor) -> [Float] {
        let values = tensor.floats(), rows = tensor.shape[0], columns = tensor.shape[1]
        return (0..<values.count).map { values[$0 % rows * columns + $0 / rows] }
    }
}

/// `tuneboard inspect forward`'s numbers.
@Suite struct ForwardInspectionTests {
    @Test("logits, hidden states, loss and gradients come under the names of other programs", arguments: ["qwen3", "gpt2"])
    func numbersAreNamed(family: String) throws {
        let expected = try FamilyTests.expected(family)
        try Fixtures.withTemporaryDirectory { directory in
            let file = Path.join(directory, "input.json")
            try FileSystem.writeAtomically(
                file,
                text: """
                    {"input_ids": [[0,5,17,9,33,21,8,36,12,3,30,27,19], [0,31,4,4,25,38,11]],
                     "labels": [[-100,-100,-100,-100,33,21,8,36,12,3,30,27,1], [-100,31,4,-100,25,38,11]]}
                    """)
            let inspection = try ForwardInspection(file: file)
            let model = try Transformer.load(
                directory: FamilyTests.directory(family), backend: backend, options: LoadOptions(dtype: .float32, trainsBase: true))
            try inspection.check(model.spec, file: file)
            let tensors = inspection.run(model, hiddenStates: true, gradients: true)
            let found = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0.tensor) })
            let logits = (found["logits.0"]?.floats() ?? []) + (found["logits.1"]?.floats() ?? [])
            #expect(largestDifference(logits, try #require(expected.numbers["logits"]).floats()) < 1e-3)
            #expect(abs(Double(try #require(found["loss"]).floats()[0]) - (expected.values["loss"]?.doubleValue ?? .nan)) < 1e-4)
            #expect(found["hidden.2.1"]?.shape == [7, 16])
            for (name, reference) in expected.numbers where name.hasPrefix("gradient.") && !name.hasPrefix("gradient.bfloat16.") {
                let gradient = try #require(found[String(name.dropFirst("gradient.".count))], "\(name)")
                #expect(gradient.shape == reference.shape)
                #expect(relativeDifference(gradient.floats(), reference.floats()) < 1e-4, "\(name)")
            }
        }
    }

    @Test("tokens beyond the vocabulary and missing labels are explained") func wrongInputIsExplained() throws {
        let spec = try ModelFolder(directory: FamilyTests.directory("gpt2")).spec
        try Fixtures.withTemporaryDirectory { directory in
            let file = Path.join(directory, "input.json")
            try FileSystem.writeAtomically(file, text: #"{"input_ids": [[1, 40]]}"#)
            let inspection = try ForwardInspection(file: file)
            #expect(throws: ModelError.self) { try inspection.check(spec, file: file) }
            try FileSystem.writeAtomically(file, text: #"{"input_ids": [[1, 4]], "labels": [[1]]}"#)
            #expect(throws: ModelError.self) { try ForwardInspection(file: file) }
        }
    }
}
