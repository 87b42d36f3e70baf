/// Root mean square normalisation (Zhang and Sennrich, 2019).
extension Tape {
    /// x / sqrt(mean(x²) + epsilon) * (weight + weightOffset), over the last `weight.count` elements of each row: a weight of one
    /// head's length normalises every head (Qwen3). `weightOffset` is 1 for Gemma.
    public func rmsNorm(_ x: Value, weight: Parameter, epsilon: Float, weightOffset: Float = 0) -> Value {
        let width = weight.count
        precondition(x.tensor.columnCount % width == 0, "rmsNorm of \(x.tensor.shape) with a weight of \(width)")
        let backend = backend
        let input = x.tensor
        let result = backend.empty(input.shape, input.dtype)
        let inverseRMS = backend.empty([input.count / width], .float32)
        let scale = weight.value
        backend.rmsNorm(input, weight: scale, epsilon: epsilon, weightOffset: weightOffset, into: result, inverseRMS: inverseRMS)
        let flows = requiresGradient(x) || weight.requiresGradient
        // The result is cheap to make again from what the backward keeps anyway, so no later operation need save it.
        let again = {
            let tensor = backend.empty(input.shape, input.dtype)
            backend.rmsNormAgain(input, weight: scale, weightOffset: weightOffset, inverseRMS: inverseRMS, into: tensor)
            return tensor
        }
        let value = newValue(result, requiresGradient: flows, again: isRecording ? again : nil)
        if requiresGradient(value) {
            record(
                RMSNormOperation(
                    x: x.id, input: input, weight: weight, weightOffset: weightOffset, inverseRMS: inverseRMS, result: value.id))
        }
        return value
    }
}

/// Saves its input and one number for each row.
private struct RMSNormOperation: Operation {
    static let name = "rmsNorm"
    let x: Int32
    let input: Tensor
    let weight: Parameter
    let weightOffset: Float
    let inverseRMS: Tensor
    let result: Int32

    func backward(on tape: Tape) {
        guard let gradient = tape.takeGradient(of: result) else { return }
        tape.backend.rmsNormBackward(
            gradient: gradient, x: input, weight: weight.value, weightOffset: weightOffset, inverseRMS: inverseRMS,
            inputGradient: tape.needsGradient(x) ? tape.gradientTarget(for: x, shape: input.shape) : nil,
            weightGradient: weight.requiresGradient ? tape.gradientTarget(for: weight) : nil)
    }
}
