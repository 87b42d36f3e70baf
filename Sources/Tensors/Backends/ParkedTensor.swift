/// A tensor that waits for the way back, perhaps in another memory.
public protocol ParkedTensor: AnyObject {
    /// The tensor again. Called once.
    func fetch() -> Tensor
}

/// Left where it was.
final class KeptTensor: ParkedTensor {
    private let tensor: Tensor
    init(_ tensor: Tensor) { self.tensor = tensor }
    func fetch() -> Tensor { tensor }
}

/// What backends with a memory of their own can leave to the host's.
public protocol OffloadingBackend: AnyObject {
    /// Whether what gradient checkpointing keeps waits in the host's memory.
    var offloadsCheckpoints: Bool { get set }
    /// Puts a tensor aside until the way back.
    func park(_ tensor: Tensor) -> any ParkedTensor
    /// Zeros in the host's memory that operations work on where they lie; nil where there is no such memory.
    func hostZeros(_ shape: [Int], _ dtype: DType) -> Tensor?
}

extension OffloadingBackend {
    public var offloadsCheckpoints: Bool {
        get { false }
        set {}
    }
    public func park(_ tensor: Tensor) -> any ParkedTensor { KeptTensor(tensor) }
    public func hostZeros(_ shape: [Int], _ dtype: DType) -> Tensor? { nil }
}
