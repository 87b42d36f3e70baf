/// Linear layers whose adapter is more than a low-rank sum: rows of learned length (DoRA), turned inputs (OFT). They are put
/// together from plain layers, so that every way of storing a weight serves every adapter.
extension Tape {
    /// Each layer by its own adapter; those that read the same x in the same way stay together.
    func adaptedLinear(_ x: Value, _ layers: [Linear]) -> [Value] {
        var results = [Value?](repeating: nil, count: layers.count)
        let together = layers.indices.filter { layers[$0].activeRotation == nil && !dropsBeforeMagnitude(layers[$0]) }
        let shared = together.isEmpty ? [] : lowRankLinear(x, together.map { layers[$0].activeMagnitude == nil ? layers[$0] : layers[$0].unscaled })
        for (index, value) in zip(together, shared) { results[index] = scaledByMagnitude(value, layers[index]) }
        return layers.indices.map { results[$0] ?? separately(x, layers[$0]) }
    }

    private func dropsBeforeMagnitude(_ layer: Linear) -> Bool {
        guard isTraining, let adapter = layer.activeAdapter, adapter.magnitude != nil else { return false }
        return adapter.dropout > 0
    }

    private func separately(_ x: Value, _ layer: Linear) -> Value {
        if let rotation = layer.activeRotation {
            return lowRankLinear(rotated(x, by: rotation), [layer.withoutRotation])[0]
        }
        guard let adapter = layer.activeAdapter else { return lowRankLinear(x, [layer])[0] }
        // PEFT drops from the input of everything that the magnitude scales, and adds what lies between that and the plain
        // weight: y = x Wᵀ + bias + magnitude * (seen Wᵀ + low Bᵀ) - seen Wᵀ.
        let seen = dropout(x, probability: adapter.dropout)
        let plain = lowRankLinear(x, [layer.withoutAdapters])[0]
        let frozen = lowRankLinear(seen, [layer.weightAlone])[0]
        let low = lowRankLinear(seen, [Linear(name: adapter.a.name, weight: .dense(adapter.a))])[0]
        let update = lowRankLinear(low, [Linear(name: adapter.b.name, weight: .dense(adapter.b))])[0]
        let scaled = scaledByMagnitude(add(frozen, self.scaled(update, by: adapter.scale)), layer, addsBias: false)
        return add(plain, add(scaled, self.scaled(frozen, by: -1)))
    }

    /// magnitude / |row| * x, and the layer's bias; x itself where there is no magnitude.
    private func scaledByMagnitude(_ x: Value, _ layer: Linear, addsBias: Bool = true) -> Value {
        guard let adapter = layer.activeAdapter, let magnitude = adapter.magnitude else { return x }
        return scaledColumns(
            x, magnitude: magnitude, inverseNorms: adapter.inverseNorms(weight: layer.weight, backend: backend),
            bias: addsBias ? layer.bias : nil)
    }

    /// result[t, j] = magnitude[j] * inverseNorms[j] * x[t, j] + bias[j]. The norms are constants.
    public func scaledColumns(_ x: Value, magnitude: Parameter, inverseNorms: Tensor, bias: Parameter? = nil) -> Value {
        let factors = backend.empty([magnitude.count], .float32), result = backend.empty(x.tensor.shape, x.tensor.dtype)
        backend.multiply(magnitude.value, inverseNorms, into: factors)
        backend.scaleAndShiftColumns(x.tensor, factors: factors, offsets: bias?.value, into: result)
        let flows = requiresGradient(x) || magnitude.requiresGradient || bias?.requiresGradient == true
        let value = newValue(result, requiresGradient: flows)
        if requiresGradient(value) {
            record(
                ScaledColumnsOperation(
                    x: x.id, input: magnitude.requiresGradient ? x.tensor : nil, magnitude: magnitude, inverseNorms: inverseNorms,
                    factors: factors, bias: bias, result: value.id))
        }
        return value
    }

    /// x with each element left out with a probability, the others made larger for it. In training only.
    public func dropout(_ x: Value, probability: Float) -> Value {
        guard isTraining, probability > 0 else { return x }
        let seed = random.next()
        let result = backend.empty(x.tensor.shape, x.tensor.dtype)
        backend.dropout(x.tensor, probability: probability, seed: seed, into: result)
        let value = newValue(result, requiresGradient: requiresGradient(x))
        if requiresGradient(value) {
            record(DropoutOperation(x: x.id, probability: probability, seed: seed, result: value.id))
        }
        return value
    }

