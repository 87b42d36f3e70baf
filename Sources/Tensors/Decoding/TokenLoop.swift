import Platform

/// Decoding whose tokens stay on a card: a step is fed what the last one chose, keeps positions and lengths up to date, samples, and
/// sends home four bytes for each conversation.
public protocol TokenLoop: AnyObject {
    /// Conversations that it takes at a time.
    var slotCount: Int { get }
    /// - Returns: the conversation's place; nil when all are taken.
    func join(_ conversation: LoopedConversation) -> Int?
    func leave(_ slot: Int)
    /// One more token of every conversation; its cache grows by the one that was fed.
    /// - Returns: a token for each slot; -1 where the logits are no numbers, and for empty slots.
    func step() -> [Int32]
}

/// What a conversation brings along.
public struct LoopedConversation {
    /// Of the same backend.
    public let cache: KeyValueCache
    /// Not yet in the cache.
    public let nextToken: Int32
    /// Tokens of prompt and answer so far, for the penalty.
    public let history: [Int32]
    public let rules: TokenRules
    /// Draws one number for each token that is sampled.
    public let random: RandomGenerator

    public init(cache: KeyValueCache, nextToken: Int32, history: [Int32], rules: TokenRules, random: RandomGenerator) {
        self.cache = cache
        self.nextToken = nextToken
        self.history = history
        self.rules = rules
        self.random = random
    }
}

/// How a token is chosen, in transformers' order: penalty, temperature, top-k, top-p, min-p.
public struct TokenRules: Sendable, Equatable {
    /// 0 takes the first of the largest logits.
    public var temperature: Float
    /// 0 for all.
    public var topK: Int
    /// 1 for all.
    public var topP: Float
    /// 0 for all.
    public var minP: Float
    /// 1 for none.
    public var repetitionPenalty: Float

    public init(temperature: Float, topK: Int = 0, topP: Float = 1, minP: Float = 0, repetitionPenalty: Float = 1) {
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.minP = minP
        self.repetitionPenalty = repetitionPenalty
    }
}

/// What backends that keep caches of their own offer.
public protocol DecodingBackend: AnyObject {
    /// Room for the keys and values of one sequence.
    func makeCache(layerCount: Int, keyValueHeadCount: Int, headDimension: Int, capacity: Int, dtype: DType) -> KeyValueCache
    /// - Parameters:
    ///   - vocabularySize: logits of a row
    ///   - mostTokens: of the longest conversation
    ///   - forward: the model, from the layout's rows to logits [rows, vocabulary]; it must not change while the loop lives
    /// - Returns: nil where tokens are sampled on the host
    func makeTokenLoop(
        slotCount: Int, vocabularySize: Int, mostTokens: Int, forward: @escaping (Tape, SequenceLayout) -> Tensor
    ) -> (any TokenLoop)?
}

extension DecodingBackend {
    public func makeCache(layerCount: Int, keyValueHeadCount: Int, headDimension: Int, capacity: Int, dtype: DType) -> KeyValueCache {
        KeyValueCache(
            layerCount: layerCount, keyValueHeadCount: keyValueHeadCount, headDimension: headDimension, capacity: capacity, dtype: dtype)
    }

    public func makeTokenLoop(
        slotCount: Int, vocabularySize: Int, mostTokens: Int, forward: @escaping (Tape, SequenceLayout) -> Tensor
    ) -> (any TokenLoop)? { nil }
}
