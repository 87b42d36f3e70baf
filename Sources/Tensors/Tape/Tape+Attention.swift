/// Attention over a stream of sequences (tiled with online softmax; Dao et al., 2022).
extension Tape {
    /// - Parameters:
    ///   - query: [T, headCount * headDimension], rotated already
    ///   - key: [T, keyValueHeadCount * headDimension], rotated already
    ///   - value: like key
    ///   - layer: which layer of the layout's caches to use; without caches it does not matter
    /// - Returns: [T, headCount * headDimension]
    public func attention(
        query: Value, key: Value, value: Value, shape: AttentionShape, layout: SequenceLayout, layer: Int
    ) -> Value {
        let rows = layout.tokenCount
        precondition(
            query.tensor.shape == [rows, shape.headCount * shape.headDimension]
                && key.tensor.shape == [rows, shape.keyValueHeadCount * shape.headDimension]
                && value.tensor.shape == key.tensor.shape,
            "attention of \(query.tensor.shape), \(key.tensor.shape), \(value.tensor.shape) for \(rows) tokens")
        let result = backend.empty(query.tensor.shape, query.tensor.dtype)
        let flows = requiresGradient(query) || requiresGradient(key) || requiresGradient(value)
        if layout.hasCaches {
            precondition(!flows, "attention with caches has no gradient")
            backend.attentionWithCaches(
                query: query.tensor, key: key.tensor, value: value.tensor, shape: shape, layout: layout, layer: layer, into: result)
            if let first = layout.caches.first, layer == first.layerCount - 1 {
                for (sequence, cache) in layout.caches.enumerated() { cache.advance(by: layout.rows(of: sequence).count) }
            }
            return newValue(result, requiresGradient: false)
        }
        let logSumExp = flows ? backend.empty([shape.headCount, rows], .float32) : nil
        backend.attention(
            query: query.tensor, key: key.tensor, value: value.tensor, shape: shape, layout: layout, into: result, logSumExp: logSumExp)
        let output = newValue(result, requiresGradient: flows)
        if requiresGradient(output), let logSumExp {
            record(
                AttentionOperation(
                    ids: (query.id, key.id, value.id), query: query.tensor, key: key.tensor, value: value.tensor,
                    attended: result, logSumExp: logSumExp, shape: shape, layout: layout, result: output.id))
        }
        return output
    }
}

/// Saves query, key, value, result and one number per head and token; the probabilities are computed again, tile by tile.
private struct AttentionOperation: Operation {
    static let name = "attention"
    let ids: (query: Int32, key: Int32, value: Int32)
    let query, key, value, attended, logSumExp: Tensor
    let shape: AttentionShape
    let layout: SequenceLayout
    let result: Int32

    func backward(on tape: Tape) {
        guard let gradient = tape.takeGradient(of: result) else { return }
        let queryGradient = tape.backend.empty(query.shape, query.dtype)
        let keyGradient = tape.backend.empty(key.shape, key.dtype)
        let valueGradient = tape.backend.empty(value.shape, value.dtype)
        tape.backend.attentionBackward(
            gradient: gradient, query: query, key: key, value: value, result: attended, logSumExp: logSumExp, shape: shape,
            layout: layout, queryGradient: queryGradient, keyGradient: keyGradient, valueGradient: valueGradient)
        tape.addGradient(queryGradient, to: ids.query)
        tape.addGradient(keyGradient, to: ids.key)
        tape.addGradient(valueGradient, to: ids.value)
    }
}
