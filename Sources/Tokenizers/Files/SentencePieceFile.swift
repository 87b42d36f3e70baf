import Platform

/// A SentencePiece `tokenizer.model`: a protocol buffer with the pieces, how the model was trained and how text is normalised.
/// Only the fields that encoding and decoding need are kept; unknown ones are passed over.
struct SentencePieceFile {
    enum PieceType: UInt64 { case normal = 1, unknown, control, userDefined, unused, byte }
    enum ModelType: UInt64 { case unigram = 1, bytePair, word, character }

    struct Piece {
        var text: [UInt8] = []
        var score: Float = 0
        var type = PieceType.normal
    }

    var pieces: [Piece] = []
    var modelType = ModelType.unigram
    var treatsBlankAsSuffix = false
    var usesByteFallback = false
    var unknownID: Int64 = 0
    var beginID: Int64 = 1
    var endID: Int64 = 2
    var unknownSurface: [UInt8] = Array(" \u{2047} ".utf8)
    var characterMap: [UInt8] = []
    var addsDummyPrefix = true
    var removesExtraBlanks = true
    var escapesBlanks = true

    private let path: String

    /// From pieces that another format holds.
    init(pieces: [Piece], path: String) {
        self.pieces = pieces
        self.path = path
    }

    /// - Parameter path: what errors call the file.
    init(bytes: UnsafeRawBufferPointer, path: String) throws(TokenizerError) {
        self.path = path
        var message = ProtocolBuffer(bytes, path: path)
        while let field = try message.next() {
            switch (field.number, field.value) {
            case (1, .bytes(let content)):
                if pieces.count >= TokenizerFile.largestID {
                    throw .malformed(path: path, part: "pieces", expected: "at most \(TokenizerFile.largestID)", found: "more")
                }
                pieces.append(try piece(content, pieces.count))
            case (2, .bytes(let content)): try readTrainer(content)
            case (3, .bytes(let content)): try readNormalizer(content)
            default: break
            }
        }
        if pieces.isEmpty { throw .malformed(path: path, part: "pieces", expected: "at least one", found: "none") }
    }

    private func piece(_ content: UnsafeRawBufferPointer, _ index: Int) throws(TokenizerError) -> Piece {
        var piece = Piece()
        var message = ProtocolBuffer(content, path: path)
        while let field = try message.next() {
            switch (field.number, field.value) {
            case (1, .bytes(let text)): piece.text = Array(text)
            case (2, .fixed32(let bits)): piece.score = Float(bitPattern: bits)
            case (3, .varint(let value)):
                guard let type = PieceType(rawValue: value) else {
                    throw .malformed(path: path, part: "pieces[\(index)].type", expected: "1 to 6", found: "\(value)")
                }
                piece.type = type
            default: break
            }
        }
        if piece.text.isEmpty { throw .malformed(path: path, part: "pieces[\(index)].piece", expected: "a text", found: "an empty one") }
        return piece
    }

    private mutating func readTrainer(_ content: UnsafeRawBufferPointer) throws(TokenizerError) {
        var message = ProtocolBuffer(content, path: path)
        while let field = try message.next() {
            switch (field.number, field.value) {
            case (3, .varint(let value)):
                guard let type = ModelType(rawValue: value), type == .unigram || type == .bytePair else {
                    throw .unsupported(path: path, part: "trainer_spec.model_type", found: "\(value) (1 unigram and 2 BPE are known)")
                }
                modelType = type
            case (24, .varint(let value)): treatsBlankAsSuffix = value != 0
            case (35, .varint(let value)): usesByteFallback = value != 0
            case (40, .varint(let value)): unknownID = Int64(bitPattern: value)
            case (41, .varint(let value)): beginID = Int64(bitPattern: value)
            case (42, .varint(let value)): endID = Int64(bitPattern: value)
            case (44, .bytes(let text)): unknownSurface = Array(text)
            default: break
            }
        }
    }

    private mutating func readNormalizer(_ content: UnsafeRawBufferPointer) throws(TokenizerError) {
        var message = ProtocolBuffer(content, path: path)
        while let field = try message.next() {
            switch (field.number, field.value) {
            case (2, .bytes(let map)): characterMap = Array(map)
            case (3, .varint(let value)): addsDummyPrefix = value != 0
            case (4, .varint(let value)): removesExtraBlanks = value != 0
            case (5, .varint(let value)): escapesBlanks = value != 0
            default: break
            }
        }
    }

    // MARK: Parts of a tokenizer

    func vocabulary() throws(TokenizerError) -> Vocabulary {
        var vocabulary = Vocabulary(capacity: pieces.count)
        for (id, piece) in pieces.enumerated() {
            let insertion = piece.text.withUnsafeBytes { vocabulary.insert($0, id: Int32(id)) }
            if insertion != .inserted { throw .duplicateToken(path: path, token: String(decoding: piece.text, as: UTF8.self)) }
        }
        return vocabulary
    }

    private func ids(_ types: [PieceType]) -> [Int32] {
        pieces.indices.filter { types.contains(pieces[$0].type) }.map { Int32($0) }
    }

    var controlIDs: [Int32] { ids([.control, .unknown]) }

