import Glibc

/// Where a tape's operations are computed. An operation takes tensors whose shapes the tape has checked, and writes its results
/// into tensors it is given. `CPUBackend` is the reference; `PlanningBackend` only counts bytes; a GPU is a third.
///
/// Letters in the shapes: T rows (tokens), H hidden size, O outputs, R adapter ranks side by side, V vocabulary. Weights, tables and
/// caches may be stored in bf16 or f16, activations and their gradients have the backend's `activationType`; everything else (saved
/// statistics of rows, losses, gradients of parameters, moments) is f32. "Adds to" means +=.
public protocol Backend: OptimizerBackend, FamilyBackend, AdapterBackend, DecodingBackend, OffloadingBackend {
    /// For people: "CPU, AVX-512, 2 threads".
    var summary: String { get }
    /// True when no values exist: shapes and bytes only.
    var isPlanning: Bool { get }
    /// The type in which large activations wait for the way back. f32, unless the backend says otherwise.
    var savedType: DType { get }
    var memory: MemoryStatistics { get }
    func resetPeakMemory()
    /// Gives free pooled memory back to the system.
    func trimMemory()
    /// How activations and their gradients are kept: f32, or narrower on a card.
    var activationType: DType { get }
    /// Logits that may exist at a time.
    var logitsAtOnce: Int { get }
    /// Free memory of the backend's own; nil where it is the system's.
    var availableBytes: Int? { get }
    /// Throws what went wrong since the last call. Operations cannot throw: after a failure they do nothing, so that no wrong number
    /// reaches a weight, and whoever drives them asks here before results are used.
    func throwIfFailed() throws

    // Tensors
    /// Uninitialised memory from the pool.
    func empty(_ shape: [Int], _ dtype: DType) -> Tensor
    func upload(_ values: [Int32]) -> Tensor
    func fill(_ tensor: Tensor, with value: Float)
    /// Converts between floating types, or copies.
    func convert(_ source: Tensor, into result: Tensor)
    /// result = factor * source; the two may be one.
    func scale(_ source: Tensor, by factor: Float, into result: Tensor)
    func add(_ a: Tensor, _ b: Tensor, into result: Tensor)
    /// Adds factor * source to result.
    func accumulate(_ source: Tensor, factor: Float, into result: Tensor)
    func sumOfSquares(_ tensor: Tensor) -> Double
    /// Of all of them together, read once.
    func sumOfSquares(_ tensors: [Tensor]) -> Double
    func dot(_ a: Tensor, _ b: Tensor) -> Double
    /// result = source * mask / (1 - probability), the mask being a function of seed and element.
    func dropout(_ source: Tensor, probability: Float, seed: UInt64, into result: Tensor)

    // Rows
    /// result[t] = scale * table[tokens[t]]
    func embedding(table: Tensor, tokens: Tensor, scale: Float, into result: Tensor)
    func embedding(table: QuantizedMatrix, tokens: Tensor, scale: Float, into result: Tensor)
    /// Adds scale * gradient[t] to tableGradient[tokens[t]], in the order of t.
    func embeddingBackward(gradient: Tensor, tokens: Tensor, scale: Float, tableGradient: Tensor)
    /// result[i] = source[rows[i]]
    func selectRows(_ source: Tensor, rows: Tensor, into result: Tensor)
    /// Adds gradient[i] to result[rows[i]].
    func scatterAddRows(_ gradient: Tensor, rows: Tensor, into result: Tensor)

    // Normalisation
    func rmsNorm(_ x: Tensor, weight: Tensor, epsilon: Float, weightOffset: Float, into result: Tensor, inverseRMS: Tensor)
    /// The same result again from the saved inverse root mean squares.
    func rmsNormAgain(_ x: Tensor, weight: Tensor, weightOffset: Float, inverseRMS: Tensor, into result: Tensor)
    /// Writes (or adds to) inputGradient; adds to weightGradient.
    func rmsNormBackward(
        gradient: Tensor, x: Tensor, weight: Tensor, weightOffset: Float, inverseRMS: Tensor,
        inputGradient: GradientTarget?, weightGradient: GradientTarget?)

