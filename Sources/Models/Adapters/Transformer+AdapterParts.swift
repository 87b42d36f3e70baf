import Formats
import Tensors

/// Putting an adapter's parts in their places, and finding them again to save them.
extension Transformer {
    /// Puts a file's parts on a model that carries no adapter.
    func put(_ parts: AdapterParts, _ configuration: AdapterConfiguration, isTrainable: Bool) {
        adapterConfiguration = configuration
        for parameter in parameters { parameter.requiresGradient = false }
        for part in parts.lowRank {
            part.linear.adapter = makeAdapter(
                on: part.linear, a: part.a.asFloat32, b: part.b.asFloat32, magnitude: part.magnitude?.asFloat32,
                scale: configuration.scale(module: part.linear.name, rank: part.a.shape[0]), dropout: configuration.dropout)
        }
        for part in parts.tables {
            embeddingAdapters.append(
                makeAdapter(
                    on: part.table, part.module, a: part.a.asFloat32, b: part.b.asFloat32, magnitude: part.magnitude?.asFloat32,
                    scale: configuration.scale(module: part.module, rank: part.b.shape[1])))
        }
        if case .rotation(let settings) = configuration.method {
            for part in parts.rotations {
                part.linear.rotation = makeRotation(on: part.linear, generators: part.generators.asFloat32, blockSize: part.blockSize, settings)
            }
        }
        for parameter in adapterParameters { parameter.requiresGradient = isTrainable }
        for part in parts.values {
            guard let parameter = baseParameter(part.name) else { continue }
            let isTrained = isTrainable && !part.isBase
            // What is computed with is f32 where it is trained or small; a whole embedding stays as it is stored.
            let value = isTrained || part.tensor.shape.count < 2 ? part.tensor.asFloat32 : part.tensor
            overlay(parameter, value: value, savedName: part.savedName, isTrainable: isTrained)
        }
        for part in parts.rows {
            let table = own(part.table.value)
            for (row, index) in part.indices.enumerated() {
                table.slice(rows: index..<index + 1).write(part.tensor.slice(rows: row..<row + 1).floats())
            }
            // A head that is tied to the table sees the rows too, as in PEFT.
            overlays.append(WeightOverlay(part.table, value: table, savedName: ""))
            carriedTensors.append((part.name, part.tensor))
        }
        if isTrainable { trainBiases(configuration) }
    }

    /// Biases that the configuration wants trained and the file did not bring: PEFT does not save those of `lora_only`.
    private func trainBiases(_ configuration: AdapterConfiguration) {
        let wanted: [Parameter]
        switch configuration.biases {
        case .none: return
        case .all: wanted = parameters.filter { $0.name.hasSuffix(".bias") }
        case .adapted, .turned: wanted = adaptableLinears.filter { $0.adapter != nil || $0.rotation != nil }.compactMap(\.bias)
        }
        for bias in wanted where !overlays.contains(where: { $0.parameter === bias }) {
            let isOn = adaptableLinears.contains { $0.bias === bias && ($0.adapter != nil || $0.rotation != nil) }
            let name = isOn ? bias.name.dropLast(".bias".count) + ".base_layer.bias" : bias.name[...]
            overlay(bias, value: own(bias.value), savedName: AdapterNames.prefix + name, isTrainable: true)
        }
    }

    func makeAdapter(on linear: Linear, a: Tensor, b: Tensor, magnitude: Tensor? = nil, scale: Float, dropout: Double) -> LowRankAdapter {
        let prefix = AdapterNames.prefix + linear.name
        return LowRankAdapter(
            a: Parameter(name: prefix + AdapterNames.a, value: a, requiresGradient: true),
            b: Parameter(name: prefix + AdapterNames.b, value: b, requiresGradient: true),
            magnitude: magnitude.map { Parameter(name: prefix + AdapterNames.magnitude, value: $0, requiresGradient: true) }, scale: scale,
            dropout: Float(dropout))
    }

    func makeAdapter(on table: Parameter, _ module: String, a: Tensor, b: Tensor, magnitude: Tensor?, scale: Float) -> EmbeddingAdapter {
        let prefix = AdapterNames.prefix + module
        return EmbeddingAdapter(
            table: table, a: Parameter(name: prefix + AdapterNames.embeddingA, value: a, requiresGradient: true),
            b: Parameter(name: prefix + AdapterNames.embeddingB, value: b, requiresGradient: true),
            magnitude: magnitude.map { Parameter(name: prefix + AdapterNames.magnitude, value: $0, requiresGradient: true) }, scale: scale)
    }

    func makeRotation(on linear: Linear, generators: Tensor, blockSize: Int, _ settings: RotationSettings) -> RotationAdapter {
        let value = settings.limit.map { limited(generators, to: $0) } ?? generators
        return RotationAdapter(
            generators: Parameter(name: AdapterNames.prefix + linear.name + AdapterNames.generators, value: value, requiresGradient: true),
            blockSize: blockSize, series: settings.series, dropout: Float(settings.dropout))
    }