    func model() throws(TokenizerError) -> TokenModel {
        let vocabulary = try vocabulary()
        let unknown = ids([.unknown]).first ?? (pieces.indices.contains(Int(clamping: unknownID)) ? Int32(unknownID) : nil)
        if modelType == .unigram {
            let normal = pieces.lazy.filter { $0.type == .normal }.map(\.score)
            let (lowest, highest) = (normal.min() ?? 0, normal.max() ?? 0)
            let scores = pieces.map { piece in
                piece.type == .userDefined ? Double(Float(piece.text.count) * highest) - 0.1 : Double(piece.score)
            }
            return .unigram(UnigramModel(
                vocabulary: vocabulary, scores: scores, unknownID: unknown,
                unknownScore: Double(lowest - Float(UnigramModel.unknownPenalty)), usesByteFallback: usesByteFallback,
                isSinglePrecision: true, excluded: Set(ids([.control, .unknown, .byte, .unused]))))
        }
        let reserved = Set(ids([.control, .unknown, .byte]))
        let ranks = pieces.indices.map { reserved.contains(Int32($0)) ? UInt32.max : SentencePieceFile.rank(pieces[$0].score) }
        let longest = pieces.map(\.text.count).max() ?? 0
        let merges = MergeTable(MergeTable.Concatenation(vocabulary: vocabulary, ranks: ranks, longest: longest))
        var settings = BytePairModelReader.Settings()
        settings.unknownToken = unknown.map { String(decoding: pieces[Int($0)].text, as: UTF8.self) }
        settings.fusesUnknown = true
        settings.usesByteFallback = usesByteFallback
        var model = BytePairModelReader.model(
            settings, vocabulary, Vocabulary(capacity: 1), merges, isByteLevel: false, reserved: reserved)
        model.unused = Set(ids([.unused]))
        model.userDefined = userDefined
        return .bytePair(model)
    }

    /// The higher the score the lower the rank; scores in their order as whole numbers.
    private static func rank(_ score: Float) -> UInt32 {
        let bits = score.bitPattern
        let ordered = bits & 0x8000_0000 != 0 ? ~bits : bits | 0x8000_0000
        return min(~ordered, UInt32.max - 3)
    }

    private var userDefined: AddedTokenMatcher? {
        let tokens = ids([.userDefined]).map { AddedToken(id: $0, content: String(decoding: pieces[Int($0)].text, as: UTF8.self)) }
        return tokens.isEmpty ? nil : AddedTokenMatcher(tokens, contents: tokens.map { pieces[Int($0.id)].text })
    }

    /// - Parameter prefixesOnlyStart: no blank is put after added tokens.
    func normalizer(prefixesOnlyStart: Bool) throws(TokenizerError) -> Normalizer {
        var rules = SentencePieceText()
        if !characterMap.isEmpty {
            guard let map = CharacterMap(characterMap) else {
                throw .malformed(
                    path: path, part: "normalizer_spec.precompiled_charsmap", expected: "a compiled character map",
                    found: "\(characterMap.count) bytes whose sizes do not fit")
            }
            rules.map = map
        }
        rules.addsDummyPrefix = addsDummyPrefix
        rules.removesExtraBlanks = removesExtraBlanks
        rules.escapesBlanks = escapesBlanks
        rules.treatsBlankAsSuffix = treatsBlankAsSuffix
        rules.prefixesOnlyStart = prefixesOnlyStart
        rules.userDefined = userDefined
        return .sentencePiece(rules)
    }

    var decoder: TokenDecoder {
        let unknown = ids([.unknown]).first.map { pieces[Int($0)].text } ?? []
        return .sentencePiece(
            unknown: unknown, surface: unknownSurface, dropsBlank: addsDummyPrefix || removesExtraBlanks, dropsAllBlanks: removesExtraBlanks)
    }

    func text(_ id: Int64) -> String? {
        pieces.indices.contains(Int(clamping: id)) ? String(decoding: pieces[Int(id)].text, as: UTF8.self) : nil
    }
}

/// The fields of a protocol buffer message, one after the other.
struct ProtocolBuffer {
    enum Value {
        case varint(UInt64)
        case fixed64(UInt64)
        case bytes(UnsafeRawBufferPointer)
        case fixed32(UInt32)
    }

    private let bytes: UnsafeRawBufferPointer
    private let path: String
    private var offset = 0

    init(_ bytes: UnsafeRawBufferPointer, path: String) {
        self.bytes = bytes
        self.path = path
    }

    /// The next field; nil at the end of the message.
    mutating func next() throws(TokenizerError) -> (number: UInt64, value: Value)? {
        if offset >= bytes.count { return nil }
        let key = try varint()
        switch key & 7 {
        case 0: return (key >> 3, .varint(try varint()))
        case 1: return (key >> 3, .fixed64(UInt64(littleEndian: try take(8).loadUnaligned(as: UInt64.self))))
        case 2:
            let length = try varint()
            guard length <= UInt64(bytes.count - offset) else { throw damaged("a field of \(length) bytes where \(bytes.count - offset) are left") }
            return (key >> 3, .bytes(try take(Int(length))))
        case 5: return (key >> 3, .fixed32(UInt32(littleEndian: try take(4).loadUnaligned(as: UInt32.self))))
        default: throw damaged("a field of unknown kind \(key & 7) before byte \(offset)")
        }
    }

    private mutating func take(_ length: Int) throws(TokenizerError) -> UnsafeRawBufferPointer {
        guard length <= bytes.count - offset else { throw damaged("its end in the middle of a field") }
        defer { offset += length }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length])
    }

    private mutating func varint() throws(TokenizerError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while offset < bytes.count, shift < 64 {
            let byte = bytes[offset]
            offset += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        throw damaged("a number that does not end, before byte \(offset)")
    }

    private func damaged(_ found: String) -> TokenizerError {
        .malformed(path: path, part: "the file", expected: "a SentencePiece model (protocol buffer)", found: found)
    }
}
