/// How a linear layer's weight is kept.
public enum WeightStore: Sendable {
    /// f32, bf16 or f16 elements, [out, in].
    case dense(Parameter)
    /// Two to eight bits a number; gradients pass through it, and it has none of its own.
    case quantized(QuantizedMatrix)

    /// As the parameter is kept.
    public init(_ parameter: Parameter) {
        self = parameter.quantized.map { .quantized($0) } ?? .dense(parameter)
    }

    private var shape: [Int] {
        switch self {
        case .dense(let parameter): parameter.shape
        case .quantized(let matrix): matrix.shape
        }
    }

    public var outputCount: Int { shape[0] }
    public var inputCount: Int { shape[1] }

    /// The parameter that can be trained, when there is one.
    public var parameter: Parameter? {
        switch self {
        case .dense(let parameter): parameter
        case .quantized: nil
        }
    }

    public var quantized: QuantizedMatrix? {
        switch self {
        case .dense: nil
        case .quantized(let matrix): matrix
        }
    }

    /// Bytes that the weight occupies.
    public var byteCount: Int {
        switch self {
        case .dense(let parameter): parameter.byteCount
        case .quantized(let matrix): matrix.byteCount
        }
    }
}

/// y = x Wᵀ + bias, with an optional adapter. One class for every way of storing the weight.
public final class Linear: @unchecked Sendable {
    /// The module path in the checkpoint, such as `model.layers.0.self_attn.q_proj`.
    public let name: String
    public var weight: WeightStore
    public let bias: Parameter?
    public var adapter: LowRankAdapter?
    /// Turns the input first (OFT).
    public var rotation: RotationAdapter?
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
    var activeRotation: RotationAdapter? { rotation?.isEnabled == true ? rotation : nil }

    /// Whether a backward pass leaves a gradient in any of this layer's parameters.
    public var hasTrainableParts: Bool {
        if weight.parameter?.requiresGradient == true || bias?.requiresGradient == true { return true }
        if let rotation = activeRotation, rotation.generators.requiresGradient { return true }
        return activeAdapter?.parameters.contains { $0.requiresGradient } ?? false
    }
}
