/// Layer normalisation (Ba, Kiros and Hinton, 2016).
extension Tape {
    /// (x - mean) / sqrt(variance + epsilon) * weight + bias over each row of x [T, H].
    public func layerNorm(_ x: Value, weight: Parameter, bias: Parameter, epsilon: Float) -> Value {
        let input = x.tensor, width = weight.count
        precondition(input.columnCount == width && bias.count == width, "layerNorm of \(input.shape) with a weight of \(width)")
        let result = backend.empty(input.shape, input.dtype)
        let means = backend.empty([input.rowCount], .float32), inverse = backend.empty([input.rowCount], .float32)
        backend.layerNorm(
            input, weight: weight.value, bias: bias.value, epsilon: epsilon, into: result, means: means, inverseDeviations: inverse)
        let flows = requiresGradient(x) || weight.requiresGradient || bias.requiresGradient
        let value = newValue(result, requiresGradient: flows)
        if requiresGradient(value) {
            record(
                LayerNormOperation(
                    x: x.id, input: input, weight: weight, bias: bias, means: means, inverseDeviations: inverse, result: value.id))
        }
        return value
    }
}

/// Saves its input and two numbers for each row.
private struct LayerNormOperation: Operation {
    static let name = "layerNorm"
    let x: Int32
    let input: Tensor
    let weight, bias: Parameter
    let means, inverseDeviations: Tensor
    let result: Int32

    func backward(on tape: Tape) {
        guard let gradient = tape.takeGradient(of: result) else { return }
        tape.backend.layerNormBackward(
            gradient: gradient, x: input, weight: weight.value, means: means, inverseDeviations: inverseDeviations,
            inputGradient: tape.needsGradient(x) ? tape.gradientTarget(for: x, shape: input.shape) : nil,
            weightGradient: weight.requiresGradient ? tape.gradientTarget(for: weight) : nil,
            biasGradient: bias.requiresGradient ? tape.gradientTarget(for: bias) : nil)
    }
}
