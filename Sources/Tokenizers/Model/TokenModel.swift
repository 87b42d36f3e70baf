/// What turns words into ids, of whichever kind.
enum TokenModel: Sendable {
    case bytePair(BytePairModel)
    case unigram(UnigramModel)
    case wordPiece(WordPieceModel)
    case wordLevel(WordLevelModel)

    /// True when words are bytes, not text.
    var isByteLevel: Bool {
        if case .bytePair(let model) = self { return model.isByteLevel }
        return false
    }

    var unknownID: Int32? {
        switch self {
        case .bytePair(let model): return model.unknownID
        case .unigram(let model): return model.unknownID
        case .wordPiece(let model): return model.unknownID
        case .wordLevel(let model): return model.unknownID
        }
    }

    private var vocabulary: Vocabulary {
        switch self {
        case .bytePair(let model): return model.vocabulary
        case .unigram(let model): return model.vocabulary
        case .wordPiece(let model): return model.vocabulary
        case .wordLevel(let model): return model.vocabulary
        }
    }

    /// Bytes that a token of a byte-level model stands for.
    func bytes(of id: Int32) -> ArraySlice<UInt8>? { isByteLevel ? vocabulary.bytes(of: id) : nil }

    /// Text of a token as the vocabulary spells it.
    func text(of id: Int32) -> [UInt8]? {
        if case .bytePair(let model) = self { return model.text(of: id) }
        return vocabulary.bytes(of: id).map { Array($0) }
    }

    func id(ofText text: [UInt8]) -> Int32? {
        if case .bytePair(let model) = self { return model.id(ofText: text) }
        return vocabulary.id(of: text)
    }

    /// One more than the largest id.
    var limit: Int {
        if case .bytePair(let model) = self { return model.limit }
        return vocabulary.limit
    }

    /// Appends the ids of one word. 32 bytes beyond its end are readable.
    @inline(__always)
    func encode(_ start: UnsafePointer<UInt8>, _ length: Int, _ scratch: EncoderScratch, into output: inout [Int32]) {
        switch self {
        case .bytePair(let model):
            if model.isByteLevel {
                model.encodeBytes(start, length, scratch, into: &output)
            } else {
                model.encodeCharacters(start, length, scratch, into: &output)
            }
        case .unigram(let model): model.encode(start, length, scratch, into: &output)
        case .wordPiece(let model): model.encode(start, length, scratch, into: &output)
        case .wordLevel(let model): model.encode(start, length, into: &output)
        }
    }
}
