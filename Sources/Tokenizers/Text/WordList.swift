/// Text on its way to becoming words: the bytes, and the ranges of them that are still whole.
struct WordList {
    struct Word {
        var start: Int
        var end: Int
        /// It stands at the very start of the text that was given.
        var isFirst: Bool
    }

    var bytes: [UInt8]
    var words: [Word]

    init(_ text: UnsafeBufferPointer<UInt8>, isFirst: Bool) {
        bytes = Array(text)
        words = text.isEmpty ? [] : [Word(start: 0, end: text.count, isFirst: isFirst)]
    }

    /// Cuts every word where `marker` says: it is given the text, a word's range and a writer that wants the whole range in order.
    mutating func cut(_ behavior: PreTokenizer.SplitBehavior, inverted: Bool = false, _ marker: (UnsafePointer<UInt8>, Int, Int, inout Cutter) -> Void) {
        var cutter = Cutter(behavior: behavior, inverted: inverted)
        cutter.words.reserveCapacity(max(words.count, bytes.count / 5))
        bytes.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            for word in words {
                cutter.begin(isFirst: word.isFirst, start: word.start)
                marker(base, word.start, word.end, &cutter)
                cutter.finish()
            }
        }
        words = cutter.words
    }

    /// Cuts at every character whose flags `test` accepts.
    mutating func cut(_ behavior: PreTokenizer.SplitBehavior, where test: (UInt32) -> Bool) {
        var ascii = [Bool](repeating: false, count: 128)
        for scalar in 0..<128 { ascii[scalar] = test(UInt32(scalar)) }
        cut(behavior) { base, start, end, cutter in
            var position = start
            var plain = start
            while position < end {
                let first = base[position]
                var length = 1
                let matches: Bool
                if first < 0x80 {
                    matches = ascii[Int(first)]
                } else {
                    let next = UTF8Text.scalar(base, position, end)
                    length = next.length
                    matches = test(next.value)
                }
                if matches {
                    if plain < position { cutter.add(plain, position, false) }
                    cutter.add(position, position + length, true)
                    plain = position + length
                }
                position += length
            }
            if plain < end { cutter.add(plain, end, false) }
        }
    }

    /// Joins ranges after the reference implementation's split behaviours.
    struct Cutter {
        let behavior: PreTokenizer.SplitBehavior
        let inverted: Bool
        fileprivate(set) var words: [Word] = []
        private var firstWord = 0
        private var start = 0
        private var isFirst = false
        private var previousMatched: Bool?
        private var pending: (start: Int, end: Int)?

        fileprivate init(behavior: PreTokenizer.SplitBehavior, inverted: Bool) {
            self.behavior = behavior
            self.inverted = inverted
        }

        fileprivate mutating func begin(isFirst: Bool, start: Int) {
            firstWord = words.count
            self.start = start
            self.isFirst = isFirst
            previousMatched = nil
            pending = nil
        }

        fileprivate mutating func finish() {
            if let pending { push(pending.start, pending.end) }
            pending = nil
        }

        @inline(__always)
        private mutating func push(_ from: Int, _ to: Int) {
            if from < to { words.append(Word(start: from, end: to, isFirst: isFirst && from == start)) }
        }

        /// The next range of the word, and whether it matched. Ranges follow each other without gaps.
        @inline(__always)
        mutating func add(_ from: Int, _ to: Int, _ didMatch: Bool) {
            let matched = didMatch != inverted
            switch behavior {
            case .removed: if !matched { push(from, to) }
            case .isolated: push(from, to)
            case .contiguous:
                if previousMatched == matched, words.count > firstWord { words[words.count - 1].end = to } else { push(from, to) }
            case .mergedWithPrevious:
                if matched, previousMatched != true, words.count > firstWord { words[words.count - 1].end = to } else { push(from, to) }
            case .mergedWithNext:
                if let (earlier, end) = pending {
                    pending = nil
                    if matched {
                        push(earlier, end)
                        pending = (from, to)
                    } else {
                        push(earlier, to)
                    }
                } else if matched {
                    pending = (from, to)
                } else {
                    push(from, to)
                }
            }
            previousMatched = matched
        }
    }
}
