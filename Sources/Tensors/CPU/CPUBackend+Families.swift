import CKernels
import Glibc

/// The operations of `FamilyBackend`.
extension CPUBackend {
    // MARK: Normalisation

    public func layerNorm(
        _ x: Tensor, weight: Tensor, bias: Tensor, epsilon: Float, into result: Tensor, means: Tensor, inverseDeviations: Tensor
    ) {
        let factors = asFloats(weight), shifts = asFloats(bias), width = weight.count
        let from = x.floatPointer, scale = factors.floatPointer, shift = shifts.floatPointer, to = result.floatPointer
        let mean = means.floatPointer, inverse = inverseDeviations.floatPointer
        forEachChunk(of: x.count / width, size: rowsPerChunk(width)) {
            tb_layer_norm(from + $0 * width, scale, shift, epsilon, $1, width, to + $0 * width, mean + $0, inverse + $0)
        }
    }

    public func layerNormBackward(
        gradient: Tensor, x: Tensor, weight: Tensor, means: Tensor, inverseDeviations: Tensor, inputGradient: GradientTarget?,
        weightGradient: GradientTarget?, biasGradient: GradientTarget?
    ) {
        let factors = asFloats(weight), width = weight.count, rows = x.count / width
        let size = max(rowsPerChunk(width), 64), chunks = (rows + size - 1) / size
        let d = gradient.floatPointer, from = x.floatPointer, scale = factors.floatPointer
        let mean = means.floatPointer, inverse = inverseDeviations.floatPointer
        // A chunk's share of the parameters' gradients; the shares are added in order.
        let weightShares = weightGradient == nil ? nil : empty([chunks, width], .float32)
        let biasShares = biasGradient == nil ? nil : empty([chunks, width], .float32)
        let target = inputGradient?.tensor ?? empty(x.shape, .float32)
        let to = target.floatPointer, accumulate: Int32 = inputGradient?.isAccumulating == true ? 1 : 0
        forEachChunk(of: rows, size: size) { start, count in
            let weightShare = weightShares.map { $0.floatPointer + start / size * width }
            let biasShare = biasShares.map { $0.floatPointer + start / size * width }
            if let weightShare { tb_fill(weightShare, 0, width) }
            if let biasShare { tb_fill(biasShare, 0, width) }
            tb_layer_norm_backward(
                d + start * width, from + start * width, scale, mean + start, inverse + start, count, width, accumulate,
                to + start * width, weightShare, biasShare)
        }
        for (shares, target) in [(weightShares, weightGradient), (biasShares, biasGradient)] {
            guard let shares, let target else { continue }
            let sums = target.tensor.floatPointer
            if !target.isAccumulating { tb_fill(sums, 0, width) }
            tb_add_column_sums(shares.floatPointer, chunks, width, width, sums)
        }
    }

    // MARK: Activations

    /// A gate whose other factor is one.
    public func activation(_ x: Tensor, kind: GatedActivation, into result: Tensor) {
        let from = x.floatPointer, to = result.floatPointer, size = 1 << 12
        forEachChunk(of: x.count, size: size) { start, count in
            self.scratch.withFloats(size) { ones in
                tb_fill(ones, 1, count)
                tb_gated(from + start, ones, to + start, count, kind.rawValue)
            }
        }
    }

    public func activationBackward(gradient: Tensor, x: Tensor, kind: GatedActivation, into inputGradient: Tensor) {
        let d = gradient.floatPointer, from = x.floatPointer, to = inputGradient.floatPointer, size = 1 << 12
        forEachChunk(of: x.count, size: size) { start, count in
            self.scratch.withFloats(size) { ones in
                tb_fill(ones, 1, count)
                tb_gated_backward(d + start, from + start, ones, to + start, ones, count, kind.rawValue)
            }
        }
    }

    // MARK: Columns and rows