    // Products
    /// result [T, O] = x [T, H] Wᵀ + bias + low [T, r] upᵀ, with up an adapter's B [O, r].
    func linear(_ x: Tensor, weight: WeightStore, bias: Tensor?, low: MatrixView?, up: Tensor?, into result: Tensor)
    /// The same for a model that only answers: factors may be rounded to the weight's own precision.
    func inferenceLinear(_ x: Tensor, weight: WeightStore, bias: Tensor?, low: MatrixView?, up: Tensor?, into result: Tensor)
    /// result [T, H] (+)= gradient [T, O] W + lowGradient [T, R] down, with down the adapters' A [R, H].
    func linearInputGradient(
        gradient: Tensor, weight: WeightStore, lowGradient: MatrixView?, down: Tensor?, into result: GradientTarget)
    /// result [O, H] (+)= gradientᵀ [O, T] x [T, H]
    func weightGradient(gradient: Tensor, x: Tensor, into result: GradientTarget)
    /// result [O] (+)= column sums of gradient [T, O]
    func biasGradient(gradient: Tensor, into result: GradientTarget)
    /// c = alpha op(a) op(b) + beta c, for the thin matrices of adapters. Each factor is f32.
    func product(_ a: MatrixView, _ b: MatrixView, alpha: Float, beta: Float, into c: MatrixView)

    // Attention
    /// Rotates each head of x [T, heads * headDimension]; `isInverse` turns back, which is the gradient.
    func rotary(_ x: Tensor, headDimension: Int, table: RotaryTable, positions: Tensor, isInverse: Bool, into result: Tensor)
    /// Attention inside each sequence. logSumExp [heads, T] is saved for the way back.
    func attention(
        query: Tensor, key: Tensor, value: Tensor, shape: AttentionShape, layout: SequenceLayout, into result: Tensor,
        logSumExp: Tensor?)
    /// Appends key and value to the layout's caches and attends to everything in them.
    func attentionWithCaches(
        query: Tensor, key: Tensor, value: Tensor, shape: AttentionShape, layout: SequenceLayout, layer: Int, into result: Tensor)
    /// Gradients of query, key and value; each may share memory with the input it belongs to.
    func attentionBackward(
        gradient: Tensor, query: Tensor, key: Tensor, value: Tensor, result: Tensor, logSumExp: Tensor, shape: AttentionShape,
        layout: SequenceLayout, queryGradient: Tensor, keyGradient: Tensor, valueGradient: Tensor)

    // Activations
    func gatedActivation(gate: Tensor, up: Tensor, kind: GatedActivation, into result: Tensor)
    /// gateGradient and upGradient may be gate and up.
    func gatedActivationBackward(
        gradient: Tensor, gate: Tensor, up: Tensor, kind: GatedActivation, gateGradient: Tensor, upGradient: Tensor)

    // Losses
    /// Cross-entropy of each row of logits [n, V] with its target. `logits` become their gradient, times rowWeights' entry or
    /// `weight`, unless `weight` is nil. losses [n] and logSumExp [n] are written where given.
    /// - Returns: the sum of the losses in f64 and how often the largest logit was the target's.
    func crossEntropy(
        logits: Tensor, targets: Tensor, weight: CrossEntropyWeight?, labelSmoothing: Float, losses: Tensor?
    ) -> CrossEntropySums
    /// The entropy of each row's softmax, in natural logarithms: logits [n, V] -> n numbers.
    func entropies(logits: Tensor) -> [Float]
}

extension Backend {
    /// On the host, for backends that have nothing quicker.
    public func entropies(logits: Tensor) -> [Float] {
        let width = logits.columnCount
        let values = logits.floats()
        return (0..<logits.rowCount).map { row in
            let line = values[row * width..<(row + 1) * width]
            let largest = line.max() ?? 0
            let parts = line.map { exp($0 - largest) }
            let total = parts.reduce(0, +)
            return log(total) - zip(parts, line).reduce(0) { $0 + $1.0 / total * ($1.1 - largest) }
        }
    }
}

extension Backend {
    public var activationType: DType { .float32 }
    /// 64 MiB of them in f32.
    public var logitsAtOnce: Int { 1 << 24 }
    public var availableBytes: Int? { nil }
    public func throwIfFailed() throws {}
    public func sumOfSquares(_ tensors: [Tensor]) -> Double { tensors.reduce(0) { $0 + sumOfSquares($1) } }
    /// An uninitialised activation, or gradient of one.
    public func empty(_ shape: [Int]) -> Tensor { empty(shape, activationType) }
}

