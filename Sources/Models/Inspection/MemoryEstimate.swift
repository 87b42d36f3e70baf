import Platform
import Tensors

/// What a method needs of memory for a model, counted on a backend that computes nothing: one step over one sequence.
public struct MemoryEstimate: Sendable, Equatable {
    public enum Method: String, Sendable, CaseIterable {
        case inference, lora, qlora, freeze, full
    }

    public let method: Method
    /// Tokens of the sequence.
    public let length: Int
    public let weightBytes: Int64
    /// Gradients and both moments of AdamW, in f32, and the adapter; the cache of keys and values for inference.
    public let stateBytes: Int64
    /// With every block recomputed on the way back, as training does unless it is told otherwise.
    public let activationBytes: Int64

    public var totalBytes: Int64 { weightBytes + stateBytes + activationBytes }

    /// Layers that `freeze` trains unless it is told otherwise (`freeze_trainable_layers`).
    static let trainedLayers = 2

    /// - Parameters:
    ///   - dtype: how the checkpoint keeps its weights.
    ///   - rank: of the adapter of LoRA and QLoRA, on every linear layer that `all` means.
    public init(_ method: Method, folder: ModelFolder, dtype: DType, length: Int, rank: Int = 8) throws(ModelError) {
        self.method = method
        self.length = length
        let isFull = method == .full
        let backend = PlanningBackend()
        let quantizer = method == .qlora ? WeightQuantizer(.table(.nf4, doubleQuantized: true)) : nil
        let model = try Transformer.planned(
            folder: folder, backend: backend, dtype: isFull ? .float32 : dtype, trainsBase: isFull, quantizer: quantizer)
        model.recomputesBlocks = true
        switch method {
        case .inference, .full: break
        case .lora, .qlora:
            var random = RandomGenerator(seed: 0)
            try model.addLowRankAdapters(AdapterSettings(rank: rank), random: &random)
        case .freeze:
            let first = max(0, folder.spec.layerCount - Self.trainedLayers)
            let trained = Set(folder.spec.weights(names: folder.definition.names).filter { $0.role.isPerLayer && $0.layer >= first }.map(\.name))
            for parameter in model.parameters where trained.contains(parameter.name) { parameter.requiresGradient = true }
        }
        let trained = model.trainableParameters.reduce(Int64(0)) { $0 + Int64($1.count) }
        // What is trained is kept in f32.
        weightBytes = model.baseBytes + (method == .freeze ? trained * Int64(4 - dtype.byteCount) : 0)
        let tokens = [Int32](repeating: 0, count: length), layout = SequenceLayout(lengths: [length])
        guard method != .inference else {
            stateBytes = Int64(2 * folder.spec.layerCount * folder.spec.keyValueWidth * length * 4)
            activationBytes = model.plannedForwardPeak(tokens: tokens, layout: layout)
            return
        }
        stateBytes = 12 * trained + model.adapterBytes
        activationBytes = max(0, model.plannedStepPeak(tokens: tokens, layout: layout, targets: tokens) - 4 * trained)
    }
}

extension Transformer {
    /// The cross-entropy of a pass over some tokens and, where routers are recorded, what balances a mixture's load beside it.
    public func crossEntropy(
        _ tape: Tape, tokens: [Int32], layout: SequenceLayout, targets: [Int32], normalizer: Float, labelSmoothing: Float = 0,
        weighting: TokenWeighting = .equal, anchor: LogitAnchor? = nil, routers: RouterRecord? = nil
    ) -> (output: LossOutput, balance: Value?) {
        let hidden = hidden(tape, tokens: tokens, layout: layout, routers: routers)
        let output = tape.linearCrossEntropy(
            hidden, head: head, targets: targets, normalizer: normalizer, labelSmoothing: labelSmoothing, weighting: weighting, anchor: anchor)
        return (output, balanceLoss(tape, routers))
    }

    /// The most memory that a backend of steps holds, gradients of the parameters included: living tensors and what its pool keeps
    /// between them. Meant for a planning backend.
    /// - Parameter steps: run in order, each twice over, as a run does them again and again.
    public func plannedPeak(of steps: [() -> Void]) -> Int64 {
        backend.trimMemory()
        backend.resetPeakMemory()
        for _ in 0..<2 {
            for step in steps {
                step()
                for parameter in trainableParameters { parameter.gradient = nil }
            }
        }
        return Int64(backend.memory.peakHeldBytes)
    }

    /// `plannedPeak` of supervised training on one batch.
    func plannedStepPeak(tokens: [Int32], layout: SequenceLayout, targets: [Int32]) -> Int64 {
        plannedPeak(of: [{ [self] in
            let tape = Tape(backend: backend, isRecording: true)
            let (output, balance) = crossEntropy(tape, tokens: tokens, layout: layout, targets: targets, normalizer: 1, routers: routerRecord())
            tape.backward(balance.map { tape.add(output.loss, $0) } ?? output.loss)
        }])
    }

    /// Peak of computing a prompt and the logits after its last token.
    func plannedForwardPeak(tokens: [Int32], layout: SequenceLayout) -> Int64 {
        plannedPeak(of: [{ [self] in
            let tape = Tape(backend: backend, isRecording: false)
            _ = logits(tape, hidden(tape, tokens: tokens, layout: layout), rows: [Int32(tokens.count - 1)])
        }])
    }
}
