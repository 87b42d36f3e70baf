import CKernels
import COpenBLAS

/// Products. A product is cut into panels of its result; each is one single-threaded sgemm.
extension CPUBackend {
    /// Rows of x up to which a product runs at the speed of reading the weight.
    private static let fewRows = 4
    /// The same for answers from blocks whose products are made of bytes: widening the weight costs more than meeting it so often.
    private static let fewRowsOfBytes = 24

    public func linear(_ x: Tensor, weight: WeightStore, bias: Tensor?, low: MatrixView?, up: Tensor?, into result: Tensor) {
        product(x, weight: weight.stored, bias: bias.map(asFloats), low: low, up: up, isRounded: roundsProducts, isAnswering: false, into: result)
    }

    /// What meets a bf16 or quantised weight is rounded to bf16 where this machine multiplies such pairs faster.
    public func inferenceLinear(_ x: Tensor, weight: WeightStore, bias: Tensor?, low: MatrixView?, up: Tensor?, into result: Tensor) {
        product(
            x, weight: weight.stored, bias: bias.map(asFloats), low: low, up: up, isRounded: tb_gemm_has_bf16() != 0, isAnswering: true,
            into: result)
    }

    private func product(
        _ x: Tensor, weight: StoredMatrix, bias: Tensor?, low: MatrixView?, up: Tensor?, isRounded: Bool, isAnswering: Bool,
        into result: Tensor
    ) {
        let rows = x.rowCount, inputs = weight.columnCount, outputs = weight.rowCount
        let from = x.floatPointer, to = result.floatPointer
        let isThin = rows <= CPUBackend.fewRows
        if case .quantized(let matrix) = weight {
            let hasBytes = tb_has_block_dot(matrix.kernel.kind) != 0 && tb_vector_level() >= 3
            if isThin || isAnswering && hasBytes && rows <= CPUBackend.fewRowsOfBytes {
                return thinProduct(x, matrix, bias: bias, low: low, up: up, into: result)
            }
        }
        if !isThin, usesOwnProducts {
            var parts = [
                PackedProduct.Part(
                    depth: inputs, a: from, aStride: inputs, aIsTransposed: false, b: weight, bIsTransposed: false,
                    isRounded: isRounded && PackedProduct.Part.canRound(weight, depth: inputs))
            ]
            if let low, let up {
                parts.append(
                    PackedProduct.Part(
                        depth: low.columnCount, a: low.pointer, aStride: low.stride, aIsTransposed: false, b: .dense(up), bIsTransposed: false))
            }
            PackedProduct(
                rowCount: rows, columnCount: outputs, parts: parts, bias: bias.map { UnsafePointer($0.floatPointer) }, isAccumulating: false,
                c: to, cStride: outputs
            ).run(threads: threads, packing: packing, scratch: scratch)
            return
        }
        let grid = PanelGrid(
            rows: rows, columns: outputs, depth: inputs, isWidened: weight.isWidened, isThin: isThin)
        threads.run(grid.count) { chunk in
            let panel = grid.panel(chunk)
            let corner = to + panel.firstRow * outputs + panel.firstColumn
            let input = from + panel.firstRow * inputs
            if isThin {
                self.thinLinear(input, rows: panel.rowCount, weight, panel, corner, stride: outputs)
                if let bias { addBias(bias.floatPointer + panel.firstColumn, panel, corner, stride: outputs) }
            } else {
                if let bias { setBias(bias.floatPointer + panel.firstColumn, panel, corner, stride: outputs) }
                self.withPanel(weight, rows: panel.firstColumn..<panel.firstColumn + panel.columnCount) { part in
                    sgemm(
                        false, true, panel.rowCount, panel.columnCount, inputs, 1, input, inputs, part, inputs, bias == nil ? 0 : 1,
                        corner, outputs)
                }
            }
            guard let low, let up else { return }
            let rank = up.shape[1]
            sgemm(
                false, true, panel.rowCount, panel.columnCount, rank, 1, low.pointer + panel.firstRow * low.stride, low.stride,
                up.floatPointer + panel.firstColumn * rank, rank, 1, corner, outputs)
        }
    }

