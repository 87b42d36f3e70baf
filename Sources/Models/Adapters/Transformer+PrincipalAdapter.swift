import Platform
import Tensors

/// PiSSA (Meng et al., arXiv 2404.02948): the adapter begins as the weight's strongest components and the base keeps the rest, so
/// that the model is the same before the first step.
extension Transformer {
    /// Splits the weight under every low-rank adapter. Switched off, the adapter still leaves the whole base: the rest lies over it.
    /// - Parameters:
    ///   - iterations: of the fast decomposition; nil for the exact one.
    ///   - keepsAdapter: A and B stay as they are, as those of a file that was trained on from such a beginning.
    func splitPrincipalComponents(iterations: Int?, keepsAdapter: Bool) throws(ModelError) {
        for linear in adaptableLinears {
            guard let adapter = linear.adapter else { continue }
            guard let parameter = linear.weight.parameter else {
                throw .unsupported(
                    file: directory, what: "PiSSA on the quantised \(linear.name)", whatToDo: "Use a base in full precision, or plain LoRA.")
            }
            guard adapter.rank <= min(linear.inputCount, linear.outputCount) else {
                throw .adapterMismatch(
                    file: directory, module: linear.name,
                    reason: "is [\(linear.outputCount), \(linear.inputCount)] and has no \(adapter.rank) principal components; lower the rank")
            }
            guard !backend.isPlanning else {
                overlays.append(WeightOverlay(parameter, value: PlanningBackend.placeholder(parameter.shape, parameter.value.dtype), savedName: ""))
                continue
            }
            let (a, b) = try principalPair(linear, parameter.value, adapter, iterations: iterations)
            overlays.append(WeightOverlay(parameter, value: rest(of: parameter.value, a, b, scale: adapter.scale), savedName: ""))
            guard !keepsAdapter else { continue }
            adapter.a.value.write(a.floats())
            adapter.b.value.write(b.floats())
            guard let magnitude = adapter.magnitude else { continue }
            magnitude.value.write(adapter.inverseNorms(weight: linear.weight, backend: backend).floats().map { $0 > 0 ? 1 / $0 : 0 })
        }
    }

    /// A = sqrt(S / scale) Vᵀ and B = U sqrt(S / scale) of the weight's decomposition.
    private func principalPair(
        _ linear: Linear, _ weight: Tensor, _ adapter: LowRankAdapter, iterations: Int?
    ) throws(ModelError) -> (a: Tensor, b: Tensor) {
        var seed = StableHash()
        seed.combine(linear.name)
        guard let parts = PrincipalComponents(
            of: weight.converted(to: .float32), rank: adapter.rank, iterations: iterations, seed: seed.value, backend: backend)
        else { throw .adapterMismatch(file: directory, module: linear.name, reason: "holds weights that are not numbers") }
        let roots = parts.values.map { ($0 / adapter.scale).squareRoot() }
        let a = Tensor.zeros([adapter.rank, linear.inputCount]), b = Tensor.zeros([linear.outputCount, adapter.rank])
        let factors = Tensor(roots, shape: [adapter.rank])
        backend.scaleRows(parts.right, factors: factors, into: a)
        backend.scaleColumns(parts.left, factors: factors, into: b)
        return (a, b)
    }

    /// weight - scale B A, in the weight's type.
    private func rest(of weight: Tensor, _ a: Tensor, _ b: Tensor, scale: Float) -> Tensor {
        let sum = weight.converted(to: .float32)
        backend.product(MatrixView(b), MatrixView(a), alpha: -scale, beta: 1, into: MatrixView(sum))
        return weight.dtype == .float32 ? sum : sum.converted(to: weight.dtype)
    }
}

extension Transformer {
    /// A and B as the adapter began, under their names in files: the base's decomposition once more.
    public func principalStart() throws(ModelError) -> [(name: String, tensor: Tensor)] {
        guard case .principal(let iterations)? = adapterConfiguration?.start else { return [] }
        var found: [(name: String, tensor: Tensor)] = []
        for linear in adaptableLinears {
            guard let adapter = linear.adapter, let parameter = linear.weight.parameter,
                let overlay = overlays.first(where: { $0.parameter === parameter })
            else { continue }
            let (a, b) = try principalPair(linear, overlay.base, adapter, iterations: iterations)
            found += [(adapter.a.name, a), (adapter.b.name, b)]
        }
        return found
    }
}

/// PiSSA adapters as plain ones.
extension AdapterFile {
    /// The A and B of a saved adapter, under their names.
    public static func matrices(_ directory: String) throws(ModelError) -> [(name: String, tensor: Tensor)] {
        try tensors(weightsPath(directory)).filter { $0.name.hasSuffix(AdapterNames.a) || $0.name.hasSuffix(AdapterNames.b) }
            .map { ($0.name, $0.tensor.asFloat32) }
    }

    /// Writes an adapter as it began, for the rest of the base (LLaMA-Factory's `pissa_init`).
    public static func saveStart(
        _ model: Transformer, _ start: [(name: String, tensor: Tensor)], to directory: String
    ) throws(ModelError) {
        let first = Dictionary(start.map { ($0.name, $0.tensor) }, uniquingKeysWith: { first, _ in first })
        try write(model.adapterTensors.map { ($0.name, first[$0.name] ?? $0.tensor) }, model.adapterConfiguration?.withPlainStart, to: directory)
    }

    /// Writes an adapter for the whole base: what training changed, B A - B₀ A₀, as one of twice the rank (PEFT's conversion).
    /// - Parameter start: A₀ and B₀ of every layer.
    public static func saveConverted(
        _ model: Transformer, start: [(name: String, tensor: Tensor)], to directory: String
    ) throws(ModelError) {
        let first = Dictionary(start.map { ($0.name, $0.tensor) }, uniquingKeysWith: { first, _ in first })
        var tensors: [(name: String, tensor: Tensor)] = []
        for (name, tensor) in model.adapterTensors {
            guard name.hasSuffix(AdapterNames.a) || name.hasSuffix(AdapterNames.b) else {
                tensors.append((name, tensor))
                continue
            }
            guard let beginning = first[name], beginning.shape == tensor.shape else {
                throw .missingTensor(file: directory, tensor: name, expected: tensor.shape, also: 0)
            }
            tensors.append((name, name.hasSuffix(AdapterNames.a) ? below(tensor, beginning) : beside(tensor, beginning)))
        }
        try write(tensors, model.adapterConfiguration?.withDoubledRank, to: directory)
    }

    /// The rows of both.
    private static func below(_ a: Tensor, _ first: Tensor) -> Tensor {
        Tensor(a.floats() + first.floats(), shape: [2 * a.shape[0], a.shape[1]])
    }

    /// The columns of both, the second's with the other sign.
    private static func beside(_ b: Tensor, _ first: Tensor) -> Tensor {
        let rank = b.shape[1], ours = b.floats(), theirs = first.floats()
        var values: [Float] = []
        for row in 0..<b.shape[0] {
            let columns = row * rank..<(row + 1) * rank
            values += ours[columns]
            values += theirs[columns].map { -$0 }
        }
        return Tensor(values, shape: [b.shape[0], 2 * rank])
    }
}
