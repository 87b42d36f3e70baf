import Tensors

/// The forward pass: the only place that knows how a block is wired.
extension Transformer {
    /// Final-norm output of every token.
    ///
    /// - Parameters:
    ///   - tokens: all sequences one after the other, as `layout` divides them.
    ///   - observe: is given the stream before the first block and after each, for inspection; recomputation should be off.
    /// - Returns: [tokens, hidden], f32. Feed it to `Tape.linearCrossEntropy` with `head`, or to `logits`.
    public func hidden(
        _ tape: Tape, tokens: [Int32], layout: SequenceLayout, observe: ((Int, Value) -> Void)? = nil
    ) -> Value {
        let table = rotaryTable(length: Int(layout.positions.max() ?? 0) + 1)
        var stream = tape.embedding(embedding, tokens: tokens, scale: spec.embeddingScale)
        observe?(0, stream)
        for layer in layers {
            if recomputesBlocks && layout.caches.isEmpty {
                stream = tape.checkpoint([stream]) { [unowned self] tape, inputs in
                    [block(tape, layer, inputs[0], table: table, layout: layout)]
                }[0]
            } else {
                stream = block(tape, layer, stream, table: table, layout: layout)
            }
            observe?(layer.index + 1, stream)
        }
        return norm(tape, stream, finalNorm)
    }

    /// Logits of the chosen rows of `hidden`'s output.
    /// - Returns: [rows, vocabulary], f32.
    public func logits(_ tape: Tape, _ hidden: Value, rows: [Int32]? = nil) -> Value {
        let chosen = rows.map { tape.selectRows(hidden, rows: $0) } ?? hidden
        return tape.linear(chosen, head)
    }

    /// `x + attention(norm(x))`, then `x + feedForward(norm(x))`.
    private func block(_ tape: Tape, _ layer: TransformerLayer, _ input: Value, table: RotaryTable, layout: SequenceLayout) -> Value {
        let normalised = norm(tape, input, layer.attentionNorm)
        let projected = tape.linear(normalised, [layer.query, layer.key, layer.value])
        let query = tape.rotary(projected[0], headDimension: spec.headDimension, table: table, positions: layout.positions)
        let key = tape.rotary(projected[1], headDimension: spec.headDimension, table: table, positions: layout.positions)
        let attended = tape.attention(
            query: query, key: key, value: projected[2], shape: layer.attentionShape, layout: layout, layer: layer.index)
        let middle = tape.add(input, tape.linear(attended, layer.attentionOutput))

        let gated = tape.linear(norm(tape, middle, layer.feedForwardNorm), [layer.gate, layer.up])
        let activated = tape.gatedActivation(gate: gated[0], up: gated[1], kind: spec.feedForward.activation)
        return tape.add(middle, tape.linear(activated, layer.down))
    }

    private func norm(_ tape: Tape, _ input: Value, _ weight: Parameter) -> Value {
        tape.rmsNorm(input, weight: weight, epsilon: spec.norm.epsilon, weightOffset: spec.norm.weightOffset)
    }
}
