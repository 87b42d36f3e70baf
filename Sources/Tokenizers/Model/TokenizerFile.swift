import Formats
import Platform

/// What a tokenizer.json says, read in one pass: the vocabulary and the merges go straight into their tables.
struct TokenizerFile {
    var addedTokens: [AddedToken] = []
    var normalizer: Normalizer?
    var preTokenizer: PreTokenizer?
    var postProcessor: PostProcessor?
    var decoder: TokenDecoder?
    var model: TokenModel
    /// Tokens put around a text, by name: for tokenizers without a post-processor of their own.
    var prefixNames: [String] = []
    var suffixNames: [String] = []

    init(model: TokenModel) { self.model = model }

    /// Ids beyond this are taken for damage: tables are sized by the largest id.
    static let largestID = 1 << 24

    init(path: String) throws(TokenizerError) {
        guard FileSystem.exists(path) else { throw .missingFile(path: path) }
        let file: MappedFile
        do { file = try MappedFile(path: path) } catch { throw .unreadable(path: path, reason: error.description) }
        self = try withExtendedLifetime(file) { () throws(TokenizerError) in try TokenizerFile(bytes: file.bytes, path: path) }
    }

    /// - Parameter path: what errors call the file.
    init(bytes: UnsafeRawBufferPointer, path: String) throws(TokenizerError) {
        do {
            self = try TokenizerFile(reading: JSONReader(bytes, name: path, checksAtOnce: true), path: path, size: bytes.count)
        } catch let error as TokenizerError {
            throw error
        } catch let error as JSONError {
            throw .notJSON(sentence: error.description)
        } catch {
            throw .malformed(path: path, part: "the file", expected: "a tokenizer", found: "\(error)")
        }
    }

    private init(reading source: JSONReader, path: String, size: Int) throws {
        var reader = source
        var parts: [String: JSONValue] = [:]
        var modelReader: JSONReader?
        var found: TokenModel?
        try reader.beginObject()
        while let key = try reader.nextKey() {
            switch key {
            case "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder": parts[key] = try reader.value()
            case "model":
                // Whether tokens are bytes or text is known only from the pre-tokenizer, which may come later.
                if let preTokenizer = parts["pre_tokenizer"] {
                    let isByteLevel = try TokenizerParts(path: path).preTokenizer(preTokenizer, "pre_tokenizer")?.isByteLevel ?? false
                    found = try TokenModelReader(path: path, isByteLevel: isByteLevel, expectedTokens: size / 64).read(&reader)
                } else {
                    modelReader = reader
                    try reader.skip()
                }
            default: try reader.skip()
            }
        }
        try reader.end()
        let reading = TokenizerParts(path: path)
        normalizer = try reading.normalizer(parts["normalizer"] ?? .null, "normalizer")
        let preTokenizer = try reading.preTokenizer(parts["pre_tokenizer"] ?? .null, "pre_tokenizer")
        self.preTokenizer = preTokenizer
        decoder = try reading.decoder(parts["decoder"] ?? .null, "decoder")
        addedTokens = try reading.addedTokens(parts["added_tokens"] ?? .null)
        if found == nil, var modelReader {
            found = try TokenModelReader(
                path: path, isByteLevel: preTokenizer?.isByteLevel ?? false, expectedTokens: size / 64
            ).read(&modelReader)
        }
        guard let found else {
            throw TokenizerError.malformed(path: path, part: "model", expected: "an object", found: "nothing")
        }
        model = found
        postProcessor = try reading.postProcessor(parts["post_processor"] ?? .null, "post_processor")
    }
}

extension PreTokenizer {
    /// True when words reach the model in the byte alphabet.
    var isByteLevel: Bool {
        switch self {
        case .sequence(let steps): return steps.contains { $0.isByteLevel }
        case .byteLevel: return true
        case .known, .split, .metaspace, .digits, .whitespaceWords, .whitespaceSplit, .punctuation, .bert, .delimiter, .fixedLength:
            return false
        }
    }
}
