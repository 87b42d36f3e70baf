import Configuration
import Formats
import Models
import Platform
import Tokenizers

/// What a configuration adds to a vocabulary: `add_tokens`, `add_special_tokens` or `new_special_tokens_config`, and, with
/// `resize_vocab`, the template's stop words that the tokenizer lacks.
///
///     let change = try VocabularyChange(configuration)
///     let tokenizer = try change.tokenizer(directory)
///     let model = try Transformer.load(directory: directory, backend: backend, options: LoadOptions(growth: change.growth(tokenizer)))
public struct VocabularyChange: Sendable {
    private var tokens: [NewToken] = []
    /// New tokens and the words that they begin as.
    private var descriptions: [(token: String, words: String)] = []
    private let start: String
    private let seed: UInt64
    private let splitsSpecialTokens: Bool
    /// The embedding and the head get rows for all tokens of the tokenizer.
    public let resizes: Bool

    public init(_ configuration: Configuration) throws(VocabularyError) {
        start = configuration[.initSpecialTokens]
        seed = UInt64(bitPattern: Int64(configuration[.seed]))
        splitsSpecialTokens = configuration[.splitSpecialTokens]
        for token in configuration[.addTokens] where !token.isEmpty { tokens.append(NewToken(token, isSpecial: false)) }
        if let path = configuration[.newSpecialTokensConfig], !path.isEmpty {
            descriptions = try Self.read(path)
            tokens += descriptions.map { NewToken($0.token, isSpecial: true) }
        } else {
            for token in configuration[.addSpecialTokens] where !token.isEmpty { tokens.append(NewToken(token, isSpecial: true)) }
        }
        // Without rows the new tokens would lie outside the embedding.
        resizes = configuration[.resizeVocab] || !tokens.isEmpty
        if resizes, let name = configuration[.template], let template = try? PromptTemplate.named(name) {
            tokens += template.stopWords.map { NewToken($0, isSpecial: true) }
        }
    }

    private static func read(_ path: String) throws(VocabularyError) -> [(token: String, words: String)] {
        let value: JSONValue
        do { value = try YAML.parse(try FileSystem.readText(path), name: path) } catch { throw .unreadable(path: path, reason: "\(error)") }
        guard let object = value.objectValue, !object.isEmpty else {
            throw .unreadable(path: path, reason: "expected tokens with their descriptions, as `\"<token>\": what it stands for`")
        }
        var result: [(token: String, words: String)] = []
        for (token, words) in object {
            guard let text = words.stringValue else {
                throw .unreadable(path: path, reason: "the description of \(token) is \(words.kindName), expected text")
            }
            result.append((token, text))
        }
        return result
    }

    /// The tokenizer of a model, with the new tokens.
    public func tokenizer(_ directory: String) throws(TokenizerError) -> Tokenizer {
        let tokenizer = try Tokenizer(directory: directory, adding: tokens)
        return splitsSpecialTokens ? tokenizer.splittingSpecialTokens() : tokenizer
    }

    /// The rows that a tokenizer needs; nil when the model is to stay as it is.
    public func growth(_ tokenizer: Tokenizer) -> VocabularyGrowth? {
        guard resizes else { return nil }
        var described: [VocabularyGrowth.Description] = []
        if start != "noise_init" {
            for (token, words) in descriptions {
                guard let id = tokenizer.id(of: token) else { continue }
                described.append(VocabularyGrowth.Description(row: Int(id), tokens: tokenizer.encode(words)))
            }
        }
        return VocabularyGrowth(
            tokenCount: tokenizer.vocabularySize, addsNoise: described.isEmpty, descriptions: described,
            addsNoiseToDescriptions: start == "desc_init_w_noise", seed: seed)
    }

    /// The growth that a configuration asks for, with the tokenizer read anew.
    public static func growth(_ configuration: Configuration, directory: String) throws -> VocabularyGrowth? {
        let change = try VocabularyChange(configuration)
        guard change.resizes else { return nil }
        return change.growth(try change.tokenizer(directory))
    }
}

public enum VocabularyError: Error, Equatable, CustomStringConvertible {
    case unreadable(path: String, reason: String)

    public var description: String {
        switch self {
        case .unreadable(let path, let reason): "new_special_tokens_config: \(path) cannot be used: \(reason)."
        }
    }
}
