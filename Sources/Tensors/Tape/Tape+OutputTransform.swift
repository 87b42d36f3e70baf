/// What a few families do to their logits.
public enum OutputTransform: Sendable, Equatable {
    /// cap * tanh(logit / cap) (Gemma 2)
    case softCap(Float)
    /// The rows of the weight count with length one (Baichuan 2's NormHead): x · w / |w|.
    case unitRows
}

extension Tape {
    /// Applies a layer's transform to what it computed.
    func transformed(_ output: Value, by layer: Linear) -> Value {
        switch layer.outputTransform {
        case nil: output
        case .softCap(let cap)?: softCap(output, cap: cap)
        case .unitRows?: overRowNorms(output, of: layer)
        }
    }

    /// cap * tanh(x / cap)
    public func softCap(_ x: Value, cap: Float) -> Value {
        let result = backend.empty(x.tensor.shape, x.tensor.dtype)
        let slopes = requiresGradient(x) ? backend.empty(x.tensor.shape, x.tensor.dtype) : nil
        backend.softCap(x.tensor, cap: cap, into: result, slopes: slopes)
        let value = newValue(result, requiresGradient: requiresGradient(x))
        if let slopes { record(SoftCapOperation(x: x.id, slopes: slopes, result: value.id)) }
        return value
    }

    /// Each column j over the norm of row j of the layer's weight.
    private func overRowNorms(_ x: Value, of layer: Linear) -> Value {
        guard let weight = layer.weight.parameter else { return x }
        let inverse = backend.empty([layer.outputCount], .float32)
        backend.inverseRowNorms(weight.value, into: inverse)
        let result = backend.empty(x.tensor.shape, x.tensor.dtype)
        backend.scaleColumns(x.tensor, factors: inverse, into: result)
        let value = newValue(result, requiresGradient: requiresGradient(x))
        if requiresGradient(value) {
            record(RowNormOperation(x: x.id, input: x.tensor, weight: weight, inverse: inverse, result: value.id))
        }
        return value
    }
}

/// Saves the derivative: the loss writes its gradient over the logits.
private struct SoftCapOperation: Operation {
    static let name = "softCap"
    let x: Int32
    let slopes: Tensor
    let result: Int32

    func backward(on tape: Tape) {
        guard let gradient = tape.takeGradient(of: result) else { return }
        tape.backend.multiply(gradient, slopes, into: slopes)
        tape.addGradient(slopes, to: x)
    }
}

/// Saves its input and the inverse norms. With y = z / |w|: dz = dy / |w|, and along the weight dw = -(Σ dy z) w / |w|³.
private struct RowNormOperation: Operation {
    static let name = "rowNorm"
    let x: Int32
    let input: Tensor
    let weight: Parameter
    let inverse: Tensor
    let result: Int32

    func backward(on tape: Tape) {
        guard let gradient = tape.takeGradient(of: result) else { return }
        let backend = tape.backend
        if weight.requiresGradient {
            let products = backend.empty(input.shape, input.dtype), sums = backend.empty([input.columnCount], .float32)
            backend.multiply(gradient, input, into: products)
            backend.biasGradient(gradient: products, into: GradientTarget(sums, isAccumulating: false))
            for _ in 0..<3 { backend.multiply(sums, inverse, into: sums) }
            let along = backend.empty(weight.shape, .float32)
            backend.convert(weight.value, into: along)
            backend.scaleRows(along, factors: sums, into: along)
            let target = tape.gradientTarget(for: weight)
            if target.isAccumulating {
                backend.accumulate(along, factor: -1, into: target.tensor)
            } else {
                backend.scale(along, by: -1, into: target.tensor)
            }
        }
        let inputGradient = backend.empty(input.shape, input.dtype)
        backend.scaleColumns(gradient, factors: inverse, into: inputGradient)
        tape.addGradient(inputGradient, to: x)
    }
}
