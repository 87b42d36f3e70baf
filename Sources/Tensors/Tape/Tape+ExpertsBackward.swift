/// The ways back of `Tape+Experts.swift`.

/// Saves the softmax: over the chosen logits where weights are normalised, over all of them elsewhere.
struct RouteOperation: Operation {
    static let name = "route"
    let logits: Int32
    let shape: [Int]
    /// Places of the chosen logits, token * E + expert.
    let chosen: Tensor
    let probabilities: Tensor
    let normalises: Bool
    let result: Int32

    func backward(on tape: Tape) {
        guard let gradient = tape.takeGradient(of: result) else { return }
        let backend = tape.backend, elements = shape.reduce(1, *)
        let target = backend.empty(shape, .float32)
        backend.fill(target, with: 0)
        if normalises {
            let inner = backend.empty(gradient.shape, gradient.dtype)
            backend.softmaxBackward(gradient: gradient, result: probabilities, into: inner)
            backend.scatterAddRows(inner.reshaped([inner.count, 1]), rows: chosen, into: target.reshaped([elements, 1]))
        } else {
            backend.scatterAddRows(gradient.reshaped([gradient.count, 1]), rows: chosen, into: target.reshaped([elements, 1]))
            backend.softmaxBackward(gradient: target, result: probabilities, into: target)
        }
        tape.addGradient(target, to: logits)
    }
}

/// Saves nothing but the places: each row's gradient goes back to its token.
struct DispatchOperation: Operation {
    static let name = "dispatch"
    let x: Int32
    let shape: [Int]
    let routing: ExpertRouting
    let results: [Int32]

    func backward(on tape: Tape) {
        let gradients = results.map { tape.takeGradient(of: $0) }
        guard gradients.contains(where: { $0 != nil }) else { return }
        let target = tape.gradientTarget(for: x, shape: shape)
        if !target.isAccumulating { tape.backend.fill(target.tensor, with: 0) }
        for (gradient, group) in zip(gradients, routing.groups) {
            guard let gradient else { continue }
            tape.backend.scatterAddRows(gradient, rows: routing.tokens.slice(rows: group.range), into: target.tensor)
        }
    }
}

/// Saves the weights of the rows, and what the experts returned where the weights have a gradient. With y = Σ w e:
/// de = w dy, and dw = dy · e.
struct CombineOperation: Operation {
    static let name = "combine"
    let outputs: [(id: Int32, tensor: Tensor?)]
    let routing: ExpertRouting
    let factors: Tensor
    let width: Int
    let result: Int32

    func backward(on tape: Tape) {
        guard let gradient = tape.takeGradient(of: result) else { return }
        let backend = tape.backend
        let dots = tape.needsGradient(routing.weights.id) ? backend.empty(factors.shape, .float32) : nil
        for (output, group) in zip(outputs, routing.groups) {
            let arrived = backend.empty([group.range.count, width], gradient.dtype)
            backend.selectRows(gradient, rows: routing.tokens.slice(rows: group.range), into: arrived)
            if let dots, let tensor = output.tensor { backend.rowDots(arrived, tensor, into: dots.slice(rows: group.range)) }
            guard tape.needsGradient(output.id) else { continue }
            backend.scaleRows(arrived, factors: factors.slice(rows: group.range), into: arrived)
            tape.addGradient(arrived, to: output.id)
        }
        guard let dots else { return }
        let shape = routing.weights.tensor.shape
        let weightGradient = backend.empty(shape, .float32)
        backend.fill(weightGradient, with: 0)
        backend.scatterAddRows(dots, rows: routing.places, into: weightGradient.reshaped([dots.count, 1]))
        tape.addGradient(weightGradient, to: routing.weights)
    }
}

/// Saves its input and the sigmoid. With y = s(g) x: dx = s dy, and dg = (dy · x) s (1 - s).
struct SigmoidScaleOperation: Operation {
    static let name = "sigmoidScaled"
    let ids: (x: Int32, gate: Int32)
    let input: Tensor
    let pairs: Tensor
    let factors: Tensor
    let result: Int32

    func backward(on tape: Tape) {
        guard let gradient = tape.takeGradient(of: result) else { return }
        let backend = tape.backend, rows = input.rowCount
        if tape.needsGradient(ids.gate) {
            let first = [ColumnBlock(from: 0, to: 0, count: 1)]
            let dots = backend.empty([rows, 1], .float32), both = backend.empty([rows, 2], .float32)
            backend.rowDots(gradient, input, into: dots)
            backend.fill(both, with: 0)
            backend.copyColumns(dots, blocks: first, into: both)
            backend.softmaxBackward(gradient: both, result: pairs, into: both)
            let gateGradient = backend.empty([rows, 1], .float32)
            backend.copyColumns(both, blocks: first, into: gateGradient)
            tape.addGradient(gateGradient, to: ids.gate)
        }
        guard tape.needsGradient(ids.x) else { return }
        let inputGradient = backend.empty(input.shape, input.dtype)
        backend.scaleRows(gradient, factors: factors, into: inputGradient)
        tape.addGradient(inputGradient, to: ids.x)
    }
}

/// Saves the probabilities. How many tokens an expert gets has no gradient; its mean probability has.
struct LoadBalancingOperation: Operation {
    static let name = "loadBalancingLoss"
    let logits: [Int32]
    let probabilities: [Tensor]
    /// Gradient of the loss in each probability of an expert.
    let slopes: [Float]
    let result: Int32

    func backward(on tape: Tape) {
        guard let gradient = tape.takeGradient(of: result) else { return }
        let backend = tape.backend
        let seed = backend.isPlanning ? 1 : backend.download(gradient)[0]
        let factors = backend.empty([slopes.count], .float32)
        for (expert, slope) in slopes.enumerated() { backend.fill(factors.slice(rows: expert..<expert + 1), with: seed * slope) }
        for (id, layer) in zip(logits, probabilities) where tape.needsGradient(id) {
            let inner = backend.empty(layer.shape, .float32)
            backend.fill(inner, with: 1)
            backend.scaleColumns(inner, factors: factors, into: inner)
            backend.softmaxBackward(gradient: inner, result: layer, into: inner)
            tape.addGradient(inner, to: id)
        }
    }
}

/// Saves nothing.
struct TouchOperation: Operation {
    static let name = "touch"
    let parameters: [Parameter]

    func backward(on tape: Tape) {
        for parameter in parameters {
            let target = tape.gradientTarget(for: parameter)
            if !target.isAccumulating { tape.backend.fill(target.tensor, with: 0) }
        }
    }
}
