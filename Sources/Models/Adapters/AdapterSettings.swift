/// How a new LoRA adapter is made (Hu et al., arXiv 2106.09685), with the names and meaning of LLaMA-Factory and PEFT.
public struct AdapterSettings: Sendable, Equatable {
    /// `["all"]` for every linear layer but the head, or names such as `q_proj` or `layers.0.mlp.down_proj`.
    public var targets: [String]
    public var rank: Int
    public var alpha: Double
    /// Probability with which an input of A is dropped in training.
    public var dropout: Double
    /// Scale alpha / sqrt(rank) instead of alpha / rank (rsLoRA, arXiv 2312.03732).
    public var usesRankStabilisedScale: Bool

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
}
