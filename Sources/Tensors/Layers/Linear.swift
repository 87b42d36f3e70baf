/// How a linear layer's weight is kept.
public enum WeightStore: Sendable {
    /// f32, bf16 or f16 elements, [out, in].
    case dense(Parameter)

    public var outputCount: Int {
        switch self {
        case .dense(let parameter): parameter.shape[0]
        }
    }

    public var inputCount: Int {
        switch self {
        case .dense(let parameter): parameter.shape[1]
        }
    }

    /// The parameter that can be trained, when there is one.
    public var parameter: Parameter? {
        switch self {
        case .dense(let parameter): parameter
        }
    }

    /// Bytes that the weight occupies.
    public var byteCount: Int {
        switch self {
        case .dense(let parameter): parameter.value.byteCount
        }
    }
}

/// A low-rank update of a weight (Hu et al., 2021): y += scale * B (A x), with dropout on x in training.
public final class LowRankAdapter: @unchecked Sendable {
    /// [rank, in], f32
    public let a: Parameter
    /// [out, rank], f32
    public let b: Parameter
    public var scale: Float
    /// Probability with which an element of x is left out, in training only.
    public var dropout: Float
    /// Off gives the base model, as the reference of preference losses and in chat.
    public var isEnabled: Bool

    public init(a: Parameter, b: Parameter, scale: Float, dropout: Float = 0, isEnabled: Bool = true) {
        precondition(a.shape.count == 2 && b.shape.count == 2 && a.shape[0] == b.shape[1], "adapter shapes \(a.shape), \(b.shape)")
        self.a = a
        self.b = b
        self.scale = scale
        self.dropout = dropout
        self.isEnabled = isEnabled
    }

    public var rank: Int { a.shape[0] }
}

/// y = x Wᵀ + bias, with an optional adapter. One class for every way of storing the weight.
public final class Linear: @unchecked Sendable {
    /// The module path in the checkpoint, such as `model.layers.0.self_attn.q_proj`.
    public let name: String
    public var weight: WeightStore
    public let bias: Parameter?
    public var adapter: LowRankAdapter?
    /// Heads of some families only: what happens to the result when the layer is applied by itself.
    public let outputTransform: OutputTransform?
    public let inputCount: Int
    public let outputCount: Int

    public init(
        name: String, weight: WeightStore, bias: Parameter? = nil, adapter: LowRankAdapter? = nil, outputTransform: OutputTransform? = nil
    ) {
        self.outputTransform = outputTransform
        self.name = name
        self.weight = weight
        self.bias = bias
        self.adapter = adapter
        self.inputCount = weight.inputCount
        self.outputCount = weight.outputCount
        precondition(bias.map { $0.count == weight.outputCount } ?? true, "the bias of \(name) has the wrong length")
    }

    var activeAdapter: LowRankAdapter? { adapter?.isEnabled == true ? adapter : nil }

    /// Whether a backward pass leaves a gradient in any of this layer's parameters.
    public var hasTrainableParts: Bool {
        if weight.parameter?.requiresGradient == true || bias?.requiresGradient == true { return true }
        guard let adapter = activeAdapter else { return false }
        return adapter.a.requiresGradient || adapter.b.requiresGradient
    }
}
