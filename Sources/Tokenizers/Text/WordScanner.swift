/// Hand-written scanners for the word patterns of the known byte-level tokenizers.
///
/// Each finds where the word that starts at a position ends, exactly as the pattern's alternatives, tried in order, would.
/// They read UTF-8 in place; the buffer must be valid UTF-8 followed by at least four readable bytes.
struct WordScanner {
    /// The patterns that have a scanner, by their exact text in tokenizer.json.
    enum Known: CaseIterable, Sendable {
        /// GPT-2, also what `ByteLevel` with `use_regex` applies.
        case gpt2
        /// Llama 3 and GPT-4 (cl100k): case-insensitive contractions, numbers in groups of three.
        case llama3
        /// Qwen 2, 2.5 and 3: like Llama 3, each digit alone.
        case qwen2

        var pattern: String {
            switch self {
            case .gpt2:
                return "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
            case .llama3:
                return "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}"
                    + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
            case .qwen2:
                return "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}"
                    + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
            }
        }

        /// Other ways to write a pattern, as published tokenizers have them (cl100k's own form).
        private var spellings: [String] {
            switch self {
            case .gpt2: return ["'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"]
            case .llama3:
                return [
                    "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
                    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
                ]
            case .qwen2: return []
            }
        }

        /// The scanner for a pattern, if it is one of the known ones.
        init?(pattern: String) {
            let bytes = Array(pattern.utf8)
            let known = Known.allCases.first { known in
                ([known.pattern] + known.spellings).contains { Array($0.utf8) == bytes }
            }
            guard let known else { return nil }
            self = known
        }
    }

    let base: UnsafePointer<UInt8>
    let end: Int
    private let pages: UnsafePointer<UInt16>
    private let kinds: UnsafePointer<UInt8>

    private static let letter = ScalarKind.letter.rawValue
    private static let number = ScalarKind.number.rawValue
    private static let space = ScalarKind.space.rawValue
    private static let newline = ScalarKind.newline.rawValue
    private static let other = ScalarKind.other.rawValue

    init(base: UnsafePointer<UInt8>, end: Int, classes: UnicodeClasses) {
        self.base = base
        self.end = end
        pages = classes.pages
        kinds = classes.kinds
    }

    /// Kind of the character at `position` (before the end), and its length in bytes.
    @inline(__always)
    private func kind(_ position: Int, _ length: inout Int) -> UInt8 {
        let first = base[position]
        if first < 0x80 {
            length = 1
            return kinds[Int(first)]
        }
        return wideKind(position, &length)
    }

    private func wideKind(_ position: Int, _ length: inout Int) -> UInt8 {
        let first = UInt32(base[position])
        let second = UInt32(base[position + 1] & 0x3F)
        var scalar: UInt32
        if first < 0xE0 {
            scalar = (first & 0x1F) << 6 | second
            length = 2
        } else if first < 0xF0 {
            scalar = (first & 0x0F) << 12 | second << 6 | UInt32(base[position + 2] & 0x3F)
            length = 3
        } else {
            scalar = (first & 0x07) << 18 | second << 12 | UInt32(base[position + 2] & 0x3F) << 6 | UInt32(base[position + 3] & 0x3F)
            length = 4
            if scalar > 0x10FFFF { scalar = 0x10FFFF }
        }
        return kinds[Int(pages[Int(scalar >> 8)]) << 8 | Int(scalar & 255)]
    }

    /// End of the word at `position` that a known pattern finds.
    @inline(__always)
    func wordEnd(_ known: Known, _ position: Int) -> Int {
        switch known {
        case .gpt2: return gpt2(position)
        case .llama3: return llama3(position, digits: 3)
        case .qwen2: return llama3(position, digits: 1)
        }
    }

    /// End of the run of characters of one kind that starts at `start`.
    @inline(__always)
    private func run(of wanted: UInt8, from start: Int) -> Int {
        var position = start
        var length = 0
        while position < end, kind(position, &length) == wanted { position += length }
        return position
    }

