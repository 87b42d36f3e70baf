/// Linear layers with their adapters.
extension Tape {
    public func linear(_ x: Value, _ layer: Linear) -> Value { transformed(linear(x, [layer])[0], by: layer) }

    /// x Wᵀ + bias (+ adapter) for each of several layers that read the same x [T, in], such as query, key and value.
    ///
    /// Adapters go through their rank: low = x (scale A)ᵀ [T, R] for all of them at once, then low Bᵀ is added to each result.
    /// On the way back their gradients meet in the rank as well, and all layers add into one gradient of x.
    public func linear(_ x: Value, _ layers: [Linear]) -> [Value] {
        layers.allSatisfy(\.isPlain) ? lowRankLinear(x, layers) : adaptedLinear(x, layers)
    }

    func lowRankLinear(_ x: Value, _ layers: [Linear]) -> [Value] {
        let input = x.tensor
        for layer in layers {
            precondition(input.columnCount == layer.inputCount, "\(layer.name) wants \(layer.inputCount) inputs, got \(input.shape)")
        }
        let pass = AdapterPass(layers: layers, input: input, tape: self)
        let flows = requiresGradient(x) || layers.contains { $0.hasTrainableParts }
        var values: [Value] = []
        for (index, layer) in layers.enumerated() {
            let result = backend.empty([input.rowCount, layer.outputCount], input.dtype)
            let bias = layer.bias?.value, low = pass.low(of: index), up = layer.activeAdapter?.b.value
            if isAnswering {
                backend.inferenceLinear(input, weight: layer.weight, bias: bias, low: low, up: up, into: result)
            } else {
                backend.linear(input, weight: layer.weight, bias: bias, low: low, up: up, into: result)
            }
            values.append(newValue(result, requiresGradient: flows))
        }
        if let first = values.first, requiresGradient(first) {
            let needsInput = layers.contains {
                $0.weight.parameter?.requiresGradient == true || $0.activeAdapter?.a.requiresGradient == true
            }
            record(
                LinearOperation(
                    x: x.id, inputShape: input.shape, input: needsInput ? x.saved : nil, layers: layers, pass: pass,
                    results: values.map(\.id)))
        }
        return values
    }
}

/// The adapters of layers that share an input, side by side in one low-rank matrix.
struct AdapterPass {
    /// Scaled A matrices, one below the other: [R, in]. Nil without adapters.
    let down: Tensor?
    /// x downᵀ: [T, R]
    let low: Tensor?
    /// Each layer's columns of `low`; nil for a layer without an adapter.
    let columns: [Range<Int>?]
    /// Seeds of the dropout masks; nil where there is no dropout.
    let seeds: [UInt64?]
    var hasDropout: Bool { seeds.contains { $0 != nil } }

    init(layers: [Linear], input: Tensor, tape: Tape) {
        var columns: [Range<Int>?] = [], seeds: [UInt64?] = [], total = 0
        for layer in layers {
            guard let adapter = layer.activeAdapter else {
                columns.append(nil)
                seeds.append(nil)
                continue
            }
            columns.append(total..<total + adapter.rank)
            seeds.append(tape.isTraining && adapter.dropout > 0 ? tape.random.next() : nil)
            total += adapter.rank
        }
        self.columns = columns
        self.seeds = seeds
        guard total > 0 else {
            down = nil
            low = nil
            return
        }
        let backend = tape.backend
        let down = backend.empty([total, input.columnCount], input.dtype)
        let low = backend.empty([input.rowCount, total], input.dtype)
        for (layer, range) in zip(layers, columns) {
            guard let range, let adapter = layer.activeAdapter else { continue }
            backend.scale(adapter.a.value, by: adapter.scale, into: down.slice(rows: range))
        }
        self.down = down
        self.low = low
        guard hasDropout else {
            backend.product(MatrixView(input), MatrixView(down, transposed: true), alpha: 1, beta: 0, into: MatrixView(low))
            return
        }
        for index in layers.indices {
            guard let range = columns[index] else { continue }
            let seen = masked(input, of: index, layers: layers, backend: backend)
            backend.product(
                MatrixView(seen), MatrixView(down.slice(rows: range), transposed: true), alpha: 1, beta: 0,
                into: MatrixView(low, columns: range))
        }
    }

    /// `tensor` under the dropout mask of a layer's adapter, or itself when there is none.
    func masked(_ tensor: Tensor, of index: Int, layers: [Linear], backend: any Backend) -> Tensor {
        guard let seed = seeds[index], let adapter = layers[index].adapter else { return tensor }
        let result = backend.empty(tensor.shape, tensor.dtype)
        backend.dropout(tensor, probability: adapter.dropout, seed: seed, into: result)
        return result
    }

    func low(of index: Int) -> MatrixView? {
        guard let low, let range = columns[index] else { return nil }
        return MatrixView(low, columns: range)
    }
}

/// Saves the input only where a weight or an adapter's A is trained, and the low-rank products.
private struct LinearOperation: Operation {
    static let name = "linear"
    let x: Int32
    let inputShape: [Int]
    let input: SavedTensor?
    let layers: [Linear]
    let pass: AdapterPass
    let results: [Int32]

