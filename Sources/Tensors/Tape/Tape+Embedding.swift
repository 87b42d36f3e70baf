/// Reading rows: of the embedding table by token, of a value by number.
extension Tape {
    /// scale * table[tokens]: [T, hidden]. A frozen table records nothing, so nothing below the first block is passed on the way back.
    /// - Parameter standing: the rows' numbers where a card has them already; `tokens` then only says how many
    public func embedding(_ table: Parameter, tokens: [Int32], scale: Float = 1, standing: Tensor? = nil) -> Value {
        let indices = standing ?? backend.upload(tokens)
        let result = backend.empty([tokens.count, table.shape[1]])
        if let quantized = table.quantized {
            backend.embedding(table: quantized, tokens: indices, scale: scale, into: result)
        } else {
            backend.embedding(table: table.value, tokens: indices, scale: scale, into: result)
        }
        let value = newValue(result, requiresGradient: table.requiresGradient)
        if requiresGradient(value) {
            record(EmbeddingOperation(table: table, tokens: indices, scale: scale, result: value.id))
        }
        return value
    }

    /// x[rows]
    public func selectRows(_ x: Value, rows: [Int32]) -> Value {
        let indices = backend.upload(rows)
        let result = backend.empty([rows.count] + x.tensor.shape.dropFirst(), x.tensor.dtype)
        backend.selectRows(x.tensor, rows: indices, into: result)
        let value = newValue(result, requiresGradient: requiresGradient(x))
        if requiresGradient(value) {
            record(SelectRowsOperation(x: x.id, shape: x.tensor.shape, rows: indices, result: value.id))
        }
        return value
    }
}

private struct EmbeddingOperation: Operation {
    static let name = "embedding"
    let table: Parameter
    let tokens: Tensor
    let scale: Float
    let result: Int32

    func backward(on tape: Tape) {
        guard let gradient = tape.takeGradient(of: result) else { return }
        let target = tape.gradientTarget(for: table)
        if !target.isAccumulating { tape.backend.fill(target.tensor, with: 0) }
        tape.backend.embeddingBackward(gradient: gradient, tokens: tokens, scale: scale, tableGradient: target.tensor)
    }
}

private struct SelectRowsOperation: Operation {
    static let name = "selectRows"
    let x: Int32
    let shape: [Int]
    let rows: Tensor
    let result: Int32

    func backward(on tape: Tape) {
        guard let gradient = tape.takeGradient(of: result) else { return }
        let target = tape.gradientTarget(for: x, shape: shape)
        if !target.isAccumulating { tape.backend.fill(target.tensor, with: 0) }
        tape.backend.scatterAddRows(gradient, rows: rows, into: target.tensor)
    }
}
