import Tensors

/// Folding an adapter into the weights that it belongs to.
extension Transformer {
    /// Adds the adapter into the base weights and takes it off. Sums are made in f32 and rounded to the type that the weight
    /// is stored in, so a bf16 base stays bf16. A tied head whose table or own weight changed stands on its own afterwards.
    public func mergeAdapter() throws(ModelError) {
        for linear in adaptableLinears where linear.adapter != nil || linear.rotation != nil {
            guard linear.weight.parameter != nil else {
                throw .unsupported(
                    file: directory, what: "merging an adapter into the quantised \(linear.name)",
                    whatToDo: "Use a single adapter on this base, or merge into the base in full precision.")
            }
        }
        setAdapter(enabled: true)
        let isSeparate = adapterSeparatesHead
        if isSeparate { separateHead() }
        for linear in adaptableLinears where linear.adapter != nil || linear.rotation != nil {
            guard let merged = mergedWeight(of: linear) else { continue }
            linear.weight.parameter?.value = merged
            linear.adapter = nil
            linear.rotation = nil
        }
        for adapter in embeddingAdapters { adapter.table.value = mergedTable(adapter, dtype: adapter.table.value.dtype) }
        embeddingAdapters = []
        for overlay in overlays {
            let type = overlay.base.dtype
            if overlay.own.dtype != type { overlay.parameter.value = overlay.own.converted(to: type) }
            overlay.parameter.requiresGradient = false
        }
        overlays = []
        carriedTensors = []
        if isSeparate, let head = ownHead {
            parameters.append(head)
            folder.spec.tiesEmbeddings = false
        }
        ownHead = nil
        adapterConfiguration = nil
    }

    /// Whether the merged model's head differs from its embedding, though the base's does not.
    public var adapterSeparatesHead: Bool {
        guard spec.tiesEmbeddings else { return false }
        return ownHead != nil || head.adapter != nil || head.rotation != nil || embeddingAdapters.contains { $0.table === embedding }
    }

    /// The layer's weight with its adapter folded in, summed in f32 and rounded once to `dtype`.
    ///
    /// LoRA gives `W + scale B A`, DoRA brings the rows of that to their lengths, OFT gives `W Rᵀ`.
    /// - Returns: [out, in] in memory of its own, unless nothing had to change; nil for a quantised weight.
    public func mergedWeight(of linear: Linear, dtype: DType? = nil) -> Tensor? {
        guard let weight = linear.weight.parameter?.value ?? linear.weight.quantized?.dequantized(as: dtype ?? .float32) else { return nil }
        guard linear.adapter != nil || linear.rotation != nil else {
            return weight.dtype == dtype ?? weight.dtype ? weight : weight.converted(to: dtype ?? weight.dtype)
        }
        let result = Tensor.zeros(weight.shape, dtype ?? weight.dtype)
        let factors = linear.adapter.flatMap { rowFactors($0, linear) }
        let rotations = linear.rotation?.rotations(backend: backend)
        let rowsAtOnce = max(1, (1 << 20) / max(1, linear.inputCount))
        for start in stride(from: 0, to: linear.outputCount, by: rowsAtOnce) {
            let rows = start..<min(start + rowsAtOnce, linear.outputCount)
            let sum = backend.empty([rows.count, linear.inputCount], .float32)
            backend.convert(weight.slice(rows: rows), into: sum)
            if let rotations {
                let turned = backend.empty(sum.shape, .float32)
                backend.rotateBlocks(sum, rotations: rotations, isTransposed: true, into: turned)
                backend.convert(turned, into: sum)
            }
            if let adapter = linear.adapter {
                backend.product(
                    MatrixView(adapter.b.value.slice(rows: rows)), MatrixView(adapter.a.value), alpha: adapter.scale, beta: 1,
                    into: MatrixView(sum))
            }
            if let factors { backend.scaleRows(sum, factors: factors.slice(rows: rows), into: sum) }
            backend.convert(sum, into: result.slice(rows: rows))
        }
        return result
    }

    /// magnitude / |row| of every row.
    private func rowFactors(_ adapter: LowRankAdapter, _ linear: Linear) -> Tensor? {
        guard let magnitude = adapter.magnitude else { return nil }
        let factors = backend.empty([linear.outputCount], .float32)
        backend.multiply(magnitude.value, adapter.inverseNorms(weight: linear.weight, backend: backend), into: factors)
        return factors
    }

    /// An embedding table with its adapter folded in.
    func mergedTable(_ adapter: EmbeddingAdapter, dtype: DType) -> Tensor {
        let table = adapter.table.value, width = table.shape[1]
        let result = Tensor.zeros(table.shape, dtype)
        var factors: Tensor?
        if let magnitude = adapter.magnitude {
            let made = backend.empty([width], .float32)
            backend.multiply(magnitude.value, adapter.inverseNorms(backend: backend), into: made)
            factors = made
        }
        let rowsAtOnce = max(1, (1 << 20) / max(1, width))
        for start in stride(from: 0, to: table.shape[0], by: rowsAtOnce) {
            let rows = start..<min(start + rowsAtOnce, table.shape[0])
            let sum = backend.empty([rows.count, width], .float32)
            backend.convert(table.slice(rows: rows), into: sum)
            backend.product(
                MatrixView(adapter.a.value.slice(rows: rows)), MatrixView(adapter.b.value, transposed: true), alpha: adapter.scale, beta: 1,
                into: MatrixView(sum))
            if let factors { backend.scaleColumns(sum, factors: factors, into: sum) }
            backend.convert(sum, into: result.slice(rows: rows))
        }
        return result
    }

    // MARK: Writing the merged model

    /// The head's own weight, where merging takes a tied one apart from the embedding.
    var separatedHead: Parameter? {
        adapterSeparatesHead ? ownHead ?? Parameter(name: head.name + ".weight", value: embedding.value) : nil
    }

    /// A base parameter's value in a checkpoint, with the adapter in it or without.
    func writtenValue(of parameter: Parameter, linear: Linear?, merging: Bool, dtype: DType) -> Tensor? {
        if let quantized = parameter.quantized, !merging || linear?.adapter == nil && linear?.rotation == nil {
            return quantized.dequantized(as: dtype)
        }
        var value = parameter.value
        if merging {
            if let linear, linear.adapter != nil || linear.rotation != nil { return mergedWeight(of: linear, dtype: dtype) }
            if let adapter = embeddingAdapters.first(where: { $0.table === parameter }) { return mergedTable(adapter, dtype: dtype) }
            value = overlays.first { $0.parameter === parameter }?.own ?? value
        } else {
            value = overlays.first { $0.parameter === parameter }?.base ?? value
        }
        return value.dtype == dtype ? value : value.converted(to: dtype)
    }
}
