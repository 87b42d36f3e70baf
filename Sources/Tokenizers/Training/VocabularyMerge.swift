import Formats
import Platform

/// Puts the tokens and merges of one BPE tokenizer behind those of another, as BELLE and Chinese-LLaMA extend a vocabulary.
///
/// Every token of the base keeps its id, and its merges keep their order and come first; new tokens get the ids after the largest
/// that is in use. Both must be of one style: bytes in the byte alphabet, or text with visible blanks.
///
/// What the saved folder must hold: a tokenizer.json whose `model.vocab` names the added tokens too (readers number added tokens
/// that the vocabulary lacks anew), and the settings of the base. Tables that would now contradict it (tokenizer.model, vocab.json,
/// merges.txt) stay behind. A base that has only a SentencePiece tokenizer.model gets its pieces appended there.
public struct VocabularyMerge {
    /// What came out.
    public struct Summary: Sendable, Equatable {
        /// One more than the largest id of the base.
        public var baseSize: Int
        public var newTokens: Int
        public var newMerges: Int
        public var size: Int { baseSize + newTokens }
    }

    /// The folder whose tokens keep their ids, and the one whose tokens are added.
    public let base: String
    public let addition: String
    /// Takes at most so many tokens, in the order of their ids; nil for all.
    public let limit: Int?

    public init(base: String, addition: String, limit: Int? = nil) {
        self.base = base
        self.addition = addition
        self.limit = limit
    }

    /// Writes the merged tokenizer into `directory`.
    @discardableResult
    public func write(to directory: String) throws(TokenizerError) -> Summary {
        let source = try Tokenizer(directory: base)
        let basePath = Path.join(base, "tokenizer.json")
        if FileSystem.exists(basePath) {
            var file = try VocabularyMerge.object(basePath)
            let summary = try extend(&file, path: basePath, limitOfIDs: source.vocabularySize)
            try VocabularyMerge.copySettings(from: base, to: directory)
            do {
                try FileSystem.writeAtomically(Path.join(directory, "tokenizer.json"), text: file.text(style: .compact))
            } catch {
                throw .unwritable(path: directory, reason: error.description)
            }
            return summary
        }
        let modelPath = Path.join(base, "tokenizer.model")
        guard FileSystem.exists(modelPath) else { throw .missingFile(path: basePath) }
        return try extendPieces(modelPath, to: directory)
    }

    // MARK: tokenizer.json

    private func extend(_ file: inout JSONObject, path: String, limitOfIDs: Int) throws(TokenizerError) -> Summary {
        guard var model = file["model"]?.objectValue, let vocabulary = model["vocab"]?.objectValue, let merges = model["merges"]?.arrayValue
        else { throw .unsupported(path: path, part: "model", found: "a model without merges; only BPE vocabularies can be merged") }
        let new = try additionTables()
        let baseIsByteLevel = VocabularyMerge.isByteLevel(file)
        if baseIsByteLevel != new.isByteLevel {
            throw .cannotMerge(reason: "\(base) is \(VocabularyMerge.style(baseIsByteLevel)), \(addition) is \(VocabularyMerge.style(new.isByteLevel))")
        }
        var entries: [(token: String, id: Int)] = vocabulary.pairs.compactMap { pair in pair.value.intValue.map { (pair.key, $0) } }
        var ids: [ByteKey: Int] = [:]
        for entry in entries { ids[ByteKey(entry.token)] = entry.id }
        for token in file["added_tokens"]?.arrayValue ?? [] {
            guard let content = token["content"]?.stringValue, let id = token["id"]?.intValue, ids[ByteKey(content)] == nil else { continue }
            ids[ByteKey(content)] = id
            entries.append((content, id))
        }
        var summary = Summary(baseSize: limitOfIDs, newTokens: 0, newMerges: 0)
        for token in new.tokens where ids[ByteKey(token)] == nil {
            if let limit, summary.newTokens >= limit { break }
            let id = summary.size
            ids[ByteKey(token)] = id
            entries.append((token, id))
            summary.newTokens += 1
        }
        var known = Set<MergeKey>()
        for merge in merges { if let pair = VocabularyMerge.pair(merge) { known.insert(MergeKey(pair)) } }
        let asText = merges.first?.stringValue != nil
        var allMerges = merges
        for pair in new.merges {
            guard ids[ByteKey(pair.0)] != nil, ids[ByteKey(pair.1)] != nil, ids[ByteKey(pair.0 + pair.1)] != nil,
                known.insert(MergeKey(pair)).inserted
            else { continue }
            allMerges.append(asText ? .string(pair.0 + " " + pair.1) : .array([.string(pair.0), .string(pair.1)]))
            summary.newMerges += 1
        }
        entries.sort { $0.id < $1.id }
        model["vocab"] = .object(JSONObject(entries.map { ($0.token, .integer($0.id)) }))
        model["merges"] = .array(allMerges)
        file["model"] = .object(model)
        return summary
    }

