/// Sums and factors.
extension Tape {
    /// a + b, the residual connection.
    public func add(_ a: Value, _ b: Value) -> Value {
        precondition(a.tensor.shape == b.tensor.shape, "add of \(a.tensor.shape) and \(b.tensor.shape)")
        let result = backend.empty(a.tensor.shape, a.tensor.dtype)
        backend.add(a.tensor, b.tensor, into: result)
        let flows = requiresGradient(a) || requiresGradient(b)
        let value = newValue(result, requiresGradient: flows)
        if requiresGradient(value) { record(AddOperation(a: a.id, b: b.id, result: value.id)) }
        return value
    }

    /// factor * x
    public func scaled(_ x: Value, by factor: Float) -> Value {
        let result = backend.empty(x.tensor.shape, x.tensor.dtype)
        backend.scale(x.tensor, by: factor, into: result)
        let value = newValue(result, requiresGradient: requiresGradient(x))
        if requiresGradient(value) { record(ScaleOperation(x: x.id, result: value.id, factor: factor)) }
        return value
    }
}

/// Saves nothing; both inputs get the same gradient tensor, which is copied only if one of them must be added to.
private struct AddOperation: Operation {
    static let name = "add"
    let a, b, result: Int32

    func backward(on tape: Tape) {
        guard let gradient = tape.takeGradient(of: result) else { return }
        tape.addGradient(gradient, to: a)
        tape.addGradient(gradient, to: b)
    }
}

private struct ScaleOperation: Operation {
    static let name = "scale"
    let x, result: Int32
    let factor: Float

    func backward(on tape: Tape) {
        guard let gradient = tape.takeGradient(of: result) else { return }
        let target = tape.gradientTarget(for: x, shape: gradient.shape)
        if target.isAccumulating {
            tape.backend.accumulate(gradient, factor: factor, into: target.tensor)
        } else {
            tape.backend.scale(gradient, by: factor, into: target.tensor)
        }
    }
}
