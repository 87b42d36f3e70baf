/// The inputs of a step of decoding where a card keeps them up to date itself, at addresses that stay: what the last step chose, where
/// each conversation stands, and the pages of its cache.
final class StandingRows: Sendable {
    let rowCount: Int
    /// int32 [rows]; `lengths` are of the caches before the step.
    let tokens, positions, lengths: Tensor
    /// int32 [rows + 1]: 0, 1, 2, ...
    let cumulative: Tensor
    /// int64 [rows, pages]
    let pages: Tensor
    let geometry: CachePages.Geometry
    /// No cache is longer after the step.
    let longest: Int

    init(
        rowCount: Int, tokens: Tensor, positions: Tensor, lengths: Tensor, cumulative: Tensor, pages: Tensor, geometry: CachePages.Geometry,
        longest: Int
    ) {
        self.rowCount = rowCount
        self.tokens = tokens.slice(rows: 0..<rowCount)
        self.positions = positions.slice(rows: 0..<rowCount)
        self.lengths = lengths.slice(rows: 0..<rowCount)
        self.cumulative = cumulative.slice(rows: 0..<rowCount + 1)
        self.pages = pages.slice(rows: 0..<rowCount)
        self.geometry = geometry
        self.longest = longest
    }
}

extension SequenceLayout {
    /// What a step of decoding is fed where a card has it already.
    public var standingTokens: Tensor? { standing?.tokens }
    public var standingPositions: Tensor? { standing?.positions }
}
