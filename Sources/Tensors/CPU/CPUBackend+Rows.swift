import CKernels

/// Rows: embeddings, selections, norms, rotations.
extension CPUBackend {
    public func embedding(table: Tensor, tokens: Tensor, scale: Float, into result: Tensor) {
        embedding(.dense(table), tokens, scale, result)
    }

    public func embedding(table: QuantizedMatrix, tokens: Tensor, scale: Float, into result: Tensor) {
        embedding(.quantized(table), tokens, scale, result)
    }

    private func embedding(_ table: StoredMatrix, _ tokens: Tensor, _ scale: Float, _ result: Tensor) {
        let width = table.columnCount, indices = tokens.integerPointer, to = result.floatPointer
        forEachChunk(of: tokens.count, size: rowsPerChunk(width)) { start, count in
            for row in start..<start + count {
                let token = Int(indices[row])
                precondition(token >= 0 && token < table.rowCount, "token \(token) outside a vocabulary of \(table.rowCount)")
                table.widen(rows: token..<token + 1, columns: 0..<width, into: to + row * width)
                if scale != 1 { tb_scale(to + row * width, to + row * width, scale, width) }
            }
        }
    }

    public func embeddingBackward(gradient: Tensor, tokens: Tensor, scale: Float, tableGradient: Tensor) {
        addRows(gradient, rows: tokens, factor: scale, into: tableGradient)
    }

    public func selectRows(_ source: Tensor, rows: Tensor, into result: Tensor) {
        let width = source.columnCount, indices = rows.integerPointer
        let from = source.floatPointer, to = result.floatPointer
        forEachChunk(of: rows.count, size: rowsPerChunk(width)) { start, count in
            for row in start..<start + count {
                (to + row * width).update(from: from + Int(indices[row]) * width, count: width)
            }
        }
    }

    public func scatterAddRows(_ gradient: Tensor, rows: Tensor, into result: Tensor) {
        addRows(gradient, rows: rows, factor: 1, into: result)
    }

    /// Each chunk has columns of its own and takes the rows in order: repeated rows add up the same way every time.
    private func addRows(_ source: Tensor, rows: Tensor, factor: Float, into result: Tensor) {
        let width = result.columnCount, indices = rows.integerPointer
        let from = source.floatPointer, to = result.floatPointer
        forEachChunk(of: width, size: 256) { start, count in
            for row in 0..<rows.count {
                tb_accumulate(from + row * width + start, to + Int(indices[row]) * width + start, factor, count)
            }
        }
    }

    // MARK: Normalisation

    public func rmsNorm(_ x: Tensor, weight: Tensor, epsilon: Float, weightOffset: Float, into result: Tensor, inverseRMS: Tensor) {
        let factors = asFloats(weight), width = weight.count
        let from = x.floatPointer, scale = factors.floatPointer, to = result.floatPointer, inverse = inverseRMS.floatPointer
        forEachChunk(of: x.count / width, size: rowsPerChunk(width)) {
            tb_rms_norm(from + $0 * width, scale, weightOffset, epsilon, $1, width, to + $0 * width, inverse + $0)
        }
    }

    public func rmsNormAgain(_ x: Tensor, weight: Tensor, weightOffset: Float, inverseRMS: Tensor, into result: Tensor) {
        let factors = asFloats(weight), width = weight.count
        let from = x.floatPointer, scale = factors.floatPointer, to = result.floatPointer, inverse = inverseRMS.floatPointer
        forEachChunk(of: x.count / width, size: rowsPerChunk(width)) {
            tb_rms_norm_apply(from + $0 * width, scale, weightOffset, inverse + $0, $1, width, to + $0 * width)
        }
    }

    public func rmsNormBackward(
        gradient: Tensor, x: Tensor, weight: Tensor, weightOffset: Float, inverseRMS: Tensor, inputGradient: GradientTarget?,
        weightGradient: GradientTarget?
    ) {
        let factors = asFloats(weight), width = weight.count, rows = x.count / width
        let size = max(rowsPerChunk(width), 64), chunks = (rows + size - 1) / size
        let d = gradient.floatPointer, from = x.floatPointer, scale = factors.floatPointer, inverse = inverseRMS.floatPointer
        // A chunk's share of the weight's gradient; the shares are added in order.
        let shares = weightGradient == nil ? nil : empty([chunks, width], .float32)
        let discarded = inputGradient == nil ? empty(x.shape, .float32) : nil
        guard let target = inputGradient?.tensor ?? discarded else { return }
        let to = target.floatPointer, accumulate: Int32 = inputGradient?.isAccumulating == true ? 1 : 0
        forEachChunk(of: rows, size: size) { start, count in
            let share = shares.map { $0.floatPointer + start / size * width }
            if let share { tb_fill(share, 0, width) }
            tb_rms_norm_backward(
                d + start * width, from + start * width, scale, weightOffset, inverse + start, count, width, accumulate,
                to + start * width, share)
        }
        guard let shares, let weightGradient else { return }
        let sums = weightGradient.tensor.floatPointer
        if !weightGradient.isAccumulating { tb_fill(sums, 0, width) }
        tb_add_column_sums(shares.floatPointer, chunks, width, width, sums)
    }

    // MARK: Rotation

    public func rotary(_ x: Tensor, headDimension: Int, table: RotaryTable, positions: Tensor, isInverse: Bool, into result: Tensor) {
        let width = x.columnCount, from = x.floatPointer, to = result.floatPointer, indices = positions.integerPointer
        let cosines = table.cosines.floatPointer, sines = table.sines.floatPointer
        let interleaved: Int32 = table.isInterleaved ? 1 : 0
        forEachChunk(of: positions.count, size: rowsPerChunk(width)) {
            tb_rotary(
                from + $0 * width, to + $0 * width, $1, width / headDimension, headDimension, table.rotaryDimension / 2, interleaved,
                cosines, sines, indices + $0, isInverse ? -1 : 1)
        }
    }
}
