import Formats
import Platform

/// Learns a byte-level BPE vocabulary from text, by the same rules as Hugging Face's `BpeTrainer` with an initial alphabet of all
/// 256 bytes: the most frequent pair is merged first, of equally frequent ones that with the smallest ids.
///
///     var trainer = TokenizerTrainer(vocabularySize: 4096, specialTokens: ["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
///     trainer.add(text)
///     try trainer.train().write(to: "model", endToken: "<|im_end|>", chatTemplate: nil)
public struct TokenizerTrainer {
    /// How text is cut into words, inside which merges happen.
    public enum WordPattern: String, CaseIterable, Sendable { case gpt2, llama3, qwen2 }

    /// Size of the finished vocabulary, special tokens included.
    public let vocabularySize: Int
    /// Get the first ids, in order.
    public let specialTokens: [String]
    public let pattern: WordPattern
    /// Pairs seen less often are not merged.
    public let minimumFrequency: Int
    private var wordCounts: [[UInt8]: Int] = [:]

    public init(vocabularySize: Int, specialTokens: [String], pattern: WordPattern = .qwen2, minimumFrequency: Int = 2) {
        self.vocabularySize = vocabularySize
        self.specialTokens = specialTokens
        self.pattern = pattern
        self.minimumFrequency = minimumFrequency
    }

    var known: WordScanner.Known {
        switch pattern {
        case .gpt2: return .gpt2
        case .llama3: return .llama3
        case .qwen2: return .qwen2
        }
    }

    /// Counts the words of a text; special tokens in it are left out.
    public mutating func add(_ text: String) {
        let bytes = Array(text.utf8)
        let tokens = specialTokens.enumerated().map { AddedToken(id: Int32($0), content: $1, isSpecial: true) }
        let matcher = AddedTokenMatcher(tokens, contents: tokens.map { Array($0.content.utf8) })
        let parts = bytes.withUnsafeBufferPointer { matcher.parts($0) }
        for part in parts where part.token == nil {
            var section = Array(bytes[part.range])
            if pattern == .qwen2 { section = Normalizer.composed.apply(section) }
            for word in PreTokenizer.scan(section, known) { wordCounts[Array(section[word]), default: 0] += 1 }
        }
    }

    /// Runs the merges.
    public func train() throws(TokenizerError) -> TrainedTokenizer {
        let base = specialTokens.count + 256
        if vocabularySize < base {
            throw .cannotTrain(reason: "a vocabulary of \(vocabularySize) has no room for 256 bytes and \(specialTokens.count) special tokens")
        }
        if wordCounts.isEmpty { throw .cannotTrain(reason: "the training text is empty") }
        // Ids after the special tokens go to the bytes in the order of their characters in the byte alphabet.
        let order = (0..<256).sorted { ByteAlphabet.scalars[$0] < ByteAlphabet.scalars[$1] }
        var tokens: [[UInt8]] = order.map { [UInt8($0)] }
        var idOfByte = [Int32](repeating: 0, count: 256)
        for (index, byte) in order.enumerated() { idOfByte[byte] = Int32(specialTokens.count + index) }
        var learner = MergeLearner(
            words: wordCounts.map { (word, count) in (word.map { idOfByte[Int($0)] }, count) }, minimumFrequency: minimumFrequency)
        // A merge may spell a token that is there already (by another path); it then makes no new token, but stays a merge.
        var idOfToken: [[UInt8]: Int32] = [:]
        for (index, token) in tokens.enumerated() { idOfToken[token] = Int32(specialTokens.count + index) }
        var merges: [(Int32, Int32)] = []
        while specialTokens.count + tokens.count < vocabularySize, let pair = learner.best() {
            let bytes = tokens[Int(pair.left) - specialTokens.count] + tokens[Int(pair.right) - specialTokens.count]
            let id: Int32
            if let existing = idOfToken[bytes] {
                id = existing
            } else {
                id = Int32(specialTokens.count + tokens.count)
                idOfToken[bytes] = id
                tokens.append(bytes)
            }
            merges.append((pair.left, pair.right))
            learner.merge(pair.left, pair.right, into: id)
        }
        return TrainedTokenizer(specialTokens: specialTokens, tokens: tokens, merges: merges, pattern: pattern)
    }
}

/// Counts of adjacent pairs over all distinct words, kept up to date while pairs are merged.
private struct MergeLearner {
    struct Pair: Hashable {
        var left: Int32
        var right: Int32
    }
    private struct Candidate: HeapOrdered {
        var pair: Pair
        var count: Int

        /// More frequent first, then the smaller ids.
        func precedes(_ other: Candidate) -> Bool {
            if count != other.count { return count > other.count }
            if pair.left != other.pair.left { return pair.left < other.pair.left }
            return pair.right < other.pair.right
        }
    }

    private var words: [[Int32]]
    private let weights: [Int]
    private var counts: [Pair: Int] = [:]
    private var places: [Pair: Set<Int32>] = [:]
    /// Entries whose count is out of date are put back with the present one when they come up.
    private var heap = PriorityHeap<Candidate>()
    private let minimumFrequency: Int

    init(words source: [([Int32], Int)], minimumFrequency: Int) {
        words = source.map(\.0)
        weights = source.map(\.1)
        self.minimumFrequency = max(minimumFrequency, 1)
        for (index, word) in words.enumerated() where word.count > 1 {
            for position in 0..<word.count - 1 {
                let pair = Pair(left: word[position], right: word[position + 1])
                counts[pair, default: 0] += weights[index]
                places[pair, default: []].insert(Int32(index))
            }
        }
        for (pair, count) in counts { heap.push(Candidate(pair: pair, count: count)) }
    }

    /// The pair to merge next, or nil when none is frequent enough.
    mutating func best() -> Pair? {
        while let top = heap.pop() {
            let current = counts[top.pair] ?? 0
            if current != top.count {
                if current > 0 { heap.push(Candidate(pair: top.pair, count: current)) }
                continue
            }
            return current >= minimumFrequency ? top.pair : nil
        }
        return nil
    }

    mutating func merge(_ left: Int32, _ right: Int32, into id: Int32) {
        let pair = Pair(left: left, right: right)
        var grown: Set<Pair> = []
        for index in places[pair] ?? [] {
            let weight = weights[Int(index)]
            let old = words[Int(index)]
            var new: [Int32] = []
            new.reserveCapacity(old.count)
            var position = 0
            while position < old.count {
                if position + 1 < old.count, old[position] == left, old[position + 1] == right {
                    if let before = new.last {
                        change(Pair(left: before, right: left), by: -weight)
                        change(Pair(left: before, right: id), by: weight)
                        places[Pair(left: before, right: id), default: []].insert(index)
                        grown.insert(Pair(left: before, right: id))
                    }
                    if position + 2 < old.count {
                        let after = old[position + 2]
                        change(Pair(left: right, right: after), by: -weight)
                        change(Pair(left: id, right: after), by: weight)
                        places[Pair(left: id, right: after), default: []].insert(index)
                        grown.insert(Pair(left: id, right: after))
                    }
                    new.append(id)
                    position += 2
                } else {
                    new.append(old[position])
                    position += 1
                }
            }
            words[Int(index)] = new
        }
        counts[pair] = nil
        places[pair] = nil
        for pair in grown {
            if let count = counts[pair], count > 0 { heap.push(Candidate(pair: pair, count: count)) }
        }
    }

    private mutating func change(_ pair: Pair, by amount: Int) { counts[pair, default: 0] += amount }
}
