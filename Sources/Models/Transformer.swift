import Tensors

/// A decoder-only language model: an embedding, blocks of attention and feed-forward, a norm and a head, as its spec says.
///
/// Training and decoding go through the same code; a decoding call differs only by the caches in its `SequenceLayout`. A model is
/// used by one thread at a time.
public final class Transformer: @unchecked Sendable {
    public var spec: ArchitectureSpec { folder.spec }
    public var names: WeightNames { folder.definition.names }
    /// Where its tensors live and who computes.
    public let backend: any Backend
    /// [vocabulary, hidden]
    public let embedding: Parameter
    /// [positions, hidden], where positions are learned.
    public let positionEmbedding: Parameter?
    public let embeddingNorm: Norm?
    public let layers: [TransformerLayer]
    public let finalNorm: Norm
    /// Maps hidden states to logits; shares the embedding's parameter where the spec ties them.
    public let head: Linear
    /// The base weights under the checkpoint's names, each once. Adapters are not among them.
    public internal(set) var parameters: [Parameter]
    /// Whether any weight is kept in fewer bits than a floating number has; adapters can be trained on it and not merged into it.
    public var isQuantized: Bool { parameters.contains { $0.quantized != nil } }
    /// Every linear layer but the head: what `lora_target: all` means.
    public let linears: [Linear]
    /// The configuration that it was built from, and the files beside it.
    public internal(set) var folder: ModelFolder
    /// What loading noticed and put right, for the log.
    public let notes: [String]
    /// What the adapter on the linears is, as its file will say.
    public var adapterConfiguration: AdapterConfiguration?
    /// Adapters on embedding tables.
    public internal(set) var embeddingAdapters: [EmbeddingAdapter] = []
    /// Base weights that the adapter brings values of its own for.
    public internal(set) var overlays: [WeightOverlay] = []
    /// The head's own parameter, while an adapter makes a tied head differ from the embedding.
    var ownHead: Parameter?
    /// What the adapter's file holds that is kept as it came, to be saved again.
    var carriedTensors: [(name: String, tensor: Tensor)] = []
    /// What was noticed when the adapter was put on, for the log.
    public var adapterNotes: [String] = []
    /// Parameters that checkpoints hold the other way round.
    let transposedNames: Set<String>
    /// Weight of the load-balancing loss of a mixture in training; 0 leaves it out. Starts as the configuration has it.
    public var balanceWeight: Double
    /// NEFTune: how far noise may push the embeddings in training; nil for none.
    public var noiseAlpha: Float?
    /// LongLoRA: attend within groups of a quarter of each sequence in training, half of the heads shifted by half a group.
    public var shiftsAttention = false
    /// Recompute each block on the way back instead of keeping its activations.
    public var recomputesBlocks = false

    private let rotary: RotaryEmbedding
    private let slidingRotary: RotaryEmbedding?

    /// Builds the model from its weights.
    /// - Parameter parameter: gives the parameter for a description: read from a file, drawn at random, or planned.
    init(
        folder: ModelFolder, backend: any Backend, notes: [String] = [],
        parameter: (WeightDescription) throws(ModelError) -> Parameter
    ) throws(ModelError) {
        let spec = folder.spec
        let names = folder.definition.names
        self.folder = folder
        self.backend = backend
        self.notes = notes
        balanceWeight = spec.mixture.map { $0.isBalanced ? $0.balanceWeight : 0 } ?? 0
        let dimension = spec.headDimension, maximum = spec.maximumPositions
        rotary = RotaryEmbedding(spec: spec.rotary, headDimension: dimension, maximumPositions: maximum)
        slidingRotary = spec.slidingRotary.map { RotaryEmbedding(spec: $0, headDimension: dimension, maximumPositions: maximum) }

        var parameters: [Parameter] = []
        var found: [String: Parameter] = [:]
        for weight in spec.weights(names: names) {
            let made = try parameter(weight)
            found[weight.name] = made
            parameters.append(made)
        }
        let parts = WeightParts(found: found, names: names, file: folder.fields.file)
        embedding = try parts.parameter(.embedding)
        positionEmbedding = spec.positions == .learned ? try parts.parameter(.positionEmbedding) : nil
        embeddingNorm = spec.hasEmbeddingNorm ? try parts.norm(.embeddingNorm) : nil
        finalNorm = try parts.norm(.finalNorm)
        head = Linear(
            name: names.module(.head), weight: WeightStore(spec.tiesEmbeddings ? embedding : try parts.parameter(.head)),
            outputTransform: spec.logits)
        var layers: [TransformerLayer] = []
        for index in 0..<spec.layerCount { layers.append(try TransformerLayer(spec, index, parts)) }
        self.layers = layers
        self.parameters = parameters
        transposedNames = Set(spec.weights(names: names).filter(\.isStoredTransposed).map(\.name))
        linears = layers.flatMap(\.linears)
    }

    /// The weights lie as a GGUF file has them (`LoadOptions.restoresLayout` was off): no adapter fits.
    public var usesFileLayout: Bool { folder.usesFileLayout }

    /// Where the model was loaded from; empty for one made from a configuration alone.
    public var directory: String { folder.directory }

    /// Base weights and adapters whose `requiresGradient` is set.
    public var trainableParameters: [Parameter] {
        (parameters + (ownHead.map { [$0] } ?? []) + adapterParameters).filter(\.requiresGradient)
    }

    /// Tables that reach position `length - 1`; none where positions are not rotated.
    func rotaryTables(length: Int) -> RotaryTables? {
        guard spec.positions == .rotary else { return nil }
        let isPlanned = backend.isPlanning
        let table = rotary.table(length: length, isPlanned: isPlanned)
        return RotaryTables(full: table, sliding: slidingRotary?.table(length: length, isPlanned: isPlanned) ?? table)
    }

    /// Whether keys that were computed in a sequence of `earlier` tokens are of no use once it has `length`: LongRoPE turns all
    /// positions otherwise beyond the original ones. The answer is then the one of transformers without a cache; with one, its
    /// version 5.6 means to start over there and loses the tokens before. With dynamic scaling it goes on with the keys that it
    /// has, and so does this engine.
    public func mustRecompute(from earlier: Int, to length: Int) -> Bool {
        [rotary, slidingRotary].compactMap { $0 }.contains { rotary in
            guard case .longrope = rotary.spec.scaling else { return false }
            return earlier > 0 && !rotary.isStretched(earlier) && rotary.isStretched(length)
        }
    }

    /// Whether a sequence of this length is rotated otherwise than a short one.
    func stretchesRotations(at length: Int) -> Bool { [rotary, slidingRotary].compactMap { $0 }.contains { $0.isStretched(length) } }

    /// - Parameter dtype: nil keeps as many digits as the weights have: f32 for a model in f32, else bf16 at half the memory.
    public func makeCache(capacity: Int, dtype: DType? = nil) -> KeyValueCache {
        let dtype = dtype ?? (isQuantized || parameters.contains { $0.dtype != .float32 && $0.shape.count == 2 } ? .bfloat16 : .float32)
        return backend.makeCache(
            layerCount: spec.layerCount, keyValueHeadCount: spec.keyValueHeadCount, headDimension: spec.headDimension, capacity: capacity,
            dtype: dtype)
    }
}
