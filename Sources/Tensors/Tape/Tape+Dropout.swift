/// Dropout on activations.
extension Tape {
    /// x * mask / (1 - probability) while training, x itself otherwise.
    public func dropout(_ x: Value, probability: Float) -> Value {
        guard isTraining, probability > 0 else { return x }
        let seed = random.next()
        let result = backend.empty(x.tensor.shape, .float32)
        backend.dropout(x.tensor, probability: probability, seed: seed, into: result)
        let value = newValue(result, requiresGradient: requiresGradient(x))
        if requiresGradient(value) { record(DropoutOperation(x: x.id, probability: probability, seed: seed, result: value.id)) }
        return value
    }
}

/// Saves the seed that the mask is a function of.
private struct DropoutOperation: Operation {
    static let name = "dropout"
    let x: Int32
    let probability: Float
    let seed: UInt64
    let result: Int32

    func backward(on tape: Tape) {
        guard let gradient = tape.takeGradient(of: result) else { return }
        let masked = tape.backend.empty(gradient.shape, .float32)
        tape.backend.dropout(gradient, probability: probability, seed: seed, into: masked)
        tape.addGradient(masked, to: x)
    }
}
