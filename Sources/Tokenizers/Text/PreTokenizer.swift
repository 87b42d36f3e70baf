/// How normalised text is cut into the words that merging never crosses.
indirect enum PreTokenizer: Sendable {
    case sequence([PreTokenizer])
    /// One of the patterns with a scanner; every match and everything between is a word.
    case known(WordScanner.Known)
    case split(Matcher, SplitBehavior, invert: Bool)
    /// Byte-level: an optional leading space, then GPT-2's pattern when asked. The alphabet itself is undone at load time.
    case byteLevel(addPrefixSpace: Bool, usesPattern: Bool)
    /// SentencePiece's visible space.
    case metaspace(replacement: [UInt8], scheme: PrependScheme, splits: Bool)
    case digits(individual: Bool)
    case whitespaceWords
    case whitespaceSplit
    case punctuation(SplitBehavior)

    enum Matcher: Sendable {
        case literal([UInt8])
        case pattern(Pattern)
    }
    enum SplitBehavior: String, Sendable { case removed, isolated, mergedWithPrevious, mergedWithNext, contiguous }
    enum PrependScheme: String, Sendable { case always, never, first }

    /// A piece on its way to becoming words. `isFirst`: it stands at the very start of the text that was given.
    struct Piece {
        var bytes: [UInt8]
        var isFirst: Bool
    }

    func apply(_ pieces: [Piece]) -> [Piece] {
        switch self {
        case .sequence(let steps): return steps.reduce(pieces) { $1.apply($0) }
        case .known(let known):
            return pieces.flatMap { piece in PreTokenizer.cut(piece, PreTokenizer.scan(piece.bytes, known).map { ($0, true) }, .isolated) }
        case .split(let matcher, let behavior, let invert):
            return pieces.flatMap { piece in
                var marks = PreTokenizer.marks(piece.bytes, matcher)
                if invert { marks = marks.map { ($0.0, !$0.1) } }
                return PreTokenizer.cut(piece, marks, behavior)
            }
        case .byteLevel(let addPrefixSpace, let usesPattern):
            return pieces.flatMap { piece -> [Piece] in
                var piece = piece
                if addPrefixSpace, piece.bytes.first != 0x20 { piece.bytes.insert(0x20, at: 0) }
                return usesPattern ? PreTokenizer.known(.gpt2).apply([piece]) : [piece]
            }
        case .metaspace(let replacement, let scheme, let splits):
            return pieces.flatMap { PreTokenizer.metaspace($0, replacement, scheme, splits) }
        case .digits(let individual):
            let classes = UnicodeClasses.shared
            return pieces.flatMap {
                PreTokenizer.cut($0, PreTokenizer.marks($0.bytes) { classes.isNumber($0) }, individual ? .isolated : .contiguous)
            }
        case .whitespaceWords:
            let classes = UnicodeClasses.shared
            return pieces.flatMap { piece -> [Piece] in
                let kinds: (UInt32) -> Int = { classes.isWord($0) ? 1 : classes.isSpace($0) ? 0 : 2 }
                return PreTokenizer.runs(piece, kinds).compactMap { $0.kind == 0 ? nil : $0.piece }
            }
        case .whitespaceSplit:
            let classes = UnicodeClasses.shared
            return pieces.flatMap { PreTokenizer.cut($0, PreTokenizer.marks($0.bytes) { classes.isSpace($0) }, .removed) }
        case .punctuation(let behavior):
            let classes = UnicodeClasses.shared
            return pieces.flatMap { piece in
                let isPunctuation: (UInt32) -> Bool = { scalar in
                    classes.isPunctuation(scalar)
                        || (scalar < 128 && scalar > 32 && !classes.isLetter(scalar) && !classes.isNumber(scalar) && scalar != 127)
                }
                return PreTokenizer.cut(piece, PreTokenizer.marks(piece.bytes, isPunctuation), behavior)
            }
        }
    }

    private static func metaspace(_ piece: Piece, _ mark: [UInt8], _ scheme: PrependScheme, _ splits: Bool) -> [Piece] {
        var piece = piece
        piece.bytes = Normalizer.replace([0x20], in: piece.bytes, with: mark)
        let wantsMark = scheme == .always || (scheme == .first && piece.isFirst)
        if wantsMark, !piece.bytes.isEmpty, !piece.bytes.starts(with: mark) { piece.bytes = mark + piece.bytes }
        guard splits else { return [piece] }
        return cut(piece, marks(piece.bytes, .literal(mark)), .mergedWithNext)
    }

    /// Ends of the words of a known pattern.
    static func scan(_ bytes: [UInt8], _ known: WordScanner.Known) -> [Range<Int>] {
        var padded = bytes
        padded.append(contentsOf: [0, 0, 0, 0, 0, 0, 0, 0])
        return padded.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return [] }
            let scanner = WordScanner(base: base, end: bytes.count, classes: .shared)
            var result: [Range<Int>] = []
            var position = 0
            while position < bytes.count {
                let end: Int
                switch known {
                case .gpt2: end = scanner.gpt2(position)
                case .llama3: end = scanner.llama3(position, digits: 3)
                case .qwen2: end = scanner.llama3(position, digits: 1)
                }
                let stop = min(max(end, position + 1), bytes.count)
                result.append(position..<stop)
                position = stop
            }
            return result
        }
    }

    /// Ranges that cover the piece, each with whether it matched.
    private static func marks(_ bytes: [UInt8], _ matcher: Matcher) -> [(Range<Int>, Bool)] {
        var found: [Range<Int>] = []
        switch matcher {
        case .pattern(let pattern):
            let text = ScalarText(bytes)
            found = pattern.matches(in: text.scalars).map { text.offsets[$0.lowerBound]..<text.offsets[$0.upperBound] }
        case .literal(let literal):
            var position = 0
            while !literal.isEmpty, position + literal.count <= bytes.count {
                if bytes[position..<position + literal.count].elementsEqual(literal) {
                    found.append(position..<position + literal.count)
                    position += literal.count
                } else {
                    position += 1
                }
            }
        }
        var result: [(Range<Int>, Bool)] = []
        var position = 0
        for match in found {
            if match.lowerBound > position { result.append((position..<match.lowerBound, false)) }
            result.append((match, true))
            position = match.upperBound
        }
        if position < bytes.count { result.append((position..<bytes.count, false)) }
        return result
    }

    /// The same, where each single character that satisfies `test` is a match.
    private static func marks(_ bytes: [UInt8], _ test: (UInt32) -> Bool) -> [(Range<Int>, Bool)] {
        let text = ScalarText(bytes)
        var result: [(Range<Int>, Bool)] = []
        for (index, scalar) in text.scalars.enumerated() {
            let range = text.offsets[index]..<text.offsets[index + 1]
            let matches = test(scalar)
            if !matches, let last = result.last, !last.1 {
                result[result.count - 1].0 = last.0.lowerBound..<range.upperBound
            } else {
                result.append((range, matches))
            }
        }
        return result
    }

    /// Runs of characters of one kind.
    private static func runs(_ piece: Piece, _ kindOf: (UInt32) -> Int) -> [(piece: Piece, kind: Int)] {
        let text = ScalarText(piece.bytes)
        var result: [(piece: Piece, kind: Int)] = []
        for (index, scalar) in text.scalars.enumerated() {
            let kind = kindOf(scalar)
            let content = piece.bytes[text.offsets[index]..<text.offsets[index + 1]]
            if let last = result.last, last.kind == kind {
                result[result.count - 1].piece.bytes.append(contentsOf: content)
            } else {
                result.append((Piece(bytes: Array(content), isFirst: piece.isFirst && index == 0), kind))
            }
        }
        return result
    }

    /// Cuts a piece after the reference implementation's split behaviours.
    private static func cut(_ piece: Piece, _ marks: [(Range<Int>, Bool)], _ behavior: SplitBehavior) -> [Piece] {
        var ranges: [Range<Int>] = []
        switch behavior {
        case .removed: ranges = marks.filter { !$0.1 }.map(\.0)
        case .isolated: ranges = marks.map(\.0)
        case .contiguous:
            var previous: Bool?
            for (range, matched) in marks {
                if previous == matched, let last = ranges.popLast() {
                    ranges.append(last.lowerBound..<range.upperBound)
                } else {
                    ranges.append(range)
                }
                previous = matched
            }
        case .mergedWithPrevious:
            var previousMatched = false
            for (range, matched) in marks {
                if matched, !previousMatched, let last = ranges.popLast() {
                    ranges.append(last.lowerBound..<range.upperBound)
                } else {
                    ranges.append(range)
                }
                previousMatched = matched
            }
        case .mergedWithNext:
            var previousMatched = false
            for (range, matched) in marks.reversed() {
                if matched, !previousMatched, let last = ranges.popLast() {
                    ranges.append(range.lowerBound..<last.upperBound)
                } else {
                    ranges.append(range)
                }
                previousMatched = matched
            }
            ranges.reverse()
        }
        return ranges.filter { !$0.isEmpty }.map {
            Piece(bytes: Array(piece.bytes[$0]), isFirst: piece.isFirst && $0.lowerBound == 0)
        }
    }
}
