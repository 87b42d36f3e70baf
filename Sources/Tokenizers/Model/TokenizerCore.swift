import Formats
import Platform

/// The engine of a tokenizer: tables that never change, and a pool of scratch memory for encoding.
final class TokenizerCore: @unchecked Sendable {
    let model: BytePairModel
    let normalizer: Normalizer?
    let preTokenizer: PreTokenizer?
    let decoder: TokenDecoder?
    let postProcessor: PostProcessor?
    let addedTokens: [AddedToken]
    let specialIDs: Set<Int32>
    /// One more than the largest id.
    let limit: Int

    private let addedByID: [Int32: Int]
    private let addedByText: [ByteKey: Int32]
    /// Tokens looked for in the text as given, and those looked for after normalising.
    private let plainMatcher: AddedTokenMatcher
    private let normalizedMatcher: AddedTokenMatcher
    private let plan: Plan
    private let idleScratch = Mutex<[EncoderScratch]>([])

    /// How a stretch without added tokens is encoded.
    private enum Plan {
        /// Straight from the bytes: a byte-level model behind a pattern that has a scanner.
        case scanner(WordScanner.Known)
        /// Through the general chain.
        case general
    }

    init(file: TokenizerFile, settings: TokenizerSettings, path: String) throws(TokenizerError) {
        model = file.model
        normalizer = file.normalizer
        preTokenizer = file.preTokenizer
        decoder = file.decoder
        postProcessor = file.postProcessor
        let tokens = try TokenizerCore.merge(file: file, settings: settings, path: path)
        addedTokens = tokens
        specialIDs = Set(tokens.filter(\.isSpecial).map(\.id))
        addedByID = Dictionary(uniqueKeysWithValues: tokens.enumerated().map { ($1.id, $0) })
        addedByText = Dictionary(tokens.map { (ByteKey($0.content), $0.id) }, uniquingKeysWith: { first, _ in first })
        limit = max(model.limit, (tokens.map { Int($0.id) }.max() ?? -1) + 1)
        let plain = tokens.filter { !$0.isNormalized }
        let normalized = tokens.filter(\.isNormalized)
        plainMatcher = AddedTokenMatcher(plain, contents: plain.map { Array($0.content.utf8) })
        let normalizer = file.normalizer
        normalizedMatcher = AddedTokenMatcher(
            normalized, contents: normalized.map { normalizer?.apply(Array($0.content.utf8)) ?? Array($0.content.utf8) })
        plan = TokenizerCore.plan(file)
    }

    /// Added tokens of tokenizer.json, then those of the settings that it lacks; names of special tokens mark them special.
    private static func merge(
        file: TokenizerFile, settings: TokenizerSettings, path: String
    ) throws(TokenizerError) -> [AddedToken] {
        var tokens: [AddedToken] = []
        var usedIDs = Set<Int32>()
        var places: [ByteKey: Int] = [:]
        for token in file.addedTokens {
            if let place = places[ByteKey(token.content)], tokens[place].id == token.id { continue }
            if usedIDs.contains(token.id) || places[ByteKey(token.content)] != nil {
                throw .duplicateToken(path: path, token: token.content)
            }
            usedIDs.insert(token.id)
            places[ByteKey(token.content)] = tokens.count
            tokens.append(token)
        }
        for token in settings.addedTokens where places[ByteKey(token.content)] == nil && !usedIDs.contains(token.id) {
            usedIDs.insert(token.id)
            places[ByteKey(token.content)] = tokens.count
            tokens.append(token)
        }
        var next = Int32(max(file.model.limit, Int(usedIDs.max() ?? -1) + 1))
        for name in settings.specialTokens {
            if let place = places[ByteKey(name)] {
                tokens[place].isSpecial = true
                continue
            }
            var id = file.model.id(ofText: Array(name.utf8))
            if id == nil {
                id = next
                next += 1
            }
            places[ByteKey(name)] = tokens.count
            if let id { tokens.append(AddedToken(id: id, content: name, isSpecial: true)) }
        }
        return tokens.sorted { $0.id < $1.id }
    }