    private struct MergeKey: Hashable {
        let left: ByteKey
        let right: ByteKey

        init(_ pair: (String, String)) {
            left = ByteKey(pair.0)
            right = ByteKey(pair.1)
        }
    }

    private struct Tables {
        var tokens: [String]
        var merges: [(String, String)]
        var isByteLevel: Bool
    }

    /// Tokens to add by id, without special ones, and their merges in order.
    private func additionTables() throws(TokenizerError) -> Tables {
        let path = Path.join(addition, "tokenizer.json")
        if !FileSystem.exists(path) { return try pieceTables() }
        _ = try Tokenizer(directory: addition)
        let file = try VocabularyMerge.object(path)
        guard let model = file["model"]?.objectValue, let vocabulary = model["vocab"]?.objectValue, let merges = model["merges"]?.arrayValue
        else { throw .unsupported(path: path, part: "model", found: "a model without merges; only BPE vocabularies can be merged") }
        let added = Set((file["added_tokens"]?.arrayValue ?? []).compactMap { $0["content"]?.stringValue.map { ByteKey($0) } })
        let tokens = vocabulary.pairs.compactMap { pair in pair.value.intValue.map { (token: pair.key, id: $0) } }
            .filter { !added.contains(ByteKey($0.token)) && TokenDecoder.fallbackByte(Array($0.token.utf8)[...]) == nil }
            .sorted { $0.id < $1.id }.map(\.token)
        return Tables(tokens: tokens, merges: merges.compactMap(VocabularyMerge.pair), isByteLevel: VocabularyMerge.isByteLevel(file))
    }

    /// The same of a SentencePiece BPE model: its merges are all ways to put a piece together, the better pieces first.
    private func pieceTables() throws(TokenizerError) -> Tables {
        let pieces = try VocabularyMerge.pieces(Path.join(addition, "tokenizer.model")).filter { $0.type == .normal }
        let known = Set(pieces.map { ByteKey(String(decoding: $0.text, as: UTF8.self)) })
        var merges: [(String, String)] = []
        for piece in pieces.sorted(by: { $0.score > $1.score }) {
            let text = String(decoding: piece.text, as: UTF8.self)
            for cut in text.unicodeScalars.indices.dropFirst() {
                let halves = (String(text.unicodeScalars[..<cut]), String(text.unicodeScalars[cut...]))
                if known.contains(ByteKey(halves.0)), known.contains(ByteKey(halves.1)) { merges.append(halves) }
            }
        }
        return Tables(tokens: pieces.map { String(decoding: $0.text, as: UTF8.self) }, merges: merges, isByteLevel: false)
    }

    private static func pair(_ merge: JSONValue) -> (String, String)? {
        if let list = merge.arrayValue { return list.count == 2 ? list[0].stringValue.flatMap { left in list[1].stringValue.map { (left, $0) } } : nil }
        let halves = merge.stringValue?.split(separator: " ", omittingEmptySubsequences: false).map(String.init) ?? []
        return halves.count == 2 ? (halves[0], halves[1]) : nil
    }

