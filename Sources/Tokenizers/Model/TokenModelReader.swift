import Formats

/// Reads the `model` object of a tokenizer.json, of whichever type.
struct TokenModelReader {
    let path: String
    let isByteLevel: Bool
    let expectedTokens: Int

    /// What the object's members say, before it is known what they make.
    private struct Members {
        var type: String?
        var pair = BytePairModelReader.Settings()
        var hasPrefix = false
        var unknownIndex: Int64?
        var longestWord: Int64?
        var tables: (vocabulary: Vocabulary, literals: Vocabulary)?
        var pieces: (vocabulary: Vocabulary, scores: [Double])?
        var merges: MergeTable?
        /// Where the merges begin, and the prefix that they were read with: members may come in any order.
        var mergesStart: JSONReader?
        var mergesPrefix: String?
    }

    func read(_ reader: inout JSONReader) throws -> TokenModel {
        let pairReader = BytePairModelReader(path: path, isByteLevel: isByteLevel, expectedTokens: expectedTokens)
        var members = Members()
        try reader.beginObject()
        while let key = try reader.nextKey() {
            switch key {
            case "type": members.type = try reader.string()
            case "unk_token": members.pair.unknownToken = try optionalString(&reader)
            case "unk_id": members.unknownIndex = try reader.takeNull() ? nil : try reader.integer()
            case "max_input_chars_per_word": members.longestWord = try reader.integer()
            case "continuing_subword_prefix":
                members.pair.continuingPrefix = try optionalString(&reader) ?? ""
                members.hasPrefix = true
            case "end_of_word_suffix": members.pair.endOfWordSuffix = try optionalString(&reader) ?? ""
            case "fuse_unk": members.pair.fusesUnknown = try reader.bool()
            case "byte_fallback": members.pair.usesByteFallback = try reader.bool()
            case "ignore_merges": members.pair.ignoresMerges = try reader.bool()
            case "dropout":
                let dropout = try reader.takeNull() ? 0 : try reader.double()
                // Dropout makes ids random: fine while a model is trained elsewhere, useless for comparing and serving.
                if dropout != 0 { throw TokenizerError.unsupported(path: path, part: "model.dropout", found: "\(dropout)") }
            case "vocab":
                if try reader.peek() == .array {
                    members.pieces = try pieces(&reader)
                } else {
                    members.tables = try pairReader.vocabulary(&reader)
                    // Merges in front of it are read again.
                    members.mergesPrefix = nil
                }
            case "merges":
                members.mergesStart = reader
                if let tables = members.tables, let merges = try? pairReader.merges(&reader, tables.vocabulary, members.pair) {
                    members.merges = merges
                    members.mergesPrefix = members.pair.continuingPrefix
                } else if let start = members.mergesStart {
                    // Read, or refused, when the vocabulary and the prefix are known.
                    reader = start
                    try reader.skip()
                }
            default: try reader.skip()
            }
        }
        return try model(members, pairReader)
    }

    private func model(_ members: Members, _ pairReader: BytePairModelReader) throws -> TokenModel {
        let hasMerges = members.mergesStart != nil
        let inferred = hasMerges ? "BPE" : members.pieces != nil ? "Unigram" : members.longestWord != nil ? "WordPiece" : "WordLevel"
        let type = members.type ?? inferred
        switch type {
        case "BPE":
            guard let tables = members.tables else { throw missing("model.vocab", "an object of tokens and ids") }
            var merges = members.merges
            if var start = members.mergesStart, members.mergesPrefix != members.pair.continuingPrefix {
                merges = try pairReader.merges(&start, tables.vocabulary, members.pair)
            }
            guard let merges else { throw missing("model.merges", "a list of pairs") }
            if members.pair.unknownToken != nil {
                // Checked here: without it, text would lose characters without a word.
                let name = Array((members.pair.unknownToken ?? "").utf8)
                if !isByteLevel, tables.vocabulary.id(of: name) == nil { throw unknownMissing(members.pair.unknownToken) }
            }
            return .bytePair(BytePairModelReader.model(
                members.pair, tables.vocabulary, tables.literals, merges, isByteLevel: isByteLevel))
        case "Unigram":
            guard let pieces = members.pieces else { throw missing("model.vocab", "a list of pieces and scores") }
            if let index = members.unknownIndex, index < 0 || index >= pieces.scores.count {
                throw TokenizerError.malformed(
                    path: path, part: "model.unk_id", expected: "an index into model.vocab (\(pieces.scores.count) pieces)", found: "\(index)")
            }
            try requireText()
            return .unigram(UnigramModel(
                vocabulary: pieces.vocabulary, scores: pieces.scores, unknownID: members.unknownIndex.map { Int32($0) },
                unknownScore: (pieces.scores.min() ?? 0) - UnigramModel.unknownPenalty, usesByteFallback: members.pair.usesByteFallback))
        case "WordPiece", "WordLevel":
            guard let vocabulary = members.tables?.vocabulary else { throw missing("model.vocab", "an object of tokens and ids") }
            try requireText()
            let unknown = vocabulary.id(of: Array((members.pair.unknownToken ?? "[UNK]").utf8))
            if type == "WordLevel" { return .wordLevel(WordLevelModel(vocabulary: vocabulary, unknownID: unknown)) }
            if unknown == nil { throw unknownMissing(members.pair.unknownToken ?? "[UNK]") }
            return .wordPiece(WordPieceModel(
                vocabulary: vocabulary, unknownID: unknown,
                continuingPrefix: Array((members.hasPrefix ? members.pair.continuingPrefix : "##").utf8),
                longestWord: Int(clamping: members.longestWord ?? 100)))
        default: throw TokenizerError.unsupported(path: path, part: "model.type", found: "\"\(type)\"")
        }
    }

