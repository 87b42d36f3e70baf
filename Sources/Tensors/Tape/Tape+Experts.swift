/// Mixtures of experts (Shazeer et al., 2017): a router sends each token to a few of many feed-forward networks.
///
///     let routing = tape.route(tape.linear(x, router), expertsPerToken: 2, normalises: true)
///     let mixed = tape.experts(x, routing: routing) { tape, expert, rows in ... }
///
/// Tokens are grouped by expert and each group is as long as it is: there is no capacity, nothing is padded and nothing dropped.
///
///     tokens        t0    t1    t2                 grouped rows   t0 t2 | t1 | t0 t1 t2
///     their experts 0,2   1,2   0,2      ->        expert            0    1      2

/// Which experts the tokens of one layer go to, and with which weights.
public struct ExpertRouting {
    /// The rows that one expert works on.
    struct Group {
        let expert: Int
        /// Where its rows lie in the grouped order.
        let range: Range<Int>
    }

    /// [T, k]: the weight of each token's j-th expert.
    let weights: Value
    /// Only experts with tokens, in order.
    let groups: [Group]
    /// The token of each grouped row.
    let tokens: Tensor
    /// The place in `weights`, token * k + j, of each grouped row.
    let places: Tensor
    /// Tokens sent to each expert.
    public let loads: [Int]
}

extension Tape {
    /// Chooses the `expertsPerToken` experts with the largest logits for each row of logits [T, E].
    /// - Parameter normalises: whether a token's weights add up to one; otherwise they are the probabilities among all experts.
    public func route(_ logits: Value, expertsPerToken count: Int, normalises: Bool) -> ExpertRouting {
        let tokens = logits.tensor.rowCount, experts = logits.tensor.columnCount
        precondition(count > 0 && count <= experts, "\(count) of \(experts) experts")
        let chosen = chosenExperts(logits.tensor, count: count)
        let flat = backend.upload(chosen.enumerated().map { Int32($0.offset / count * experts) + $0.element })
        let weights = backend.empty([tokens, count], .float32)
        let probabilities = normalises ? weights : backend.empty(logits.tensor.shape, .float32)
        if normalises {
            backend.selectRows(logits.tensor.reshaped([tokens * experts, 1]), rows: flat, into: weights.reshaped([tokens * count, 1]))
            backend.softmax(weights, into: weights)
        } else {
            backend.softmax(logits.tensor, into: probabilities)
            backend.selectRows(probabilities.reshaped([tokens * experts, 1]), rows: flat, into: weights.reshaped([tokens * count, 1]))
        }
        let value = newValue(weights, requiresGradient: requiresGradient(logits))
        if requiresGradient(value) {
            record(
                RouteOperation(
                    logits: logits.id, shape: logits.tensor.shape, chosen: flat, probabilities: probabilities, normalises: normalises,
                    result: value.id))
        }
        return grouped(chosen, count: count, experts: experts, weights: value)
    }

    /// Sum over each token's experts of weight times what `expert` makes of the token.
    /// - Parameter expert: is given the tape, an expert's number and its rows [n, in], and returns [n, out].
    public func experts(_ x: Value, routing: ExpertRouting, _ expert: (Tape, Int, Value) -> Value) -> Value {
        let rows = dispatch(x, routing)
        return combine(zip(routing.groups, rows).map { expert(self, $0.expert, $1) }, routing, tokenCount: x.tensor.rowCount)
    }

    /// Gives trained weights that took no part in this pass a gradient of zero, as they have where all experts are one tensor:
    /// optimizers then go on with their moments.
    public func touch(_ layers: [Linear]) {
        let trained = layers.compactMap { $0.weight.parameter }.filter(\.requiresGradient)
        if isRecording && !trained.isEmpty { record(TouchOperation(parameters: trained)) }
    }

    /// sigmoid(gate) * x, with one gate for each row: [T, n] and [T, 1].
    public func sigmoidScaled(_ x: Value, gate: Value) -> Value {
        precondition(gate.tensor.count == x.tensor.rowCount, "gates of shape \(gate.tensor.shape) for rows of \(x.tensor.shape)")
        // The sigmoid is the first of the softmax of (gate, 0).
        let pairs = backend.empty([x.tensor.rowCount, 2], .float32), factors = backend.empty([x.tensor.rowCount, 1], .float32)
        backend.fill(pairs, with: 0)
        backend.copyColumns(gate.tensor, blocks: [ColumnBlock(from: 0, to: 0, count: 1)], into: pairs)
        backend.softmax(pairs, into: pairs)
        backend.copyColumns(pairs, blocks: [ColumnBlock(from: 0, to: 0, count: 1)], into: factors)
        let result = backend.empty(x.tensor.shape, x.tensor.dtype)
        backend.scaleRows(x.tensor, factors: factors, into: result)
        let value = newValue(result, requiresGradient: requiresGradient(x) || requiresGradient(gate))
        if requiresGradient(value) {
            record(SigmoidScaleOperation(ids: (x.id, gate.id), input: x.tensor, pairs: pairs, factors: factors, result: value.id))
        }
        return value
    }

