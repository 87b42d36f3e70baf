/// Rotary position embedding (Su et al., 2021).
extension Tape {
    /// Rotates each head of x [T, heads * headDimension] by its row's position.
    /// - Parameter standing: the positions where a card has them already; `positions` then only says how many
    public func rotary(
        _ x: Value, headDimension: Int, table: RotaryTable, positions: [Int32], standing: Tensor? = nil
    ) -> Value {
        precondition(x.tensor.columnCount % headDimension == 0 && x.tensor.rowCount == positions.count, "rotary of \(x.tensor.shape)")
        precondition(table.rotaryDimension <= headDimension, "rotary dimension beyond the head's")
        if let last = positions.max() { precondition(Int(last) < table.positionCount, "position \(last) beyond the rotary table") }
        let indices = standing ?? backend.upload(positions)
        let result = backend.empty(x.tensor.shape, x.tensor.dtype)
        backend.rotary(x.tensor, headDimension: headDimension, table: table, positions: indices, isInverse: false, into: result)
        let value = newValue(result, requiresGradient: requiresGradient(x))
        if requiresGradient(value) {
            record(
                RotaryOperation(
                    x: x.id, result: value.id, headDimension: headDimension, table: table, positions: indices))
        }
        return value
    }
}

/// A rotation's gradient is the rotation back: nothing of the input is saved.
private struct RotaryOperation: Operation {
    static let name = "rotary"
    let x, result: Int32
    let headDimension: Int
    let table: RotaryTable
    let positions: Tensor

    func backward(on tape: Tape) {
        guard let gradient = tape.takeGradient(of: result) else { return }
        // Every reader of `gradient` but this one is done with it only if nobody shares it; a fresh tensor is safe either way.
        let turned = tape.backend.empty(gradient.shape, gradient.dtype)
        tape.backend.rotary(
            gradient, headDimension: headDimension, table: table, positions: positions, isInverse: true, into: turned)
        tape.addGradient(turned, to: x)
    }
}