    private static func plan(_ file: TokenizerFile) -> Plan {
        guard file.model.isByteLevel, file.model.continuingPrefix.isEmpty, file.model.endOfWordSuffix.isEmpty else { return .general }
        switch file.normalizer {
        case nil, .composed?: break
        default: return .general
        }
        switch file.preTokenizer {
        case .byteLevel(addPrefixSpace: false, usesPattern: true): return .scanner(.gpt2)
        case .sequence(let steps) where steps.count == 2:
            if case .known(let known) = steps[0], case .byteLevel(addPrefixSpace: false, usesPattern: false) = steps[1] {
                return .scanner(known)
            }
            return .general
        default: return .general
        }
    }

    // MARK: Encoding

    func encode(_ text: UnsafeBufferPointer<UInt8>, into output: inout [Int32]) {
        if text.isEmpty { return }
        let scratch = idleScratch.withLock { $0.popLast() } ?? EncoderScratch()
        defer { idleScratch.withLock { if $0.count < 64 { $0.append(scratch) } } }
        if plainMatcher.isEmpty {
            encodeSection(text, isFirst: true, scratch, into: &output)
            return
        }
        for part in plainMatcher.parts(text) {
            if let token = part.token {
                output.append(token)
            } else {
                encodeSection(
                    UnsafeBufferPointer(rebasing: text[part.range]), isFirst: part.range.lowerBound == 0, scratch, into: &output)
            }
        }
    }

    /// A stretch between tokens that are found in the text as given.
    private func encodeSection(
        _ text: UnsafeBufferPointer<UInt8>, isFirst: Bool, _ scratch: EncoderScratch, into output: inout [Int32]
    ) {
        if case .scanner(let known) = plan, normalizedMatcher.isEmpty {
            scratch.fill(text)
            if normalizer != nil, let composed = Normalizer.compose(scratch.plainBytes) {
                composed.withUnsafeBufferPointer { scratch.fill($0) }
            }
            encodeWords(known, scratch, into: &output)
            return
        }
        let normalized = normalizer?.apply(Array(text)) ?? Array(text)
        normalized.withUnsafeBufferPointer { buffer in
            let parts = normalizedMatcher.isEmpty
                ? [AddedTokenMatcher.Part(range: 0..<buffer.count, token: nil)] : normalizedMatcher.parts(buffer)
            for part in parts {
                if let token = part.token {
                    output.append(token)
                    continue
                }
                let section = UnsafeBufferPointer(rebasing: buffer[part.range])
                if case .scanner(let known) = plan {
                    scratch.fill(section)
                    encodeWords(known, scratch, into: &output)
                } else {
                    encodeGeneral(section, isFirst: isFirst && part.range.lowerBound == 0, scratch, into: &output)
                }
            }
        }
    }

    private func encodeWords(_ known: WordScanner.Known, _ scratch: EncoderScratch, into output: inout [Int32]) {
        let base = scratch.base
        let count = scratch.count
        let scanner = WordScanner(base: base, end: count, classes: .shared)
        var position = 0
        switch known {
        case .gpt2:
            while position < count {
                let end = scanner.gpt2(position)
                encodeWord(base + position, end - position, scratch, into: &output)
                position = end
            }
        case .llama3:
            while position < count {
                let end = scanner.llama3(position, digits: 3)
                encodeWord(base + position, end - position, scratch, into: &output)
                position = end
            }
        case .qwen2:
            while position < count {
                let end = scanner.llama3(position, digits: 1)
                encodeWord(base + position, end - position, scratch, into: &output)
                position = end
            }
        }
    }

    @inline(__always)
    private func encodeWord(_ start: UnsafePointer<UInt8>, _ length: Int, _ scratch: EncoderScratch, into output: inout [Int32]) {
        if length <= WordCache.longestWord {
            let key = WordCache.key(start, length: length)
            if scratch.cache.append(key.low, key.high, to: &output) { return }
            let before = output.count
            model.encodeBytes(start, length, scratch.work, into: &output)
            scratch.cache.insert(key.low, key.high, ids: output[before...])
        } else {
            model.encodeBytes(start, length, scratch.work, into: &output)
        }
    }

