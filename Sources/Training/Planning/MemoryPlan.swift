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
    ///   - largest: the largest micro-batch.
    public init(model: Transformer, largest: Batch, labelSmoothing: Double = 0) {
        let weights = model.baseBytes
        let adapter = model.adapterBytes
        let trainable = model.trainableParameters.reduce(Int64(0)) { $0 + Int64($1.count) }
        var parts = [MemoryPart(part: "weights", bytes: weights)]
        if adapter > 0 { parts.append(MemoryPart(part: "adapter", bytes: adapter)) }
        parts.append(MemoryPart(part: "gradients", bytes: 4 * trainable))
        parts.append(MemoryPart(part: "optimizer", bytes: 8 * trainable))
        let step = Self.peakOfOneStep(model, largest, labelSmoothing)
        parts.append(MemoryPart(part: "activations", bytes: max(0, step - 4 * trainable)))
        parts.append(MemoryPart(part: "program", bytes: Self.programBytes))
        self.parts = parts
    }

    /// The program itself, its threads' stacks and OpenBLAS's packing buffers, as measured.
    private static let programBytes: Int64 = 48 << 20

    /// Peak of a forward and backward pass over the largest micro-batch, gradients included.
    private static func peakOfOneStep(_ model: Transformer, _ batch: Batch, _ labelSmoothing: Double) -> Int64 {
        let backend = model.backend
        backend.resetPeakMemory()
        let tape = Tape(backend: backend, isRecording: true)
        let layout = SequenceLayout(cumulativeLengths: batch.cumulativeLengths, positions: batch.positions)
        let routers = model.routerRecord()
        let hidden = model.hidden(tape, tokens: batch.tokens, layout: layout, routers: routers)
        let output = tape.linearCrossEntropy(
            hidden, head: model.head, targets: batch.targets, normalizer: 1, labelSmoothing: Float(labelSmoothing))
        tape.backward(model.balanceLoss(tape, routers).map { tape.add(output.loss, $0) } ?? output.loss)
        tape.reset()
        let peak = Int64(backend.memory.peakBytes)
        for parameter in model.trainableParameters { parameter.gradient = nil }
        return peak
    }
}