    private static func isByteLevel(_ file: JSONObject) -> Bool {
        let step = file["pre_tokenizer"]
        let steps = step?["pretokenizers"]?.arrayValue ?? step.map { [$0] } ?? []
        return steps.contains { $0["type"]?.stringValue == "ByteLevel" }
    }

    private static func style(_ isByteLevel: Bool) -> String { isByteLevel ? "byte-level" : "made of text (SentencePiece's style)" }

    private static func object(_ path: String) throws(TokenizerError) -> JSONObject {
        do {
            guard let object = try JSONValue.read(file: path).objectValue else {
                throw TokenizerError.malformed(path: path, part: "the file", expected: "an object", found: "something else")
            }
            return object
        } catch let error as TokenizerError {
            throw error
        } catch {
            throw .notJSON(sentence: "\(error)")
        }
    }

    // MARK: tokenizer.model

    private static func pieces(_ path: String) throws(TokenizerError) -> [SentencePieceFile.Piece] {
        let bytes: [UInt8]
        do { bytes = try FileSystem.readBytes(path) } catch { throw .unreadable(path: path, reason: error.description) }
        let result: Result<SentencePieceFile, TokenizerError> = bytes.withUnsafeBytes { buffer in
            do throws(TokenizerError) { return .success(try SentencePieceFile(bytes: buffer, path: path)) } catch { return .failure(error) }
        }
        return try result.get().pieces
    }

    /// A message's repeated field may go on at its end: new pieces are appended to the file as it is, each a little worse than the last.
    private func extendPieces(_ path: String, to directory: String) throws(TokenizerError) -> Summary {
        let old = try VocabularyMerge.pieces(path)
        let new = try additionTables()
        if new.isByteLevel { throw .cannotMerge(reason: "\(base) is \(VocabularyMerge.style(false)), \(addition) is \(VocabularyMerge.style(true))") }
        var known = Set(old.map { ByteKey(String(decoding: $0.text, as: UTF8.self)) })
        var score = old.lazy.filter { $0.type == .normal }.map(\.score).min() ?? 0
        var summary = Summary(baseSize: old.count, newTokens: 0, newMerges: 0)
        var bytes: [UInt8]
        do { bytes = try FileSystem.readBytes(path) } catch { throw .unreadable(path: path, reason: error.description) }
        for token in new.tokens where known.insert(ByteKey(token)).inserted {
            if let limit, summary.newTokens >= limit { break }
            score -= 1
            let text = Array(token.utf8)
            var piece: [UInt8] = [0x0A] + VocabularyMerge.varint(text.count) + text + [0x15]
            withUnsafeBytes(of: score.bitPattern.littleEndian) { piece.append(contentsOf: $0) }
            bytes += [0x0A] + VocabularyMerge.varint(piece.count) + piece
            summary.newTokens += 1
        }
        try VocabularyMerge.copySettings(from: base, to: directory)
        do {
            try FileSystem.writeAtomically(Path.join(directory, "tokenizer.model"), bytes: bytes)
        } catch {
            throw .unwritable(path: directory, reason: error.description)
        }
        return summary
    }

    private static func varint(_ value: Int) -> [UInt8] {
        var rest = value
        var result: [UInt8] = []
        while rest >= 0x80 {
            result.append(UInt8(rest & 0x7F | 0x80))
            rest >>= 7
        }
        return result + [UInt8(rest)]
    }

    private static func copySettings(from base: String, to directory: String) throws(TokenizerError) {
        do {
            try FileSystem.createDirectory(directory)
            for name in ["tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja", "chat_template.json", "added_tokens.json"] {
                let source = Path.join(base, name)
                if FileSystem.exists(source) { try FileSystem.copy(source, Path.join(directory, name)) }
            }
        } catch {
            throw .unwritable(path: directory, reason: error.description)
        }
    }
}