    private func requireText() throws(TokenizerError) {
        if isByteLevel { throw .unsupported(path: path, part: "model.type", found: "a vocabulary of text behind ByteLevel") }
    }

    private func unknownMissing(_ token: String?) -> TokenizerError {
        .malformed(path: path, part: "model.unk_token", expected: "a token of model.vocab", found: "\"\(token ?? "")\"")
    }

    /// A unigram vocabulary: `[["piece", score], ...]`; ids are places in the list.
    private func pieces(_ reader: inout JSONReader) throws -> (vocabulary: Vocabulary, scores: [Double]) {
        var vocabulary = Vocabulary(capacity: max(expectedTokens, 256))
        var scores: [Double] = []
        var piece: [UInt8] = []
        try reader.beginArray()
        while try reader.nextElement() {
            try reader.beginArray()
            var index = 0
            while try reader.nextElement() {
                switch index {
                case 0:
                    try reader.withStringBytes { text in
                        piece.removeAll(keepingCapacity: true)
                        piece.append(contentsOf: text)
                    }
                case 1: scores.append(try reader.withNumberBytes(TokenModelReader.score))
                default: try reader.skip()
                }
                index += 1
            }
            guard index == 2, scores.count <= TokenizerFile.largestID else {
                throw TokenizerError.malformed(
                    path: path, part: "model.vocab[\(max(scores.count - 1, 0))]", expected: "a piece and its score", found: "\(index) members")
            }
            let insertion = piece.withUnsafeBytes { vocabulary.insert($0, id: Int32(scores.count - 1)) }
            if insertion != .inserted { throw TokenizerError.duplicateToken(path: path, token: String(decoding: piece, as: UTF8.self)) }
        }
        if scores.isEmpty { throw missing("model.vocab", "at least one piece") }
        return (vocabulary, scores)
    }

    /// A score as `tokenizers` reads it (serde_json without its exact mode): the digits as a whole number, rounded, times or divided by a
    /// power of ten, rounded again. That can be off by one in the last place, which decides between equally good ways to cut a word.
    private static func score(_ text: UnsafeRawBufferPointer) -> Double {
        var digits: UInt64 = 0
        var exponent = 0
        var isPastPoint = false
        var isFull = false
        var position = text.first == 0x2D ? 1 : 0
        while position < text.count, text[position] | 0x20 != 0x65 {
            let byte = text[position]
            position += 1
            if byte == 0x2E {
                isPastPoint = true
                continue
            }
            guard byte >= 0x30, byte <= 0x39 else { return Double(String(decoding: text, as: UTF8.self)) ?? 0 }
            let (tens, overflow) = digits.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tens.addingReportingOverflow(UInt64(byte - 0x30))
            isFull = isFull || overflow || carry
            if isFull {
                if !isPastPoint { exponent += 1 }
                continue
            }
            digits = sum
            if isPastPoint { exponent -= 1 }
        }
        if position < text.count {
            let written = String(decoding: text[(position + 1)...], as: UTF8.self)
            exponent += max(-100_000, min(100_000, Int(written) ?? 0))
        }
        guard abs(exponent) <= 308, let power = Double("1e\(abs(exponent))") else { return Double(String(decoding: text, as: UTF8.self)) ?? 0 }
        let value = exponent < 0 ? Double(digits) / power : Double(digits) * power
        return text.first == 0x2D ? -value : value
    }

    private func optionalString(_ reader: inout JSONReader) throws -> String? {
        if try reader.takeNull() { return nil }
        return try reader.string()
    }

    private func missing(_ part: String, _ expected: String) -> TokenizerError {
        .malformed(path: path, part: part, expected: expected, found: "nothing")
    }
}