    /// The columns of x turned by an adapter's blocks.
    public func rotated(_ x: Value, by rotation: RotationAdapter) -> Value {
        var rotations = rotation.rotations(backend: backend)
        let still = standingBlocks(rotation)
        if !still.isEmpty { rotations = rotation.withIdentities(rotations, at: still, backend: backend) }
        let result = backend.empty(x.tensor.shape, x.tensor.dtype)
        backend.rotateBlocks(x.tensor, rotations: rotations, isTransposed: false, into: result)
        let value = newValue(result, requiresGradient: requiresGradient(x) || rotation.generators.requiresGradient)
        if requiresGradient(value) {
            record(
                RotationOperation(
                    x: x.id, input: rotation.generators.requiresGradient ? x.saved : nil, rotation: rotation, rotations: rotations,
                    still: still, result: value.id))
        }
        return value
    }

    /// PEFT's multiplicative dropout: a whole number of blocks, drawn anew; shared blocks always turn.
    private func standingBlocks(_ rotation: RotationAdapter) -> [Int] {
        guard isTraining, rotation.dropout > 0, rotation.blockCount > 1 else { return [] }
        let count = Int(rotation.dropout * Float(rotation.blockCount))
        return count == 0 ? [] : Array(random.permutation(rotation.blockCount).prefix(count)).sorted()
    }
}

extension Linear {
    var activeMagnitude: Parameter? { activeAdapter?.magnitude }
    /// Whether low-rank sums are all that happens here.
    var isPlain: Bool { activeRotation == nil && activeMagnitude == nil }

    /// The low-rank sum before its rows are brought to their lengths.
    fileprivate var unscaled: Linear {
        let sum = adapter.map { LowRankAdapter(a: $0.a, b: $0.b, scale: $0.scale) }
        return Linear(name: name, weight: weight, adapter: sum)
    }
    fileprivate var withoutRotation: Linear { Linear(name: name, weight: weight, bias: bias, adapter: adapter) }
    fileprivate var withoutAdapters: Linear { Linear(name: name, weight: weight, bias: bias) }
    fileprivate var weightAlone: Linear { Linear(name: name, weight: weight) }
}

extension RotationAdapter {
    /// The rotations with some blocks standing still.
    fileprivate func withIdentities(_ rotations: Tensor, at blocks: [Int], backend: any Backend) -> Tensor {
        for block in blocks {
            let still = Parameter(name: generators.name, value: backend.empty([1, generators.shape[1]], .float32))
            backend.fill(still.value, with: 0)
            backend.cayleyRotations(still.value, blockSize: blockSize, series: series, into: rotations.slice(rows: block..<block + 1))
        }
        return rotations
    }
}

/// Saves its input only for a magnitude that is trained.
private struct ScaledColumnsOperation: Operation {
    static let name = "scaledColumns"
    let x: Int32
    let input: Tensor?
    let magnitude: Parameter
    let inverseNorms, factors: Tensor
    let bias: Parameter?
    let result: Int32

    func backward(on tape: Tape) {
        guard let gradient = tape.takeGradient(of: result) else { return }
        let backend = tape.backend
        if let input {
            backend.columnDots(gradient, input, factors: inverseNorms, into: tape.gradientTarget(for: magnitude))
        }
        if let bias, bias.requiresGradient { backend.biasGradient(gradient: gradient, into: tape.gradientTarget(for: bias)) }
        guard tape.needsGradient(x) else { return }
        let flow = backend.empty(gradient.shape, gradient.dtype)
        backend.scaleColumns(gradient, factors: factors, into: flow)
        tape.addGradient(flow, to: x)
    }
}

/// Saves the seed.
private struct DropoutOperation: Operation {
    static let name = "dropout"
    let x: Int32
    let probability: Float
    let seed: UInt64
    let result: Int32

    func backward(on tape: Tape) {
        guard let gradient = tape.takeGradient(of: result) else { return }
        let flow = tape.backend.empty(gradient.shape, gradient.dtype)
        tape.backend.dropout(gradient, probability: probability, seed: seed, into: flow)
        tape.addGradient(flow, to: x)
    }
}

/// Saves the rotations, and its input where they are trained.
private struct RotationOperation: Operation {
    static let name = "rotated"
    let x: Int32
    let input: SavedTensor?
    let rotation: RotationAdapter
    let rotations: Tensor
    let still: [Int]
    let result: Int32

    func backward(on tape: Tape) {
        guard let gradient = tape.takeGradient(of: result) else { return }
        let backend = tape.backend
        if let input {
            let turned = backend.empty(rotations.shape, .float32)
            backend.rotationGradient(input.restored(), gradient: gradient, into: turned)
            for block in still { backend.fill(turned.slice(rows: block..<block + 1), with: 0) }
            backend.cayleyRotationsBackward(
                gradient: turned, generators: rotation.generators.value, blockSize: rotation.blockSize, series: rotation.series,
                into: tape.gradientTarget(for: rotation.generators))
        }
        guard tape.needsGradient(x) else { return }
        let flow = backend.empty(gradient.shape, gradient.dtype)
        backend.rotateBlocks(gradient, rotations: rotations, isTransposed: true, into: flow)
        tape.addGradient(flow, to: x)
    }
}