    /// A few rows with a quantised weight, which is read once and never widened as a whole: decoding.
    private func thinProduct(_ x: Tensor, _ matrix: QuantizedMatrix, bias: Tensor?, low: MatrixView?, up: Tensor?, into result: Tensor) {
        let rows = x.rowCount, inputs = matrix.columnCount, outputs = matrix.rowCount
        let from = x.floatPointer, to = result.floatPointer
        let usesIntegers = tb_has_block_dot(matrix.kernel.kind) != 0
        let floatsEach = usesIntegers ? tb_activation_bytes(inputs) / 4 : 0
        packing.withFloats(rows * floatsEach) { memory in
            let activations = (0..<rows).map { row in
                var activation = tb_activation()
                if usesIntegers {
                    activation = tb_activation_in(memory + row * floatsEach, inputs)
                    tb_quantize_activation(from + row * inputs, 0, inputs, &activation)
                }
                activation.full = UnsafePointer(from + row * inputs)
                return activation
            }
            let grid = PanelGrid(rows: rows, columns: outputs, depth: inputs, isWidened: true, isThin: true)
            threads.run(grid.count) { chunk in
                let panel = grid.panel(chunk)
                let corner = to + panel.firstRow * outputs + panel.firstColumn
                activations.withUnsafeBufferPointer { buffer in
                    withUnsafePointer(to: matrix.kernel) {
                        tb_quantized_gemv(
                            $0, panel.firstColumn, panel.columnCount, buffer.baseAddress.map { $0 + panel.firstRow }, panel.rowCount, corner,
                            outputs)
                    }
                }
                if let bias { addBias(bias.floatPointer + panel.firstColumn, panel, corner, stride: outputs) }
                guard let low, let up else { return }
                let rank = up.shape[1]
                sgemm(
                    false, true, panel.rowCount, panel.columnCount, rank, 1, low.pointer + panel.firstRow * low.stride, low.stride,
                    up.floatPointer + panel.firstColumn * rank, rank, 1, corner, outputs)
            }
        }
    }

    private func thinLinear(
        _ x: UnsafePointer<Float>, rows: Int, _ weight: StoredMatrix, _ panel: PanelGrid.Panel, _ to: UnsafeMutablePointer<Float>, stride: Int
    ) {
        let inputs = weight.columnCount, first = panel.firstColumn * inputs
        if case .dense(let tensor) = weight {
            if tensor.dtype == .float32 {
                return tb_gemv_f32(x, rows, inputs, tensor.floatPointer + first, panel.columnCount, inputs, to, stride)
            }
            if tensor.dtype == .bfloat16 {
                return tb_gemv_bf16(x, rows, inputs, tensor.halfPointer + first, panel.columnCount, inputs, to, stride)
            }
        }
        withPanel(weight, rows: panel.firstColumn..<panel.firstColumn + panel.columnCount) { part in
            tb_gemv_f32(x, rows, inputs, part, panel.columnCount, inputs, to, stride)
        }
    }

    /// Rows of a weight as f32: in place, or widened into scratch memory.
    private func withPanel(_ weight: StoredMatrix, rows: Range<Int>, _ body: (UnsafePointer<Float>) -> Void) {
        let width = weight.columnCount
        if case .dense(let tensor) = weight, tensor.dtype == .float32 { return body(tensor.floatPointer + rows.lowerBound * width) }
        scratch.withFloats(rows.count * width) { buffer in
            weight.widen(rows: rows, columns: 0..<width, into: buffer)
            body(buffer)
        }
    }

    public func linearInputGradient(
        gradient: Tensor, weight: WeightStore, lowGradient: MatrixView?, down: Tensor?, into result: GradientTarget
    ) {
        switch weight {
        case .dense(let parameter):
            inputGradient(gradient, weight: .dense(parameter.value), lowGradient: lowGradient, down: down, into: result)
        case .quantized(let matrix):
            inputGradient(gradient, weight: .quantized(matrix), lowGradient: lowGradient, down: down, into: result)
        }
    }

    private func inputGradient(
        _ gradient: Tensor, weight: StoredMatrix, lowGradient: MatrixView?, down: Tensor?, into result: GradientTarget
    ) {
        let rows = gradient.rowCount, inputs = weight.columnCount, outputs = weight.rowCount
        let from = gradient.floatPointer, to = result.tensor.floatPointer
        let beta: Float = result.isAccumulating ? 1 : 0
        if usesOwnProducts {
            var parts = [
                PackedProduct.Part(
                    depth: outputs, a: from, aStride: outputs, aIsTransposed: false, b: weight, bIsTransposed: true,
                    isRounded: roundsProducts && PackedProduct.Part.canRound(weight, depth: outputs))
            ]
            if let lowGradient, let down {
                parts.append(
                    PackedProduct.Part(
                        depth: lowGradient.columnCount, a: lowGradient.pointer, aStride: lowGradient.stride, aIsTransposed: false,
                        b: .dense(down), bIsTransposed: true))
            }
            PackedProduct(
                rowCount: rows, columnCount: inputs, parts: parts, bias: nil, isAccumulating: result.isAccumulating, c: to, cStride: inputs
            ).run(threads: threads, packing: packing, scratch: scratch)
            return
        }
        let grid = PanelGrid(rows: rows, columns: inputs, depth: outputs, isWidened: weight.isWidened, isThin: false)
        threads.run(grid.count) { chunk in
            let panel = grid.panel(chunk)
            let corner = to + panel.firstRow * inputs + panel.firstColumn
            let d = from + panel.firstRow * outputs
            if case .dense(let tensor) = weight, tensor.dtype == .float32 {
                sgemm(
                    false, false, panel.rowCount, panel.columnCount, outputs, 1, d, outputs, tensor.floatPointer + panel.firstColumn,
                    inputs, beta, corner, inputs)
            } else {
                self.scratch.withFloats(outputs * panel.columnCount) { buffer in
                    weight.widen(
                        rows: 0..<outputs, columns: panel.firstColumn..<panel.firstColumn + panel.columnCount, into: buffer)
                    sgemm(
                        false, false, panel.rowCount, panel.columnCount, outputs, 1, d, outputs, buffer, panel.columnCount, beta,
                        corner, inputs)
                }
            }
            guard let lowGradient, let down else { return }
            sgemm(
                false, false, panel.rowCount, panel.columnCount, lowGradient.columnCount, 1,
                lowGradient.pointer + panel.firstRow * lowGradient.stride, lowGradient.stride, down.floatPointer + panel.firstColumn, inputs,
                1, corner, inputs)
        }
    }

