/// A named weight and, when it is trained, its gradient.
public final class Parameter: @unchecked Sendable {
    public let name: String
    private var contents: Contents
    /// f32 in the value's shape. Nil means zero: the first product of a step then writes it instead of adding to zeros,
    /// and between steps its memory serves others.
    public var gradient: Tensor?
    public var requiresGradient: Bool

    private enum Contents {
        case dense(Tensor)
        case quantized(QuantizedMatrix)
    }

    public init(name: String, value: Tensor, requiresGradient: Bool = false) {
        self.name = name
        contents = .dense(value)
        self.requiresGradient = requiresGradient
    }

    /// A matrix that is kept quantised and cannot be trained.
    public init(name: String, quantized: QuantizedMatrix) {
        self.name = name
        contents = .quantized(quantized)
        requiresGradient = false
    }

    /// The numbers. Those of a quantised matrix are made in f32 at each call, for export and inspection; products never ask.
    public var value: Tensor {
        get {
            switch contents {
            case .dense(let tensor): tensor
            case .quantized(let matrix): matrix.dequantized()
            }
        }
        set { contents = .dense(newValue) }
    }

    public var quantized: QuantizedMatrix? {
        switch contents {
        case .dense: nil
        case .quantized(let matrix): matrix
        }
    }

    public var shape: [Int] {
        switch contents {
        case .dense(let tensor): tensor.shape
        case .quantized(let matrix): matrix.shape
        }
    }

    public var count: Int { shape.reduce(1, *) }

    /// The type of the numbers that `value` has.
    public var dtype: DType {
        switch contents {
        case .dense(let tensor): tensor.dtype
        case .quantized: .float32
        }
    }

    /// Bytes that it occupies, without its gradient.
    public var byteCount: Int {
        switch contents {
        case .dense(let tensor): tensor.byteCount
        case .quantized(let matrix): matrix.byteCount
        }
    }
}
