/// Byte pair encoding of long words in time proportional to their length.
///
/// A sequence of tokens is what merging by rank makes of a text exactly when every token is what merging makes of its own text, and
/// every two neighbours are what merging makes of their joint text: the first merge that would cross a boundary elsewhere would
/// cross it there too. So tokens are taken from left to right, the longest first, checking each against its neighbour and
/// going back where none fits (the method of GitHub's `bpe` crate, here for any list of merges).
///
/// What is learnt about tokens and pairs on the way is kept: one encoder belongs to one thread at a time.
final class ChainEncoder {
    /// What merging makes of a token's own text.
    private struct Tree {
        /// The two tokens of the last merge; -1 for single symbols.
        var left: Int32
        var right: Int32
        /// Rank of the last merge plus 1; 0 for single symbols.
        var formation: UInt32
        /// The next shorter token that the token begins with; -1 none, -2 not yet looked for.
        var shorter: Int32
        /// Bytes of the token; 0 for an id that is not in use.
        var length: UInt16
    }
    private enum State: UInt8 { case unknown, reachable, unreachable, irregular }

    private let model: BytePairModel
    private let trie: ByteTrie
    private let work = MergeWork()
    private let trees: UnsafeMutablePointer<Tree>
    /// Apart from the trees, for they are asked about far more often.
    private let states: UnsafeMutablePointer<State>
    private let treeCount: Int
    /// Direct-mapped: `(left << 24 | right) << 1 | holds`, plus 2.
    private let pairs: UnsafeMutablePointer<UInt64>
    private static let pairBits: UInt64 = 16
    /// Bytes of text whose memory is asked for ahead.
    private static let lookahead = 12
    /// Places in the word from which no token leads on; all 0 between words.
    private var dead: UnsafeMutablePointer<UInt8>
    private var deadCapacity = 256
    private var deadPositions: [Int] = []

    init(model: BytePairModel, trie: ByteTrie) {
        self.model = model
        self.trie = trie
        treeCount = model.vocabulary.limit
        trees = SearchTable.allocate(count: treeCount)
        trees.initialize(repeating: Tree(left: -1, right: -1, formation: 0, shorter: -2, length: 0), count: treeCount)
        states = .allocate(capacity: max(treeCount, 1))
        states.initialize(repeating: .unknown, count: treeCount)
        for id in 0..<treeCount { trees[id].length = UInt16(clamping: model.vocabulary.span(of: Int32(id))?.length ?? 0) }
        dead = .allocate(capacity: deadCapacity)
        dead.initialize(repeating: 0, count: deadCapacity)
        pairs = .allocate(capacity: 1 << Int(ChainEncoder.pairBits))
        pairs.initialize(repeating: 0, count: 1 << Int(ChainEncoder.pairBits))
    }

    deinit {
        trees.deallocate()
        states.deallocate()
        dead.deallocate()
        pairs.deallocate()
    }

    /// Appends the ids of `count` bytes at `text`.
    func encode(_ text: UnsafePointer<UInt8>, _ count: Int, into output: inout [Int32]) {
        if deadCapacity <= count { growDead(count) }
        // Plain copies: nothing in the loop goes through the object.
        let (trees, trie, dead) = (self.trees, self.trie, self.dead)
        /// Nothing before this place in `output` can change any more.
        var floor = output.count
        var last: Int32 = -1
        var position = 0
        var candidate = trie.longest(text, count)
        var followsUnknown = false
        var hasDead = false
        // Where the memory for the next characters has been asked for.
        var fetched = 0
        while position < count {
            while fetched < min(position + ChainEncoder.lookahead, count) {
                fetched += trie.prefetch(text + fetched, count - fetched)
            }
            if candidate.token < 0 {
                if output.count > floor, hasSymbol(text, position, count) {
                    // Every continuation failed: the token before was wrong.
                    dead[position] = 1
                    deadPositions.append(position)
                    hasDead = true
                    let wrong = output.removeLast()
                    last = output.count > floor ? output[output.count - 1] : -1
                    let length = Int(trees[Int(wrong)].length)
                    position -= length
                    candidate = shorter((wrong, length))
                    continue
                }
                position += appendUnknown(text, position, count, &followsUnknown, into: &output)
                floor = output.count
                last = -1
                candidate = trie.longest(text + position, count - position)
                continue
            }
            let end = position + candidate.length
            let token = candidate.token
            if (!hasDead || dead[end] == 0) && isReachable(token) && (last < 0 || holds(last, token)) {
                output.append(token)
                last = token
                position = end
                followsUnknown = false
                candidate = trie.longest(text + position, count - position)
            } else {
                candidate = shorter(candidate)
            }
        }
        if hasDead {
            for position in deadPositions { dead[position] = 0 }
            deadPositions.removeAll(keepingCapacity: true)
        }
    }

    private func growDead(_ count: Int) {
        dead.deallocate()
        deadCapacity = count + count / 2 + 64
        dead = .allocate(capacity: deadCapacity)
        dead.initialize(repeating: 0, count: deadCapacity)
    }

