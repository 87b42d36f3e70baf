/// SentencePiece's unigram model: of all ways to cut a word into pieces the one with the highest sum of scores (Viterbi).
struct UnigramModel: @unchecked Sendable {
    let vocabulary: Vocabulary
    /// Score of each piece, by id.
    let scores: [Double]
    let unknownID: Int32?
    let unknownScore: Double
    let fusesUnknown: Bool
    let usesByteFallback: Bool
    let byteIDs: [Int32]
    /// Sums are kept in single precision, as SentencePiece does; `tokenizers` keeps them in double.
    let isSinglePrecision: Bool
    let trie: LazyTrie

    /// How much worse than the worst piece an unknown character is.
    static let unknownPenalty = 10.0

    init(
        vocabulary: Vocabulary, scores: [Double], unknownID: Int32?, unknownScore: Double, fusesUnknown: Bool = true,
        usesByteFallback: Bool, isSinglePrecision: Bool = false, excluded: Set<Int32> = []
    ) {
        self.vocabulary = vocabulary
        self.scores = scores
        self.unknownID = unknownID
        self.unknownScore = unknownScore
        self.fusesUnknown = fusesUnknown
        self.usesByteFallback = usesByteFallback
        self.isSinglePrecision = isSinglePrecision
        let digits = Array("0123456789ABCDEF".utf8)
        byteIDs = (0..<256).map { vocabulary.id(of: [0x3C, 0x30, 0x78, digits[$0 >> 4], digits[$0 & 15], 0x3E]) ?? -1 }
        trie = LazyTrie { ByteTrie(vocabulary) { !excluded.contains($0) } }
    }

    /// The best way to reach each byte offset of a word.
    struct Node {
        var score = 0.0
        var start: Int32 = -1
        var id: Int32 = -1
    }

    func encode(_ start: UnsafePointer<UInt8>, _ length: Int, _ scratch: EncoderScratch, into output: inout [Int32]) {
        if length == 0 { return }
        let nodes = scratch.nodes(length + 1)
        let trie = scratch.trie ?? self.trie.trie
        let unknown = unknownID ?? -1
        for index in 0...length { nodes[index] = Node() }
        scores.withUnsafeBufferPointer { scores in
            var position = 0
            while position < length {
                let characterLength = min(UTF8Text.length(start[position]), length - position)
                let scoreHere = nodes[position].score
                var hasSingle = false
                trie.prefixes(start + position, length - position) { size, id in
                    relax(nodes + (position + size), scores[Int(id)] + scoreHere, position, id)
                    if size == characterLength { hasSingle = true }
                }
                if !hasSingle { relax(nodes + (position + characterLength), unknownScore + scoreHere, position, unknown) }
                position += characterLength
            }
        }
        collect(nodes, start, length, scratch, into: &output)
    }

    @inline(__always)
    private func relax(_ node: UnsafeMutablePointer<Node>, _ sum: Double, _ start: Int, _ id: Int32) {
        let candidate = isSinglePrecision ? Double(Float(sum)) : sum
        if node.pointee.start < 0 || candidate > node.pointee.score {
            node.pointee.score = candidate
            node.pointee.start = Int32(truncatingIfNeeded: start)
            node.pointee.id = id
        }
    }

    /// Walks back over the best path and writes it out from the start; neighbouring unknown characters are one.
    private func collect(
        _ nodes: UnsafeMutablePointer<Node>, _ start: UnsafePointer<UInt8>, _ length: Int, _ scratch: EncoderScratch,
        into output: inout [Int32]
    ) {
        scratch.path.removeAll(keepingCapacity: true)
        var end = length
        while end > 0 {
            let node = nodes[end]
            scratch.path.append((end, node.id))
            end = Int(node.start)
        }
        var position = 0
        var index = scratch.path.count - 1
        while index >= 0 {
            var (stop, id) = scratch.path[index]
            index -= 1
            if id >= 0, id != unknownID {
                output.append(id)
            } else {
                while fusesUnknown, index >= 0, scratch.path[index].id == id {
                    stop = scratch.path[index].end
                    index -= 1
                }
                appendUnknown(start, position..<stop, into: &output)
            }
            position = stop
        }
    }

    private func appendUnknown(_ start: UnsafePointer<UInt8>, _ range: Range<Int>, into output: inout [Int32]) {
        if !isSinglePrecision, let id = vocabulary.id(of: UnsafeRawBufferPointer(start: start + range.lowerBound, count: range.count)) {
            output.append(id)
        } else if usesByteFallback, range.allSatisfy({ byteIDs[Int(start[$0])] >= 0 }) {
            for index in range { output.append(byteIDs[Int(start[index])]) }
        } else if let unknownID {
            output.append(unknownID)
        }
    }
}