    /// COFT: each block's skew-symmetric matrix is at most `limit` / sqrt(blocks) long (Frobenius).
    private func limited(_ generators: Tensor, to limit: Double) -> Tensor {
        let result = generators.converted(to: .float32), most = limit / Double(generators.rowCount).squareRoot()
        for row in 0..<generators.rowCount {
            let block = result.slice(rows: row..<row + 1)
            let length = (2 * block.floats().reduce(0.0) { $0 + Double($1) * Double($1) }).squareRoot()
            if length > most { block.write(block.floats().map { Float(Double($0) * most / length) }) }
        }
        return result
    }

    // MARK: Overlays

    /// Lays a value over a base weight. A table or head that were one thing become two.
    func overlay(_ parameter: Parameter, value: Tensor, savedName: String? = nil, isTrainable: Bool) {
        if spec.tiesEmbeddings, parameter === embedding, adapterConfiguration?.keepsTie != true { separateHead() }
        overlays.append(WeightOverlay(parameter, value: value, savedName: savedName ?? AdapterNames.prefix + parameter.name))
        parameter.requiresGradient = isTrainable
    }

    /// Gives a tied head a parameter of its own that shares the table's present value.
    @discardableResult
    func separateHead() -> Parameter {
        if let ownHead { return ownHead }
        let made = Parameter(name: head.name + ".weight", value: embedding.value)
        ownHead = made
        head.weight = .dense(made)
        return made
    }

    /// A base parameter by its checkpoint's name; a tied head gets its own when it is asked for.
    func baseParameter(_ name: String) -> Parameter? {
        if spec.tiesEmbeddings, name == head.name + ".weight" { return separateHead() }
        return parameters.first { $0.name == name }
    }

    func isStoredTransposed(_ parameter: Parameter) -> Bool { transposedNames.contains(parameter.name) }

    /// The shape in files.
    func storedShape(of parameter: Parameter) -> [Int] {
        isStoredTransposed(parameter) ? parameter.shape.reversed() : parameter.shape
    }

    /// Gradients of all that is trained, under the names that the adapter's file, or the checkpoint, has for it, and as it is stored.
    public var gradients: [(name: String, tensor: Tensor)] {
        trainableParameters.compactMap { parameter in
            guard let gradient = parameter.gradient else { return nil }
            let saved = overlays.first { $0.parameter === parameter }?.savedName
            return (saved ?? parameter.name, isSavedTransposed(parameter) ? gradient.transposed() : gradient)
        }
    }

    private func isSavedTransposed(_ parameter: Parameter) -> Bool {
        isStoredTransposed(parameter) || parameter.name.hasSuffix(AdapterNames.embeddingA)
    }

    // MARK: Saving

    /// What the adapter's file holds, under PEFT's names.
    var adapterTensors: [(name: String, tensor: Tensor)] {
        var found = adapterParameters.map { parameter in
            (parameter.name, isSavedTransposed(parameter) ? parameter.value.transposed() : parameter.value)
        }
        for overlay in overlays where !overlay.savedName.isEmpty {
            found.append((overlay.savedName, isStoredTransposed(overlay.parameter) ? overlay.own.transposed() : overlay.own))
        }
        return found + carriedTensors
    }
}

extension Transformer {
    /// Bytes of the base weights, those beneath an adapter's own values included.
    public var baseBytes: Int64 {
        parameters.reduce(Int64(0)) { sum, parameter in
            sum + Int64(overlays.first { $0.parameter === parameter }?.base.byteCount ?? parameter.byteCount)
        }
    }

    /// Bytes that products take beside the weights where activations have 16 bits: copies of f32 weights and adapters, which a card keeps
    /// until those change, and one weight at a time of those that are stored in another way.
    public var productCopyBytes: Int64 {
        let type = backend.activationType
        guard type != .float32 else { return 0 }
        var copied = adapterParameters.reduce(0) { $0 + ($1.value.dtype == .float32 ? $1.count : 0) }, largest = 0
        var seen: Set<ObjectIdentifier> = []
        for linear in linears + [head] {
            switch linear.weight {
            case .quantized(let matrix): largest = max(largest, matrix.count)
            case .dense(let parameter) where parameter.value.dtype == .float32:
                if seen.insert(ObjectIdentifier(parameter)).inserted { copied += parameter.count }
            case .dense(let parameter): if parameter.value.dtype != type { largest = max(largest, parameter.count) }
            }
        }
        return Int64((copied + largest) * type.byteCount)
    }

    /// Bytes of what the adapter brings.
    public var adapterBytes: Int64 {
        adapterParameters.reduce(Int64(0)) { $0 + Int64($1.byteCount) } + overlays.reduce(Int64(0)) { $0 + Int64($1.own.byteCount) }
    }
}

extension Tensor {
    /// Itself, or a copy in f32.
    var asFloat32: Tensor { dtype == .float32 ? self : converted(to: .float32) }
}