    /// Whether the symbol at `position` is a token by itself.
    private func hasSymbol(_ text: UnsafePointer<UInt8>, _ position: Int, _ count: Int) -> Bool {
        if model.isByteLevel { return model.byteIDs[Int(text[position])] >= 0 }
        let length = min(UTF8Text.length(text[position]), count - position)
        return model.symbol(text, position, position + length, isLast: false) != nil
    }

    /// What a character without a token becomes: its bytes, or the unknown token. Returns its length.
    private func appendUnknown(
        _ text: UnsafePointer<UInt8>, _ position: Int, _ count: Int, _ followsUnknown: inout Bool, into output: inout [Int32]
    ) -> Int {
        let length = model.isByteLevel ? 1 : min(UTF8Text.length(text[position]), count - position)
        if model.usesByteFallback {
            for index in 0..<length { output.append(model.byteIDs[Int(text[position + index])]) }
        } else if let unknown = model.unknownID {
            if !(followsUnknown && model.fusesUnknown) { output.append(unknown) }
            followsUnknown = true
        }
        return length
    }

    @inline(__always)
    private func shorter(_ candidate: (token: Int32, length: Int)) -> (token: Int32, length: Int) {
        let known = trees[Int(candidate.token)].shorter
        let found = known == -2 ? findShorter(candidate) : known
        if found < 0 { return (-1, 0) }
        return (found, Int(trees[Int(found)].length))
    }

    private func findShorter(_ candidate: (token: Int32, length: Int)) -> Int32 {
        guard let span = model.vocabulary.span(of: candidate.token) else { return -1 }
        var found: Int32 = -1
        model.vocabulary.arena.withUnsafeBufferPointer { arena in
            guard let base = arena.baseAddress else { return }
            trie.prefixes(base + span.offset, span.length - 1) { found = $1 }
        }
        trees[Int(candidate.token)].shorter = found
        return found
    }

    @inline(__always)
    private func isReachable(_ token: Int32) -> Bool {
        let state = states[Int(token)]
        return state == .unknown ? resolve(token) != .unreachable : state != .unreachable
    }

    /// Merges a token's own text and keeps what came out.
    @discardableResult
    private func resolve(_ token: Int32) -> State {
        let place = trees + Int(token)
        let state = states + Int(token)
        if state.pointee != .unknown { return state.pointee }
        var merged: [Int32] = []
        guard let text = model.vocabulary.bytes(of: token), text.count < UInt16.max, model.addSymbols(text, to: work) else {
            state.pointee = .unreachable
            return .unreachable
        }
        let symbolCount = work.symbolCount
        work.finish(model.merges, into: &merged)
        guard merged == [token] else {
            state.pointee = .unreachable
            return .unreachable
        }
        let last = work.lastMerge
        if symbolCount == 1 {
            state.pointee = .reachable
        } else if last.rank == .max {
            // A token too long for the short way of merging: its pairs are tried out, not derived.
            state.pointee = .irregular
        } else {
            (place.pointee.left, place.pointee.right, place.pointee.formation) = (last.left, last.right, last.rank + 1)
            let halves = [last.left, last.right]
            let isOrdered = halves.allSatisfy {
                resolve($0) == .reachable && trees[Int($0)].formation < last.rank + 1
            }
            state.pointee = isOrdered ? .reachable : .irregular
        }
        return state.pointee
    }

    /// Whether merging the joint text of two tokens gives these two.
    @inline(__always)
    private func holds(_ left: Int32, _ right: Int32) -> Bool {
        let key = (UInt64(UInt32(bitPattern: left)) << 24 | UInt64(UInt32(bitPattern: right))) << 1 + 2
        let slot = pairs + Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> (64 - ChainEncoder.pairBits))
        if slot.pointee & ~1 == key { return slot.pointee & 1 == 1 }
        let result = workOut(left, right)
        slot.pointee = key | (result ? 1 : 0)
        return result
    }

    /// Takes the two tokens apart, the later merge first, and looks whether the symbols that met at the boundary would have merged
    /// before the merge that was undone: of equal ranks the left one comes first.
    private func workOut(_ first: Int32, _ second: Int32) -> Bool {
        var left = first
        var right = second
        var limitLeft = UInt32.max
        var limitRight = UInt32.max
        while true {
            if states[Int(left)] != .reachable || states[Int(right)] != .reachable {
                if resolve(left) != .reachable || resolve(right) != .reachable { return tryOut(first, second) }
            }
            let rank = model.merges.merge(left, right).rank
            if rank != .max, rank + 1 < limitLeft, rank + 1 <= limitRight { return false }
            let (leftTree, rightTree) = (trees[Int(left)], trees[Int(right)])
            if leftTree.formation == 0, rightTree.formation == 0 { return true }
            if leftTree.formation > rightTree.formation {
                limitLeft = leftTree.formation
                left = leftTree.right
            } else {
                limitRight = rightTree.formation
                right = rightTree.left
            }
        }
    }

    private func tryOut(_ left: Int32, _ right: Int32) -> Bool {
        guard let first = model.vocabulary.bytes(of: left), let second = model.vocabulary.bytes(of: right) else { return false }
        var merged: [Int32] = []
        guard model.addSymbols((Array(first) + Array(second))[...], to: work) else { return false }
        work.finish(model.merges, into: &merged)
        return merged == [left, right]
    }
}
