import CKernels

/// What adapters need beside products.
extension CPUBackend {
    // MARK: Lengths of rows

    public func squaredRowNorms(_ weight: WeightStore, into result: Tensor) {
        let width = weight.inputCount, to = result.floatPointer
        guard let dense = weight.parameter?.value else { return squaredRowNormsByProducts(weight, into: result) }
        forEachChunk(of: weight.outputCount, size: rowsPerChunk(width)) { start, count in
            self.scratch.withFloats(width) { row in
                for index in start..<start + count {
                    dense.widen(from: index * width, count: width, into: row)
                    to[index] = Float(tb_sum_of_squares(row, width))
                }
            }
        }
    }

    /// For weights that only know how to be multiplied with: rows of the identity give columns of the weight.
    private func squaredRowNormsByProducts(_ weight: WeightStore, into result: Tensor) {
        let inputs = weight.inputCount, outputs = weight.outputCount
        fill(result, with: 0)
        for start in stride(from: 0, to: inputs, by: 64) {
            let count = min(64, inputs - start)
            let unit = empty([count, inputs], .float32), columns = empty([count, outputs], .float32)
            fill(unit, with: 0)
            for row in 0..<count { unit.floatPointer[row * inputs + start + row] = 1 }
            linear(unit, weight: weight, bias: nil, low: nil, up: nil, into: columns)
            columnDots(columns, columns, factors: nil, into: GradientTarget(result, isAccumulating: true))
        }
    }

    public func inverseUpdatedNorms(squares: Tensor, up: Tensor, cross: Tensor, gram: Tensor, scale: Float, into result: Tensor) {
        let outputs = result.count, rank = up.columnCount
        precondition(squares.count == outputs && cross.shape == [rank, outputs] && gram.shape == up.shape, "lengths of \(outputs) rows")
        let base = squares.floatPointer, b = up.floatPointer, product = cross.floatPointer, own = gram.floatPointer
        let to = result.floatPointer
        forEachChunk(of: outputs, size: rowsPerChunk(rank)) { start, count in
            for index in start..<start + count {
                var sum = base[index]
                for column in 0..<rank {
                    let place = index * rank + column
                    sum += b[place] * (2 * scale * product[column * outputs + index] + scale * scale * own[place])
                }
                to[index] = sum > 0 ? 1 / sum.squareRoot() : 0
            }
        }
    }

    public func scaleAndShiftColumns(_ source: Tensor, factors: Tensor, offsets: Tensor?, into result: Tensor) {
        let width = factors.count, shift = offsets.map(asFloats)
        let from = source.floatPointer, to = result.floatPointer, scale = factors.floatPointer
        forEachChunk(of: source.count / max(1, width), size: rowsPerChunk(width)) { start, count in
            for row in start..<start + count {
                tb_multiply(from + row * width, scale, to + row * width, width)
                if let shift { tb_accumulate(shift.floatPointer, to + row * width, 1, width) }
            }
        }
    }

    public func columnDots(_ a: Tensor, _ b: Tensor, factors: Tensor?, into result: GradientTarget) {
        let width = result.tensor.count, rows = a.count / max(1, width), piece = 256
        precondition(a.count == b.count && a.count == rows * width, "column products of \(a.shape) and \(b.shape)")
        let left = a.floatPointer, right = b.floatPointer, to = result.tensor.floatPointer, scale = factors?.floatPointer
        forEachChunk(of: width, size: piece) { start, count in
            self.scratch.withFloats(2 * piece) { buffer in
                let product = buffer, sums = buffer + piece
                tb_fill(sums, 0, count)
                for row in 0..<rows {
                    tb_multiply(left + row * width + start, right + row * width + start, product, count)
                    tb_add(sums, product, sums, count)
                }
                if let scale { tb_multiply(sums, scale + start, sums, count) }
                if result.isAccumulating {
                    tb_add(to + start, sums, to + start, count)
                } else {
                    (to + start).update(from: sums, count: count)
                }
            }
        }
    }

    // MARK: Noise

    public func uniformNoise(_ source: Tensor, bounds: Tensor, seed: UInt64, into result: Tensor) {
        let rows = bounds.count, width = source.count / max(1, rows)
        let from = source.floatPointer, to = result.floatPointer, limit = bounds.floatPointer
        forEachChunk(of: rows, size: rowsPerChunk(width)) { start, count in
            for row in start..<start + count {
                let bound = limit[row]
                for place in row * width..<(row + 1) * width {
                    // SplitMix64 of the element's number; 24 bits give a float in [0, 1).
                    var mixed = seed &+ (UInt64(place) &+ 1) &* 0x9E37_79B9_7F4A_7C15
                    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
                    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
                    let unit = Float((mixed ^ (mixed >> 31)) >> 40) * 0x1p-24
                    to[place] = from[place] + bound * (2 * unit - 1)
                }
            }
        }
    }
}
