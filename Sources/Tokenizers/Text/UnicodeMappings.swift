/// Decompositions, compositions, lower case and character classes as Hugging Face `tokenizers` has them, by code point.
///
/// The standard library's own follow a newer Unicode and lack the compatibility forms; equal ids need the same tables.
/// Spread at first use (about 5 ms) from the strings of the `Unicode...Data.swift` files.
final class UnicodeMappings: @unchecked Sendable {
    static let shared = UnicodeMappings()

    /// What is known of a code point, as bits.
    struct Flags: OptionSet, Sendable {
        let rawValue: UInt16
        /// Has a canonical decomposition (Hangul syllables excepted).
        static let canonical = Flags(rawValue: 1 << 0)
        /// Its compatibility decomposition differs from the canonical one.
        static let compatibility = Flags(rawValue: 1 << 1)
        /// May be the second half of a composition.
        static let joinsPrevious = Flags(rawValue: 1 << 2)
        /// Is not itself in composed form.
        static let decomposesForGood = Flags(rawValue: 1 << 3)
        static let combining = Flags(rawValue: 1 << 4)
        static let whiteSpace = Flags(rawValue: 1 << 5)
        static let bertRemoved = Flags(rawValue: 1 << 6)
        static let bertAccent = Flags(rawValue: 1 << 7)
        static let mark = Flags(rawValue: 1 << 8)
        static let ideograph = Flags(rawValue: 1 << 9)
        static let punctuation = Flags(rawValue: 1 << 10)
        static let numeric = Flags(rawValue: 1 << 11)
        static let nmtRemoved = Flags(rawValue: 1 << 12)
        static let nmtSpace = Flags(rawValue: 1 << 13)
        static let hasLowerCase = Flags(rawValue: 1 << 14)
        static let word = Flags(rawValue: 1 << 15)
    }

    private let pages: UnsafeMutablePointer<UInt16>
    private let blocks: UnsafeMutablePointer<UInt16>
    private let canonical: [UInt32: [UInt32]]
    private let compatibility: [UInt32: [UInt32]]
    private let lower: [UInt32: [UInt32]]
    private let classes: [UInt32: UInt8]
    private let pairs: [UInt64: UInt32]

    @inline(__always)
    func flags(_ scalar: UInt32) -> Flags {
        guard scalar < 0x110000 else { return [] }
        return Flags(rawValue: blocks[Int(pages[Int(scalar >> 8)]) << 8 | Int(scalar & 255)])
    }

    func combiningClass(_ scalar: UInt32) -> UInt8 { flags(scalar).contains(.combining) ? classes[scalar] ?? 0 : 0 }

    /// Appends the full decomposition of a character; compatibility decompositions too when asked.
    func appendDecomposition(_ scalar: UInt32, compatible: Bool, to output: inout [UInt32]) {
        let flags = flags(scalar)
        if compatible, flags.contains(.compatibility), let found = compatibility[scalar] {
            output.append(contentsOf: found)
        } else if flags.contains(.canonical), let found = canonical[scalar] {
            output.append(contentsOf: found)
        } else if scalar >= 0xAC00, scalar <= 0xD7A3 {
            let index = scalar - 0xAC00
            output.append(0x1100 + index / 588)
            output.append(0x1161 + index % 588 / 28)
            if index % 28 > 0 { output.append(0x11A7 + index % 28) }
        } else {
            output.append(scalar)
        }
    }

    /// What two characters compose to.
    func composition(_ first: UInt32, _ second: UInt32) -> UInt32? {
        if first >= 0x1100, first < 0x1113, second >= 0x1161, second < 0x1176 {
            return 0xAC00 + ((first - 0x1100) * 21 + second - 0x1161) * 28
        }
        if first >= 0xAC00, first <= 0xD7A3, second > 0x11A7, second < 0x11C3, (first - 0xAC00) % 28 == 0 {
            return first + second - 0x11A7
        }
        return pairs[UInt64(first) << 32 | UInt64(second)]
    }

    func lowerCase(_ scalar: UInt32) -> [UInt32] { lower[scalar] ?? [scalar] }

