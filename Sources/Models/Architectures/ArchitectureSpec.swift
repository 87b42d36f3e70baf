import Tensors

/// An architecture as data: all that one `Transformer` needs to know to be a Llama, a Qwen2 or a Mistral.
///
/// A family fills it from its `config.json`; nothing else in the engine asks for a model's name.
public struct ArchitectureSpec: Sendable, Equatable {
    /// `model_type` of config.json: "llama".
    public var modelType: String
    /// The first of `architectures`: "LlamaForCausalLM".
    public var className: String
    public var vocabularySize: Int
    public var hiddenSize: Int
    public var layerCount: Int
    public var headCount: Int
    public var keyValueHeadCount: Int
    public var headDimension: Int
    public var intermediateSize: Int
    /// Positions that the model was made for; longer input is possible and warned about elsewhere.
    public var maximumPositions: Int
    public var norm: NormSpec
    public var rotary: RotarySpec
    /// Rotation in layers with a sliding window, where it differs (Gemma 3).
    public var slidingRotary: RotarySpec?
    /// How the model knows the order of its tokens.
    public var positions: PositionKind
    public var attention: AttentionSpec
    public var feedForward: FeedForwardSpec
    /// The layers whose feed-forward part is a mixture of experts; nil for dense models.
    public var mixture: MixtureSpec?
    /// The embedding's rows are multiplied by this (Gemma: the root of the hidden size).
    public var embeddingScale: Float
    /// A norm right after the embedding (BLOOM).
    public var hasEmbeddingNorm: Bool
    /// Norms on what attention and feed-forward add to the stream (Gemma 2, GLM-4).
    public var hasOutputNorms: Bool
    /// What happens to the logits.
    public var logits: OutputTransform?
    /// The head is the embedding.
    public var tiesEmbeddings: Bool
    /// The standard deviation of freshly drawn weights.
    public var initializerRange: Double
    public var bosToken: Int32?
    public var eosTokens: [Int32]
    public var padToken: Int32?

    /// Width of the queries of all heads.
    public var queryWidth: Int { headCount * headDimension }
    /// Width of the keys, and of the values, of all heads.
    public var keyValueWidth: Int { keyValueHeadCount * headDimension }

    /// The tape's description of attention in one layer.
    public func attentionShape(layer: Int) -> AttentionShape {
        AttentionShape(
            headCount: headCount, keyValueHeadCount: keyValueHeadCount, headDimension: headDimension,
            scale: attention.scale ?? 1 / Float(headDimension).squareRoot(),
            slidingWindow: attention.slidingLayers.contains(layer) ? attention.slidingWindow : nil, softCap: attention.softCap,
            slopes: positions == .slopes ? PositionKind.slopes(headCount: headCount) : nil)
    }

    /// Why attention cannot be computed in shifted groups; nil when it can.
    public var shiftObstacle: String? {
        if positions == .slopes { return "scores that shrink with distance (ALiBi) have no meaning across shifted groups." }
        if headCount % 2 != 0 || (keyValueHeadCount % 2 != 0 && keyValueHeadCount != 1) {
            return "half of the heads are shifted, and \(headCount) heads over \(keyValueHeadCount) key heads cannot be halved."
        }
        return nil
    }

    /// The largest number of tokens that the model has positions for; nil where positions have no end.
    public var positionLimit: Int? { positions == .learned ? maximumPositions : nil }
}

/// How positions enter the model.
public enum PositionKind: Sendable, Equatable {
    case rotary
    /// A learned vector for each position, added to the embedding (GPT-2).
    case learned
    /// Scores shrink with distance, each head at its own rate (ALiBi; Press et al., 2022).
    case slopes

    /// 2^(-8/n), 2^(-16/n), ... for n heads; for other than powers of two, every second slope of twice the heads fills up.
    static func slopes(headCount: Int) -> [Float] {
        var power = 1
        while power * 2 <= headCount { power *= 2 }
        func slope(_ index: Int, of count: Int) -> Float { exponentOfTwo(-8 * Double(index) / Double(count)) }
        return (1...power).map { slope($0, of: power) } + (0..<headCount - power).map { slope(2 * $0 + 1, of: 2 * power) }
    }
}

/// Normalisation: by the root mean square, or of mean and deviation with a bias.
public struct NormSpec: Sendable, Equatable {
    public enum Kind: Sendable, Equatable { case rootMeanSquare, layer }
    public var kind: Kind
    public var epsilon: Float
    /// Added to the stored weight (Gemma stores `w - 1`).
    public var weightOffset: Float

    public init(epsilon: Float, weightOffset: Float = 0, kind: Kind = .rootMeanSquare) {
        self.kind = kind
        self.epsilon = epsilon
        self.weightOffset = weightOffset
    }
}

public struct AttentionSpec: Sendable, Equatable {
    /// How the checkpoint keeps query, key and value.
    public enum Projection: Sendable, Equatable {
        /// Three matrices.
        case separate
        /// One matrix: the rows of all queries, then of all keys, then of all values.
        case stacked
        /// One matrix: for each key head the rows of the queries that it serves, its own and its value's (InternLM2, BLOOM).
        case grouped
    }

