/// What a run will need of memory, part by part, known before its first step: the weights by their files, the rest from a dry run of
/// one training step on a backend that only counts.

import Datasets
import Events
import Models
import Platform
import Tensors

public struct MemoryPlan: Sendable {
    public let parts: [MemoryPart]
    public var peakBytes: Int64 { parts.reduce(0) { $0 + $1.bytes } }

    /// - Parameters:
    ///   - model: on a planning backend, with its adapter and its trainable parts marked.
    ///   - optimizer: made for that model; whichever parts take turns, the largest counts.
    ///   - largest: the largest micro-batch.
    ///   - stage: what a step does.
    ///   - otherModels: bytes of reference and reward models with weights of their own.
    public init(
        model: Transformer, optimizer: Optimizer, largest: Batch, labelSmoothing: Double = 0,
        stage: TrainingSettings.Stage = .supervised, otherModels: Int64 = 0
    ) {
        let weights = model.baseBytes
        let adapter = model.adapterBytes
        let gradients = Int64(4 * optimizer.plannedGradientCount())
        var parts = [MemoryPart(part: "weights", bytes: weights)]
        if adapter > 0 { parts.append(MemoryPart(part: "adapter", bytes: adapter)) }
        if otherModels > 0 { parts.append(MemoryPart(part: stage == .policyOptimisation ? "other models" : "reference", bytes: otherModels)) }
        parts.append(MemoryPart(part: "gradients", bytes: gradients))
        parts.append(MemoryPart(part: "optimizer", bytes: Int64(optimizer.plannedStateBytes())))
        let step = Self.peakOfOneStep(model, largest, labelSmoothing, stage)
        parts.append(MemoryPart(part: "activations", bytes: max(0, step - gradients)))
        parts.append(MemoryPart(part: "program", bytes: Self.programBytes))
        self.parts = parts
    }

    /// The program itself, its threads' stacks and OpenBLAS's packing buffers, as measured.
    private static let programBytes: Int64 = 48 << 20

    /// Peak of the passes of a step over the largest micro-batch, gradients included.
    private static func peakOfOneStep(
        _ model: Transformer, _ batch: Batch, _ labelSmoothing: Double, _ stage: TrainingSettings.Stage
    ) -> Int64 {
        let backend = model.backend
        backend.resetPeakMemory()
        switch stage {
        case .pretraining, .supervised: supervisedStep(model, batch, labelSmoothing)
        case .preference: likelihoodStep(model, batch)
        case .feedback: likelihoodStep(model, batch.part(0..<batch.sampleCount))
        case .rewardModelling: scoredStep(model, batch, rows: batch.lastRows)
        case .policyOptimisation: scoredStep(model, batch, rows: nil)
        }
        let peak = Int64(backend.memory.peakBytes)
        for parameter in model.trainableParameters { parameter.gradient = nil }
        return peak
    }

    private static func supervisedStep(_ model: Transformer, _ batch: Batch, _ labelSmoothing: Double) {
        let tape = Tape(backend: model.backend, isRecording: true)
        let routers = model.routerRecord()
        let hidden = model.hidden(tape, tokens: batch.tokens, layout: SequenceLayout(batch), routers: routers)
        let output = tape.linearCrossEntropy(
            hidden, head: model.head, targets: batch.targets, normalizer: 1, labelSmoothing: Float(labelSmoothing))
        tape.backward(model.balanceLoss(tape, routers).map { tape.add(output.loss, $0) } ?? output.loss)
        tape.reset()
    }

    /// The reference's pass keeps nothing, so the policy's way back is the peak.
    private static func likelihoodStep(_ model: Transformer, _ batch: Batch) {
        let tape = Tape(backend: model.backend, isRecording: true)
        let hidden = model.hidden(tape, tokens: batch.tokens, layout: SequenceLayout(batch))
        let tokens = tape.tokenLogProbabilities(hidden, head: model.head, targets: batch.targets)
        tape.backward(from: [(tokens, model.backend.empty([batch.tokens.count], .float32))])
        tape.reset()
    }

    /// - Parameter rows: those that get a value; all of them, and log-probabilities beside, where it is nil.
    private static func scoredStep(_ model: Transformer, _ batch: Batch, rows: [Int32]?) {
        let backend = model.backend
        let tape = Tape(backend: backend, isRecording: true)
        let head = ValueHead(
            weight: PlanningBackend.placeholder([1, model.head.inputCount], .float32), bias: PlanningBackend.placeholder([1], .float32))
        let hidden = model.hidden(tape, tokens: batch.tokens, layout: SequenceLayout(batch))
        let values = head.values(tape, rows.map { tape.selectRows(hidden, rows: $0) } ?? hidden)
        var seeds = [(value: values, gradient: backend.empty([rows?.count ?? batch.tokens.count, 1], .float32))]
        if rows == nil {
            let tokens = tape.tokenLogProbabilities(hidden, head: model.head, targets: batch.targets)
            seeds.append((tokens, backend.empty([batch.tokens.count], .float32)))
        }
        tape.backward(from: seeds)
        tape.reset()
    }
}
