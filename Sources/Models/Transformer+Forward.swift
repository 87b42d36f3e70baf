import Tensors

/// The forward pass: the only place that knows how a block is wired.
extension Transformer {
    /// Final-norm output of every token.
    ///
    /// - Parameters:
    ///   - tokens: all sequences one after the other, as `layout` divides them.
    ///   - reach: length of the whole sequence when `tokens` are only its next part, for rotations that depend on it.
    ///   - routers: collects what the routers of mixtures say, for `balanceLoss`.
    ///   - observe: is given the stream before the first block and after each, for inspection; recomputation should be off.
    /// - Returns: [tokens, hidden], f32. Feed it to `Tape.linearCrossEntropy` with `head`, or to `logits`.
    public func hidden(
        _ tape: Tape, tokens: [Int32], layout: SequenceLayout, reach: Int = 0, routers: RouterRecord? = nil,
        observe: ((Int, Value) -> Void)? = nil
    ) -> Value {
        let tables = rotaryTables(length: max(reach, Int(layout.positions.max() ?? 0) + 1))
        var stream = tape.embedding(
            embedding, tokens: tokens, scale: spec.embeddingScale, adapter: embeddingAdapter(on: embedding), standing: layout.standingTokens)
        if let noiseAlpha, tape.isTraining { stream = tape.noisyEmbedding(stream, alpha: noiseAlpha, layout: layout) }
        if let positionEmbedding {
            stream = tape.add(
                stream,
                tape.embedding(
                    positionEmbedding, tokens: layout.positions, adapter: embeddingAdapter(on: positionEmbedding),
                    standing: layout.standingPositions))
        }
        if let embeddingNorm { stream = norm(tape, stream, embeddingNorm) }
        observe?(0, stream)
        defer { tape.layer = nil }
        for layer in layers {
            tape.layer = layer.index
            if recomputesBlocks && !layout.hasCaches {
                let results = tape.checkpoint([stream]) { [unowned self] tape, inputs in
                    let own = RouterRecord()
                    return [block(tape, layer, inputs[0], tables: tables, layout: layout, routers: own)] + own.logits
                }
                stream = results[0]
                routers?.logits += results.dropFirst()
            } else {
                stream = block(tape, layer, stream, tables: tables, layout: layout, routers: routers)
            }
            observe?(layer.index + 1, stream)
        }
        tape.layer = nil
        return norm(tape, stream, finalNorm)
    }

    private func embeddingAdapter(on table: Parameter) -> EmbeddingAdapter? { embeddingAdapters.first { $0.table === table } }

    /// Logits of the chosen rows of `hidden`'s output.
    /// - Returns: [rows, vocabulary], f32.
    public func logits(_ tape: Tape, _ hidden: Value, rows: [Int32]? = nil) -> Value {
        let chosen = rows.map { tape.selectRows(hidden, rows: $0) } ?? hidden
        return tape.linear(chosen, head)
    }

    /// `x + attention(norm(x))`, then `x + feedForward(norm(x))`, with norms on what is added where the family has them.
    private func block(
        _ tape: Tape, _ layer: TransformerLayer, _ input: Value, tables: RotaryTables?, layout: SequenceLayout, routers: RouterRecord?
    ) -> Value {
        var attended = attention(tape, layer, norm(tape, input, layer.attentionNorm), tables: tables, layout: layout)
        if let outputNorm = layer.attentionOutputNorm { attended = norm(tape, attended, outputNorm) }
        let middle = tape.add(input, attended)
        var fed = feedForward(tape, layer.feedForward, norm(tape, middle, layer.feedForwardNorm), routers)
        if let outputNorm = layer.feedForwardOutputNorm { fed = norm(tape, fed, outputNorm) }
        return tape.add(middle, fed)
    }

