import Formats
import Models
import Platform
import Tensors
import Testing

/// Adapters of every kind that PEFT makes, against PEFT's own numbers (Tests/Fixtures/generate/adapters.py).
@Suite struct AdapterKindTests {
    @Test("PEFT's adapter gives PEFT's logits", arguments: AdapterKind.all)
    func logitsAreEqual(_ kind: AdapterKind) throws {
        let model = try kind.load()
        #expect(largestDifference(logits(model, kind.batch(model)), try kind.expected("logits")) < 1e-4)
        #expect(model.adapterNotes.isEmpty)
    }

    @Test("Merged into the weights it gives the same logits, in memory and in a written model", arguments: AdapterKind.all)
    func merging(_ kind: AdapterKind) throws {
        let expected = try kind.expected("logits")
        let model = try kind.load(dtype: .float32)
        try Fixtures.withTemporaryDirectory { directory in
            try CheckpointWriter(model).write(to: directory)
            let written = try Transformer.load(directory: directory, backend: backend)
            #expect(largestDifference(logits(written, kind.batch(model)), expected) < 1e-4)
        }
        try model.mergeAdapter()
        #expect(!model.hasAdapter)
        #expect(largestDifference(logits(model, kind.batch(model)), expected) < 1e-4)
        try Fixtures.withTemporaryDirectory { directory in
            try CheckpointWriter(model).write(to: directory)
            let written = try Transformer.load(directory: directory, backend: backend)
            #expect(largestDifference(logits(written, kind.batch(model)), expected) < 1e-4)
        }
    }

    @Test("Switched off, or taken off, it leaves the base", arguments: AdapterKind.all)
    func switchingOff(_ kind: AdapterKind) throws {
        let model = try Transformer.load(directory: kind.base, backend: backend)
        let base = logits(model, kind.batch(model))
        try AdapterFile.load(kind.directory, into: model)
        let adapted = logits(model, kind.batch(model))
        #expect(adapted != base)
        model.setAdapter(enabled: false)
        #expect(!model.isAdapterEnabled)
        #expect(logits(model, kind.batch(model)) == base)
        model.setAdapter(enabled: true)
        #expect(logits(model, kind.batch(model)) == adapted)
        model.removeAdapter()
        #expect(logits(model, kind.batch(model)) == base)
    }

    @Test("Its gradients are PEFT's", arguments: AdapterKind.trained)
    func gradientsAreEqual(_ kind: AdapterKind) throws {
        let model = try kind.load(isTrainable: true)
        _ = trainingLoss(model, kind.batch(model))
        let prefix = "\(kind.name).gradient."
        let expected = try AdapterKind.numbers().filter { $0.key.hasPrefix(prefix) }
        let found = Dictionary(uniqueKeysWithValues: model.gradients.map { (plain($0.name), $0.tensor.floats()) })
        #expect(Set(found.keys) == Set(expected.keys.map { String($0.dropFirst(prefix.count)) }))
        for (name, gradient) in found {
            #expect(relativeDifference(gradient, expected[prefix + name] ?? []) < 1e-4, "\(name)")
        }
    }

    @Test("Ten steps follow PEFT's", arguments: AdapterKind.trained)
    func tenStepsAreEqual(_ kind: AdapterKind) throws {
        let model = try kind.load(isTrainable: true)
        let batch = kind.batch(model)
        let losses = tenSteps(model, learningRate: 5e-3) { trainingLoss(model, batch) }
        let expected = try kind.expected("losses")
        try #require(expected.count == 10)
        for (loss, reference) in zip(losses, expected) { #expect(abs(loss - Double(reference)) / Double(reference) < 1e-3) }
    }

    @Test("What is saved is what was loaded", arguments: AdapterKind.all)
    func savingAgain(_ kind: AdapterKind) throws {
        let model = try kind.load()
        try Fixtures.withTemporaryDirectory { directory in
            try AdapterFile.save(model, to: directory)
            let original = try FileSystem.readText(Path.join(kind.directory, AdapterFile.configurationName))
            #expect(try FileSystem.readText(Path.join(directory, AdapterFile.configurationName)) == original)
            let again = try Transformer.load(directory: kind.base, backend: backend)
            try AdapterFile.load(directory, into: again)
            #expect(logits(again, kind.batch(model)) == logits(model, kind.batch(model)))
        }
    }

    @Test("PEFT opens it after steps made here, with equal logits", arguments: AdapterKind.all)
    func openedByPEFT(_ kind: AdapterKind) throws {
        guard let python = Python.interpreter else { return }
        let model = try kind.load(isTrainable: AdapterKind.trained.contains { $0.name == kind.name })
        let batch = kind.batch(model)
        _ = tenSteps(model, learningRate: 5e-3) { trainingLoss(model, batch) }
        try Fixtures.withTemporaryDirectory { directory in
            try AdapterFile.save(model, to: directory)
            try Python.compareLogits(python, models: [(kind.base, batch, logits(model, batch))], adapter: directory)
        }
    }

    /// The name without what PEFT puts in front and between.
    private func plain(_ name: String) -> String {
        var words = name.split(separator: ".").map(String.init)
        words.removeAll { $0 == "base_layer" }
        return words.joined(separator: ".")
    }
}

/// One folder of Tests/Fixtures/adapters.
struct AdapterKind: Sendable, CustomTestStringConvertible {
    let name: String
    let base: String
    let isTrained: Bool
    var testDescription: String { name }
    var directory: String { Path.join(Self.root, name) }

    static let root = Path.join(Path.directory(Fixtures.directory), "adapters")
    static let trained = all.filter(\.isTrained)

    /// As the script says: name, base, and whether it holds gradients and a curve.
    static let all: [AdapterKind] = {
        guard let list = try? JSONValue.read(file: Path.join(root, "kinds.json")) else { return [] }
        return (list.arrayValue ?? []).map {
            AdapterKind(
                name: $0["name"]?.stringValue ?? "", base: Path.join(Path.directory(Fixtures.directory), $0["base"]?.stringValue ?? ""),
                isTrained: $0["trained"]?.boolValue ?? false)
        }
    }()

    func load(isTrainable: Bool = false, dtype: DType? = nil) throws -> Transformer {
        let model = try Transformer.load(directory: base, backend: backend, options: LoadOptions(dtype: dtype))
        try AdapterFile.load(directory, into: model, isTrainable: isTrainable)
        for parameter in model.trainableParameters where parameter.value.storage.isBorrowed { parameter.value = parameter.value.converted(to: .float32) }
        return model
    }

    /// The fixtures' sequences, cut to the base's vocabulary as the script cuts them.
    func batch(_ model: Transformer) -> PackedBatch {
        let size = Int32(model.spec.vocabularySize)
        let expected = try? Fixtures.json("expected.json")
        func within(_ key: String) -> [[Int32]] { Fixtures.tokenLists(expected?[key]).map { $0.map { $0 < 0 ? $0 : $0 % size } } }
        return PackedBatch(sequences: within("sequences"), labels: within("labels"))
    }

    func expected(_ what: String) throws -> [Float] { try #require(try Self.numbers()["\(name).\(what)"]) }

    static func numbers() throws -> [String: [Float]] {
        let tensors = try TensorFile.read(Path.join(root, "expected.safetensors"), as: .float32)
        return Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0.tensor.floats()) })
    }
}
