/// How one parameter follows its gradient. An optimizer gives every parameter a rule of its own, which holds that parameter's state;
/// a formula is one file.

import Platform
import Tensors

/// What a rule is told about the update it makes.
public struct UpdateStep: Sendable {
    public let learningRate: Double
    /// 0 for parameters that do not decay.
    public let weightDecay: Double
    /// Multiplies the gradient first: clipping.
    public let gradientScale: Double
    /// Updates of this parameter, this one included.
    public let number: Int
}

/// A tensor that a rule keeps between updates and that a checkpoint holds as `<parameter>.<name>`.
public struct OptimizerState {
    public let name: String
    public let tensor: Tensor
}

public protocol UpdateRule: AnyObject {
    /// Always the same tensors in the same order: a checkpoint is read into them.
    var state: [OptimizerState] { get }
    /// Changes the parameter's value. The gradient's memory may be used for what comes in between.
    func update(_ parameter: Parameter, gradient: Tensor, step: UpdateStep)
}

/// A rule whose updates a backend can make for all parameters at once.
protocol GroupedRule: UpdateRule {
    /// What the update needs.
    func member(_ parameter: Parameter, gradient: Tensor, step: UpdateStep) -> AdamWMember
}

/// Where rules take the memory of their state from.
public struct StateMemory {
    let backend: any Backend
    /// A folder whose file system holds the state: the pages live in an unnamed file there and leave memory when it is short
    /// (paged optimizers). nil: ordinary memory.
    let pagedDirectory: String?
    /// Whether the state stays in the host's memory where the backend is a card, which works on it there.
    let isOffloaded: Bool

    init(backend: any Backend, pagedDirectory: String? = nil, isOffloaded: Bool = false) {
        self.backend = backend
        self.pagedDirectory = pagedDirectory
        self.isOffloaded = isOffloaded
    }

    func zeros(_ shape: [Int], _ dtype: DType = .float32) -> Tensor {
        if backend.isPlanning { return backend.empty(shape, dtype) }
        let byteCount = shape.reduce(1, *) * dtype.byteCount
        // Pages of a file would be mirrored on the card, whose memory has no room for them.
        if isOffloaded, let tensor = backend.hostZeros(shape, dtype) { return tensor }
        if let pagedDirectory, byteCount > 0, let file = MappedScratch(directory: pagedDirectory, byteCount: byteCount) {
            return Tensor(
                storage: Storage(borrowing: UnsafeRawPointer(file.address), byteCount: byteCount, owner: file), shape: shape, dtype: dtype)
        }
        return .zeros(shape, dtype)
    }
}
