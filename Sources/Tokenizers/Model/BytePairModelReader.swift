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
        var token: [UInt8] = []
        var isLiteral = false
        try reader.beginObject()
        let asBytes = isByteLevel
        while
            (try reader.nextKey { (text: UnsafeRawBufferPointer) -> Void in
                token.removeAll(keepingCapacity: true)
                isLiteral = asBytes && !ByteAlphabet.appendBytes(ofText: text, to: &token)
                if isLiteral || !asBytes { token.append(contentsOf: text) }
            }) != nil
        {
            let id = try reader.integer()
            guard id >= 0, id < TokenizerFile.largestID else {
                throw TokenizerError.malformed(
                    path: path, part: "model.vocab[\"\(String(decoding: token, as: UTF8.self))\"]",
                    expected: "an id from 0 to \(TokenizerFile.largestID - 1)", found: String(id))
            }
            let isKnown = isLiteral ? vocabulary.contains(id: Int32(id)) : literals.contains(id: Int32(id))
            let insertion = token.withUnsafeBytes {
                isLiteral ? literals.insert($0, id: Int32(id)) : vocabulary.insert($0, id: Int32(id))
            }
            if isKnown || insertion != .inserted {
                throw TokenizerError.duplicateToken(path: path, token: String(decoding: token, as: UTF8.self))
            }
        }
        if vocabulary.count == 0 { throw missing("model.vocab", "at least one token") }
        return (vocabulary, literals)
    }

    /// - Throws: `mergeOutOfVocabulary` for a pair that the vocabulary lacks.
    func merges(_ reader: inout JSONReader, _ vocabulary: Vocabulary, _ settings: Settings) throws -> MergeTable {
        var found: [(left: Int32, right: Int32, result: Int32)] = []
        found.reserveCapacity(vocabulary.count)
        var left: [UInt8] = []
        var right: [UInt8] = []
        let prefixLength = settings.continuingPrefix.utf8.count
        try reader.beginArray()
        while try reader.nextElement() {
            left.removeAll(keepingCapacity: true)
            right.removeAll(keepingCapacity: true)
            var isWellFormed = true
            if try reader.peek() == .string {
                try reader.withStringBytes { text in
                    guard let space = text.firstIndex(of: 0x20), space > 0, space + 1 < text.count else {
                        isWellFormed = false
                        return
                    }
                    isWellFormed =
                        append(UnsafeRawBufferPointer(rebasing: text[..<space]), &left)
                        && append(UnsafeRawBufferPointer(rebasing: text[(space + 1)...]), &right)
                }
            } else {
                try reader.beginArray()
                var index = 0
                while try reader.nextElement() {
                    try reader.withStringBytes { text in
                        if index > 1 { isWellFormed = false }
                        else if !(index == 0 ? append(text, &left) : append(text, &right)) { isWellFormed = false }
                    }
                    index += 1
                }
                if index != 2 { isWellFormed = false }
            }
            let result = left + right.dropFirst(prefixLength)
            guard isWellFormed, let leftID = vocabulary.id(of: left), let rightID = vocabulary.id(of: right),
                let resultID = vocabulary.id(of: result)
            else {
                let text = String(decoding: left, as: UTF8.self) + " " + String(decoding: right, as: UTF8.self)
                throw TokenizerError.mergeOutOfVocabulary(path: path, index: found.count, text: text)
            }
            found.append((leftID, rightID, resultID))
        }
        let table = MergeTable(capacity: found.count)
        for (rank, merge) in found.enumerated() {
            table.insert(left: merge.left, right: merge.right, rank: UInt32(rank), result: merge.result)
        }
        return table
    }

    /// Appends what a merge's half stands for; false when it cannot be in a byte-level vocabulary.
    private func append(_ text: UnsafeRawBufferPointer, _ output: inout [UInt8]) -> Bool {
        if isByteLevel { return ByteAlphabet.appendBytes(ofText: text, to: &output) }
        output.append(contentsOf: text)
        return true
    }

    func missing(_ part: String, _ expected: String) -> TokenizerError {
        .malformed(path: path, part: part, expected: expected, found: "nothing")
    }
}