    private func encodeGeneral(
        _ text: UnsafeBufferPointer<UInt8>, isFirst: Bool, _ scratch: EncoderScratch, into output: inout [Int32]
    ) {
        let whole = [PreTokenizer.Piece(bytes: Array(text), isFirst: isFirst)]
        for piece in preTokenizer?.apply(whole) ?? whole {
            if model.isByteLevel {
                piece.bytes.withUnsafeBufferPointer { buffer in
                    guard let base = buffer.baseAddress else { return }
                    model.encodeBytes(base, buffer.count, scratch.work, into: &output)
                }
            } else {
                model.encodeCharacters(piece.bytes[...], scratch.work, into: &output)
            }
        }
    }

    // MARK: Decoding

    func tokenText(_ id: Int32) -> [UInt8]? {
        if let place = addedByID[id] { return Array(addedTokens[place].content.utf8) }
        return model.text(of: id)
    }

    func id(of token: String?) -> Int32? {
        guard let token else { return nil }
        return addedByText[ByteKey(token)] ?? model.id(ofText: Array(token.utf8))
    }

    func decode(_ ids: [Int32], skipSpecialTokens: Bool) -> String {
        if case .byteLevel? = decoder, model.isByteLevel {
            var bytes: [UInt8] = []
            bytes.reserveCapacity(ids.count * 4)
            for id in ids where !(skipSpecialTokens && specialIDs.contains(id)) {
                _ = appendDecodedBytes(of: id, isFirst: false, to: &bytes)
            }
            return String(decoding: bytes, as: UTF8.self)
        }
        let tokens = ids.filter { !(skipSpecialTokens && specialIDs.contains($0)) }.compactMap { tokenText($0) }
        guard let decoder else {
            return tokens.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ")
        }
        return String(decoding: decoder.apply(tokens).flatMap { $0 }, as: UTF8.self)
    }

    /// Appends what one token adds to decoded text, as bytes that may be parts of characters; false for an unknown id.
    /// - Parameter isFirst: nothing has come out yet, so that a leading space that the encoder had added goes.
    func appendDecodedBytes(of id: Int32, isFirst: Bool, to bytes: inout [UInt8]) -> Bool {
        if addedByID[id] == nil, model.isByteLevel, let known = model.vocabulary.bytes(of: id) {
            bytes.append(contentsOf: known)
            return true
        }
        guard let text = tokenText(id) else { return false }
        switch decoder {
        case .byteLevel?:
            let isMapped = text.withUnsafeBytes { ByteAlphabet.appendBytes(ofText: $0, to: &bytes) }
            if !isMapped { bytes.append(contentsOf: text) }
        case .none:
            if !isFirst { bytes.append(0x20) }
            bytes.append(contentsOf: text)
        case .some(let decoder):
            if addedByID[id] == nil, let byte = TokenDecoder.fallbackByte(text[...]) {
                bytes.append(byte)
                return true
            }
            // A neighbour in front keeps the decoders that treat the first token apart from doing so.
            let neighbour = Array("a".utf8)
            let joined = decoder.apply(isFirst ? [text] : [neighbour, text]).flatMap { $0 }
            bytes.append(contentsOf: isFirst ? joined[...] : joined.dropFirst(neighbour.count))
        }
        return true
    }
}

/// Memory that one encoding call uses and gives back: the padded text, the merge work space and the cache of words.
final class EncoderScratch {
    let cache = WordCache()
    let work = MergeWork()
    private var storage: UnsafeMutablePointer<UInt8>
    private var capacity: Int
    /// Bytes of text; at least sixteen zero bytes follow them.
    private(set) var count = 0
    private static let padding = 16

    init() {
        capacity = 1 << 12
        storage = .allocate(capacity: capacity + EncoderScratch.padding)
    }

    deinit { storage.deallocate() }

    var base: UnsafePointer<UInt8> { UnsafePointer(storage) }
    var plainBytes: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: storage, count: count) }

    /// Takes over a text (which may not be this scratch's own).
    func fill(_ text: UnsafeBufferPointer<UInt8>) {
        if text.count > capacity {
            storage.deallocate()
            capacity = max(text.count, capacity * 2)
            storage = .allocate(capacity: capacity + EncoderScratch.padding)
        }
        if let source = text.baseAddress { storage.update(from: source, count: text.count) }
        count = text.count
        (storage + count).update(repeating: 0, count: EncoderScratch.padding)
    }
}
