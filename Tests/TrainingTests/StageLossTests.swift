import Configuration
import Datasets
import Formats
import Glibc
import Models
import Platform
import Tensors
import Testing

@testable import Training

/// Losses, metrics and gradients of the preference stages on a fixed batch, against trl's and LLaMA-Factory's.
@Suite("Preference stages against trl")
struct StageLossTests {
    static let example = try! Fixtures.json(Path.join(Fixtures.directory, "stages/losses.json"))

    @Test("Every loss over pairs, its metrics and its gradients", arguments: 0..<12)
    func preference(run: Int) throws {
        let expected = try #require(Self.example["preference"]?[run])
        let model = try Self.model()
        let settings = Self.preferenceSettings(try #require(expected["settings"]))
        let objective = PreferenceObjective(model: model, reference: ReferenceModel(.adapterOff(model)), settings: settings)
        let batch = Self.pairs()
        let result = objective.accumulate(batch, tape: Self.tape(model), divisor: batch.sampleCount)
        Self.expect(result, expected, "\(settings.kind.rawValue) \(run)")
        Self.expectGradients(model, expected["gradients"])
    }

    @Test("KTO with and without weights, its divergence and gradients", arguments: 0..<2)
    func feedback(run: Int) throws {
        let expected = try #require(Self.example["feedback"]?[run])
        let model = try Self.model()
        var settings = FeedbackSettings()
        settings.beta = expected["settings"]?["pref_beta"]?.doubleValue ?? 0
        settings.plainWeight = expected["settings"]?["pref_ftx"]?.doubleValue ?? 0
        settings.chosenWeight = expected["settings"]?["kto_chosen_weight"]?.doubleValue ?? 0
        settings.rejectedWeight = expected["settings"]?["kto_rejected_weight"]?.doubleValue ?? 0
        let objective = FeedbackObjective(model: model, reference: ReferenceModel(.adapterOff(model)), settings: settings)
        let batch = Self.feedback()
        let result = objective.accumulate(batch, tape: Self.tape(model), divisor: batch.sampleCount)
        Self.expect(result, expected, "kto \(run)")
        Self.expectGradients(model, expected["gradients"])
    }

    @Test("The reward model's scores, loss, accuracy and gradients")
    func reward() throws {
        let expected = try #require(Self.example["reward"])
        let model = try Self.model()
        let head = ValueHead(
            weight: Tensor(expected["head"]?["weight"]?.floats ?? [], shape: [1, 16]),
            bias: Tensor(expected["head"]?["bias"]?.floats ?? [], shape: [1]))
        let objective = RewardObjective(model: model, head: head)
        let batch = Self.pairs()
        let scores = head.scores(model, batch)
        let theirs = (expected["scores"]?[0]?.doubles ?? []) + (expected["scores"]?[1]?.doubles ?? [])
        for (mine, other) in zip(scores, theirs) { #expect(abs(mine - other) < 1e-5) }
        let tape = Self.tape(model)
        tape.isTraining = false
        let result = objective.accumulate(batch, tape: tape, divisor: batch.sampleCount)
        #expect(abs(result.loss - (expected["loss"]?.doubleValue ?? .nan)) < 1e-5)
        #expect(result.metrics.means.first?.value == expected["accuracy"]?.doubleValue)
        #expect(abs(objective.measure(batch).loss - result.loss) < 1e-6)
        Self.expectGradients(model, expected["gradients"])
        for (parameter, name) in zip(head.parameters, ["weight", "bias"]) {
            let mine = try #require(parameter.gradient).floats(), other = expected["head_gradients"]?[name]?.doubles ?? []
            let size = other.map { abs($0) }.max() ?? 0
            // The bias shifts both scores alike: its gradient is rounding alone.
            for (a, b) in zip(mine, other) { #expect(abs(Double(a) - b) <= 1e-4 * size + 1e-7, "\(name)") }
        }
    }

    @Test(
        "A batch of pairs teaches what its pairs teach one by one, and several micro-batches what one does",
        arguments: ["sigmoid", "hinge", "ipo", "orpo", "simpo", "rm", "sft"])
    func packsWithoutTrace(kind: String) throws {
        func objective(_ model: Transformer) throws -> any Objective {
            if let kind = PreferenceLossKind(rawValue: kind) {
                return PreferenceObjective(
                    model: model, reference: ReferenceModel(.adapterOff(model)), settings: PreferenceSettings(kind: kind, beta: 0.4))
            }
            if kind == "sft" { return CrossEntropyObjective(model: model) }
            var random = RandomGenerator(seed: 4)
            return RewardObjective(model: model, head: ValueHead(hiddenSize: 16, random: &random))
        }
        // What fine-tuning divides by are labels, not pairs.
        let whole = Self.pairs().labelCount
        func gradients(_ parts: [Batch]) throws -> (loss: Double, values: [[Float]]) {
            let model = try Self.model()
            let objective = try objective(model)
            var loss = 0.0
            for part in parts {
                let tape = Self.tape(model)
                tape.isTraining = false
                let divisor = kind == "sft" ? whole : 4
                loss += objective.accumulate(part, tape: tape, divisor: divisor).loss
            }
            return (loss, (model.trainableParameters + objective.parameters).map { $0.gradient?.floats() ?? [] })
        }
        let together = try gradients([Self.pairs()])
        for split in [[0..<1, 1..<2, 2..<3, 3..<4], [0..<2, 2..<4]] {
            let parts = try gradients(split.map { Self.pairs($0) })
            #expect(abs(together.loss - parts.loss) <= 1e-6 * max(1, abs(together.loss)))
            for (a, b) in zip(together.values, parts.values) {
                let size = a.map { abs($0) }.max() ?? 0
                for (x, y) in zip(a, b) { #expect(abs(x - y) <= 1e-5 * max(size, 1e-2)) }
            }
        }
    }

    @Test("A reference of its own says the same as the base under a switched-off adapter")
    func separateReference() throws {
        let model = try Self.model()
        let other = try Transformer.load(directory: Fixtures.training + "/llama", backend: model.backend)
        let mine = ReferenceModel(.adapterOff(model)).sums(Self.pairs()), theirs = ReferenceModel(.separate(other)).sums(Self.pairs())
        #expect(mine.sums == theirs.sums && mine.lengths == theirs.lengths)
        #expect(model.isAdapterEnabled)
        #expect(ReferenceModel(.separate(other)).residentBytes > 0 && ReferenceModel(.adapterOff(model)).residentBytes == 0)
    }

    // MARK: The fixed batch

    static func model() throws -> Transformer {
        let model = try Transformer.load(directory: Fixtures.training + "/llama", backend: CPUBackend(threadCount: 1))
        try AdapterFile.load(Fixtures.training + "/llama/adapter", into: model, isTrainable: true)
        return model
    }

    static func tape(_ model: Transformer) -> Tape { Tape(backend: model.backend, isRecording: true) }

    static func sample(_ prompt: [Int32], _ answer: [Int32]) -> TrainingSample {
        TrainingSample(tokens: prompt + answer, labels: Array(repeating: ignoredLabel, count: prompt.count) + answer)
    }

    static func pairs(_ range: Range<Int> = 0..<4) -> Batch {
        let rows = (example["pairs"]?.arrayValue ?? [])[range]
        func side(_ name: String) -> [TrainingSample] { rows.map { sample($0["prompt"]?.tokens ?? [], $0[name]?.tokens ?? []) } }
        var batch = Batch(side("chosen") + side("rejected"))
        batch.sampleCount = rows.count
        batch.arrangement = .pairs
        return batch
    }

    static func feedback() -> Batch {
        let rows = example["rows"]?.arrayValue ?? []
        func side(_ name: String) -> [TrainingSample] { rows.map { sample($0["prompt"]?.tokens ?? [], $0[name]?.tokens ?? []) } }
        var batch = Batch(side("answer") + side("other"))
        batch.sampleCount = rows.count
        batch.arrangement = .feedback
        batch.isDesirable = rows.map { $0["wanted"]?.boolValue ?? false }
        return batch
    }

    static func preferenceSettings(_ value: JSONValue) -> PreferenceSettings {
        func number(_ name: String) -> Double { value[name]?.doubleValue ?? 0 }
        var settings = PreferenceSettings(
            kind: PreferenceLossKind(rawValue: value["pref_loss"]?.stringValue ?? "") ?? .sigmoid, beta: number("pref_beta"))
        settings.plainWeight = number("pref_ftx")
        settings.labelSmoothing = number("dpo_label_smoothing")
        settings.margin = number("simpo_gamma")
        settings.baselineWeight = number("pref_bco_weight")
        settings.lengthWeight = value["ld_alpha"]?.doubleValue
        return settings
    }

    static func expect(_ result: ObjectiveResult, _ expected: JSONValue, _ place: String) {
        let loss = expected["loss"]?.doubleValue ?? .nan
        #expect(abs(result.loss - loss) <= 1e-5 * max(1, abs(loss)), "\(place): loss \(result.loss), expected \(loss)")
        let metrics = expected["metrics"]?.objectValue ?? [:]
        #expect(Set(result.metrics.means.map(\.name)) == Set(metrics.keys), "\(place)")
        for (name, value) in result.metrics.means {
            let theirs = metrics[name]?.doubleValue ?? .nan
            #expect(abs(value - theirs) <= 1e-5 * max(1, abs(theirs)), "\(place): \(name) \(value), expected \(theirs)")
        }
    }

    /// Length and one projection of each parameter's gradient.
    static func expectGradients(_ model: Transformer, _ expected: JSONValue?) {
        for parameter in model.trainableParameters {
            let values = parameter.gradient?.floats() ?? []
            var square = 0.0, projection = 0.0
            for (index, value) in values.enumerated() {
                square += Double(value) * Double(value)
                projection += Double(value) * cos(Double(index) * 0.7)
            }
            let theirs = expected?[parameter.name]?.doubles ?? []
            guard theirs.count == 2 else {
                Issue.record("\(parameter.name) has no expected gradient")
                continue
            }
            #expect(abs(square.squareRoot() - theirs[0]) <= 1e-4 * theirs[0], "\(parameter.name): \(square.squareRoot()), \(theirs[0])")
            #expect(abs(projection - theirs[1]) <= 1e-4 * theirs[0], "\(parameter.name): \(projection), \(theirs[1])")
        }
    }
}
