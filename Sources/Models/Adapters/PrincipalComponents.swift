import Platform
import Tensors

/// The strongest components of a matrix, left · diag(values) · right.
struct PrincipalComponents {
    /// [out, rank], orthonormal columns.
    let left: Tensor
    /// Falling.
    let values: [Float]
    /// [rank, in], orthonormal rows.
    let right: Tensor

    /// - Parameters:
    ///   - matrix: [out, in], f32
    ///   - iterations: rounds of subspace iteration (Halko et al., arXiv 0909.4061, algorithm 4.4, as `torch.svd_lowrank` runs it);
    ///     nil for the exact decomposition.
    ///   - seed: of the subspace to begin with.
    /// - Returns: nil for a matrix that holds something that is not a number.
    init?(of matrix: Tensor, rank: Int, iterations: Int?, seed: UInt64, backend: any Backend) {
        guard let iterations else {
            guard let all = SingularValues(of: matrix) else { return nil }
            left = Self.columns(all.left, rank)
            values = Array(all.values.prefix(rank))
            right = all.right.slice(rows: 0..<rank).converted(to: .float32)
            return
        }
        let rows = matrix.shape[0], columns = matrix.shape[1]
        var random = RandomGenerator(seed: seed)
        var inside = Tensor((0..<rank * columns).map { _ in Float(random.normal()) }, shape: [rank, columns])
        var outside = Tensor.zeros([rank, rows])
        // Rows are made orthonormal between two products: the right vectors of a thin matrix span what its rows span.
        for round in 0...iterations {
            if round > 0 {
                backend.product(MatrixView(outside), MatrixView(matrix), alpha: 1, beta: 0, into: MatrixView(inside))
                guard let basis = SingularValues(of: inside) else { return nil }
                inside = basis.right
            }
            backend.product(MatrixView(inside), MatrixView(matrix, transposed: true), alpha: 1, beta: 0, into: MatrixView(outside))
            guard let basis = SingularValues(of: outside) else { return nil }
            outside = basis.right
        }
        let projected = Tensor.zeros([rank, columns]), turned = Tensor.zeros([rows, rank])
        backend.product(MatrixView(outside), MatrixView(matrix), alpha: 1, beta: 0, into: MatrixView(projected))
        guard let small = SingularValues(of: projected) else { return nil }
        backend.product(MatrixView(outside, transposed: true), MatrixView(small.left), alpha: 1, beta: 0, into: MatrixView(turned))
        left = turned
        values = small.values
        right = small.right
    }

    private static func columns(_ matrix: Tensor, _ count: Int) -> Tensor {
        let values = matrix.floats(), width = matrix.shape[1]
        return Tensor((0..<matrix.shape[0]).flatMap { row in values[row * width..<row * width + count] }, shape: [matrix.shape[0], count])
    }
}
