/// Keys and values of the tokens seen so far, for decoding one sequence.
///
///     layer 0 keys   [keyValueHead][slot][headDimension]
///     layer 0 values [keyValueHead][slot][headDimension]
///     layer 1 keys   ...
///
/// Slots `0 ..< length` are filled in every layer. While a forward pass runs, lower layers are ahead of `length`; the last layer
/// moves it.
///
/// On a card the same lies in pages that are taken as the sequence grows (`CachePages`): a capacity that is never used costs nothing.
public final class KeyValueCache: @unchecked Sendable {
    public let layerCount: Int
    public let keyValueHeadCount: Int
    public let headDimension: Int
    /// Tokens it can hold.
    public let capacity: Int
    public let dtype: DType
    /// Tokens it holds.
    public private(set) var length = 0
    private let keys: [Tensor]
    private let values: [Tensor]
    /// A card's; nil where keys and values are tensors of the whole capacity.
    let pages: CachePages?

    /// - Parameter dtype: float32, or bfloat16 at half the memory.
    public init(layerCount: Int, keyValueHeadCount: Int, headDimension: Int, capacity: Int, dtype: DType = .float32) {
        precondition(dtype == .float32 || dtype == .bfloat16, "a cache is kept in f32 or bf16")
        self.layerCount = layerCount
        self.keyValueHeadCount = keyValueHeadCount
        self.headDimension = headDimension
        self.capacity = capacity
        self.dtype = dtype
        pages = nil
        let shape = [keyValueHeadCount, capacity, headDimension]
        keys = (0..<layerCount).map { _ in Tensor.zeros(shape, dtype) }
        values = (0..<layerCount).map { _ in Tensor.zeros(shape, dtype) }
    }

    /// In a card's pages.
    init(layerCount: Int, keyValueHeadCount: Int, headDimension: Int, capacity: Int, dtype: DType, pages: CachePages) {
        self.layerCount = layerCount
        self.keyValueHeadCount = keyValueHeadCount
        self.headDimension = headDimension
        self.capacity = capacity
        self.dtype = dtype
        self.pages = pages
        keys = []
        values = []
    }

    /// Forgets everything after the first `length` tokens.
    public func truncate(to length: Int) {
        self.length = max(0, min(length, self.length))
        pages?.release(beyond: self.length)
    }

    /// Of its whole capacity.
    public var byteCount: Int { 2 * layerCount * keyValueHeadCount * capacity * headDimension * dtype.byteCount }

    /// Where there are no pages.
    func keys(layer: Int) -> Tensor { keys[layer] }
    func values(layer: Int) -> Tensor { values[layer] }

    /// Called once the last layer has stored its rows.
    func advance(by count: Int) { length += count }
}
