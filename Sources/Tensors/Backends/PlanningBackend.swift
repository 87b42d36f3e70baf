/// Counts the bytes that the same operations would take on another backend, without computing or allocating anything: the peak of
/// a training step is known before the model is loaded.
///
///     let planner = PlanningBackend()
///     // ... one step on a tape of this backend ...
///     planner.memory.peakBytes
///
/// Parameters may be `PlanningBackend.placeholder` tensors.
public final class PlanningBackend: Backend, @unchecked Sendable {
    private let ledger = MemoryLedger()

    public let savedType: DType
    public let activationType: DType
    public let logitsAtOnce: Int
    public var offloadsCheckpoints: Bool
    /// As a card does it: the last few are there still, and the next one to be wanted is there already.
    private var leaving: [Tensor] = []

    /// - Parameter backend: whose habits are planned for; nil for the processor's
    public init(savedType: DType = .float32, like backend: (any Backend)? = nil) {
        self.savedType = backend?.savedType ?? savedType
        activationType = backend?.activationType ?? .float32
        logitsAtOnce = backend?.logitsAtOnce ?? 1 << 24
        offloadsCheckpoints = backend?.offloadsCheckpoints ?? false
    }

    /// A tensor with a shape and no bytes, for the parameters of a model that is only planned. It counts nothing.
    public static func placeholder(_ shape: [Int], _ dtype: DType) -> Tensor {
        let ledger = MemoryLedger()
        return Tensor(
            storage: Storage(plannedBytes: shape.reduce(1, *) * dtype.byteCount, ledger: ledger), shape: shape, dtype: dtype)
    }

    public var summary: String { "planning" }
    public var isPlanning: Bool { true }
    public var memory: MemoryStatistics { ledger.current }
    public func resetPeakMemory() { ledger.resetPeak() }
    public func trimMemory() { ledger.trim() }

    public func empty(_ shape: [Int], _ dtype: DType) -> Tensor {
        let bytes = shape.reduce(1, *) * dtype.byteCount
        return Tensor(storage: Storage(plannedBytes: bytes, ledger: ledger), shape: shape, dtype: dtype)
    }

    public func park(_ tensor: Tensor) -> any ParkedTensor {
        guard offloadsCheckpoints, tensor.byteCount >= CheckpointStore.threshold else { return KeptTensor(tensor) }
        leaving.append(tensor)
        if leaving.count > CheckpointStore.leavingCount { leaving.removeFirst() }
        let shape = tensor.shape, dtype = tensor.dtype
        return PlannedParking { [unowned self] in
            leaving.removeAll()
            let ahead = empty(shape, dtype)
            return withExtendedLifetime(ahead) { empty(shape, dtype) }
        }
    }

    public func upload(_ values: [Int32]) -> Tensor { empty([values.count], .int32) }
    public func fill(_ tensor: Tensor, with value: Float) {}
    public func convert(_ source: Tensor, into result: Tensor) {}
    public func scale(_ source: Tensor, by factor: Float, into result: Tensor) {}
    public func add(_ a: Tensor, _ b: Tensor, into result: Tensor) {}
    public func accumulate(_ source: Tensor, factor: Float, into result: Tensor) {}
    public func sumOfSquares(_ tensor: Tensor) -> Double { 0 }
    public func dot(_ a: Tensor, _ b: Tensor) -> Double { 0 }
    public func dropout(_ source: Tensor, probability: Float, seed: UInt64, into result: Tensor) {}
    public func embedding(table: Tensor, tokens: Tensor, scale: Float, into result: Tensor) {}
    public func embedding(table: QuantizedMatrix, tokens: Tensor, scale: Float, into result: Tensor) {}
    public func embeddingBackward(gradient: Tensor, tokens: Tensor, scale: Float, tableGradient: Tensor) {}
    public func selectRows(_ source: Tensor, rows: Tensor, into result: Tensor) {}
    public func scatterAddRows(_ gradient: Tensor, rows: Tensor, into result: Tensor) {}
    public func rmsNorm(
        _ x: Tensor, weight: Tensor, epsilon: Float, weightOffset: Float, into result: Tensor, inverseRMS: Tensor
    ) {}
    public func rmsNormAgain(_ x: Tensor, weight: Tensor, weightOffset: Float, inverseRMS: Tensor, into result: Tensor) {}
    public func rmsNormBackward(
        gradient: Tensor, x: Tensor, weight: Tensor, weightOffset: Float, inverseRMS: Tensor, inputGradient: GradientTarget?,
        weightGradient: GradientTarget?
    ) {}
    public func linear(_ x: Tensor, weight: WeightStore, bias: Tensor?, low: MatrixView?, up: Tensor?, into result: Tensor) {}
    public func linearInputGradient(
        gradient: Tensor, weight: WeightStore, lowGradient: MatrixView?, down: Tensor?, into result: GradientTarget
    ) {}
    public func weightGradient(gradient: Tensor, x: Tensor, into result: GradientTarget) {}
    public func biasGradient(gradient: Tensor, into result: GradientTarget) {}
    public func product(_ a: MatrixView, _ b: MatrixView, alpha: Float, beta: Float, into c: MatrixView) {}
    public func rotary(
        _ x: Tensor, headDimension: Int, table: RotaryTable, positions: Tensor, isInverse: Bool, into result: Tensor
    ) {}
    public func attention(
        query: Tensor, key: Tensor, value: Tensor, shape: AttentionShape, layout: SequenceLayout, into result: Tensor,
        logSumExp: Tensor?
    ) {}
    public func attentionWithCaches(
        query: Tensor, key: Tensor, value: Tensor, shape: AttentionShape, layout: SequenceLayout, layer: Int, into result: Tensor
    ) {}
    public func attentionBackward(
        gradient: Tensor, query: Tensor, key: Tensor, value: Tensor, result: Tensor, logSumExp: Tensor, shape: AttentionShape,
        layout: SequenceLayout, queryGradient: Tensor, keyGradient: Tensor, valueGradient: Tensor
    ) {}
    public func gatedActivation(gate: Tensor, up: Tensor, kind: GatedActivation, into result: Tensor) {}
    public func gatedActivationBackward(
        gradient: Tensor, gate: Tensor, up: Tensor, kind: GatedActivation, gateGradient: Tensor, upGradient: Tensor
    ) {}
    public func crossEntropy(
        logits: Tensor, targets: Tensor, weight: CrossEntropyWeight?, labelSmoothing: Float, losses: Tensor?
    ) -> CrossEntropySums { CrossEntropySums() }
    public func entropies(logits: Tensor) -> [Float] { [] }
}

private final class PlannedParking: ParkedTensor {
    private let make: () -> Tensor
    init(_ make: @escaping () -> Tensor) { self.make = make }
    func fetch() -> Tensor { make() }
}
