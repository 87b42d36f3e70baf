import Formats
import Tensors

extension AdapterFile {
    /// Numbers of an adapter: those of all tensors in its file.
    public static func elementCount(_ directory: String) throws(ModelError) -> Int {
        let path = weightsPath(directory)
        let kind: CheckpointFiles = path.hasSuffix(".bin") ? .pickle : .safetensors
        return try kind.locations(path).reduce(0) { $0 + $1.entry.elementCount }
    }

    /// Puts what a GGUF adapter says in the place of the model's own adapter, read as llama.cpp reads it: `alpha / rank` scales every
    /// product, and an alpha of 0 stands for a scale of 1.
    /// - Parameter layout: the one that the file was written with.
    public static func load(gguf path: String, layout: GGUFLayout, into model: Transformer) throws(ModelError) {
        do {
            let reader = GGUFAdapterReader(file: try GGUFFile(path: path), layout: layout, model: model)
            try reader.load()
        } catch let error as ModelError {
            throw error
        } catch {
            throw .unreadable(reason: String(describing: error))
        }
    }
}

private struct GGUFAdapterReader {
    let file: GGUFFile
    let layout: GGUFLayout
    let model: Transformer

    func load() throws {
        let linears = Dictionary(model.adaptableLinears.map { ($0.name + ".weight", $0) }, uniquingKeysWith: { first, _ in first })
        let alpha = try file.number("adapter.lora.alpha") ?? 0
        var found: [String: (a: Tensor, b: Tensor)] = [:]
        for tensor in layout.tensors where tensor.sources.count == 1 {
            guard let linear = linears[tensor.sources[0]], file.tensor(named: tensor.name + ".lora_a") != nil else { continue }
            let a = try matrix(tensor.name + ".lora_a"), b = try matrix(tensor.name + ".lora_b")
            let rank = a.shape[0], rowCount = tensor.rows?.count ?? linear.outputCount
            guard rank > 0, a.shape[1] == linear.inputCount, b.shape == [rowCount, rank] else {
                throw ModelError.wrongShape(
                    file: file.path, tensor: tensor.name, expected: [linear.outputCount, linear.inputCount], found: b.shape + a.shape)
            }
            // Parts of one matrix bring the rows of B that are theirs.
            let whole = found[linear.name]?.b ?? Tensor.zeros([linear.outputCount, rank])
            guard whole.shape[1] == rank else {
                throw ModelError.wrongShape(file: file.path, tensor: tensor.name, expected: whole.shape, found: b.shape)
            }
            let scale = alpha == 0 ? 1 : Float(alpha) / Float(rank)
            for place in 0..<rowCount {
                let row = tensor.rows?[place] ?? place, own = scale / (place < tensor.factorRows ? tensor.factor : 1)
                for column in 0..<rank { whole.floatPointer[row * rank + column] = b.floatPointer[place * rank + column] * own }
            }
            found[linear.name] = (a, whole)
        }
        guard !found.isEmpty else { throw ModelError.adapterMismatch(file: file.path, module: "the file", reason: "holds no adapter's tensors") }
        model.removeAdapter()
        for linear in linears.values {
            guard let (a, b) = found[linear.name] else { continue }
            linear.adapter = model.makeAdapter(on: linear, a: a, b: b, scale: 1, dropout: 0)
        }
    }

    /// A floating matrix as f32, in memory of its own.
    private func matrix(_ name: String) throws -> Tensor {
        guard let tensor = file.tensor(named: name), tensor.shape.count == 2 else {
            throw GGUFError.badTensor(path: file.path, tensor: name, reason: "it is missing, or no matrix.")
        }
        let type: DType
        switch tensor.type {
        case .float32: type = .float32
        case .float16: type = .float16
        case .bfloat16: type = .bfloat16
        default: throw ModelError.unsupportedType(file: file.path, tensor: name, found: tensor.type.name)
        }
        let stored = Tensor.zeros(tensor.shape, type), bytes = file.bytes(tensor)
        if let from = bytes.baseAddress { stored.address.copyMemory(from: from, byteCount: min(bytes.count, stored.byteCount)) }
        return type == .float32 ? stored : stored.converted(to: .float32)
    }
}
