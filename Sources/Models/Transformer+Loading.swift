import Formats
import Platform
import Tensors

/// What to do with the weights on their way in.
public struct LoadOptions: Sendable {
    /// Nil keeps the stored type: a bf16 checkpoint stays bf16 and mapped. Full fine-tuning asks for f32.
    public var dtype: DType?
    /// Whether the base weights are to be trained.
    public var trainsBase: Bool
    /// Replaces the checkpoint's own scaling of positions (`rope_scaling` on the command line).
    public var rotaryScaling: RotaryScaling?
    /// Quantises the linear layers, each as it is read; embedding, head and norms stay as they are, as transformers leaves them.
    public var quantizer: WeightQuantizer?
    /// Gives embedding and head more rows, for tokens that the checkpoint does not know.
    public var growth: VocabularyGrowth?
    /// Weights of a GGUF file are put into the order that the family has them in, as adapters and other programs need it; false uses
    /// them where they lie.
    public var restoresLayout: Bool

    public init(
        dtype: DType? = nil, trainsBase: Bool = false, rotaryScaling: RotaryScaling? = nil, quantizer: WeightQuantizer? = nil,
        growth: VocabularyGrowth? = nil, restoresLayout: Bool = true
    ) {
        self.restoresLayout = restoresLayout
        self.quantizer = quantizer
        self.growth = growth
        self.dtype = dtype
        self.trainsBase = trainsBase
        self.rotaryScaling = rotaryScaling
    }
}

extension Transformer {
    /// Loads a Hugging Face folder or a GGUF file. Every tensor is checked against the architecture before any is used.
    public static func load(
        directory: String, backend: any Backend, options: LoadOptions = LoadOptions()
    ) throws(ModelError) -> Transformer {
        var folder = try ModelFolder(directory: directory)
        if let scaling = options.rotaryScaling { folder.stretch(scaling) }
        let reader = try CheckpointReader(&folder)
        // Weights that are used where they lie are all read by the first prompt.
        if options.dtype == nil, options.quantizer == nil, !options.trainsBase, backend is CPUBackend { reader.mapAhead() }
        let quantised = try QuantizedCheckpoint(folder)
        let restores = options.restoresLayout || options.trainsBase
        if !restores { folder.adoptFileLayout() }
        let head = folder.spec.headWeight(names: folder.definition.names)
        var (embeddingSource, notes) = try settleTie(&folder, reader: reader, head: head)
        try checkNames(folder, reader: reader, head: head, embeddingSource: embeddingSource, quantised: quantised)
        if quantised != nil, options.quantizer != nil {
            notes.append("The checkpoint is quantised already; quantization_bit changes nothing.")
        }
        let storedShape = [folder.spec.vocabularySize, folder.spec.hiddenSize]
        if let growth = options.growth {
            try refuseGrowth(growth, of: folder, isQuantized: quantised != nil || options.quantizer != nil)
            folder.setVocabulary(growth.rows(stored: storedShape[0]))
        }
        return try Transformer(folder: folder, backend: backend, notes: notes) { weight throws(ModelError) in
            if let matrix = try quantised?.matrix(weight, reader) { return Parameter(name: weight.name, quantized: matrix) }
            let isTable = options.growth != nil && (weight.role == .embedding || weight.role == .head) && weight.kind != .bias
            let source = weight.role == .embedding ? embeddingSource : weight.name
            guard let location = reader.tensors[source] else {
                throw .missingTensor(file: reader.mainFile, tensor: source, expected: weight.storedShape, also: 0)
            }
            let placement = location.gguf
            let ownShape = placement == nil ? weight.storedShape : weight.shape
            let expectedShape = isTable && weight.storedShape.count == 2 ? storedShape : ownShape
            guard location.entry.shape == expectedShape else {
                throw .wrongShape(file: location.path, tensor: source, expected: expectedShape, found: location.entry.shape)
            }
            if let placement, let matrix = CheckpointReader.matrix(location, placement, restores: restores) {
                guard !options.trainsBase, options.growth == nil || !isTable || matrix.rowCount == weight.shape[0] else {
                    throw .unsupported(
                        file: location.path, what: options.trainsBase ? "training quantised weights" : "adding tokens to a quantised vocabulary",
                        whatToDo: "Train an adapter on this file, or take the model's safetensors.")
                }
                return Parameter(name: weight.name, quantized: matrix)
            }
            guard var stored = try reader.tensor(source, as: options.dtype, backend: backend) else {
                throw .missingTensor(file: reader.mainFile, tensor: source, expected: expectedShape, also: 0)
            }
            if let growth = options.growth, isTable, stored.shape.count == 2 {
                stored = growth.applied(to: stored, stream: weight.role == .embedding ? 0 : 1)
            }
            if let placement, restores { stored = CheckpointReader.restored(stored, placement) }
            let value = weight.isStoredTransposed && placement == nil ? stored.transposed() : stored
            if let quantizer = options.quantizer, quantised == nil, weight.isQuantizable {
                let matrix = quantizer.quantize(value, backend: backend)
                location.mapping?.forget(location.bytes)
                return Parameter(name: weight.name, quantized: matrix)
            }
            // A mapped file cannot be written to.
            let owned = options.trainsBase && value.storage.isBorrowed ? value.converted(to: value.dtype) : value
            // What was copied is not to stand in memory twice.
            if !owned.storage.isBorrowed { location.mapping?.forget(location.bytes) }
            return Parameter(name: weight.name, value: owned, requiresGradient: options.trainsBase)
        }
    }