    private init() {
        var flat = [UInt16](repeating: 0, count: 0x110000)
        var canonical: [UInt32: [UInt32]] = [:]
        var compatibility: [UInt32: [UInt32]] = [:]
        var lower: [UInt32: [UInt32]] = [:]
        var classes: [UInt32: UInt8] = [:]
        var pairs: [UInt64: UInt32] = [:]
        var excluded = Set<UInt32>()
        UnicodeMappings.readMapping(unicodeCanonicalDecompositions) { scalar, targets, isExcluded in
            canonical[scalar] = targets
            flat[Int(scalar)] |= Flags.canonical.rawValue
            if isExcluded {
                excluded.insert(scalar)
                flat[Int(scalar)] |= Flags.decomposesForGood.rawValue
            }
        }
        UnicodeMappings.readMapping(unicodeCompatibilityDecompositions) { scalar, targets, _ in
            compatibility[scalar] = targets
            flat[Int(scalar)] |= Flags.compatibility.rawValue
        }
        UnicodeMappings.readMapping(unicodeCombiningClasses) { scalar, targets, _ in
            classes[scalar] = UInt8(truncatingIfNeeded: targets.first ?? 0)
            flat[Int(scalar)] |= Flags.combining.rawValue
        }
        UnicodeMappings.readMapping(unicodeLowerCase) { scalar, targets, _ in
            lower[scalar] = targets
            flat[Int(scalar)] |= Flags.hasLowerCase.rawValue
        }
        let sets: [(StaticString, Flags)] = [
            (unicodeWhiteSpace, .whiteSpace), (unicodeBertRemoved, .bertRemoved), (unicodeBertAccents, .bertAccent),
            (unicodeMarks, .mark), (unicodeBertIdeographs, .ideograph), (unicodePunctuation, .punctuation),
            (unicodeNumeric, .numeric), (unicodeNmtRemoved, .nmtRemoved), (unicodeNmtSpaces, .nmtSpace), (unicodeWord, .word),
        ]
        for (text, flag) in sets {
            UnicodeMappings.readRuns(text) { range in for index in range { flat[index] |= flag.rawValue } }
        }
        // Shorter decompositions first: a longer one's beginning is then known as a composition already.
        let composing = canonical.filter { $0.value.count > 1 && !excluded.contains($0.key) }.sorted {
            ($0.value.count, $0.key) < ($1.value.count, $1.key)
        }
        for (scalar, parts) in composing {
            var first = parts[0]
            for part in parts[1..<(parts.count - 1)] { first = pairs[UInt64(first) << 32 | UInt64(part)] ?? first }
            let second = parts[parts.count - 1]
            pairs[UInt64(first) << 32 | UInt64(second)] = scalar
            flat[Int(second)] |= Flags.joinsPrevious.rawValue
        }
        for jamo in 0x1161..<0x1176 { flat[jamo] |= Flags.joinsPrevious.rawValue }
        for jamo in 0x11A8..<0x11C3 { flat[jamo] |= Flags.joinsPrevious.rawValue }
        (pages, blocks) = UnicodeMappings.paged(flat)
        (self.canonical, self.compatibility, self.lower, self.classes, self.pairs) = (canonical, compatibility, lower, classes, pairs)
    }

    private static func paged(_ flat: [UInt16]) -> (UnsafeMutablePointer<UInt16>, UnsafeMutablePointer<UInt16>) {
        let pages = UnsafeMutablePointer<UInt16>.allocate(capacity: 0x1100)
        var kept: [UInt16] = []
        var known: [ArraySlice<UInt16>: UInt16] = [:]
        for page in 0..<0x1100 {
            let content = flat[page << 8..<(page + 1) << 8]
            let number = known[content] ?? UInt16(kept.count >> 8)
            if Int(number) == kept.count >> 8 {
                known[content] = number
                kept.append(contentsOf: content)
            }
            pages.advanced(by: page).initialize(to: number)
        }
        let blocks = UnsafeMutablePointer<UInt16>.allocate(capacity: kept.count)
        blocks.initialize(from: kept, count: kept.count)
        return (pages, blocks)
    }

    /// Entries `DELTA[*COUNT][!]:hex.hex`, separated by blanks.
    private static func readMapping(_ text: StaticString, _ body: (UInt32, [UInt32], Bool) -> Void) {
        text.withUTF8Buffer { text in
            var position = 0
            var scalar: UInt32 = 0
            while position < text.count {
                scalar += number(text, &position)
                var count: UInt32 = 1
                if position < text.count, text[position] == 0x2A {
                    position += 1
                    count = number(text, &position)
                }
                let isExcluded = position < text.count && text[position] == 0x21
                position += isExcluded ? 2 : 1
                var targets = [number(text, &position)]
                while position < text.count, text[position] == 0x2E {
                    position += 1
                    targets.append(number(text, &position))
                }
                position += 1
                if count == 1 {
                    body(scalar, targets, isExcluded)
                } else {
                    for index in 0..<count { body(scalar + index, [targets[0] + index], false) }
                }
                scalar += count
            }
        }
    }

    /// Runs `DELTA.LENGTH`, separated by blanks.
    private static func readRuns(_ text: StaticString, _ body: (Range<Int>) -> Void) {
        text.withUTF8Buffer { text in
            var position = 0
            var scalar = 0
            while position < text.count {
                scalar += Int(number(text, &position))
                position += 1
                let length = Int(number(text, &position))
                position += 1
                body(scalar..<min(scalar + length, 0x110000))
                scalar += length
            }
        }
    }

    /// The hexadecimal number at `position`; 0 where there is none.
    private static func number(_ text: UnsafeBufferPointer<UInt8>, _ position: inout Int) -> UInt32 {
        var value: UInt32 = 0
        while position < text.count {
            let byte = text[position]
            if byte >= 0x30, byte <= 0x39 {
                value = value << 4 | UInt32(byte - 0x30)
            } else if byte >= 0x61, byte <= 0x66 {
                value = value << 4 | UInt32(byte - 0x57)
            } else {
                break
            }
            position += 1
        }
        return value
    }
}
