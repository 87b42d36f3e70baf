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
    /// BERT's: blanks go, punctuation stands alone.
    case bert
    case delimiter(UInt32)
    /// Pieces of so many characters.
    case fixedLength(Int)

    enum Matcher: Sendable {
        case literal([UInt8])
        case pattern(Pattern)
    }
    enum SplitBehavior: String, Sendable { case removed, isolated, mergedWithPrevious, mergedWithNext, contiguous }
    enum PrependScheme: String, Sendable { case always, never, first }

    func apply(_ list: inout WordList) {
        let mappings = UnicodeMappings.shared
        switch self {
        case .sequence(let steps): for step in steps { step.apply(&list) }
        case .known(let known): PreTokenizer.scan(&list, known)
        case .split(let matcher, let behavior, let invert): PreTokenizer.split(&list, matcher, behavior, invert)
        case .byteLevel(let addPrefixSpace, let usesPattern):
            if addPrefixSpace { PreTokenizer.prefix(&list, with: [0x20]) { _ in true } }
            if usesPattern { PreTokenizer.scan(&list, .gpt2) }
        case .metaspace(let replacement, let scheme, let splits):
            PreTokenizer.showBlanks(&list, replacement, scheme)
            if splits { PreTokenizer.split(&list, .literal(replacement), .mergedWithNext, false) }
        case .digits(let individual): list.cut(individual ? .isolated : .contiguous) { mappings.flags($0).contains(.numeric) }
        case .whitespaceWords:
            list.cut(.isolated) { base, start, end, cutter in
                var position = start
                while position < end {
                    let begin = position
                    let kind = PreTokenizer.wordKind(base, position, end)
                    position += kind.length
                    while position < end {
                        let next = PreTokenizer.wordKind(base, position, end)
                        if next.kind != kind.kind { break }
                        position += next.length
                    }
                    if kind.kind != 0 { cutter.add(begin, position, true) }
                }
            }
        case .whitespaceSplit: list.cut(.removed) { mappings.flags($0).contains(.whiteSpace) }
        case .punctuation(let behavior): list.cut(behavior) { mappings.flags($0).contains(.punctuation) }
        case .bert:
            list.cut(.removed) { mappings.flags($0).contains(.whiteSpace) }
            list.cut(.isolated) { mappings.flags($0).contains(.punctuation) }
        case .delimiter(let delimiter): list.cut(.removed) { $0 == delimiter }
        case .fixedLength(let length):
            list.cut(.isolated) { base, start, end, cutter in
                var position = start
                while position < end {
                    let begin = position
                    var taken = 0
                    while taken < length, position < end {
                        position += min(UTF8Text.length(base[position]), end - position)
                        taken += 1
                    }
                    cutter.add(begin, position, true)
                }
            }
        }
    }

    /// 0 blank, 1 word character, 2 other.
    private static func wordKind(_ base: UnsafePointer<UInt8>, _ position: Int, _ end: Int) -> (kind: Int, length: Int) {
        let next = UTF8Text.scalar(base, position, end)
        let flags = UnicodeMappings.shared.flags(next.value)
        return (flags.contains(.word) ? 1 : flags.contains(.whiteSpace) ? 0 : 2, next.length)
    }

    /// Puts `prefix` before words that do not begin with it.
    private static func prefix(_ list: inout WordList, with prefix: [UInt8], where test: (WordList.Word) -> Bool) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(list.bytes.count + list.words.count * prefix.count)
        for index in list.words.indices {
            let word = list.words[index]
            let start = bytes.count
            if test(word), !list.bytes[word.start..<word.end].starts(with: prefix) { bytes.append(contentsOf: prefix) }
            bytes.append(contentsOf: list.bytes[word.start..<word.end])
            list.words[index] = WordList.Word(start: start, end: bytes.count, isFirst: word.isFirst)
        }
        list.bytes = bytes
    }

    private static func showBlanks(_ list: inout WordList, _ mark: [UInt8], _ scheme: PrependScheme) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(list.bytes.count + list.bytes.count / 2 + mark.count)
        list.bytes.withUnsafeBufferPointer { source in
            for index in list.words.indices {
                let word = list.words[index]
                let start = bytes.count
                let wantsMark = scheme == .always || (scheme == .first && word.isFirst)
                let section = source[word.start..<word.end]
                if wantsMark, section.first != 0x20, !section.starts(with: mark) { bytes.append(contentsOf: mark) }
                for byte in section {
                    if byte == 0x20 { bytes.append(contentsOf: mark) } else { bytes.append(byte) }
                }
                list.words[index] = WordList.Word(start: start, end: bytes.count, isFirst: word.isFirst)
            }
        }
        list.bytes = bytes
    }

    private static func split(_ list: inout WordList, _ matcher: Matcher, _ behavior: SplitBehavior, _ invert: Bool) {
        switch matcher {
        case .pattern(let pattern):
            list.cut(behavior, inverted: invert) { base, start, end, cutter in
                var position = start
                pattern.forEachMatch(in: UnsafeBufferPointer(start: base + start, count: end - start)) { from, to in
                    if start + from > position { cutter.add(position, start + from, false) }
                    cutter.add(start + from, start + to, true)
                    position = start + to
                }
                if position < end { cutter.add(position, end, false) }
            }
        case .literal(let literal):
            guard let first = literal.first else { return }
            list.cut(behavior, inverted: invert) { base, start, end, cutter in
                var position = start
                var plain = start
                while position + literal.count <= end {
                    guard base[position] == first, holds(literal, base + position) else {
                        position += 1
                        continue
                    }
                    if plain < position { cutter.add(plain, position, false) }
                    cutter.add(position, position + literal.count, true)
                    position += literal.count
                    plain = position
                }
                if plain < end { cutter.add(plain, end, false) }
            }
        }
    }

    @inline(__always)
    private static func holds(_ literal: [UInt8], _ start: UnsafePointer<UInt8>) -> Bool {
        for index in 0..<literal.count where literal[index] != start[index] { return false }
        return true
    }

    private static func scan(_ list: inout WordList, _ known: WordScanner.Known) {
        // The scanners look a few bytes ahead.
        let count = list.bytes.count
        list.bytes.append(contentsOf: repeatElement(0, count: 8))
        list.cut(.isolated) { base, start, end, cutter in
            let scanner = WordScanner(base: base, end: end, classes: .shared)
            var position = start
            while position < end {
                let stop = min(max(scanner.wordEnd(known, position), position + 1), end)
                cutter.add(position, stop, true)
                position = stop
            }
        }
        list.bytes.removeLast(list.bytes.count - count)
    }

    /// Ends of the words of a known pattern.
    static func scan(_ bytes: [UInt8], _ known: WordScanner.Known) -> [Range<Int>] {
        var list = bytes.withUnsafeBufferPointer { WordList($0, isFirst: true) }
        scan(&list, known)
        return list.words.map { $0.start..<$0.end }
    }
}
