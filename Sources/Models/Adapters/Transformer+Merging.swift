import Tensors

/// Folding an adapter into the weight that it belongs to.
extension Transformer {
    /// `W + scale B A`, summed in f32 and rounded once to `dtype`; W alone where the layer has no adapter.
    /// - Returns: [out, in] in memory of its own, unless nothing had to change.
    public func mergedWeight(of linear: Linear, dtype: DType? = nil) -> Tensor? {
        guard let weight = linear.weight.parameter?.value else { return nil }
        guard let adapter = linear.adapter else {
            return weight.dtype == dtype ?? weight.dtype ? weight : weight.converted(to: dtype ?? weight.dtype)
        }
        let result = Tensor.zeros(weight.shape, dtype ?? weight.dtype)
        let rowsAtOnce = max(1, (1 << 20) / max(1, linear.inputCount))
        var start = 0
        while start < linear.outputCount {
            let rows = start..<min(start + rowsAtOnce, linear.outputCount)
            let sum = backend.empty([rows.count, linear.inputCount], .float32)
            backend.convert(weight.slice(rows: rows), into: sum)
            backend.product(
                MatrixView(adapter.b.value.slice(rows: rows)), MatrixView(adapter.a.value), alpha: adapter.scale, beta: 1,
                into: MatrixView(sum))
            backend.convert(sum, into: result.slice(rows: rows))
            start = rows.upperBound
        }
        return result
    }
}
