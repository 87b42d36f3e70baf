/// Noise on embeddings (NEFTune; Jain et al., arXiv 2310.05914).
extension Tape {
    /// x [T, hidden] with noise uniform in ± alpha / sqrt(length * hidden) for the tokens of a sequence of that length.
    ///
    /// transformers takes the padded length of the batch; there is no padding here, so it is each sequence's own, as in the paper.
    public func noisyEmbedding(_ x: Value, alpha: Float, layout: SequenceLayout) -> Value {
        let width = x.tensor.columnCount
        var bounds: [Float] = []
        bounds.reserveCapacity(layout.tokenCount)
        for sequence in 0..<layout.sequenceCount {
            let length = layout.rows(of: sequence).count
            let bound = alpha / Float(max(1, length * width)).squareRoot()
            bounds.append(contentsOf: repeatElement(bound, count: length))
        }
        let seed = random.next()
        let result = backend.empty(x.tensor.shape, x.tensor.dtype)
        backend.uniformNoise(x.tensor, bounds: Tensor(bounds, shape: [bounds.count]), seed: seed, into: result)
        let value = newValue(result, requiresGradient: requiresGradient(x))
        if requiresGradient(value) { record(NoiseOperation(x: x.id, result: value.id)) }
        return value
    }
}

/// The noise is a constant: gradients pass.
private struct NoiseOperation: Operation {
    static let name = "noise"
    let x, result: Int32

    func backward(on tape: Tape) {
        guard let gradient = tape.takeGradient(of: result) else { return }
        tape.addGradient(gradient, to: x)
    }
}
