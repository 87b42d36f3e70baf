import Formats
import Platform
import Tensors

/// Writes the adapter on a model as a GGUF file for llama.cpp's `--lora`: for each weight W the factors `W.lora_a` [rank, in] and
/// `W.lora_b` [out, rank], in the order that llama.cpp has the rows of W in.
public struct GGUFAdapterWriter {
    private let model: Transformer
    private let layout: GGUFLayout
    private let backend: CPUBackend

    public init(_ model: Transformer, layout: GGUFLayout, backend: CPUBackend) {
        self.model = model
        self.layout = layout
        self.backend = backend
    }

    public func write(to path: String, name: String) throws(ModelError) {
        try checkKind()
        let linears = Dictionary(model.adaptableLinears.map { ($0.name + ".weight", $0) }, uniquingKeysWith: { first, _ in first })
        var tensors: [(name: String, values: Tensor)] = []
        var alpha: Float?
        var left = Set(model.adaptableLinears.filter { $0.adapter != nil }.map { $0.name + ".weight" })
        for tensor in layout.tensors where tensor.kind == .matrix {
            guard let source = tensor.sources.first, let adapter = linears[source]?.adapter else { continue }
            guard tensor.sources.count == 1, tensor.shape.count == 2 else {
                throw refused("an adapter on experts")
            }
            guard !tensor.hasUnitRows else { throw refused("an adapter on a head whose rows have length one") }
            left.remove(source)
            // One number scales all of them there, alpha / rank, and an alpha of 0 stands for a scale of 1.
            let rank = Float(adapter.a.shape[0]), shared = alpha ?? (adapter.scale == 0 ? 1 : adapter.scale) * rank
            alpha = shared
            let factor = adapter.scale * rank / shared
            tensors.append((tensor.name + ".lora_a", adapter.a.value.converted(to: .float32)))
            tensors.append((tensor.name + ".lora_b", rows(adapter.b.value, tensor, factor: factor)))
        }
        if let other = left.sorted().first { throw refused("an adapter on \(other)") }
        guard let alpha else { throw .cannotWrite(reason: "\(path): there is no adapter on the model to write.") }
        let metadata: [(String, GGUFEntry)] = [
            ("general.architecture", .text(layout.architecture.name)), ("general.type", .text("adapter")), ("general.name", .text(name)),
            ("general.file_type", .uint32(layout.fileType.number)), ("adapter.type", .text("lora")), ("adapter.lora.alpha", .float32(alpha)),
        ]
        let type = layout.fileType.base
        do {
            let writer = try GGUFWriter(
                path: path, metadata: metadata, tensors: tensors.map { GGUFDeclaration(name: $0.name, type: type, shape: $0.values.shape) })
            for (name, values) in tensors {
                let stored: Tensor =
                    switch type {
                    case .float16: values.converted(to: .float16)
                    case .bfloat16: values.converted(to: .bfloat16)
                    default: values
                    }
                try writer.write(stored.bytes, to: name)
            }
            try writer.finish()
        } catch {
            throw .cannotWrite(reason: error.description)
        }
    }

    private func checkKind() throws(ModelError) {
        if !model.embeddingAdapters.isEmpty { throw refused("an adapter on the embedding") }
        if !model.overlays.isEmpty { throw refused("an adapter that brings whole weights (modules_to_save, biases)") }
        for linear in model.adaptableLinears {
            if linear.rotation != nil { throw refused("an OFT adapter") }
            if linear.adapter?.magnitude != nil { throw refused("a DoRA adapter") }
        }
    }

    private func refused(_ what: String) -> ModelError {
        .unsupported(file: model.directory, what: what + " as a GGUF adapter", whatToDo: "Merge it: leave export_gguf_adapter out.")
    }

    /// Rows of B as the layout has those of the weight.
    private func rows(_ b: Tensor, _ tensor: GGUFLayout.Tensor, factor: Float) -> Tensor {
        let rank = b.shape[1], source = b.floats(), count = tensor.rows?.count ?? b.shape[0]
        var values: [Float] = []
        values.reserveCapacity(count * rank)
        for place in 0..<count {
            let row = tensor.rows?[place] ?? place, own = factor * (place < tensor.factorRows ? tensor.factor : 1)
            for column in 0..<rank { values.append(source[row * rank + column] * own) }
        }
        return Tensor(values, shape: [count, rank])
    }
}
