/// What a run will need of memory, part by part, known before its first step: the weights by their files, the rest from a dry run of
/// the stage's own steps on a backend that only counts.

import Datasets
import Events
import Generation
import Models
import Platform
import Tensors

public struct MemoryPlan: Sendable {
    public let parts: [MemoryPart]
    public var peakBytes: Int64 { parts.reduce(0) { $0 + $1.bytes } }

    /// - Parameters:
    ///   - model: on a planning backend, with its adapter and its trainable parts marked.
    ///   - optimizer: made for that model; whichever parts take turns, the largest counts.
    ///   - batches: micro-batches of the run, the largest among them: the pool keeps memory for sizes that come again.
    ///   - stage: what a step does.
    ///   - stageSettings: its losses and further models.
    ///   - otherModels: bytes of reference and reward models with weights of their own.
    ///   - offload: what does not count, because it lies in the host's memory; the backend of the model offloads the same.
    public init(
        model: Transformer, optimizer: Optimizer, batches: [Batch], labelSmoothing: Double = 0,
        stage: TrainingSettings.Stage = .supervised, stageSettings: StageSettings? = nil, otherModels: Int64 = 0,
        offload: Offload = Offload()
    ) {
        let adapter = model.adapterBytes
        let gradients = Int64(4 * optimizer.plannedGradientCount())
        var parts = [MemoryPart(part: "weights", bytes: model.baseBytes + model.productCopyBytes)]
        if adapter > 0 { parts.append(MemoryPart(part: "adapter", bytes: adapter)) }
        if otherModels > 0 { parts.append(MemoryPart(part: stage == .policyOptimisation ? "other models" : "reference", bytes: otherModels)) }
        parts.append(MemoryPart(part: "gradients", bytes: gradients))
        if !offload.optimizer { parts.append(MemoryPart(part: "optimizer", bytes: Int64(optimizer.plannedStateBytes()))) }
        let steps = PlannedSteps(model: model, labelSmoothing: labelSmoothing, stage: stage, settings: stageSettings ?? StageSettings())
        parts.append(MemoryPart(part: "activations", bytes: max(0, steps.peakBytes(batches) - gradients)))
        let rows = batches.map(\.tokens.count).max() ?? 0
        parts.append(MemoryPart(part: "program", bytes: Self.programBytes + Self.packingBytes(model, rows: rows)))
        self.parts = parts
    }

    /// The program itself, its threads' stacks, tokenizer and catalogues, as measured.
    private static let programBytes: Int64 = 48 << 20

    /// The first factor of a product is packed up to 1024 rows and 16 MiB at a time.
    private static func packingBytes(_ model: Transformer, rows: Int) -> Int64 {
        let depth = model.linears.reduce(0) { max($0, $1.inputCount, $1.outputCount) }
        return Int64(min(16 << 20, 4 * min(rows, 1024) * depth))
    }
}

/// The steps of a stage on a planning backend: the very objectives of a run, whose numbers are all zero here.
private struct PlannedSteps {
    let model: Transformer
    let labelSmoothing: Double
    let stage: TrainingSettings.Stage
    let settings: StageSettings

    func peakBytes(_ batches: [Batch]) -> Int64 {
        if stage == .policyOptimisation { return policyPeak(batches) }
        let objective = objective()
        return model.plannedPeak(of: batches.map { batch in
            {
                let tape = Tape(backend: model.backend, isRecording: true)
                _ = objective.accumulate(batch, tape: tape, divisor: max(1, objective.weight(of: batch)))
            }
        })
    }

    private func objective() -> any Objective {
        switch stage {
        case .pretraining, .supervised, .policyOptimisation:
            CrossEntropyObjective(
                model: model, labelSmoothing: labelSmoothing, anchor: settings.anchorWeight.map { ModelAnchor(model: reference, weight: $0) })
        case .preference: PreferenceObjective(model: model, reference: reference, settings: settings.preference)
        case .feedback: FeedbackObjective(model: model, reference: reference, settings: settings.feedback)
        case .rewardModelling: RewardObjective(model: model, head: valueHead)
        }
    }

    /// Another model's pass takes what the model's own takes without its adapter.
    private var reference: ReferenceModel { ReferenceModel(model.hasAdapter ? .adapterOff(model) : .separate(model)) }

    private var valueHead: ValueHead {
        ValueHead(weight: PlanningBackend.placeholder([1, model.head.inputCount], .float32), bias: PlanningBackend.placeholder([1], .float32))
    }

    /// Answers as long as they may get, scored and learnt from; and the caches of keys and values that they are written with.
    private func policyPeak(_ batches: [Batch]) -> Int64 {
        let policy = PolicyOptimisation(
            model: model, head: valueHead, reference: reference, scorer: .model(model, valueHead),
            writer: AnswerWriter(model: model, options: SamplingOptions(), stopTokens: []), settings: settings.policy)
        let learning = model.plannedPeak(of: batches.map { batch in
            {
                var buffer = batch.trajectories
                // A model that is at hand scores without failing.
                try? policy.review(&buffer)
                _ = policy.prepare(&buffer)
                _ = policy.accumulate(buffer, share: 1)
            }
        })
        let caches = batches.map { Int64(8 * model.spec.layerCount * model.spec.keyValueWidth * $0.tokens.count) }.max() ?? 0
        return learning + caches
    }
}

extension Batch {
    /// Questions and answers by their labels.
    fileprivate var trajectories: [Trajectory] {
        sequences.map { rows in
            let answer = rows.filter { targets[$0] != ignoredLabel }.count
            return Trajectory(prompt: Array(tokens[rows.dropLast(answer)]), answer: Array(tokens[rows.suffix(answer)]))
        }
    }
}
