/// An orthogonal change of a weight (OFT; Qiu et al., arXiv 2306.07280): the input is turned, block by block, before the frozen
/// weight sees it, y = (x R) Wᵀ.
public final class RotationAdapter: @unchecked Sendable {
    /// [blocks, B (B - 1) / 2], f32: the upper triangles of skew-symmetric matrices. One row when all blocks share theirs.
    public let generators: Parameter
    /// B, the columns of x that turn together.
    public let blockSize: Int
    public let series: CayleySeries
    /// Share of the blocks that stand still in a training step (PEFT's `module_dropout`).
    public var dropout: Float
    public var isEnabled: Bool

    public init(generators: Parameter, blockSize: Int, series: CayleySeries, dropout: Float = 0, isEnabled: Bool = true) {
        precondition(generators.shape.count == 2 && generators.shape[1] == blockSize * (blockSize - 1) / 2, "generators \(generators.shape)")
        self.generators = generators
        self.blockSize = blockSize
        self.series = series
        self.dropout = dropout
        self.isEnabled = isEnabled
    }

    public var blockCount: Int { generators.shape[0] }

    /// The rotations themselves: [blocks, B, B].
    public func rotations(backend: any Backend) -> Tensor {
        let result = backend.empty([blockCount, blockSize, blockSize], .float32)
        backend.cayleyRotations(generators.value, blockSize: blockSize, series: series, into: result)
        return result
    }
}
