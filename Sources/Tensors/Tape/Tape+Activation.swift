/// Activations of feed-forward parts without a gate.
extension Tape {
    public func activation(_ x: Value, kind: GatedActivation) -> Value {
        let backend = backend
        let input = x.tensor
        let result = backend.empty(input.shape, input.dtype)
        backend.activation(input, kind: kind, into: result)
        // Cheap to make again from the input, which the backward keeps.
        let again = {
            let tensor = backend.empty(input.shape, input.dtype)
            backend.activation(input, kind: kind, into: tensor)
            return tensor
        }
        let value = newValue(result, requiresGradient: requiresGradient(x), again: isRecording ? again : nil)
        if requiresGradient(value) { record(ActivationOperation(x: x.id, input: input, kind: kind, result: value.id)) }
        return value
    }
}

/// Saves its input.
private struct ActivationOperation: Operation {
    static let name = "activation"
    let x: Int32
    let input: Tensor
    let kind: GatedActivation
    let result: Int32

    func backward(on tape: Tape) {
        guard let gradient = tape.takeGradient(of: result) else { return }
        let inputGradient = tape.backend.empty(input.shape, input.dtype)
        tape.backend.activationBackward(gradient: gradient, x: input, kind: kind, into: inputGradient)
        tape.addGradient(inputGradient, to: x)
    }
}
