/// Adafactor (Shazeer and Stern, arXiv 1804.04235) with a given learning rate, as the Trainer runs transformers' version: no relative
/// step, no scaling by the parameter, no first moment. The squares of a matrix are kept as means of its rows and columns only.

import Glibc
import Tensors

final class Adafactor: UpdateRule {
    /// Added to every square.
    private static let squareEpsilon = 1e-30
    /// Updates whose root mean square is larger are scaled down to it.
    private static let clipThreshold = 1.0
    private static let decayExponent = -0.8

    private enum Squares {
        case factored(rows: Tensor, columns: Tensor)
        case whole(Tensor)
    }

    private let backend: any Backend
    private let squares: Squares

    init(shape: [Int], memory: StateMemory) {
        backend = memory.backend
        squares = shape.count == 2
            ? .factored(rows: memory.zeros([shape[0]]), columns: memory.zeros([shape[1]])) : .whole(memory.zeros(shape))
    }

    var state: [OptimizerState] {
        switch squares {
        case .factored(let rows, let columns):
            [OptimizerState(name: "exp_avg_sq_row", tensor: rows), OptimizerState(name: "exp_avg_sq_col", tensor: columns)]
        case .whole(let tensor): [OptimizerState(name: "exp_avg_sq", tensor: tensor)]
        }
    }

    func update(_ parameter: Parameter, gradient: Tensor, step: UpdateStep) {
        backend.scaleInPlace(gradient, by: step.gradientScale)
        let memory = 1 - pow(Double(step.number), Self.decayExponent)
        turn(gradient, memory: memory)
        let rootMeanSquare = (backend.sumOfSquares(gradient) / Double(max(1, gradient.count))).squareRoot()
        let rate = step.learningRate / max(1, rootMeanSquare / Self.clipThreshold)
        backend.descend(parameter.value, along: gradient, rate: rate, decay: 1 - step.learningRate * step.weightDecay)
    }

    /// The gradient becomes the update before clipping.
    private func turn(_ gradient: Tensor, memory: Double) {
        switch squares {
        case .whole(let tensor):
            backend.rootMeanSquareDirection(
                gradient: gradient, secondMoment: tensor, decay: memory, gain: 1 - memory, squareEpsilon: Self.squareEpsilon, epsilon: 0,
                into: gradient)
        case .factored(let rows, let columns):
            let rowMeans = backend.empty(rows.shape, .float32), columnMeans = backend.empty(columns.shape, .float32)
            backend.rowMeanSquares(gradient, into: rowMeans)
            backend.columnMeanSquares(gradient, into: columnMeans)
            let rowFactors = remember(rowMeans, in: rows, memory), columnFactors = remember(columnMeans, in: columns, memory)
            let mean = rowFactors.reduce(0) { $0 + Double($1) } / Double(max(1, rowFactors.count))
            backend.scaleRows(
                gradient, factors: Tensor(rowFactors.map { Float((mean / Double($0)).squareRoot()) }, shape: rows.shape), into: gradient)
            backend.scaleColumns(
                gradient, factors: Tensor(columnFactors.map { Float(1 / Double($0).squareRoot()) }, shape: columns.shape), into: gradient)
        }
    }

    /// Mixes new means into the kept ones.
    private func remember(_ means: Tensor, in kept: Tensor, _ memory: Double) -> [Float] {
        let mixed = zip(kept.floats(), means.floats()).map {
            Float(memory * Double($0) + (1 - memory) * (Double($1) + Self.squareEpsilon))
        }
        kept.write(mixed)
        return mixed
    }
}
