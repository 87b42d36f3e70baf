import Tensors

/// LoftQ (Li et al., arXiv 2310.08659): a quantised base and a low-rank product that together come as near to a weight as they can.
/// Quantisation and decomposition take turns: what the one loses the other takes up. PEFT's `loftq_init`, quantiser and all.
public struct LoftQ {
    /// What the quantised weight stands for, [out, in], f32. Quantised again it keeps its codes.
    public let base: Tensor
    /// [rank, in]
    public let a: Tensor
    /// [out, rank]; base + b a is near the weight.
    public let b: Tensor

    /// - Parameters:
    ///   - weight: [out, in] in a floating type
    ///   - rounds: of quantisation and decomposition, at least one
    /// - Returns: nil for a weight that holds something that is not a number.
    public init?(of weight: Tensor, rank: Int, quantizer: WeightQuantizer, rounds: Int, backend: any Backend) {
        let full = weight.converted(to: .float32), rank = min(rank, full.rowCount, full.columnCount)
        var rest = full, base = full
        let a = Tensor.zeros([rank, full.columnCount]), b = Tensor.zeros([full.rowCount, rank])
        for _ in 0..<max(1, rounds) {
            base = quantizer.quantize(rest, backend: backend).dequantized()
            let lost = Tensor.zeros(full.shape)
            backend.scale(base, by: -1, into: lost)
            backend.accumulate(full, factor: 1, into: lost)
            guard let parts = PrincipalComponents(of: lost, rank: rank, iterations: nil, seed: 0, backend: backend) else { return nil }
            let roots = Tensor(parts.values.map { $0.squareRoot() }, shape: [rank])
            backend.scaleRows(parts.right, factors: roots, into: a)
            backend.scaleColumns(parts.left, factors: roots, into: b)
            rest = full.converted(to: .float32)
            backend.product(MatrixView(b), MatrixView(a), alpha: -1, beta: 1, into: MatrixView(rest))
        }
        self.base = base
        self.a = a
        self.b = b
    }
}

extension Transformer {
    /// Gives every low-rank adapter on a layer that a quantizer will be for LoftQ's start, and the base the weights that go with it.
    /// The scale is taken into B, so that base and adapter add up to the weight whatever `lora_alpha` is; PEFT leaves it out, which
    /// is the same where alpha is the rank.
    public func startBesideQuantization(_ quantizer: WeightQuantizer, rounds: Int) throws(ModelError) {
        for linear in linears {
            guard let adapter = linear.adapter, let parameter = linear.weight.parameter else { continue }
            guard adapter.rank <= min(linear.inputCount, linear.outputCount) else {
                throw .adapterMismatch(
                    file: directory, module: linear.name,
                    reason: "is [\(linear.outputCount), \(linear.inputCount)] and has no \(adapter.rank) components; lower the rank")
            }
            guard let start = LoftQ(of: parameter.value, rank: adapter.rank, quantizer: quantizer, rounds: rounds, backend: backend) else {
                throw .adapterMismatch(file: directory, module: linear.name, reason: "holds weights that are not numbers")
            }
            backend.scale(start.b, by: 1 / adapter.scale, into: adapter.b.value)
            adapter.a.value.write(start.a.floats())
            let base = parameter.dtype == .float32 ? start.base : start.base.converted(to: parameter.dtype)
            overlays.append(WeightOverlay(parameter, value: base, savedName: ""))
        }
    }
}