    func backward(on tape: Tape) {
        let gradients = results.map { tape.takeGradient(of: $0) }
        guard gradients.contains(where: { $0 != nil }) else { return }
        let input = input?.restored()
        let lowGradient = lowRankGradient(gradients, tape)
        for (layer, gradient) in zip(layers, gradients) {
            guard let gradient else { continue }
            if let weight = layer.weight.parameter, weight.requiresGradient, let input {
                tape.backend.weightGradient(gradient: gradient, x: input, into: tape.gradientTarget(for: weight))
            }
            if let bias = layer.bias, bias.requiresGradient {
                tape.backend.biasGradient(gradient: gradient, into: tape.gradientTarget(for: bias))
            }
        }
        if let lowGradient, let input { downGradients(lowGradient, input, gradients, tape) }
        guard tape.needsGradient(x) else { return }
        inputGradient(gradients, lowGradient, tape)
    }

    /// Gradient of `low`, [T, R]: each layer's is gradient B. The gradient of B, gradientᵀ low, is taken on the way.
    private func lowRankGradient(_ gradients: [Tensor?], _ tape: Tape) -> Tensor? {
        guard let low = pass.low else { return nil }
        let backend = tape.backend
        let result = backend.empty(low.shape, low.dtype)
        let isPartial = zip(gradients, pass.columns).contains { $0 == nil && $1 != nil }
        if isPartial { backend.fill(result, with: 0) }
        for (index, layer) in layers.enumerated() {
            guard let gradient = gradients[index], let range = pass.columns[index], let adapter = layer.activeAdapter else { continue }
            backend.product(
                MatrixView(gradient), MatrixView(adapter.b.value), alpha: 1, beta: 0, into: MatrixView(result, columns: range))
            guard adapter.b.requiresGradient else { continue }
            let target = tape.gradientTarget(for: adapter.b)
            backend.product(
                MatrixView(gradient, transposed: true), MatrixView(low, columns: range), alpha: 1,
                beta: target.isAccumulating ? 1 : 0, into: MatrixView(target.tensor))
        }
        return result
    }

    /// Gradients of the A matrices: scale * lowGradientᵀ x, in one product for all layers when no dropout makes their x differ.
    private func downGradients(_ lowGradient: Tensor, _ input: Tensor, _ gradients: [Tensor?], _ tape: Tape) {
        let backend = tape.backend
        let trained = layers.indices.filter {
            gradients[$0] != nil && layers[$0].activeAdapter?.a.requiresGradient == true
        }
        guard !trained.isEmpty else { return }
        if pass.hasDropout || trained.count == 1 {
            for index in trained {
                guard let range = pass.columns[index], let adapter = layers[index].activeAdapter else { continue }
                let seen = pass.masked(input, of: index, layers: layers, backend: backend)
                let target = tape.gradientTarget(for: adapter.a)
                backend.product(
                    MatrixView(lowGradient, columns: range, transposed: true), MatrixView(seen), alpha: adapter.scale,
                    beta: target.isAccumulating ? 1 : 0, into: MatrixView(target.tensor))
            }
            return
        }
        let together = backend.empty([lowGradient.columnCount, input.columnCount], .float32)
        backend.product(MatrixView(lowGradient, transposed: true), MatrixView(input), alpha: 1, beta: 0, into: MatrixView(together))
        for index in trained {
            guard let range = pass.columns[index], let adapter = layers[index].activeAdapter else { continue }
            let target = tape.gradientTarget(for: adapter.a)
            let part = together.slice(rows: range)
            if target.isAccumulating {
                backend.accumulate(part, factor: adapter.scale, into: target.tensor)
            } else {
                backend.scale(part, by: adapter.scale, into: target.tensor)
            }
        }
    }

    /// Gradient of x: the sum over layers of gradient W, and lowGradient down.
    private func inputGradient(_ gradients: [Tensor?], _ lowGradient: Tensor?, _ tape: Tape) {
        let backend = tape.backend
        var lowView = pass.hasDropout ? nil : lowGradient.map { MatrixView($0) }
        for (layer, gradient) in zip(layers, gradients) {
            guard let gradient else { continue }
            backend.linearInputGradient(
                gradient: gradient, weight: layer.weight, lowGradient: lowView, down: lowView == nil ? nil : pass.down,
                into: tape.gradientTarget(for: x, shape: inputShape))
            lowView = nil
        }
        guard pass.hasDropout, let lowGradient, let down = pass.down else { return }
        for index in layers.indices {
            guard gradients[index] != nil, let range = pass.columns[index] else { continue }
            let part = backend.empty(inputShape, lowGradient.dtype)
            backend.product(
                MatrixView(lowGradient, columns: range), MatrixView(down.slice(rows: range)), alpha: 1, beta: 0, into: MatrixView(part))
            tape.addGradient(pass.masked(part, of: index, layers: layers, backend: backend), to: x)
        }
    }
}
