/// Gradients seen in a subspace of low rank, the common part of GaLore and APOLLO: a basis of one or both sides, renewed from time to
/// time from the gradient's singular vectors or drawn at random.

import Platform
import Tensors

/// What decides a projection.
public struct ProjectionSettings: Sendable, Equatable {
    public enum Side: String, Sendable, CaseIterable {
        /// The smaller side of the gradient shrinks least: rows of a tall one, columns of a wide one keep their number.
        case standard = "std"
        case reverseStandard = "reverse_std"
        case right, left, full
    }

    public enum Basis: String, Sendable, CaseIterable {
        case singularVectors = "svd"
        case random
    }

    public var rank = 16
    /// Updates between two bases.
    public var interval = 200
    public var scale = 1.0
    public var side = Side.standard
    public var basis = Basis.singularVectors
}

final class GradientProjection {
    let settings: ProjectionSettings
    /// Shape of the projected gradient.
    let lowShape: [Int]
    private let backend: any Backend
    private let seed: UInt64
    /// [rank, columns]: the gradient is multiplied with its transpose from the right.
    private let right: Tensor?
    /// [rows, rank]: its transpose is multiplied from the left.
    private let left: Tensor?

    /// - Parameter shape: [rows, columns] of the gradients.
    init(shape: [Int], settings: ProjectionSettings, seed: UInt64, memory: StateMemory) {
        self.settings = settings
        self.seed = seed
        backend = memory.backend
        let rows = shape[0], columns = shape[1], rank = min(settings.rank, rows, columns), isTall = rows >= columns
        let usesRight: Bool, usesLeft: Bool
        switch settings.side {
        case .standard: (usesRight, usesLeft) = (isTall, !isTall)
        case .reverseStandard: (usesRight, usesLeft) = (!isTall, isTall)
        case .right: (usesRight, usesLeft) = (true, false)
        case .left: (usesRight, usesLeft) = (false, true)
        case .full: (usesRight, usesLeft) = (true, true)
        }
        right = usesRight ? memory.zeros([rank, columns]) : nil
        left = usesLeft ? memory.zeros([rows, rank]) : nil
        lowShape = [usesLeft ? rank : rows, usesRight ? rank : columns]
    }

    /// Whether the projected gradient has a row for each row of the whole one; else it has a column for each column.
    var keepsRows: Bool { left == nil }

    var state: [OptimizerState] {
        (right.map { [OptimizerState(name: "projection_right", tensor: $0)] } ?? [])
            + (left.map { [OptimizerState(name: "projection_left", tensor: $0)] } ?? [])
    }

    /// - Parameter number: the update's number, from 1.
    func project(_ gradient: Tensor, number: Int) -> Tensor {
        if (number - 1) % settings.interval == 0 { renew(from: gradient, renewal: (number - 1) / settings.interval) }
        var low = gradient
        if let left { low = product(MatrixView(left, transposed: true), MatrixView(low), [left.columnCount, low.columnCount]) }
        if let right { low = product(MatrixView(low), MatrixView(right, transposed: true), [low.rowCount, right.rowCount]) }
        return low
    }

    /// From the subspace back into `result`, times the scale.
    func projectBack(_ low: Tensor, into result: Tensor) {
        var inner = low
        if let left, right != nil { inner = product(MatrixView(left), MatrixView(low), [left.rowCount, low.columnCount]) }
        let scale = Float(settings.scale)
        if let right {
            backend.product(MatrixView(inner), MatrixView(right), alpha: scale, beta: 0, into: MatrixView(result))
        } else if let left {
            backend.product(MatrixView(left), MatrixView(inner), alpha: scale, beta: 0, into: MatrixView(result))
        }
    }

    private func product(_ a: MatrixView, _ b: MatrixView, _ shape: [Int]) -> Tensor {
        let result = backend.empty(shape, .float32)
        backend.product(a, b, alpha: 1, beta: 0, into: MatrixView(result))
        return result
    }

    private func renew(from gradient: Tensor, renewal: Int) {
        switch settings.basis {
        case .random:
            // Normal numbers of variance 1 / rank keep lengths as they are on average.
            var random = RandomGenerator(seed: seed, stream: UInt64(renewal))
            for (basis, rank) in [(right, right?.rowCount), (left, left?.columnCount)] {
                guard let basis, let rank else { continue }
                let deviation = 1 / Double(rank).squareRoot()
                basis.write((0..<basis.count).map { _ in Float(random.normal() * deviation) })
            }
        case .singularVectors:
            // Gradients that cannot be decomposed keep the last basis.
            guard let found = SingularValues(of: gradient) else { return }
            if let right { right.write(found.right.slice(rows: 0..<right.rowCount).floats()) }
            if let left {
                let width = found.left.columnCount, rank = left.columnCount, vectors = found.left.floats()
                left.write((0..<left.count).map { vectors[$0 / rank * width + $0 % rank] })
            }
        }
    }
}
