/// A low-rank update of a weight (LoRA; Hu et al., arXiv 2106.09685): y += scale * B (A x), with dropout on x in training.
///
/// With a magnitude it is DoRA (Liu et al., arXiv 2402.09353): the rows of W + scale B A are brought to learned lengths. As in the
/// paper's section 4.3 and in PEFT, gradients take the present lengths for constants.
public final class LowRankAdapter: @unchecked Sendable {
    /// [rank, in], f32
    public let a: Parameter
    /// [out, rank], f32
    public let b: Parameter
    /// [out], f32: the length that each row of the weight is given. Nil leaves lengths as they come out.
    public let magnitude: Parameter?
    public var scale: Float
    /// Probability with which an element of x is left out, in training only.
    public var dropout: Float
    /// Off gives the base model, as the reference of preference losses and in chat.
    public var isEnabled: Bool
    /// Squared lengths of the base weight's rows, which do not change while an adapter is trained; made when first wanted.
    private var squares: Tensor?

    public init(a: Parameter, b: Parameter, magnitude: Parameter? = nil, scale: Float, dropout: Float = 0, isEnabled: Bool = true) {
        precondition(a.shape.count == 2 && b.shape.count == 2 && a.shape[0] == b.shape[1], "adapter shapes \(a.shape), \(b.shape)")
        precondition(magnitude.map { $0.count == b.shape[0] } ?? true, "a magnitude of another length than \(b.shape[0])")
        self.a = a
        self.b = b
        self.magnitude = magnitude
        self.scale = scale
        self.dropout = dropout
        self.isEnabled = isEnabled
    }

    public var rank: Int { a.shape[0] }

    /// A, B and the magnitude.
    public var parameters: [Parameter] { [a, b] + (magnitude.map { [$0] } ?? []) }

    /// 1 / |W_j + scale B_j A| of every row: [out].
    public func inverseNorms(weight: WeightStore, backend: any Backend) -> Tensor {
        let known = squares ?? backend.empty([weight.outputCount], .float32)
        if squares == nil {
            backend.squaredRowNorms(weight, into: known)
            squares = known
        }
        let cross = backend.empty([rank, weight.outputCount], .float32)
        backend.linear(a.value, weight: weight, bias: nil, low: nil, up: nil, into: cross)
        return Self.inverseNorms(squares: known, a: a.value, b: b.value, cross: cross, scale: scale, backend: backend)
    }

    /// The same from the products of A [rank, in] with itself and with the weight's rows, cross [rank, out].
    public static func inverseNorms(squares: Tensor, a: Tensor, b: Tensor, cross: Tensor, scale: Float, backend: any Backend) -> Tensor {
        let rank = a.shape[0]
        let square = backend.empty([rank, rank], .float32), gram = backend.empty(b.shape, .float32)
        backend.product(MatrixView(a), MatrixView(a, transposed: true), alpha: 1, beta: 0, into: MatrixView(square))
        backend.product(MatrixView(b), MatrixView(square), alpha: 1, beta: 0, into: MatrixView(gram))
        let result = backend.empty([b.shape[0]], .float32)
        backend.inverseUpdatedNorms(squares: squares, up: b, cross: cross, gram: gram, scale: scale, into: result)
        return result
    }
}
