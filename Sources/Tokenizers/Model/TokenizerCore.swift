import Formats
import Platform

/// The engine of a tokenizer: tables that never change, and a pool of scratch memory for encoding.
final class TokenizerCore: @unchecked Sendable {
    let model: TokenModel
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
    /// Words of a character-level model are cut before blanks, where no merge can cross, so that the parts can be remembered.
    private let cutsAtBlanks: Bool
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
        let tokens = try TokenizerCore.merge(file: file, settings: settings, path: path)
        addedTokens = tokens
        specialIDs = Set(tokens.filter(\.isSpecial).map(\.id))
        addedByID = Dictionary(tokens.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
        let byText = Dictionary(tokens.map { (ByteKey($0.content), $0.id) }, uniquingKeysWith: { first, _ in first })
        if file.postProcessor == nil, !(file.prefixNames.isEmpty && file.suffixNames.isEmpty) {
            let model = file.model
            let id = { (name: String) in byText[ByteKey(name)] ?? model.id(ofText: Array(name.utf8)) }
            postProcessor = PostProcessor(prefix: file.prefixNames.compactMap(id), suffix: file.suffixNames.compactMap(id))
        } else {
            postProcessor = file.postProcessor
        }
        addedByText = byText
        limit = max(model.limit, (tokens.map { Int($0.id) }.max() ?? -1) + 1)
        let plain = tokens.filter { !$0.isNormalized && $0.isFoundInText }
        let normalized = tokens.filter { $0.isNormalized && $0.isFoundInText }
        plainMatcher = AddedTokenMatcher(plain, contents: plain.map { Array($0.content.utf8) })
        let normalizer = file.normalizer
        normalizedMatcher = AddedTokenMatcher(
            normalized, contents: normalized.map { normalizer?.apply(Array($0.content.utf8)) ?? Array($0.content.utf8) })
        plan = TokenizerCore.plan(file)
        if case .bytePair(let model) = file.model { cutsAtBlanks = !model.isByteLevel && model.neverCrossesBlank } else { cutsAtBlanks = false }
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
        guard case .bytePair(let model) = file.model, model.isByteLevel else { return .general }
        guard model.continuingPrefix.isEmpty, model.endOfWordSuffix.isEmpty else { return .general }
        switch file.normalizer {
        case nil, .form?: break
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

    /// - Parameter splitsSpecial: special tokens are not looked for.
    func encode(_ text: UnsafeBufferPointer<UInt8>, splitsSpecial: Bool = false, into output: inout [Int32]) {
        if text.isEmpty { return }
        let scratch = idleScratch.withLock { $0.popLast() } ?? EncoderScratch(model: model)
        defer { idleScratch.withLock { if $0.count < 64 { $0.append(scratch) } } }
        if plainMatcher.isEmpty {
            encodeSection(text, isFirst: true, splitsSpecial, scratch, into: &output)
            return
        }
        for part in plainMatcher.parts(text, splitsSpecial: splitsSpecial) {
            if let token = part.token {
                output.append(token)
            } else {
                encodeSection(
                    UnsafeBufferPointer(rebasing: text[part.range]), isFirst: part.range.lowerBound == 0, splitsSpecial, scratch, into: &output)
            }
        }
    }

    /// A stretch between tokens that are found in the text as given.
    private func encodeSection(
        _ text: UnsafeBufferPointer<UInt8>, isFirst: Bool, _ splitsSpecial: Bool, _ scratch: EncoderScratch, into output: inout [Int32]
    ) {
        if case .scanner(let known) = plan, normalizedMatcher.isEmpty {
            scratch.fill(text)
            if case .form(let form)? = normalizer, let changed = form.apply(scratch.plainBytes) {
                changed.withUnsafeBufferPointer { scratch.fill($0) }
            }
            encodeWords(known, scratch, into: &output)
            return
        }
        var isFirst = isFirst
        let normalized = normalizer?.apply(Array(text), isFirst: &isFirst) ?? Array(text)
        normalized.withUnsafeBufferPointer { buffer in
            if normalizedMatcher.isEmpty {
                encodeNormalized(buffer, isFirst: isFirst, scratch, into: &output)
                return
            }
            for part in normalizedMatcher.parts(buffer, splitsSpecial: splitsSpecial) {
                if let token = part.token {
                    output.append(token)
                } else {
                    let section = UnsafeBufferPointer(rebasing: buffer[part.range])
                    encodeNormalized(section, isFirst: isFirst && part.range.lowerBound == 0, scratch, into: &output)
                }
            }
        }
    }

    private func encodeNormalized(
        _ text: UnsafeBufferPointer<UInt8>, isFirst: Bool, _ scratch: EncoderScratch, into output: inout [Int32]
    ) {
        switch plan {
        case .scanner(let known):
            scratch.fill(text)
            encodeWords(known, scratch, into: &output)
        case .general:
            var list = WordList(text, isFirst: isFirst)
            preTokenizer?.apply(&list)
            list.bytes.withUnsafeBufferPointer { scratch.fill($0) }
            let base = scratch.base
            for word in list.words {
                if cutsAtBlanks {
                    encodeBetweenBlanks(base + word.start, word.end - word.start, scratch, into: &output)
                } else {
                    encodeWord(base + word.start, word.end - word.start, scratch, into: &output)
                }
            }
        }
    }

    private func encodeWords(_ known: WordScanner.Known, _ scratch: EncoderScratch, into output: inout [Int32]) {
        let base = scratch.base
        let count = scratch.count
        let scanner = WordScanner(base: base, end: count, classes: .shared)
        // Some words ahead of the one in hand, so that the memory for all of them is on its way at once.
        withUnsafeTemporaryAllocation(of: AheadWord.self, capacity: AheadWord.atOnce) { ahead in
            guard let words = ahead.baseAddress else { return }
            var position = 0
            while position < count {
                var held = 0
                while held < AheadWord.atOnce, position < count {
                    let end = scanner.wordEnd(known, position)
                    words[held] = AheadWord(position, end - position, base, scratch.cache)
                    position = end
                    held += 1
                }
                for index in 0..<held {
                    let word = words[index]
                    if word.home >= 0, scratch.cache.append(word.low, word.high, home: word.home, to: &output) { continue }
                    encodeWord(base + word.start, word.length, scratch, into: &output)
                }
            }
        }
    }

    /// A word that was found and is not yet encoded.
    private struct AheadWord {
        let start, length: Int
        var low: UInt64 = 0, high: UInt64 = 0
        /// Its place in the cache of short words; -1 for longer ones.
        var home = -1

        static let atOnce = 16

        @inline(__always)
        init(_ start: Int, _ length: Int, _ base: UnsafePointer<UInt8>, _ cache: WordCache) {
            (self.start, self.length) = (start, length)
            guard length <= WordCache.longestWord else { return }
            (low, high) = WordCache.key(base + start, length: length)
            home = cache.prefetch(low, high)
        }
    }

    /// Stretches of a word whose blanks are visible (U+2581), each with the blanks before it.
    private func encodeBetweenBlanks(_ base: UnsafePointer<UInt8>, _ count: Int, _ scratch: EncoderScratch, into output: inout [Int32]) {
        var start = 0
        var position = 0
        while position < count {
            while position + 2 < count, base[position] == 0xE2, base[position + 1] == 0x96, base[position + 2] == 0x81 { position += 3 }
            while position < count {
                if base[position] == 0xE2, position + 2 < count, base[position + 1] == 0x96, base[position + 2] == 0x81 { break }
                position += 1
            }
            encodeWord(base + start, position - start, scratch, into: &output)
            start = position
        }
    }

    @inline(__always)
    private func encodeWord(_ start: UnsafePointer<UInt8>, _ length: Int, _ scratch: EncoderScratch, into output: inout [Int32]) {
        if length <= WordCache.longestWord {
            let key = WordCache.key(start, length: length)
            if scratch.cache.append(key.low, key.high, to: &output) { return }
            let before = output.count
            model.encode(start, length, scratch, into: &output)
            scratch.cache.insert(key.low, key.high, ids: output[before...])
        } else if length <= LongWordCache.longestWord {
            let key = LongWordCache.key(start, length: length)
            if scratch.longCache.append(key, to: &output) { return }
            let before = output.count
            model.encode(start, length, scratch, into: &output)
            scratch.longCache.insert(key, ids: output[before...])
        } else {
            model.encode(start, length, scratch, into: &output)
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
        if case .byteLevel? = decoder {
            var bytes: [UInt8] = []
            bytes.reserveCapacity(ids.count * 4)
            for id in ids where !(skipSpecialTokens && specialIDs.contains(id)) {
                var owed: [UInt8] = []
                _ = appendDecodedBytes(of: id, isFirst: false, after: &owed, to: &bytes)
            }
            return String(decoding: bytes, as: UTF8.self)
        }
        let tokens = ids.filter { !(skipSpecialTokens && specialIDs.contains($0)) }.compactMap { tokenText($0) }
        guard let decoder else {
            return tokens.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ")
        }
        return String(decoding: decoder.apply(tokens).flatMap { $0 }, as: UTF8.self)
    }

    /// Appends what one token adds to decoded text, as bytes that may be parts of characters; nil for an unknown id.
    /// - Parameters:
    ///   - isFirst: nothing has come out yet, so that a leading space that the encoder had added goes.
    ///   - owed: what the token before wanted to end with if another followed.
    /// - Returns: what this one wants to end with, and whether the next one is not the first any more though nothing came out.
    func appendDecodedBytes(
        of id: Int32, isFirst: Bool, after owed: inout [UInt8], to bytes: inout [UInt8]
    ) -> (owed: [UInt8], countsAsOutput: Bool)? {
        guard let text = tokenText(id) else { return nil }
        bytes.append(contentsOf: owed)
        owed = []
        switch decoder {
        case .byteLevel?:
            if addedByID[id] == nil, let known = model.bytes(of: id) {
                bytes.append(contentsOf: known)
                return ([], true)
            }
            let isMapped = text.withUnsafeBytes { ByteAlphabet.appendBytes(ofText: $0, to: &bytes) }
            if !isMapped { bytes.append(contentsOf: text) }
        case .none:
            if !isFirst { bytes.append(0x20) }
            bytes.append(contentsOf: text)
        case .some(let decoder):
            if decoder.joinsBytes, let byte = TokenDecoder.fallbackByte(text[...]) {
                bytes.append(byte)
                return ([], true)
            }
            // Neighbours keep the decoders that treat the first or the last token apart from doing so.
            let neighbour = Array("a".utf8)
            let before = isFirst ? [] : [neighbour]
            let ended = decoder.apply(before + [text]).flatMap { $0 }
            let shown = isFirst ? ended[...] : ended.dropFirst(neighbour.count)
            bytes.append(contentsOf: shown)
            guard decoder.endsWords else {
                if case .sentencePiece(_, _, _, dropsAllBlanks: true) = decoder { return ([], false) }
                return ([], true)
            }
            let followed = decoder.apply(before + [text, neighbour]).flatMap { $0 }
            return (Array(followed.dropFirst(ended.count).dropLast(neighbour.count)), true)
        }
        return ([], true)
    }
}
