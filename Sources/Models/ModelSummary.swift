import Formats
import Platform
import Tensors

/// What is known of a model before any weight is touched: for plans, pickers and estimates.
public struct ModelSummary: Sendable, Equatable {
    /// One linear layer, for estimates per layer.
    public struct LinearShape: Sendable, Equatable {
        public let name: String
        public let role: WeightRole
        public let layer: Int
        public let inputCount: Int
        public let outputCount: Int
    }

    public let directory: String
    public let spec: ArchitectureSpec
    /// Each stored weight once; a tied head counts nothing.
    public let parameterCount: Int
    /// Of which in the embedding, and in a head of its own.
    public let embeddingCount: Int
    /// How the weights are stored.
    public let dtype: DType
    /// How its matrices are quantised: "nf4", "4 bits in groups of 128"; of a mixture each kind with the number of its matrices and its
    /// share of the weights: "Q4_K (11 matrices, 62 % of the weights), Q6_K (3, 30 %)". Nil for a full checkpoint.
    public let quantization: String?
    /// Bytes of all weights as they are kept.
    public let weightBytes: Int64
    /// Whether safetensors are there; without them only a model from scratch can be made.
    public let hasWeights: Bool
    /// How they are kept, for people: safetensors, PyTorch pickles or GGUF.
    public var weightsKind: String? { CheckpointFiles.kind(of: directory)?.text ?? (GGUFFile.location(directory) != nil ? "GGUF" : nil) }
    /// Every linear layer but the head.
    public let linears: [LinearShape]

    public init(directory: String) throws(ModelError) {
        try self.init(folder: ModelFolder(directory: directory))
    }

    public init(folder: ModelFolder) throws(ModelError) {
        var folder = folder
        let weights = folder.spec.weights(names: folder.definition.names)
        directory = folder.directory
        spec = folder.spec
        parameterCount = weights.reduce(0) { $0 + $1.count }
        embeddingCount = weights.filter { $0.role == .embedding || $0.role == .head }.reduce(0) { $0 + $1.count }
        hasWeights = !folder.directory.isEmpty && CheckpointReader.hasWeights(folder.directory)
        linears = weights.filter { $0.kind == .matrix && $0.role.isPerLayer }.map {
            LinearShape(name: $0.module, role: $0.role, layer: $0.layer, inputCount: $0.shape[1], outputCount: $0.shape[0])
        }
        var type = folder.declaredType ?? .float32
        var bytes = Int64(parameterCount * type.byteCount)
        var kinds: [(name: String, matrices: Int, weights: Int)] = []
        if hasWeights {
            let reader = try CheckpointReader(&folder)
            let formats = try StoredFormats(folder: folder, reader: reader)
            bytes = 0
            for weight in weights {
                if let format = formats.format(weight) {
                    if !kinds.contains(where: { $0.name == format.name }) { kinds.append((format.name, 0, 0)) }
                    if let place = kinds.firstIndex(where: { $0.name == format.name }) {
                        kinds[place].matrices += 1
                        kinds[place].weights += weight.count
                    }
                    bytes += Int64(format.byteCount(weight.shape))
                } else if let entry = reader.tensors[weight.name]?.entry {
                    if bytes == 0, let found = DType(entry.dtype) { type = found }
                    bytes += Int64(entry.byteRange.count)
                }
            }
        }
        dtype = type
        weightBytes = bytes
        quantization = Self.mixture(kinds, of: parameterCount)
    }

    private static func mixture(_ kinds: [(name: String, matrices: Int, weights: Int)], of total: Int) -> String? {
        guard kinds.count > 1 else { return kinds.first?.name }
        let sorted = kinds.sorted { $0.weights > $1.weights }
        return sorted.enumerated().map { index, kind in
            let share = NumberText.fixed(100 * Double(kind.weights) / Double(max(1, total)), digits: 0)
            return index == 0 ? "\(kind.name) (\(kind.matrices) matrices, \(share) % of the weights)" : "\(kind.name) (\(kind.matrices), \(share) %)"
        }.joined(separator: ", ")
    }

    /// Trainable numbers of a LoRA adapter.
    /// - Parameter targets: as in `AdapterSettings`.
    public func adapterParameterCount(targets: [String], rank: Int) -> Int {
        let takesAll = targets.contains("all")
        return linears.filter { linear in takesAll ? linear.role.isUsualTarget : targets.contains { AdapterTargets.ends(linear.name, $0) } }
            .reduce(0) { $0 + rank * ($1.inputCount + $1.outputCount) }
    }

    /// Bytes of a key-value cache for so many tokens, in f32.
    public func cacheBytes(tokens: Int) -> Int64 { Int64(2 * spec.layerCount * spec.keyValueWidth * tokens * 4) }
}
