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

    /// Ids of one word of a byte-level model: `length` bytes at `start`.
    func encodeBytes(_ start: UnsafePointer<UInt8>, _ length: Int, _ work: MergeWork, into output: inout [Int32]) {
        if ignoresMerges, let id = vocabulary.id(of: UnsafeRawBufferPointer(start: start, count: length)) {
            output.append(id)
            return
        }
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
    func encodeCharacters(_ word: ArraySlice<UInt8>, _ work: MergeWork, into output: inout [Int32]) {
        if word.isEmpty { return }
        if ignoresMerges, let id = vocabulary.id(of: Array(word)) {
            output.append(id)
            return
        }
        work.begin()
        var previousWasUnknown = false
        var position = word.startIndex
        while position < word.endIndex {
            let first = word[position]
            let wanted = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
            let end = min(position + wanted, word.endIndex)
            var piece = Array(word[position..<end])
            if !continuingPrefix.isEmpty, position > word.startIndex { piece = continuingPrefix + piece }
            if !endOfWordSuffix.isEmpty, end == word.endIndex { piece += endOfWordSuffix }
            if let id = vocabulary.id(of: piece) {
                work.add(id)
                previousWasUnknown = false
            } else if usesByteFallback, piece.allSatisfy({ byteIDs[Int($0)] >= 0 }) {
                for byte in piece { work.add(byteIDs[Int(byte)]) }
                previousWasUnknown = false
            } else if let unknownID {
                if !(fusesUnknown && previousWasUnknown) { work.add(unknownID) }
                previousWasUnknown = true
            }
            position = end
        }
        work.finish(merges, into: &output)
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