    /// A model with fresh weights: matrices and embedding normal with the configuration's `initializer_range`, norms one, biases
    /// zero, as transformers initialises these families. All of it is trainable, but for what a quantizer makes of it.
    public static func initialized(
        folder: ModelFolder, backend: any Backend, random: inout RandomGenerator, dtype: DType = .float32, quantizer: WeightQuantizer? = nil
    ) throws(ModelError) -> Transformer {
        var generator = random
        let offset = folder.spec.norm.weightOffset
        let made = try Transformer(folder: folder, backend: backend) { weight throws(ModelError) in
            let value = Tensor.zeros(weight.shape, dtype)
            switch weight.kind {
            case .embedding, .matrix:
                draw(into: value, deviation: folder.spec.initializerRange, from: &generator)
                if weight.role == .embedding, let pad = folder.spec.padToken, pad >= 0, Int(pad) < weight.shape[0] {
                    value.slice(rows: Int(pad)..<Int(pad) + 1).write([Float](repeating: 0, count: weight.shape[1]))
                }
            case .norm: value.write([Float](repeating: 1 - offset, count: weight.count))
            case .bias: break
            }
            if let quantizer, weight.isQuantizable {
                return Parameter(name: weight.name, quantized: quantizer.quantize(value, backend: backend))
            }
            return Parameter(name: weight.name, value: value, requiresGradient: true)
        }
        random = generator
        return made
    }

    /// New rows are learnt with the whole table and head, beside a base that cannot be written back as one checkpoint with them:
    /// refused as LLaMA-Factory and transformers refuse it.
    static func refuseGrowth(_ growth: VocabularyGrowth, of folder: ModelFolder, isQuantized: Bool) throws(ModelError) {
        let stored = folder.spec.vocabularySize
        guard isQuantized, growth.rows(stored: stored) > stored else { return }
        throw .unsupported(
            file: folder.directory, what: "more tokens (\(growth.tokenCount)) than the \(stored) of a quantised base",
            whatToDo: "Add the tokens to the unquantised model, export it, and quantise that; "
                + "or leave out quantization_bit, resize_vocab and new tokens.")
    }

    /// A few rows at a time: a large table is not to stand in memory twice.
    private static func draw(into value: Tensor, deviation: Double, from generator: inout RandomGenerator) {
        let rows = value.rowCount, atOnce = max(1, (1 << 20) / max(1, value.columnCount))
        for start in stride(from: 0, to: rows, by: atOnce) {
            let part = value.slice(rows: start..<min(start + atOnce, rows))
            part.write((0..<part.count).map { _ in Float(generator.normal() * deviation) })
        }
    }

    /// Decides which tensor the embedding is read from, as transformers does: a tied head that is also stored is used when the
    /// embedding is not, and unties the model when it differs.
    private static func settleTie(
        _ folder: inout ModelFolder, reader: CheckpointReader, head: WeightDescription
    ) throws(ModelError) -> (source: String, notes: [String]) {
        let embedding = folder.definition.names.module(.embedding) + ".weight"
        guard folder.spec.tiesEmbeddings, let stored = reader.tensors[head.name] else { return (embedding, []) }
        guard let table = reader.tensors[embedding] else { return (head.name, []) }
        let isSame = table.entry.dtype == stored.entry.dtype && areEqual(table.bytes, stored.bytes)
        if isSame { return (embedding, []) }
        folder.spec.tiesEmbeddings = false
        return (
            embedding,
            ["config.json ties the head to the embedding, but the checkpoint holds both with different values; they are kept apart."]
        )
    }

    private static func areEqual(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        left.count == right.count && left.elementsEqual(right)
    }

    private static func checkNames(
        _ folder: ModelFolder, reader: CheckpointReader, head: WeightDescription, embeddingSource: String, quantised: QuantizedCheckpoint?
    ) throws(ModelError) {
        let names = folder.definition.names
        let weights = folder.spec.weights(names: names)
        var expected = Set(weights.map { $0.role == .embedding ? embeddingSource : $0.name })
        var inParts: Set<String> = []
        if let quantised {
            for weight in weights {
                guard let parts = quantised.names(weight, reader) else { continue }
                expected.formUnion(parts)
                inParts.insert(weight.name)
            }
        }
        let missing = weights.filter {
            reader.tensors[$0.role == .embedding ? embeddingSource : $0.name] == nil && !inParts.contains($0.name)
        }
        if let first = missing.first {
            throw .missingTensor(file: reader.mainFile, tensor: first.name, expected: first.storedShape, also: missing.count - 1)
        }
        if folder.spec.tiesEmbeddings { expected.formUnion([head.name, names.module(.embedding) + ".weight"]) }
        let extra = reader.tensors.keys.filter { !expected.contains($0) && !names.isIgnored($0) }.sorted()
        if let first = extra.first {
            throw .unexpectedTensor(file: reader.tensors[first]?.path ?? reader.mainFile, tensor: first, also: extra.count - 1)
        }
    }
}