    public func copyColumns(_ source: Tensor, blocks: [ColumnBlock], into result: Tensor) {
        let sourceWidth = source.columnCount, width = result.columnCount
        for block in blocks {
            precondition(block.from + block.count <= sourceWidth && block.to + block.count <= width, "columns beyond \(source.shape)")
        }
        let from = source.floatPointer, to = result.floatPointer
        forEachChunk(of: source.rowCount, size: rowsPerChunk(max(width, sourceWidth))) { start, count in
            for row in start..<start + count {
                for block in blocks {
                    (to + row * width + block.to).update(from: from + row * sourceWidth + block.from, count: block.count)
                }
            }
        }
    }

    public func scaleRows(_ source: Tensor, factors: Tensor, into result: Tensor) {
        let rows = factors.count, width = source.count / max(1, rows)
        let from = source.floatPointer, to = result.floatPointer, scale = factors.floatPointer
        forEachChunk(of: rows, size: rowsPerChunk(width)) { start, count in
            for row in start..<start + count { tb_scale(from + row * width, to + row * width, scale[row], width) }
        }
    }

    public func rowDots(_ a: Tensor, _ b: Tensor, into result: Tensor) {
        let rows = result.count, width = a.count / max(1, rows)
        let left = a.floatPointer, right = b.floatPointer, to = result.floatPointer
        forEachChunk(of: rows, size: rowsPerChunk(width)) { start, count in
            for row in start..<start + count { to[row] = Float(tb_dot(left + row * width, right + row * width, width)) }
        }
    }

    public func scaleColumns(_ source: Tensor, factors: Tensor, into result: Tensor) {
        let width = factors.count
        let from = source.floatPointer, to = result.floatPointer, scale = factors.floatPointer
        forEachChunk(of: source.count / width, size: rowsPerChunk(width)) { start, count in
            for row in start..<start + count { tb_multiply(from + row * width, scale, to + row * width, width) }
        }
    }

    public func multiply(_ a: Tensor, _ b: Tensor, into result: Tensor) {
        precondition(a.count == b.count && a.count == result.count, "product of \(a.shape) and \(b.shape)")
        let left = a.floatPointer, right = b.floatPointer, to = result.floatPointer
        forEachChunk(of: a.count) { tb_multiply(left + $0, right + $0, to + $0, $1) }
    }

    // MARK: Logits

    public func softCap(_ x: Tensor, cap: Float, into result: Tensor, slopes: Tensor?) {
        let from = x.floatPointer, to = result.floatPointer, derivative = slopes?.floatPointer
        forEachChunk(of: x.count, size: 1 << 14) { start, count in
            tb_soft_cap(from + start, to + start, derivative.map { $0 + start }, cap, count)
        }
    }

    public func inverseRowNorms(_ weight: Tensor, into result: Tensor) {
        let width = weight.shape[1], to = result.floatPointer
        forEachChunk(of: weight.shape[0], size: rowsPerChunk(width)) { start, count in
            self.scratch.withFloats(width) { row in
                for index in start..<start + count {
                    weight.widen(from: index * width, count: width, into: row)
                    to[index] = 1 / max(Float(tb_sum_of_squares(row, width).squareRoot()), 1e-12)
                }
            }
        }
    }

    // MARK: Experts

    public func softmax(_ x: Tensor, into result: Tensor) {
        let width = x.columnCount, from = x.floatPointer, to = result.floatPointer
        forEachChunk(of: x.rowCount, size: rowsPerChunk(width)) { start, count in
            for row in start..<start + count {
                let line = to + row * width
                if line != from + row * width { line.update(from: from + row * width, count: width) }
                var maximum = -Float.infinity, sum: Float = 0
                _ = tb_online_softmax(line, 0, width, width, 0, &maximum, &sum)
                tb_scale(line, line, 1 / sum, width)
            }
        }
    }

    public func softmaxBackward(gradient: Tensor, result: Tensor, into inputGradient: Tensor) {
        let width = result.columnCount
        let d = gradient.floatPointer, p = result.floatPointer, to = inputGradient.floatPointer
        forEachChunk(of: result.rowCount, size: rowsPerChunk(width)) { start, count in
            for row in start..<start + count {
                let at = row * width, mean = Float(tb_dot(d + at, p + at, width))
                for column in at..<at + width { to[column] = p[column] * (d[column] - mean) }
            }
        }
    }

    public func download(_ tensor: Tensor) -> [Float] { tensor.floats() }
}