    /// End of the GPT-2 word at `start`.
    @inline(__always)
    func gpt2(_ start: Int) -> Int {
        let first = base[start]
        if first == 0x27 {
            let contraction = asciiContraction(start)
            if contraction > 0 { return start + contraction }
        }
        var length = 0
        var position = start
        var found = kind(start, &length)
        if first == 0x20, start + 1 < end {
            var following = 0
            let afterSpace = kind(start + 1, &following)
            if afterSpace != WordScanner.space, afterSpace != WordScanner.newline {
                position = start + 1
                found = afterSpace
                length = following
            }
        }
        if found != WordScanner.space, found != WordScanner.newline { return run(of: found, from: position + length) }
        return blank(start).end
    }

    /// End of the Llama 3 or Qwen 2 word at `start`; they differ in how many digits stay together.
    @inline(__always)
    func llama3(_ start: Int, digits: Int) -> Int {
        let first = base[start]
        if first == 0x27 {
            let contraction = foldedContraction(start)
            if contraction > 0 { return start + contraction }
        }
        var length = 0
        let found = kind(start, &length)
        if found == WordScanner.letter { return run(of: WordScanner.letter, from: start + length) }
        var position = start + length
        if found == WordScanner.number {
            var count = 1
            while count < digits, position < end, kind(position, &length) == WordScanner.number {
                position += length
                count += 1
            }
            return position
        }
        var following = 0
        let next = position < end ? kind(position, &following) : WordScanner.newline
        if next == WordScanner.letter, found != WordScanner.newline {
            return run(of: WordScanner.letter, from: position + following)
        }
        let startsSymbols = found == WordScanner.other || (first == 0x20 && position < end && next == WordScanner.other)
        if startsSymbols {
            position = run(of: WordScanner.other, from: position)
            while position < end, base[position] == 0x0A || base[position] == 0x0D { position += 1 }
            return position
        }
        let white = blank(start)
        return white.lastNewline > 0 ? white.lastNewline : white.end
    }

    /// White space from `start`: where `\s+(?!\S)|\s+` ends, and the end of the last line end in the whole run (0: none).
    private func blank(_ start: Int) -> (end: Int, lastNewline: Int) {
        var position = start
        var lastStart = start
        var lastNewline = 0
        var length = 0
        while position < end {
            let found = kind(position, &length)
            if found == WordScanner.newline {
                lastNewline = position + 1
            } else if found != WordScanner.space {
                break
            }
            lastStart = position
            position += length
        }
        if position == end || lastStart == start { return (position, lastNewline) }
        return (lastStart, lastNewline)
    }

    /// Length of `'s 't 're 've 'm 'll 'd` at `start`, or 0.
    @inline(__always)
    private func asciiContraction(_ start: Int) -> Int {
        guard start + 1 < end else { return 0 }
        switch base[start + 1] {
        case 0x73, 0x74, 0x6D, 0x64: return 2
        case 0x72, 0x76: return start + 2 < end && base[start + 2] == 0x65 ? 3 : 0
        case 0x6C: return start + 2 < end && base[start + 2] == 0x6C ? 3 : 0
        default: return 0
        }
    }

    /// The same without regard to case; the long s (U+017F) folds to s.
    @inline(__always)
    private func foldedContraction(_ start: Int) -> Int {
        guard start + 1 < end else { return 0 }
        let second = base[start + 1]
        if second == 0xC5 { return start + 2 < end && base[start + 2] == 0xBF ? 3 : 0 }
        switch second | 0x20 {
        case 0x73, 0x74, 0x6D, 0x64: return second < 0x80 && second >= 0x41 ? 2 : 0
        case 0x72, 0x76: return start + 2 < end && base[start + 2] | 0x20 == 0x65 && base[start + 2] >= 0x41 ? 3 : 0
        case 0x6C: return start + 2 < end && base[start + 2] | 0x20 == 0x6C && base[start + 2] >= 0x41 ? 3 : 0
        default: return 0
        }
    }
}
