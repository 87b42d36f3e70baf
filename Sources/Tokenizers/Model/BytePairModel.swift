/// The BPE model of a tokenizer.json: vocabulary, merges, and what to do with what is not in them.
struct BytePairModel: @unchecked Sendable {
    /// Keyed by the bytes that a token stands for (byte-level), or by its text (others).
    let vocabulary: Vocabulary
    /// Tokens of a byte-level vocabulary whose text is not in the byte alphabet: found by name only, never by merging.
    let literals: Vocabulary
    let merges: MergeTable
    /// True when the words are bytes; else characters, with a fallback to `<0xNN>` tokens.
    let isByteLevel: Bool
    let ignoresMerges: Bool
    let unknownID: Int32?
    let fusesUnknown: Bool
    /// Id of each single byte (byte-level), or of its `<0xNN>` token; -1 where there is none.
    let byteIDs: [Int32]
    let usesByteFallback: Bool
    let continuingPrefix: [UInt8]
    let endOfWordSuffix: [UInt8]

    /// Found by name only, never in text: SentencePiece's control, unknown and byte pieces.
    var reserved: Set<Int32> = []
    /// Pieces that must not come out; they are taken apart again.
    var unused: Set<Int32> = []
    /// Pieces that stay whole and join nothing.
    var userDefined: AddedTokenMatcher?
    /// True when merges never touch the unknown token or the tokens of bytes.
    let keepsUnknownApart: Bool
    let trie: LazyTrie

    /// Words of more bytes go through the chain encoder; text earlier, because its symbols must be looked up.
    static let longWord = 15
    static let longText = 6

    /// True when the chain encoder gives what merging gives for any text: every symbol becomes something, and what is not in
    /// the vocabulary joins nothing.
    var canChain: Bool {
        guard continuingPrefix.isEmpty, endOfWordSuffix.isEmpty, keepsUnknownApart else { return false }
        if isByteLevel || usesByteFallback { return byteIDs.allSatisfy { $0 >= 0 } }
        return unknownID != nil
    }

    /// True when visible blanks (U+2581) stand only at the front of tokens: no merge then joins a blank to what is before it.
    var neverCrossesBlank: Bool {
        let blank = SentencePieceText.blank
        guard canChain, !ignoresMerges, unused.isEmpty, userDefined == nil, vocabulary.id(of: blank) != nil else { return false }
        for id in 0..<Int32(vocabulary.limit) {
            guard let text = vocabulary.bytes(of: id), text.contains(0x96) else { continue }
            var rest = text
            while rest.starts(with: blank) { rest = rest.dropFirst(3) }
            while let lead = rest.firstIndex(of: 0xE2) {
                rest = rest[lead...]
                if rest.starts(with: blank) { return false }
                rest = rest.dropFirst()
            }
        }
        return true
    }

    /// Ids of one word of a byte-level model: `length` bytes at `start`.
    func encodeBytes(_ start: UnsafePointer<UInt8>, _ length: Int, _ scratch: EncoderScratch, into output: inout [Int32]) {
        if ignoresMerges, let id = vocabulary.id(of: UnsafeRawBufferPointer(start: start, count: length)) {
            output.append(id)
            return
        }
        if length > BytePairModel.longWord, let chain = scratch.chain {
            chain.encode(start, length, into: &output)
            return
        }
        let work = scratch.work
        if length <= MergeWork.shortLength {
            let isDone = byteIDs.withUnsafeBufferPointer { ids in
                ids.baseAddress.map { work.mergeBytes(start, length, ids: $0, merges, into: &output) } ?? false
            }
            if isDone { return }
        }
        work.begin()
        var previousWasUnknown = false
        for index in 0..<length {
            let id = byteIDs[Int(start[index])]
            if id >= 0 {
                work.add(id)
                previousWasUnknown = false
            } else if let unknownID {
                if !(fusesUnknown && previousWasUnknown) { work.add(unknownID) }
                previousWasUnknown = true
            }
        }
        work.finish(merges, into: &output)
    }

    /// Ids of one word of a character-level model.
    func encodeCharacters(_ start: UnsafePointer<UInt8>, _ length: Int, _ scratch: EncoderScratch, into output: inout [Int32]) {
        if length == 0 { return }
        if let userDefined {
            for part in userDefined.parts(UnsafeBufferPointer(start: start, count: length)) {
                if let token = part.token {
                    output.append(token)
                } else {
                    encodePlain(start + part.range.lowerBound, part.range.count, scratch, into: &output)
                }
            }
        } else {
            encodePlain(start, length, scratch, into: &output)
        }
    }

