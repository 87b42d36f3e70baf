import Tensors

/// How a new adapter is made, with the names and meaning of LLaMA-Factory and PEFT.
public struct AdapterSettings: Sendable, Equatable {
    public enum Method: Sendable, Equatable {
        /// LoRA (Hu et al., arXiv 2106.09685).
        case lowRank
        /// OFT (Qiu et al., arXiv 2306.07280).
        case rotation(RotationSettings)
    }

    public var method = Method.lowRank
    /// `["all"]` for every linear layer but the head, or names such as `q_proj` or `layers.0.mlp.down_proj`. A single entry that
    /// is more than a name is a regular expression over whole paths.
    public var targets: [String]
    public var rank: Int
    public var alpha: Double
    /// Probability with which an input of A is dropped in training.
    public var dropout: Double
    /// Scale alpha / sqrt(rank) instead of alpha / rank (rsLoRA, arXiv 2312.03732).
    public var usesRankStabilisedScale: Bool
    /// Learn the length of each weight row apart from its direction (DoRA, arXiv 2402.09353).
    public var usesMagnitudes = false
    /// Whether the adapter begins on the base as it is, or with its principal components.
    public var start = AdapterConfiguration.Start.plain
    /// Modules that are trained whole and kept with the adapter: the ends of their paths, such as `embed_tokens`.
    public var savedModules: [String] = []

    public init(targets: [String] = ["all"], rank: Int = 8, alpha: Double? = nil, dropout: Double = 0, usesRankStabilisedScale: Bool = false) {
        self.targets = targets
        self.rank = rank
        self.alpha = alpha ?? Double(2 * rank)
        self.dropout = dropout
        self.usesRankStabilisedScale = usesRankStabilisedScale
    }

    public var scale: Float { Self.scale(alpha: alpha, rank: rank, isRankStabilised: usesRankStabilisedScale) }

    static func scale(alpha: Double, rank: Int, isRankStabilised: Bool) -> Float {
        Float(alpha / (isRankStabilised ? Double(rank).squareRoot() : Double(rank)))
    }

    /// Which modules the settings mean.
    func chosenModules() throws(ModelError) -> AdapterTargets {
        if targets.contains("all") || targets == ["all-linear"] { return try AdapterTargets(.allLinear, savedModules: savedModules) }
        let isPattern = targets.count == 1 && targets[0].utf8.contains { "\\^$*+?()[]{}|".utf8.contains($0) }
        guard isPattern else { return try AdapterTargets(.names(targets), savedModules: savedModules) }
        return try AdapterTargets(
            .pattern(try PathPattern(targets[0], .whole, file: "lora_target", key: "lora_target")), savedModules: savedModules)
    }
}

/// The numbers of an OFT adapter, with PEFT's names and defaults.
public struct RotationSettings: Sendable, Equatable {
    /// `r`: blocks of each layer; 0 when the size decides.
    public var blockCount: Int
    /// `oft_block_size`: columns that turn together; 0 when their number decides.
    public var blockSize: Int
    /// `module_dropout`
    public var dropout: Double
    public var series: CayleySeries
    /// `block_share`: one block for all columns of a layer.
    public var isShared: Bool
    /// `eps` where `coft` is set: how far a rotation may be from none.
    public var limit: Double?

    public init(
        blockCount: Int = 0, blockSize: Int = 32, dropout: Double = 0, series: CayleySeries = .neumann(terms: 5), isShared: Bool = false,
        limit: Double? = nil
    ) {
        self.blockCount = blockCount
        self.blockSize = blockSize
        self.dropout = dropout
        self.series = series
        self.isShared = isShared
        self.limit = limit
    }

    /// The side of a layer's blocks: the wanted size, or the nearest that divides its inputs, the smaller one of two as near.
    func blockSize(inputs: Int) -> Int {
        blockSize > 0 ? Self.nearestDivisor(of: inputs, to: blockSize) : inputs / Self.nearestDivisor(of: inputs, to: blockCount)
    }

    private static func nearestDivisor(of inputs: Int, to wanted: Int) -> Int {
        guard wanted < inputs else { return inputs }
        var higher = max(1, wanted), lower = max(1, wanted)
        while inputs % higher != 0 { higher += 1 }
        while inputs % lower != 0 { lower -= 1 }
        return wanted - lower <= higher - wanted ? lower : higher
    }

    /// Rows of a layer's generators.
    func rows(inputs: Int) -> Int { isShared ? 1 : inputs / blockSize(inputs: inputs) }
}
