/// Which rows of a token stream belong together. There is no padding: the rows of sequence s are
/// `cumulativeLengths[s] ..< cumulativeLengths[s + 1]`, and attention never looks across that border.
public struct SequenceLayout: Sendable {
    /// Starts of the sequences and the total: S + 1 entries, the first 0.
    public let cumulativeLengths: [Int32]
    /// Each token's position in its sequence, for rotary embedding.
    public let positions: [Int32]
    /// When decoding, one cache per sequence: attention of layer l appends the new keys and values and attends to all of them.
    public let caches: [KeyValueCache]
    /// Where a card keeps tokens, positions and lengths itself: the numbers here say nothing then but how many rows there are.
    let standing: StandingRows?

    /// One token of each conversation of a card.
    init(standing: StandingRows) {
        cumulativeLengths = (0...Int32(standing.rowCount)).map { $0 }
        positions = [Int32](repeating: 0, count: standing.rowCount)
        caches = []
        self.standing = standing
    }

    public init(cumulativeLengths: [Int32], positions: [Int32], caches: [KeyValueCache] = []) {
        precondition(cumulativeLengths.first == 0 && cumulativeLengths.count > 1, "cumulative lengths start with 0 and end with the total")
        precondition(Int(cumulativeLengths.last!) == positions.count, "one position for each token")
        precondition(caches.isEmpty || caches.count == cumulativeLengths.count - 1, "one cache for each sequence")
        self.cumulativeLengths = cumulativeLengths
        self.positions = positions
        self.caches = caches
        standing = nil
    }

    /// Sequences of these lengths, one after the other, each counting its positions from 0.
    public init(lengths: [Int]) {
        var cumulative: [Int32] = [0]
        var positions: [Int32] = []
        for length in lengths {
            cumulative.append(cumulative.last! + Int32(length))
            positions.append(contentsOf: 0..<Int32(length))
        }
        self.init(cumulativeLengths: cumulative, positions: positions)
    }

    /// `count` new tokens of one sequence whose earlier tokens are in `cache`.
    public init(appending count: Int, to cache: KeyValueCache) {
        let start = Int32(cache.length)
        self.init(
            cumulativeLengths: [0, Int32(count)], positions: (0..<Int32(count)).map { start + $0 }, caches: [cache])
    }

    /// Whether attention looks at tokens of earlier calls.
    public var hasCaches: Bool { standing != nil || !caches.isEmpty }
    public var tokenCount: Int { positions.count }
    public var sequenceCount: Int { cumulativeLengths.count - 1 }

    func rows(of sequence: Int) -> Range<Int> {
        Int(cumulativeLengths[sequence])..<Int(cumulativeLengths[sequence + 1])
    }
}

/// What one attention needs to know beside its inputs.
public struct AttentionShape: Sendable, Equatable {
    public var headCount: Int
    /// Each key and value head serves `headCount / keyValueHeadCount` query heads.
    public var keyValueHeadCount: Int
    public var headDimension: Int
    /// Factor on the scores, usually 1 / sqrt(headDimension).
    public var scale: Float
    /// A token sees itself and at most `slidingWindow - 1` tokens before it.
    public var slidingWindow: Int?
    /// scores = cap * tanh(scores / cap)
    public var softCap: Float?
    public var isCausal: Bool
    /// ALiBi (Press et al., 2022): a slope for each head, with which a score shrinks per token of distance. Nil for none.
    public var slopes: [Float]?

    public init(
        headCount: Int, keyValueHeadCount: Int, headDimension: Int, scale: Float? = nil, slidingWindow: Int? = nil,
        softCap: Float? = nil, isCausal: Bool = true, slopes: [Float]? = nil
    ) {
        precondition(slopes == nil || slopes!.count == headCount, "one slope for each head")
        self.slopes = slopes
        precondition(keyValueHeadCount > 0 && headCount % keyValueHeadCount == 0, "\(headCount) heads over \(keyValueHeadCount)")
        self.headCount = headCount
        self.keyValueHeadCount = keyValueHeadCount
        self.headDimension = headDimension
        self.scale = scale ?? 1 / Float(headDimension).squareRoot()
        self.slidingWindow = slidingWindow
        self.softCap = softCap
        self.isCausal = isCausal
    }
}
