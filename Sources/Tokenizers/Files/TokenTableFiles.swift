import Formats
import Platform

/// Byte-level vocabularies that come as tables only: vocab.json with merges.txt (GPT-2, Qwen 2), and tiktoken's lists of
/// base64 tokens (GLM-4's tokenizer.model, qwen.tiktoken).
enum TokenTableFiles {
    /// - Parameter className: `tokenizer_class` of the settings, which decides how words are cut.
    static func vocabularyAndMerges(directory: String, settings: TokenizerSettings) throws(TokenizerError) -> TokenizerFile {
        let vocabularyPath = Path.join(directory, "vocab.json")
        let mergesPath = Path.join(directory, "merges.txt")
        let isQwen = settings.className?.hasPrefix("Qwen") ?? false
        let reader = BytePairModelReader(path: vocabularyPath, isByteLevel: true, expectedTokens: 50_000)
        let text = try bytes(vocabularyPath)
        let merges = try bytes(mergesPath)
        let model: BytePairModel
        do {
            let tables = try text.withUnsafeBytes { buffer in
                var json = JSONReader(buffer, name: vocabularyPath)
                let tables = try reader.vocabulary(&json)
                try json.end()
                return tables
            }
            var pair = BytePairModelReader.Settings()
            pair.unknownToken = settings.unkToken
            let table = try mergeTable(merges, tables.vocabulary, path: mergesPath)
            model = BytePairModelReader.model(pair, tables.vocabulary, tables.literals, table, isByteLevel: true)
        } catch let error as TokenizerError {
            throw error
        } catch let error as JSONError {
            throw .notJSON(sentence: error.description)
        } catch {
            throw .unreadable(path: vocabularyPath, reason: "\(error)")
        }
        var file = TokenizerFile(model: .bytePair(model))
        file.decoder = .byteLevel
        if isQwen {
            file.normalizer = .composed
            file.preTokenizer = .sequence([.known(.qwen2), .byteLevel(addPrefixSpace: false, usesPattern: false)])
        } else {
            file.preTokenizer = .byteLevel(addPrefixSpace: settings.addsPrefixSpace, usesPattern: true)
        }
        return file
    }

    private static func bytes(_ path: String) throws(TokenizerError) -> [UInt8] {
        guard FileSystem.exists(path) else { throw .missingFile(path: path) }
        do { return try FileSystem.readBytes(path) } catch { throw .unreadable(path: path, reason: error.description) }
    }

    /// Lines `left right`; a first line that begins with `#version` is a heading.
    static func mergeTable(_ text: [UInt8], _ vocabulary: Vocabulary, path: String) throws(TokenizerError) -> MergeTable {
        var found: [(Int32, Int32, Int32)] = []
        for (number, line) in text.split(separator: 0x0A).enumerated() {
            var line = line
            if line.last == 0x0D { line = line.dropLast() }
            if line.isEmpty || (number == 0 && line.starts(with: Array("#version".utf8))) { continue }
            var left: [UInt8] = []
            var right: [UInt8] = []
            let space = line.firstIndex(of: 0x20)
            let isMapped = space.map { space in
                Array(line[..<space]).withUnsafeBytes { ByteAlphabet.appendBytes(ofText: $0, to: &left) }
                    && Array(line[(space + 1)...]).withUnsafeBytes { ByteAlphabet.appendBytes(ofText: $0, to: &right) }
            }
            guard isMapped == true, let leftID = vocabulary.id(of: left), let rightID = vocabulary.id(of: right),
                let result = vocabulary.id(of: left + right)
            else { throw .mergeOutOfVocabulary(path: path, index: found.count, text: String(decoding: line, as: UTF8.self)) }
            found.append((leftID, rightID, result))
        }
        let table = MergeTable(capacity: found.count)
        for (rank, merge) in found.enumerated() { table.insert(left: merge.0, right: merge.1, rank: UInt32(rank), result: merge.2) }
        return table
    }

    /// Whether a file begins like tiktoken's: base64, a blank, a number.
    static func isTiktoken(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let line = bytes.prefix(200).prefix { $0 != 0x0A }
        guard let space = line.firstIndex(of: 0x20), space > line.startIndex, space + 1 < line.endIndex else { return false }
        return line[(space + 1)...].allSatisfy { (0x30...0x39).contains($0) || $0 == 0x0D } && Base64.decode(line[..<space]) != nil
    }

    /// Lines `base64 rank`; a token's rank is its id, and the rank of the merge that makes it.
    static func tiktoken(_ bytes: UnsafeRawBufferPointer, pattern: WordScanner.Known, composes: Bool, path: String) throws(TokenizerError) -> TokenizerFile {
        var vocabulary = Vocabulary(capacity: bytes.count / 16)
        var longest = 0
        var number = 0
        for line in bytes.split(separator: 0x0A) {
            number += 1
            let line = line.last == 0x0D ? line.dropLast() : line
            if line.isEmpty { continue }
            guard let space = line.firstIndex(of: 0x20), let token = Base64.decode(line[..<space]), !token.isEmpty,
                let id = Int32(String(decoding: line[(space + 1)...], as: UTF8.self)), id >= 0, id < TokenizerFile.largestID
            else {
                throw .malformed(
                    path: path, part: "line \(number)", expected: "a token in base64 and its rank", found: String(decoding: line.prefix(60), as: UTF8.self))
            }
            let insertion = token.withUnsafeBytes { vocabulary.insert($0, id: id) }
            if insertion != .inserted { throw .duplicateToken(path: path, token: String(decoding: token, as: UTF8.self)) }
            longest = max(longest, token.count)
        }
        if vocabulary.count == 0 { throw .malformed(path: path, part: "the file", expected: "at least one token", found: "none") }
        let ranks = (0..<vocabulary.limit).map { UInt32($0) }
        var pair = BytePairModelReader.Settings()
        pair.ignoresMerges = true
        let merges = MergeTable(MergeTable.Concatenation(vocabulary: vocabulary, ranks: ranks, longest: longest))
        let model = BytePairModelReader.model(pair, vocabulary, Vocabulary(capacity: 1), merges, isByteLevel: true)
        var file = TokenizerFile(model: .bytePair(model))
        file.decoder = .byteLevel
        if composes { file.normalizer = .composed }
        file.preTokenizer = .sequence([.known(pattern), .byteLevel(addPrefixSpace: false, usesPattern: false)])
        return file
    }
}
