import Configuration
import Tensors

/// How the next token is chosen and when to stop, with the names and meaning of transformers' `GenerationConfig`.
public struct SamplingOptions: Sendable, Equatable {
    /// False takes the likeliest token each time.
    public var doSample: Bool
    /// Logits are divided by this before sampling; above 0.
    public var temperature: Double
    /// Only the k likeliest tokens are candidates; 0 for all.
    public var topK: Int
    /// Only the likeliest tokens whose probabilities add up to this are candidates; 1 for all.
    public var topP: Double
    /// Only tokens with at least this share of the likeliest one's probability are candidates; 0 for all.
    public var minP: Double
    /// Above 1 makes tokens of prompt and answer less likely (CTRL, arXiv 1909.05858).
    public var repetitionPenalty: Double
    /// The most tokens of an answer; nil leaves the limit to `maxLength`.
    public var maxNewTokens: Int?
    /// The most tokens of prompt and answer together, where `maxNewTokens` is nil.
    public var maxLength: Int
    /// Nil draws a new one for each answer.
    public var seed: UInt64?
    /// Tokens that end an answer; nil stands for the model's end-of-sequence tokens and the tokenizer's.
    public var stopTokenIDs: [Int32]?
    /// Texts that end an answer; they are not part of it.
    public var stopStrings: [String]
    /// More than 1 searches with so many beams.
    public var beams: Int
    /// Exponent of the length by which a beam's log-probability is divided.
    public var lengthPenalty: Double
    /// Leave special tokens out of the text.
    public var skipsSpecialTokens: Bool

    public init(
        doSample: Bool = true, temperature: Double = 0.95, topK: Int = 50, topP: Double = 0.7, minP: Double = 0,
        repetitionPenalty: Double = 1, maxNewTokens: Int? = 1024, maxLength: Int = 1024, seed: UInt64? = nil, stopTokenIDs: [Int32]? = nil,
        stopStrings: [String] = [], beams: Int = 1, lengthPenalty: Double = 1, skipsSpecialTokens: Bool = true
    ) {
        self.doSample = doSample
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.minP = minP
        self.repetitionPenalty = repetitionPenalty
        self.maxNewTokens = maxNewTokens
        self.maxLength = maxLength
        self.seed = seed
        self.stopTokenIDs = stopTokenIDs
        self.stopStrings = stopStrings
        self.beams = beams
        self.lengthPenalty = lengthPenalty
        self.skipsSpecialTokens = skipsSpecialTokens
    }

    /// Always the likeliest token.
    public static func greedy(maxNewTokens: Int) -> SamplingOptions {
        SamplingOptions(doSample: false, temperature: 1, topK: 0, topP: 1, maxNewTokens: maxNewTokens)
    }

    /// The generating arguments. As in LLaMA-Factory, a temperature of 0 means greedy, and `max_new_tokens` above 0 wins over
    /// `max_length`.
    public init(_ configuration: Configuration) {
        self.init(
            doSample: configuration[.doSample] && configuration[.temperature] > 0,
            temperature: configuration[.temperature] > 0 ? configuration[.temperature] : 1, topK: configuration[.topK],
            topP: configuration[.topP], repetitionPenalty: configuration[.repetitionPenalty],
            maxNewTokens: configuration[.maxNewTokens] > 0 ? configuration[.maxNewTokens] : nil, maxLength: configuration[.maxLength],
            beams: configuration[.numBeams], lengthPenalty: configuration[.lengthPenalty],
            skipsSpecialTokens: configuration[.skipSpecialTokens])
    }

    /// As a card samples.
    var rules: TokenRules {
        TokenRules(
            temperature: doSample ? Float(temperature) : 0, topK: doSample ? topK : 0, topP: doSample ? Float(topP) : 1,
            minP: doSample ? Float(minP) : 0, repetitionPenalty: Float(repetitionPenalty))
    }

    /// What is wrong with the numbers, if anything.
    func problem() -> GenerationError? {
        if !(temperature > 0 && temperature.isFinite) { return .invalidOption("temperature", "above 0", "\(temperature)") }
        if topK < 0 { return .invalidOption("top_k", "0 or more", "\(topK)") }
        if !(topP >= 0 && topP <= 1) { return .invalidOption("top_p", "from 0 to 1", "\(topP)") }
        if !(minP >= 0 && minP <= 1) { return .invalidOption("min_p", "from 0 to 1", "\(minP)") }
        if !(repetitionPenalty > 0 && repetitionPenalty.isFinite) {
            return .invalidOption("repetition_penalty", "above 0", "\(repetitionPenalty)")
        }
        if beams < 1 || beams > 64 { return .invalidOption("num_beams", "from 1 to 64", "\(beams)") }
        if let maxNewTokens, maxNewTokens < 1 { return .invalidOption("max_new_tokens", "1 or more", "\(maxNewTokens)") }
        if !lengthPenalty.isFinite { return .invalidOption("length_penalty", "a number", "\(lengthPenalty)") }
        return nil
    }
}
