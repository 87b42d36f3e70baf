import Formats

/// Reads the vocabulary and the merges of a byte pair model.
struct BytePairModelReader {
    let path: String
    let isByteLevel: Bool
    let expectedTokens: Int

    struct Settings {
        var unknownToken: String?
        var continuingPrefix = ""
        var endOfWordSuffix = ""
        var fusesUnknown = false
        var usesByteFallback = false
        var ignoresMerges = false
    }

    /// Puts the parts together. `merges` holds only pairs of tokens of `vocabulary`.
    static func model(
        _ settings: Settings, _ vocabulary: Vocabulary, _ literals: Vocabulary, _ merges: MergeTable, isByteLevel: Bool,
        reserved: Set<Int32> = []
    ) -> BytePairModel {
        var byteIDs = [Int32](repeating: -1, count: 256)
        let digits = Array("0123456789ABCDEF".utf8)
        for byte in 0..<256 {
            if isByteLevel {
                byteIDs[byte] = vocabulary.id(of: [UInt8(byte)]) ?? -1
            } else {
                byteIDs[byte] = vocabulary.id(of: [0x3C, 0x30, 0x78, digits[byte >> 4], digits[byte & 15], 0x3E]) ?? -1
            }
        }
        var unknownID: Int32?
        if let token = settings.unknownToken {
            unknownID = vocabulary.id(of: Array(token.utf8)) ?? literals.id(of: Array(token.utf8))
        }
        let trie = LazyTrie { ByteTrie(vocabulary) { !reserved.contains($0) } }
        return BytePairModel(
            vocabulary: vocabulary, literals: literals, merges: merges, isByteLevel: isByteLevel, ignoresMerges: settings.ignoresMerges,
            unknownID: unknownID, fusesUnknown: settings.fusesUnknown, byteIDs: byteIDs, usesByteFallback: settings.usesByteFallback,
            continuingPrefix: Array(settings.continuingPrefix.utf8), endOfWordSuffix: Array(settings.endOfWordSuffix.utf8),
            reserved: reserved, keepsUnknownApart: isByteLevel || merges.leavesAlone(Set(byteIDs + [unknownID ?? -1])), trie: trie)
    }

    func vocabulary(_ reader: inout JSONReader) throws -> (vocabulary: Vocabulary, literals: Vocabulary) {
        var vocabulary = Vocabulary(capacity: max(expectedTokens, 256))
        var literals = Vocabulary(capacity: 16)
        var token = TokenText()
        try reader.beginObject()
        while let place = try reader.nextKeyPlace() {
            token.clear()
            // What is not in the byte alphabet is a token by its name only.
            let isLiteral = !token.append(place, reader, asBytes: isByteLevel)
            if isLiteral { _ = token.append(place, reader, asBytes: false) }
            let id = try reader.integer()
            guard id >= 0, id < TokenizerFile.largestID else {
                throw TokenizerError.malformed(
                    path: path, part: "model.vocab[\"\(token.description)\"]",
                    expected: "an id from 0 to \(TokenizerFile.largestID - 1)", found: String(id))
            }
            let isKnown = isLiteral ? vocabulary.contains(id: Int32(id)) : literals.contains(id: Int32(id))
            let insertion =
                isLiteral ? literals.insert(token.bytes, id: Int32(id)) : vocabulary.insert(token.bytes, id: Int32(id))
            if isKnown || insertion != .inserted { throw TokenizerError.duplicateToken(path: path, token: token.description) }
        }
        if vocabulary.count == 0 { throw missing("model.vocab", "at least one token") }
        return (vocabulary, literals)
    }

    /// - Throws: `mergeOutOfVocabulary` for a pair that the vocabulary lacks.
    func merges(_ reader: inout JSONReader, _ vocabulary: Vocabulary, _ settings: Settings) throws -> MergeTable {
        var found: [(left: Int32, right: Int32, result: Int32)] = []
        found.reserveCapacity(vocabulary.count)
        var joined = TokenText(), shortened = TokenText()
        let prefixLength = settings.continuingPrefix.utf8.count
        try reader.beginArray()
        while try reader.nextElement() {
            joined.clear()
            let boundary = try mergeHalves(&reader, into: &joined)
            // Most lists make the tokens in the order of their ids.
            let next = (found.last?.result ?? -1) &+ 1
            if prefixLength > 0, let boundary { shortened.join(joined, boundary, dropping: prefixLength) }
            guard let boundary, let left = vocabulary.id(of: joined[0..<boundary]), let right = vocabulary.id(of: joined[boundary..<joined.count]),
                let result = vocabulary.id(of: prefixLength > 0 ? shortened.bytes : joined.bytes, likely: next)
            else {
                throw TokenizerError.mergeOutOfVocabulary(path: path, index: found.count, text: joined.halves(boundary))
            }
            found.append((left, right, result))
        }
        let table = MergeTable(capacity: found.count)
        for (rank, merge) in found.enumerated() {
            table.insert(left: merge.left, right: merge.right, rank: UInt32(rank), result: merge.result)
        }
        return table
    }

    /// Takes a merge, `"left right"` or `["left", "right"]`, and writes what its halves stand for one after the other.
    /// - Returns: where the second begins; nil when this is no merge.
    private func mergeHalves(_ reader: inout JSONReader, into joined: inout TokenText) throws -> Int? {
        if try reader.peek() == .string { return joined.appendHalves(try reader.stringPlace(), reader, asBytes: isByteLevel) }
        var boundary: Int?
        var isWellFormed = true
        var index = 0
        try reader.beginArray()
        while try reader.nextElement() {
            let place = try reader.stringPlace()
            if index < 2, !joined.append(place, reader, asBytes: isByteLevel) { isWellFormed = false }
            if index == 0 { boundary = joined.count }
            index += 1
        }
        return isWellFormed && index == 2 ? boundary : nil
    }

    func missing(_ part: String, _ expected: String) -> TokenizerError {
        .malformed(path: path, part: part, expected: expected, found: "nothing")
    }
}