    public func weightGradient(gradient: Tensor, x: Tensor, into result: GradientTarget) {
        let rows = gradient.rowCount, outputs = gradient.columnCount, inputs = x.columnCount
        let d = gradient.floatPointer, from = x.floatPointer, to = result.tensor.floatPointer
        if usesOwnProducts {
            let part = PackedProduct.Part(
                depth: rows, a: d, aStride: outputs, aIsTransposed: true, b: .dense(x), bIsTransposed: true)
            PackedProduct(
                rowCount: outputs, columnCount: inputs, parts: [part], bias: nil, isAccumulating: result.isAccumulating, c: to,
                cStride: inputs
            ).run(threads: threads, packing: packing, scratch: scratch)
            return
        }
        let grid = PanelGrid(rows: outputs, columns: inputs, depth: rows, isWidened: false, isThin: false)
        threads.run(grid.count) { chunk in
            let panel = grid.panel(chunk)
            sgemm(
                true, false, panel.rowCount, panel.columnCount, rows, 1, d + panel.firstRow, outputs, from + panel.firstColumn, inputs,
                result.isAccumulating ? 1 : 0, to + panel.firstRow * inputs + panel.firstColumn, inputs)
        }
    }

    public func biasGradient(gradient: Tensor, into result: GradientTarget) {
        let rows = gradient.rowCount, width = gradient.columnCount
        let from = gradient.floatPointer, to = result.tensor.floatPointer
        forEachChunk(of: width, size: 256) { start, count in
            if !result.isAccumulating { tb_fill(to + start, 0, count) }
            tb_add_column_sums(from + start, rows, count, width, to + start)
        }
    }

    public func product(_ a: MatrixView, _ b: MatrixView, alpha: Float, beta: Float, into c: MatrixView) {
        precondition(
            a.width == b.height && a.height == c.rowCount && b.width == c.columnCount && !c.isTransposed,
            "product of [\(a.height), \(a.width)] and [\(b.height), \(b.width)] into [\(c.rowCount), \(c.columnCount)]")
        let left = a.pointer, right = b.pointer, to = c.pointer
        if a.height <= CPUBackend.fewRows, !a.isTransposed, b.isTransposed, b.stride == a.width, alpha == 1, beta == 0 {
            tb_gemv_f32(left, a.height, a.stride, right, b.width, a.width, to, c.stride)
            return
        }
        let grid = PanelGrid(rows: c.rowCount, columns: c.columnCount, depth: a.width, isWidened: false, isThin: false)
        threads.run(grid.count) { chunk in
            let panel = grid.panel(chunk)
            sgemm(
                a.isTransposed, b.isTransposed, panel.rowCount, panel.columnCount, a.width, alpha,
                left + panel.firstRow * (a.isTransposed ? 1 : a.stride), a.stride,
                right + panel.firstColumn * (b.isTransposed ? b.stride : 1), b.stride, beta,
                to + panel.firstRow * c.stride + panel.firstColumn, c.stride)
        }
    }
}

private func setBias(_ bias: UnsafePointer<Float>, _ panel: PanelGrid.Panel, _ to: UnsafeMutablePointer<Float>, stride: Int) {
    for row in 0..<panel.rowCount { (to + row * stride).update(from: bias, count: panel.columnCount) }
}

private func addBias(_ bias: UnsafePointer<Float>, _ panel: PanelGrid.Panel, _ to: UnsafeMutablePointer<Float>, stride: Int) {
    for row in 0..<panel.rowCount { tb_accumulate(bias, to + row * stride, 1, panel.columnCount) }
}

/// c [m, n] = alpha op(a) op(b) + beta c, row-major, on this thread.
func sgemm(
    _ aIsTransposed: Bool, _ bIsTransposed: Bool, _ m: Int, _ n: Int, _ k: Int, _ alpha: Float, _ a: UnsafePointer<Float>, _ aStride: Int,
    _ b: UnsafePointer<Float>, _ bStride: Int, _ beta: Float, _ c: UnsafeMutablePointer<Float>, _ cStride: Int
) {
    cblas_sgemm(
        CblasRowMajor, aIsTransposed ? CblasTrans : CblasNoTrans, bIsTransposed ? CblasTrans : CblasNoTrans, Int32(m), Int32(n), Int32(k),
        alpha, a, Int32(aStride), b, Int32(bStride), beta, c, Int32(cStride))
}