/// A gradient's tensor, and whether something is there already that must be added to.
public struct GradientTarget: Sendable {
    public let tensor: Tensor
    public let isAccumulating: Bool

    public init(_ tensor: Tensor, isAccumulating: Bool) {
        self.tensor = tensor
        self.isAccumulating = isAccumulating
    }
}

/// A matrix inside an f32 tensor: rows of `columnCount` elements, `stride` apart, from element `offset` on; seen transposed or not.
public struct MatrixView: Sendable {
    public let tensor: Tensor
    public let offset: Int
    public let rowCount: Int
    public let columnCount: Int
    public let stride: Int
    public let isTransposed: Bool

    /// The whole of a tensor with two axes.
    public init(_ tensor: Tensor, transposed: Bool = false) {
        self.tensor = tensor
        offset = 0
        rowCount = tensor.rowCount
        columnCount = tensor.columnCount
        stride = tensor.columnCount
        isTransposed = transposed
    }

    /// Some columns of a tensor with two axes.
    public init(_ tensor: Tensor, columns: Range<Int>, transposed: Bool = false) {
        precondition(columns.upperBound <= tensor.columnCount, "columns \(columns) of \(tensor.shape)")
        self.tensor = tensor
        offset = columns.lowerBound
        rowCount = tensor.rowCount
        columnCount = columns.count
        stride = tensor.columnCount
        isTransposed = transposed
    }

    var pointer: UnsafeMutablePointer<Float> { tensor.floatPointer + offset }
    /// The shape as the product sees it.
    var height: Int { isTransposed ? columnCount : rowCount }
    var width: Int { isTransposed ? rowCount : columnCount }
}

public enum GatedActivation: Int32, Sendable {
    case silu = 0
    /// GELU by its tanh formula (Gemma's gelu_pytorch_tanh).
    case geluTanh = 1
    case gelu = 2
}

/// What a row's cross-entropy counts in the gradient.
public enum CrossEntropyWeight: Sendable {
    case uniform(Float)
    /// f32 [n]
    case perRow(Tensor)
}

/// Sums over rows that may still be on their way from a card: asking for them waits.
public struct CrossEntropySums: Sendable {
    private var known: (loss: Double, correctCount: Int) = (0, 0)
    private var pending: [Pending] = []

    private final class Pending: @unchecked Sendable {
        private let fetch: () -> (loss: Double, correctCount: Int)
        private var value: (loss: Double, correctCount: Int)?

        init(_ fetch: @escaping () -> (loss: Double, correctCount: Int)) { self.fetch = fetch }

        var fetched: (loss: Double, correctCount: Int) {
            if let value { return value }
            let fresh = fetch()
            value = fresh
            return fresh
        }
    }

    public init() {}
    public init(loss: Double, correctCount: Int) { known = (loss, correctCount) }
    init(_ fetch: @escaping () -> (loss: Double, correctCount: Int)) { pending = [Pending(fetch)] }

    public var loss: Double { pending.reduce(known.loss) { $0 + $1.fetched.loss } }
    public var correctCount: Int { pending.reduce(known.correctCount) { $0 + $1.fetched.correctCount } }
    /// Whether asking waits for nobody.
    public var isKnown: Bool { pending.isEmpty }

    public mutating func add(_ other: CrossEntropySums) {
        known.loss += other.known.loss
        known.correctCount += other.known.correctCount
        pending += other.pending
    }
}

extension Backend {
    public var savedType: DType { .float32 }

    /// An f32 tensor as it waits for the way back: itself, or a copy in `savedType`.
    func kept(_ tensor: Tensor) -> Tensor {
        guard savedType != .float32 else { return tensor }
        let copy = empty(tensor.shape, savedType)
        convert(tensor, into: copy)
        return copy
    }

    /// What `kept` made, in f32 again.
    func widened(_ tensor: Tensor) -> Tensor {
        guard savedType != .float32, tensor.dtype != .float32 else { return tensor }
        let copy = empty(tensor.shape, .float32)
        convert(tensor, into: copy)
        return copy
    }

    public func inferenceLinear(_ x: Tensor, weight: WeightStore, bias: Tensor?, low: MatrixView?, up: Tensor?, into result: Tensor) {
        linear(x, weight: weight, bias: bias, low: low, up: up, into: result)
    }
}