    private func encodePlain(_ start: UnsafePointer<UInt8>, _ length: Int, _ scratch: EncoderScratch, into output: inout [Int32]) {
        if ignoresMerges, let id = vocabulary.id(of: UnsafeRawBufferPointer(start: start, count: length)) {
            output.append(id)
            return
        }
        let before = output.count
        if length > BytePairModel.longText, let chain = scratch.chain {
            chain.encode(start, length, into: &output)
        } else {
            addCharacters(start, length, to: scratch.work)
            scratch.work.finish(merges, into: &output)
        }
        if !unused.isEmpty { takeApart(&output, from: before, scratch) }
    }

    /// The symbols of a word, one for each character, before merging. The order in which an unknown one comes out after bytes is the
    /// reference implementation's.
    private func addCharacters(_ start: UnsafePointer<UInt8>, _ length: Int, to work: MergeWork) {
        work.begin()
        var isUnknownPending = false
        var position = 0
        while position < length {
            let end = min(position + UTF8Text.length(start[position]), length)
            let id = symbol(start, position, end, isLast: end == length)
            if let id {
                if isUnknownPending, let unknownID { work.add(unknownID) }
                isUnknownPending = false
                work.add(id)
            } else if usesByteFallback, (position..<end).allSatisfy({ byteIDs[Int(start[$0])] >= 0 }) {
                for index in position..<end { work.add(byteIDs[Int(start[index])]) }
            } else if let unknownID {
                if isUnknownPending, !fusesUnknown { work.add(unknownID) }
                isUnknownPending = true
            }
            position = end
        }
        if isUnknownPending, let unknownID { work.add(unknownID) }
    }

    func symbol(_ start: UnsafePointer<UInt8>, _ position: Int, _ end: Int, isLast: Bool) -> Int32? {
        let found: Int32?
        let needsPrefix = !continuingPrefix.isEmpty && position > 0
        let needsSuffix = !endOfWordSuffix.isEmpty && isLast
        if !needsPrefix, !needsSuffix {
            found = vocabulary.id(of: UnsafeRawBufferPointer(start: start + position, count: end - position))
        } else {
            var piece = needsPrefix ? continuingPrefix : []
            piece.append(contentsOf: UnsafeBufferPointer(start: start + position, count: end - position))
            if needsSuffix { piece += endOfWordSuffix }
            found = vocabulary.id(of: piece)
        }
        return found.flatMap { reserved.contains($0) ? nil : $0 }
    }

    /// Starts a word and adds the symbols of a token's own text; false when one of them is not in the vocabulary.
    func addSymbols(_ text: ArraySlice<UInt8>, to work: MergeWork) -> Bool {
        work.begin()
        return text.withUnsafeBufferPointer { text in
            guard let base = text.baseAddress else { return false }
            var position = 0
            while position < text.count {
                if isByteLevel {
                    let id = byteIDs[Int(base[position])]
                    if id < 0 { return false }
                    work.add(id)
                    position += 1
                    continue
                }
                let end = min(position + UTF8Text.length(base[position]), text.count)
                guard let id = symbol(base, position, end, isLast: false) else { return false }
                work.add(id)
                position = end
            }
            return true
        }
    }

    /// Replaces unused pieces by the two that the last merge joined, until none is left.
    private func takeApart(_ output: inout [Int32], from start: Int, _ scratch: EncoderScratch) {
        var index = start
        while index < output.count {
            var merged: [Int32] = []
            if unused.contains(output[index]), let text = vocabulary.bytes(of: output[index]), addSymbols(text, to: scratch.work) {
                scratch.work.finish(merges, into: &merged)
                let last = scratch.work.lastMerge
                if last.rank != .max {
                    output.replaceSubrange(index...index, with: [last.left, last.right])
                    continue
                }
            }
            index += 1
        }
    }

    /// Bytes of a token as its decoder sees them: the text of the vocabulary file.
    func text(of id: Int32) -> [UInt8]? {
        if let bytes = vocabulary.bytes(of: id) {
            return isByteLevel ? Array(ByteAlphabet.text(of: bytes).utf8) : Array(bytes)
        }
        return literals.bytes(of: id).map { Array($0) }
    }

    func id(ofText text: [UInt8]) -> Int32? {
        if isByteLevel {
            var bytes: [UInt8] = []
            let isMapped = text.withUnsafeBytes { ByteAlphabet.appendBytes(ofText: $0, to: &bytes) }
            if isMapped { return vocabulary.id(of: bytes) }
            return literals.id(of: text)
        }
        return vocabulary.id(of: text)
    }

    /// One more than the largest id.
    var limit: Int { max(vocabulary.limit, literals.limit) }
    var count: Int { vocabulary.count + literals.count }
}