    /// The load-balancing loss of the Switch Transformer (Fedus et al., 2021, equations 4 to 6) over all layers together, as
    /// transformers computes it: E times the sum over experts of (tokens sent there, per token) * (mean probability).
    /// - Parameter logits: each layer's router logits [T, E].
    /// - Returns: one number, 1 * expertsPerToken when all experts are used alike.
    public func loadBalancingLoss(_ logits: [Value], expertsPerToken count: Int) -> Value {
        let experts = logits.first?.tensor.columnCount ?? 0, rows = logits.reduce(0) { $0 + $1.tensor.rowCount }
        let sums = backend.empty([experts], .float32)
        backend.fill(sums, with: 0)
        var loads = [Int](repeating: 0, count: experts)
        let probabilities = logits.map { layer in
            let result = backend.empty(layer.tensor.shape, .float32)
            backend.softmax(layer.tensor, into: result)
            backend.biasGradient(gradient: result, into: GradientTarget(sums, isAccumulating: true))
            for expert in chosenExperts(layer.tensor, count: count) { loads[Int(expert)] += 1 }
            return result
        }
        let scale = Double(experts) / (Double(rows) * Double(rows))
        var loss = 0.0
        for (load, sum) in zip(loads, backend.download(sums)) { loss += scale * Double(load) * Double(sum) }
        let result = backend.empty([1], .float32)
        backend.fill(result, with: Float(loss))
        let value = newValue(result, requiresGradient: logits.contains { requiresGradient($0) })
        if requiresGradient(value) {
            record(
                LoadBalancingOperation(
                    logits: logits.map(\.id), probabilities: probabilities, slopes: loads.map { Float(scale * Double($0)) }, result: value.id))
        }
        return value
    }

    /// The experts of each row, best first, row after row. Where nothing is computed, everybody gets as much.
    private func chosenExperts(_ logits: Tensor, count: Int) -> [Int32] {
        let rows = logits.rowCount, experts = logits.columnCount
        if backend.isPlanning { return (0..<rows * count).map { Int32($0 % experts) } }
        let values = backend.download(logits)
        var chosen: [Int32] = []
        chosen.reserveCapacity(rows * count)
        for row in 0..<rows {
            let start = chosen.count
            for expert in 0..<experts {
                let value = values[row * experts + expert]
                var place = chosen.count
                while place > start, values[row * experts + Int(chosen[place - 1])] < value { place -= 1 }
                guard place < start + count else { continue }
                if chosen.count == start + count { chosen.removeLast() }
                chosen.insert(Int32(expert), at: place)
            }
        }
        return chosen
    }

    private func grouped(_ chosen: [Int32], count: Int, experts: Int, weights: Value) -> ExpertRouting {
        var loads = [Int](repeating: 0, count: experts)
        for expert in chosen { loads[Int(expert)] += 1 }
        var groups: [ExpertRouting.Group] = [], starts: [Int] = [], start = 0
        for (expert, load) in loads.enumerated() {
            starts.append(start)
            if load > 0 { groups.append(ExpertRouting.Group(expert: expert, range: start..<start + load)) }
            start += load
        }
        var tokens = [Int32](repeating: 0, count: chosen.count), places = tokens
        for (place, expert) in chosen.enumerated() {
            tokens[starts[Int(expert)]] = Int32(place / count)
            places[starts[Int(expert)]] = Int32(place)
            starts[Int(expert)] += 1
        }
        return ExpertRouting(
            weights: weights, groups: groups, tokens: backend.upload(tokens), places: backend.upload(places), loads: loads)
    }

    /// The rows of x that each expert works on.
    private func dispatch(_ x: Value, _ routing: ExpertRouting) -> [Value] {
        let together = backend.empty([routing.tokens.count, x.tensor.columnCount], x.tensor.dtype)
        backend.selectRows(x.tensor, rows: routing.tokens, into: together)
        let values = routing.groups.map { newValue(together.slice(rows: $0.range), requiresGradient: requiresGradient(x)) }
        if requiresGradient(x) {
            record(DispatchOperation(x: x.id, shape: x.tensor.shape, routing: routing, results: values.map(\.id)))
        }
        return values
    }

    private func combine(_ outputs: [Value], _ routing: ExpertRouting, tokenCount: Int) -> Value {
        let width = outputs.first?.tensor.columnCount ?? 0, rows = routing.places.count
        let factors = backend.empty([rows, 1], .float32)
        backend.selectRows(routing.weights.tensor.reshaped([rows, 1]), rows: routing.places, into: factors)
        let result = backend.empty([tokenCount, width], outputs.first?.tensor.dtype ?? .float32)
        backend.fill(result, with: 0)
        for (output, group) in zip(outputs, routing.groups) {
            let weighted = backend.empty(output.tensor.shape, output.tensor.dtype)
            backend.scaleRows(output.tensor, factors: factors.slice(rows: group.range), into: weighted)
            backend.scatterAddRows(weighted, rows: routing.tokens.slice(rows: group.range), into: result)
        }
        let value = newValue(result, requiresGradient: requiresGradient(routing.weights) || outputs.contains { requiresGradient($0) })
        if requiresGradient(value) {
            record(
                CombineOperation(
                    outputs: outputs.map { ($0.id, requiresGradient(routing.weights) ? $0.tensor : nil) }, routing: routing,
                    factors: factors, width: width, result: value.id))
        }
        return value
    }
}
