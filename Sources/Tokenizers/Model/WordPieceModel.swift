/// BERT's WordPiece: the longest piece of the vocabulary first, then the longest continuing one, and so on; a word that cannot be
/// covered so is unknown as a whole.
struct WordPieceModel: @unchecked Sendable {
    let vocabulary: Vocabulary
    let unknownID: Int32?
    let continuingPrefix: [UInt8]
    let longestWord: Int
    let trie: LazyTrie

    init(vocabulary: Vocabulary, unknownID: Int32?, continuingPrefix: [UInt8], longestWord: Int) {
        self.vocabulary = vocabulary
        self.unknownID = unknownID
        self.continuingPrefix = continuingPrefix
        self.longestWord = longestWord
        trie = LazyTrie { ByteTrie(vocabulary) { _ in true } }
    }

    func encode(_ start: UnsafePointer<UInt8>, _ length: Int, _ scratch: EncoderScratch, into output: inout [Int32]) {
        if length == 0 { return }
        let before = output.count
        let trie = scratch.trie ?? self.trie.trie
        var characters = 0
        for index in 0..<length where start[index] & 0xC0 != 0x80 { characters += 1 }
        var position = 0
        var isKnown = characters <= longestWord
        while isKnown, position < length {
            var found: (token: Int32, length: Int) = (-1, 0)
            if position == 0 {
                trie.prefixes(start, length) { size, id in
                    if size == length || start[size] & 0xC0 != 0x80 { found = (id, size) }
                }
            } else if let node = scratch.continuingNode(continuingPrefix, trie) {
                trie.prefixes(start + position, length - position, from: node) { size, id in
                    if position + size == length || start[position + size] & 0xC0 != 0x80 { found = (id, size) }
                }
            }
            isKnown = found.token >= 0
            output.append(found.token)
            position += found.length
        }
        if !isKnown {
            output.removeLast(output.count - before)
            if let unknownID { output.append(unknownID) }
        }
    }
}

/// A vocabulary of whole words.
struct WordLevelModel: Sendable {
    let vocabulary: Vocabulary
    let unknownID: Int32?

    func encode(_ start: UnsafePointer<UInt8>, _ length: Int, into output: inout [Int32]) {
        if let id = vocabulary.id(of: UnsafeRawBufferPointer(start: start, count: length)) ?? unknownID { output.append(id) }
    }
}
