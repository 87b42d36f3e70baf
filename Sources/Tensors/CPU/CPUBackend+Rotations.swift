import CKernels

/// Orthogonal blocks (OFT) and their gradients.
extension CPUBackend {
    public func cayleyRotations(_ generators: Tensor, blockSize: Int, series: CayleySeries, into result: Tensor) {
        let width = generators.columnCount, area = blockSize * blockSize
        let from = generators.floatPointer, to = result.floatPointer
        forEachChunk(of: generators.rowCount, size: 1) { index, _ in
            SkewBlock(side: blockSize, scratch: self.scratch).rotation(from + index * width, series, into: to + index * area)
        }
    }

    public func cayleyRotationsBackward(
        gradient: Tensor, generators: Tensor, blockSize: Int, series: CayleySeries, into result: GradientTarget
    ) {
        let width = generators.columnCount, area = blockSize * blockSize
        let from = generators.floatPointer, d = gradient.floatPointer, to = result.tensor.floatPointer
        forEachChunk(of: generators.rowCount, size: 1) { index, _ in
            SkewBlock(side: blockSize, scratch: self.scratch).gradient(
                from + index * width, series, d + index * area, into: to + index * width, isAccumulating: result.isAccumulating)
        }
    }

    public func rotateBlocks(_ x: Tensor, rotations: Tensor, isTransposed: Bool, into result: Tensor) {
        let side = rotations.shape[1], width = x.columnCount, rows = x.rowCount, area = side * side
        let from = x.floatPointer, to = result.floatPointer, blocks = rotations.floatPointer
        let isShared = rotations.shape[0] == 1
        forEachChunk(of: width / side, size: 1) { index, _ in
            sgemm(
                false, isTransposed, rows, side, side, 1, from + index * side, width, blocks + (isShared ? 0 : index * area), side, 0,
                to + index * side, width)
        }
    }

    public func rotationGradient(_ x: Tensor, gradient: Tensor, into result: Tensor) {
        let side = result.shape[1], width = x.columnCount, rows = x.rowCount, area = side * side
        let from = x.floatPointer, d = gradient.floatPointer, to = result.floatPointer
        if result.shape[0] == 1 {
            for index in 0..<width / side {
                sgemm(
                    true, false, side, side, rows, 1, from + index * side, width, d + index * side, width, index == 0 ? 0 : 1, to, side)
            }
            return
        }
        forEachChunk(of: width / side, size: 1) { index, _ in
            sgemm(
                true, false, side, side, rows, 1, from + index * side, width, d + index * side, width, 0, to + index * area, side)
        }
    }
}

/// One block: a skew-symmetric matrix Q given by its upper triangle, and the rotation made of it.
private struct SkewBlock {
    let side: Int
    let scratch: ScratchBuffers

    private var area: Int { side * side }

    /// Horner's rule, S_k = c_k I + Q S_(k+1), ends with the rotation S_0.
    func rotation(_ generator: UnsafePointer<Float>, _ series: CayleySeries, into result: UnsafeMutablePointer<Float>) {
        scratch.withFloats(4 * area) { buffer in
            let q = buffer, other = buffer + area
            fillSkew(generator, q)
            guard case .neumann = series else { return exact(q, inverse: other, numerator: buffer + 2 * area, into: result) }
            var coefficients = series.coefficients[...]
            setIdentity(result, coefficients.popLast() ?? 1)
            while let coefficient = coefficients.popLast() {
                other.update(from: result, count: area)
                setIdentity(result, coefficient)
                multiply(q, other, beta: 1, into: result)
            }
        }
    }