    private func attention(_ tape: Tape, _ layer: TransformerLayer, _ input: Value, tables: RotaryTables?, layout: SequenceLayout) -> Value {
        let projected: [Value]
        switch layer.projection {
        case .separate(let query, let key, let value): projected = tape.linear(input, [query, key, value])
        case .fused(let linear, let parts): projected = tape.columns(tape.linear(input, linear), parts)
        }
        let table = layer.isSliding ? tables?.sliding : tables?.full
        func placed(_ heads: Value, _ headNorm: Parameter?) -> Value {
            var heads = heads
            if let headNorm {
                heads = tape.rmsNorm(heads, weight: headNorm, epsilon: spec.norm.epsilon, weightOffset: spec.norm.weightOffset)
            }
            guard let table else { return heads }
            return tape.rotary(
                heads, headDimension: spec.headDimension, table: table, positions: layout.positions, standing: layout.standingPositions)
        }
        let query = placed(projected[0], layer.queryNorm), key = placed(projected[1], layer.keyNorm)
        let attended =
            shiftsAttention && tape.isTraining
            ? tape.shiftedAttention(query: query, key: key, value: projected[2], shape: layer.attentionShape, layout: layout, layer: layer.index)
            : tape.attention(
                query: query, key: key, value: projected[2], shape: layer.attentionShape, layout: layout, layer: layer.index)
        return tape.linear(attended, layer.attentionOutput)
    }

    private func feedForward(_ tape: Tape, _ part: TransformerLayer.FeedForward, _ input: Value, _ routers: RouterRecord?) -> Value {
        let kind = spec.feedForward.activation
        switch part {
        case .gated(let gate, let up, let down): return gated(tape, input, gate, up, down)
        case .mixture(let mixture): return self.mixture(tape, mixture, input, routers)
        case .fusedGated(let gateUp, let down):
            let inner = down.inputCount
            let both = tape.columns(tape.linear(input, gateUp), [[0..<inner], [inner..<2 * inner]])
            return tape.linear(tape.gatedActivation(gate: both[0], up: both[1], kind: kind), down)
        case .plain(let up, let down):
            return tape.linear(tape.activation(tape.linear(input, up), kind: kind), down)
        }
    }

    private func gated(_ tape: Tape, _ input: Value, _ gate: Linear, _ up: Linear, _ down: Linear) -> Value {
        let both = tape.linear(input, [gate, up])
        return tape.linear(tape.gatedActivation(gate: both[0], up: both[1], kind: spec.feedForward.activation), down)
    }

    private func mixture(_ tape: Tape, _ mixture: TransformerLayer.Mixture, _ input: Value, _ routers: RouterRecord?) -> Value {
        guard let settings = spec.mixture else { return input }
        let logits = tape.linear(input, mixture.router)
        routers?.logits.append(logits)
        let routing = tape.route(logits, expertsPerToken: settings.expertsPerToken, normalises: settings.normalisesWeights)
        for (expert, load) in zip(mixture.experts, routing.loads) where load == 0 { tape.touch(expert.linears) }
        let mixed = tape.experts(input, routing: routing) { tape, number, rows in
            let expert = mixture.experts[number]
            return gated(tape, rows, expert.gate, expert.up, expert.down)
        }
        guard let (expert, gate) = mixture.shared else { return mixed }
        let shared = gated(tape, input, expert.gate, expert.up, expert.down)
        return tape.add(mixed, tape.sigmoidScaled(shared, gate: tape.linear(input, gate)))
    }

    private func norm(_ tape: Tape, _ input: Value, _ norm: Norm) -> Value {
        if let bias = norm.bias { return tape.layerNorm(input, weight: norm.weight, bias: bias, epsilon: spec.norm.epsilon) }
        return tape.rmsNorm(input, weight: norm.weight, epsilon: spec.norm.epsilon, weightOffset: spec.norm.weightOffset)
    }
}

/// What the routers of a forward pass said, layer by layer.
public final class RouterRecord {
    public internal(set) var logits: [Value] = []
    public init() {}
}

extension Transformer {
    /// A record for `hidden` when the run asks for the load-balancing loss and the model is a mixture.
    public func routerRecord() -> RouterRecord? { spec.mixture != nil && balanceWeight > 0 ? RouterRecord() : nil }

    /// The weighted load-balancing loss to be added to a micro-batch's loss, as transformers adds it; nil without a record.
    public func balanceLoss(_ tape: Tape, _ record: RouterRecord?) -> Value? {
        guard let record, let mixture = spec.mixture, !record.logits.isEmpty else { return nil }
        return tape.scaled(tape.loadBalancingLoss(record.logits, expertsPerToken: mixture.expertsPerToken), by: Float(balanceWeight))
    }
}
