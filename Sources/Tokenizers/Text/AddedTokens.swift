import Glibc

/// A token that is found in the text before anything else: special tokens and words added after training.
public struct AddedToken: Sendable, Equatable {
    public var id: Int32
    public var content: String
    /// Found only where no word character touches it.
    public var isSingleWord = false
    /// Swallows white space on its left.
    public var stripsLeft = false
    /// Swallows white space on its right.
    public var stripsRight = false
    /// Looked for in normalised text (otherwise in the text as it is given).
    public var isNormalized = false
    /// Left out of decoded text when special tokens are skipped.
    public var isSpecial = false

    /// Looked for in text at all; otherwise known by name and id only.
    public var isFoundInText = true

    public init(id: Int32, content: String, isNormalized: Bool = false, isSpecial: Bool = false) {
        self.id = id
        self.content = content
        self.isNormalized = isNormalized
        self.isSpecial = isSpecial
    }
}

/// Finds added tokens in text: at each place the longest one, from left to right.
///
/// A byte trie in arrays: node n has its children in `children[n]` sorted by byte; `token[n]` is the token that ends there.
struct AddedTokenMatcher: Sendable {
    private var children: [[(byte: UInt8, node: Int32)]] = [[]]
    private var ends: [Int32] = [-1]
    private var starts = [Bool](repeating: false, count: 256)
    /// The byte that all of them begin with, as most do with '<'; nil when they differ.
    private var onlyStart: UInt8?
    private let tokens: [AddedToken]
    var isEmpty: Bool { tokens.isEmpty }

    /// `contents`: what is looked for, when that is not the token's own text (normalised tokens).
    init(_ tokens: [AddedToken], contents: [[UInt8]]) {
        self.tokens = tokens
        for (index, content) in contents.enumerated() where !content.isEmpty {
            starts[Int(content[0])] = true
            var node = 0
            for byte in content {
                if let next = children[node].first(where: { $0.byte == byte }) {
                    node = Int(next.node)
                } else {
                    children.append([])
                    ends.append(-1)
                    children[node].append((byte, Int32(children.count - 1)))
                    node = children.count - 1
                }
            }
            ends[node] = Int32(index)
        }
        let begun = starts.indices.filter { starts[$0] }
        if begun.count == 1 { onlyStart = UInt8(begun[0]) }
    }

    /// A stretch of text, or a token found in it.
    struct Part {
        var range: Range<Int>
        var token: Int32?
    }

    /// Cuts `text` into tokens and what lies between. The logic of stripping and of whole words is the reference's.
    /// - Parameter splitsSpecial: special tokens are text like any other.
    func parts(_ text: UnsafeBufferPointer<UInt8>, splitsSpecial: Bool = false) -> [Part] {
        var result: [Part] = []
        var written = 0
        var position = 0
        while position < text.count {
            position = nextStart(text, position)
            guard position < text.count, let match = longest(text, position) else {
                position += 1
                continue
            }
            var start = position
            var stop = match.end
            position = stop
            let token = tokens[match.index]
            if splitsSpecial, token.isSpecial { continue }
            if token.isSingleWord {
                let touchesLeft = start > 0 && AddedTokenMatcher.endsWithWord(text, start)
                let touchesRight = stop < text.count && AddedTokenMatcher.flags(text, stop).flags.contains(.word)
                if touchesLeft || touchesRight { continue }
            }
            if token.stripsLeft { start = max(AddedTokenMatcher.spacesBefore(text, start), written) }
            if token.stripsRight { stop = AddedTokenMatcher.spacesAfter(text, stop) }
            if written < start { result.append(Part(range: written..<start, token: nil)) }
            result.append(Part(range: start..<max(stop, start), token: token.id))
            written = stop
        }
        if written < text.count { result.append(Part(range: written..<text.count, token: nil)) }
        return result
    }

    /// The next place where a token may begin; most bytes begin none.
    private func nextStart(_ text: UnsafeBufferPointer<UInt8>, _ position: Int) -> Int {
        guard let base = text.baseAddress else { return text.count }
        if let onlyStart {
            guard let found = memchr(base + position, Int32(onlyStart), text.count - position) else { return text.count }
            return UnsafePointer(found.assumingMemoryBound(to: UInt8.self)) - base
        }
        return starts.withUnsafeBufferPointer { starts in
            var next = position
            while next < text.count, !starts[Int(text[next])] { next += 1 }
            return next
        }
    }

    func longest(_ text: UnsafeBufferPointer<UInt8>, _ start: Int) -> (index: Int, end: Int)? {
        var node = 0
        var position = start
        var best: (index: Int, end: Int)?
        while position < text.count, let next = children[node].first(where: { $0.byte == text[position] }) {
            node = Int(next.node)
            position += 1
            if ends[node] >= 0 { best = (Int(ends[node]), position) }
        }
        return best
    }

    private static func flags(_ text: UnsafeBufferPointer<UInt8>, _ position: Int) -> (flags: UnicodeMappings.Flags, length: Int) {
        guard let base = text.baseAddress, position < text.count else { return ([], 1) }
        let next = UTF8Text.scalar(base, position, text.count)
        return (UnicodeMappings.shared.flags(next.value), next.length)
    }

    private static func startOfPrevious(_ text: UnsafeBufferPointer<UInt8>, _ position: Int) -> Int {
        text.baseAddress.map { UTF8Text.previous($0, position) } ?? 0
    }

    private static func endsWithWord(_ text: UnsafeBufferPointer<UInt8>, _ end: Int) -> Bool {
        flags(text, startOfPrevious(text, end)).flags.contains(.word)
    }

    private static func spacesBefore(_ text: UnsafeBufferPointer<UInt8>, _ end: Int) -> Int {
        var position = end
        while position > 0 {
            let start = startOfPrevious(text, position)
            if !flags(text, start).flags.contains(.whiteSpace) { break }
            position = start
        }
        return position
    }

    private static func spacesAfter(_ text: UnsafeBufferPointer<UInt8>, _ start: Int) -> Int {
        var position = start
        while position < text.count {
            let next = flags(text, position)
            if !next.flags.contains(.whiteSpace) { break }
            position += next.length
        }
        return position
    }
}
