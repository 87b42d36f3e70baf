/// Muon (Jordan et al., 2024; the learning rate matched to AdamW's as in Liu et al., arXiv 2502.16982): momentum whose direction is
/// made nearly orthogonal by five Newton-Schulz iterations. For matrices inside the model; the rest follows AdamW.

import Tensors

final class Muon: UpdateRule {
    private static let momentum = 0.95
    private static let iterations = 5
    /// Of the quintic x(a + b x² + c x⁴), chosen for a steep slope at zero.
    private static let coefficients: (a: Float, b: Float, c: Float) = (3.4445, -4.7750, 2.0315)

    private let backend: any Backend
    private let buffer: Tensor

    init(shape: [Int], memory: StateMemory) {
        backend = memory.backend
        buffer = memory.zeros(shape)
    }

    /// Embeddings, heads, norms and biases are left to AdamW.
    static func suits(name: String, shape: [Int]) -> Bool {
        shape.count == 2 && !name.contains("embed") && !name.contains("lm_head")
    }

    var state: [OptimizerState] { [OptimizerState(name: "momentum_buffer", tensor: buffer)] }

    func update(_ parameter: Parameter, gradient: Tensor, step: UpdateStep) {
        backend.scaleInPlace(gradient, by: step.gradientScale)
        backend.scale(buffer, by: Float(Self.momentum), into: buffer)
        backend.accumulate(gradient, factor: 1, into: buffer)
        // Nesterov's look ahead.
        backend.accumulate(buffer, factor: Float(Self.momentum), into: gradient)
        orthogonalise(gradient)
        let reach = 0.2 * Double(max(gradient.rowCount, gradient.columnCount)).squareRoot()
        backend.descend(
            parameter.value, along: gradient, rate: step.learningRate * reach, decay: 1 - step.learningRate * step.weightDecay)
    }

    /// Singular values move towards one; in f32, where the published program rounds to bf16.
    private func orthogonalise(_ matrix: Tensor) {
        backend.scale(matrix, by: Float(1 / (backend.sumOfSquares(matrix).squareRoot() + 1e-7)), into: matrix)
        // Products of the smaller side with itself.
        let isTall = matrix.rowCount > matrix.columnCount, side = min(matrix.rowCount, matrix.columnCount)
        let square = backend.empty([side, side], .float32), polynomial = backend.empty([side, side], .float32)
        let next = backend.empty(matrix.shape, .float32)
        let (a, b, c) = Self.coefficients
        for _ in 0..<Self.iterations {
            backend.product(
                MatrixView(matrix, transposed: isTall), MatrixView(matrix, transposed: !isTall), alpha: 1, beta: 0, into: MatrixView(square))
            backend.scale(square, by: b, into: polynomial)
            backend.product(MatrixView(square), MatrixView(square), alpha: c, beta: 1, into: MatrixView(polynomial))
            backend.scale(matrix, by: a, into: next)
            if isTall {
                // The square is symmetric, so it may stand on either side.
                backend.product(MatrixView(matrix), MatrixView(polynomial), alpha: 1, beta: 1, into: MatrixView(next))
            } else {
                backend.product(MatrixView(polynomial), MatrixView(matrix), alpha: 1, beta: 1, into: MatrixView(next))
            }
            backend.convert(next, into: matrix)
        }
    }
}