    public var projection = Projection.separate
    /// Each head of query and key is normalised before it is rotated (Qwen3).
    public var normalisesHeads = false
    /// Query, key and value projections have biases (Qwen2).
    public var hasInputBias: Bool
    public var hasOutputBias: Bool
    /// Nil stands for the inverse root of the head dimension.
    public var scale: Float?
    /// Scores are squashed into (-cap, cap) by a tanh (Gemma 2).
    public var softCap: Float?
    /// Tokens that a sliding layer sees, itself included.
    public var slidingWindow: Int?
    /// Layers to which the window applies.
    public var slidingLayers: Set<Int>

    public init(
        hasInputBias: Bool = false, hasOutputBias: Bool = false, scale: Float? = nil, softCap: Float? = nil,
        slidingWindow: Int? = nil, slidingLayers: Set<Int> = []
    ) {
        self.hasInputBias = hasInputBias
        self.hasOutputBias = hasOutputBias
        self.scale = scale
        self.softCap = softCap
        self.slidingWindow = slidingWindow
        self.slidingLayers = slidingLayers
    }
}

/// The feed-forward part of a block.
public struct FeedForwardSpec: Sendable, Equatable {
    public enum Layout: Sendable, Equatable {
        /// `down(activation(gate(x)) * up(x))`
        case gated
        /// The same, with gate and up in one matrix, gate first.
        case fusedGated
        /// `down(activation(up(x)))`
        case plain
    }

    public var layout = Layout.gated
    public var activation: GatedActivation
    public var hasBias: Bool

    public init(activation: GatedActivation, hasBias: Bool = false) {
        self.activation = activation
        self.hasBias = hasBias
    }
}

/// A mixture of experts: small gated feed-forward networks, of which each token goes through a few.
public struct MixtureSpec: Sendable, Equatable {
    public var expertCount: Int
    public var expertsPerToken: Int
    /// Inner width of one expert.
    public var intermediateSize: Int
    /// The weights of a token's experts add up to one.
    public var normalisesWeights: Bool
    /// Inner width of an expert for all tokens, behind a sigmoid gate of its own (Qwen2-MoE).
    public var sharedIntermediateSize: Int?
    /// The layers that are mixtures; the others are dense.
    public var layers: Set<Int>
    /// Weight of the load-balancing loss, where it is asked for (`router_aux_loss_coef`).
    public var balanceWeight: Double
    /// Whether the configuration asks for it (`output_router_logits`).
    public var isBalanced: Bool
}

extension ArchitectureSpec {
    /// What most decoder-only families share: the common keys with the names that Llama gave them.
    public init(decoder fields: ConfigurationFields) throws(ModelError) {
        modelType = try fields.text("model_type") ?? ""
        className = fields.value("architectures")?.arrayValue?.first?.stringValue ?? ""
        vocabularySize = try fields.integer("vocab_size")
        hiddenSize = try fields.integer("hidden_size", atMost: 1 << 17)
        layerCount = try fields.integer("num_hidden_layers", atMost: 1 << 12)
        headCount = try fields.integer("num_attention_heads", atMost: 1 << 12)
        keyValueHeadCount = try fields.integer("num_key_value_heads", default: headCount, atMost: 1 << 12)
        intermediateSize = try fields.integer("intermediate_size", atMost: 1 << 20)
        maximumPositions = try fields.integer("max_position_embeddings", default: 2048, atMost: 1 << 30)
        if let dimension = try fields.optionalInteger("head_dim", atMost: 1 << 12) {
            headDimension = dimension
        } else {
            guard hiddenSize % headCount == 0 else {
                throw fields.invalid("hidden_size", "a multiple of num_attention_heads (\(headCount))", .integer(Int64(hiddenSize)))
            }
            headDimension = hiddenSize / headCount
        }
        guard headCount % keyValueHeadCount == 0 else {
            throw fields.invalid("num_key_value_heads", "a divisor of num_attention_heads (\(headCount))", .integer(Int64(keyValueHeadCount)))
        }
        guard headDimension % 2 == 0 else {
            throw fields.invalid("head_dim", "an even number", .integer(Int64(headDimension)))
        }
        norm = NormSpec(epsilon: Float(try fields.positiveNumber("rms_norm_eps") ?? 1e-6))
        rotary = try fields.rotary(maximumPositions: maximumPositions)
        attention = AttentionSpec()
        feedForward = FeedForwardSpec(activation: try fields.gatedActivation())
        mixture = nil
        slidingRotary = nil
        positions = .rotary
        embeddingScale = 1
        hasEmbeddingNorm = false
        hasOutputNorms = false
        logits = nil
        tiesEmbeddings = try fields.flag("tie_word_embeddings", default: false)
        initializerRange = try fields.positiveNumber("initializer_range") ?? 0.02
        bosToken = try fields.tokens("bos_token_id").first
        eosTokens = try fields.tokens("eos_token_id")
        padToken = try fields.tokens("pad_token_id").first
    }
}

extension ConfigurationFields {
    public func gatedActivation(default fallback: String = "silu") throws(ModelError) -> GatedActivation {
        let name = try text("hidden_act", "hidden_activation") ?? fallback
        switch name {
        case "silu", "swish": return .silu
        case "gelu_pytorch_tanh", "gelu_new", "gelu_fast": return .geluTanh
        case "gelu": return .gelu
        default: throw invalid("hidden_act", "silu, gelu or gelu_pytorch_tanh", .string(name))
        }
    }
}