    /// From the gradient of the rotation to that of the upper triangle.
    func gradient(
        _ generator: UnsafePointer<Float>, _ series: CayleySeries, _ d: UnsafePointer<Float>, into result: UnsafeMutablePointer<Float>,
        isAccumulating: Bool
    ) {
        let coefficients = series.coefficients
        scratch.withFloats((coefficients.count + 6) * area) { buffer in
            let q = buffer, whole = buffer + area, flow = buffer + 2 * area, next = buffer + 3 * area
            fillSkew(generator, q)
            tb_fill(whole, 0, area)
            if case .neumann = series {
                let partial = buffer + 4 * area
                let last = coefficients.count - 1
                setIdentity(partial + last * area, coefficients[last])
                for k in stride(from: last - 1, through: 1, by: -1) {
                    setIdentity(partial + k * area, coefficients[k])
                    multiply(q, partial + (k + 1) * area, beta: 1, into: partial + k * area)
                }
                flow.update(from: d, count: area)
                for k in 0..<last {
                    multiply(flow, partial + (k + 1) * area, rightTransposed: true, beta: 1, into: whole)
                    multiply(q, flow, leftTransposed: true, beta: 0, into: next)
                    flow.update(from: next, count: area)
                }
            } else {
                let inverse = buffer + 4 * area, rotation = buffer + 5 * area
                exact(q, inverse: inverse, numerator: next, into: rotation)
                // X (I + Q) = I - Q: with F = D (I + Q)^-T the gradient of Q is -F - Xᵀ F.
                multiply(d, inverse, rightTransposed: true, beta: 0, into: flow)
                multiply(rotation, flow, leftTransposed: true, beta: 0, into: whole)
                tb_add(whole, flow, whole, area)
                tb_scale(whole, whole, -1, area)
            }
            var place = 0
            for row in 0..<side {
                for column in row + 1..<max(side, row + 1) {
                    let value = whole[row * side + column] - whole[column * side + row]
                    result[place] = isAccumulating ? result[place] + value : value
                    place += 1
                }
            }
        }
    }

    /// (I - Q)(I + Q)⁻¹. I + Q of a skew-symmetric Q always has an inverse.
    private func exact(
        _ q: UnsafePointer<Float>, inverse: UnsafeMutablePointer<Float>, numerator: UnsafeMutablePointer<Float>,
        into result: UnsafeMutablePointer<Float>
    ) {
        tb_scale(q, numerator, -1, area)
        for index in 0..<side { numerator[index * side + index] = 1 }
        invert(q, into: inverse)
        multiply(numerator, inverse, beta: 0, into: result)
    }

    /// Gauss and Jordan in f64 with pivots.
    private func invert(_ q: UnsafePointer<Float>, into result: UnsafeMutablePointer<Float>) {
        let width = 2 * side
        var rows = (0..<side).map { row in
            (0..<width).map { column -> Double in
                if column >= side { return column - side == row ? 1 : 0 }
                return Double(q[row * side + column]) + (row == column ? 1 : 0)
            }
        }
        for column in 0..<side {
            let pivot = (column..<side).max { abs(rows[$0][column]) < abs(rows[$1][column]) } ?? column
            rows.swapAt(pivot, column)
            let factor = 1 / rows[column][column]
            for place in 0..<width { rows[column][place] *= factor }
            for row in 0..<side where row != column && rows[row][column] != 0 {
                let share = rows[row][column]
                for place in 0..<width { rows[row][place] -= share * rows[column][place] }
            }
        }
        for row in 0..<side {
            for column in 0..<side { result[row * side + column] = Float(rows[row][side + column]) }
        }
    }

    private func fillSkew(_ generator: UnsafePointer<Float>, _ q: UnsafeMutablePointer<Float>) {
        var place = 0
        for row in 0..<side {
            q[row * side + row] = 0
            for column in row + 1..<max(side, row + 1) {
                q[row * side + column] = generator[place]
                q[column * side + row] = -generator[place]
                place += 1
            }
        }
    }

    private func setIdentity(_ matrix: UnsafeMutablePointer<Float>, _ value: Float) {
        tb_fill(matrix, 0, area)
        for index in 0..<side { matrix[index * side + index] = value }
    }

    private func multiply(
        _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, leftTransposed: Bool = false, rightTransposed: Bool = false, beta: Float,
        into c: UnsafeMutablePointer<Float>
    ) {
        sgemm(leftTransposed, rightTransposed, side, side, side, 1, a, side, b, side, beta, c, side)
    }
}
