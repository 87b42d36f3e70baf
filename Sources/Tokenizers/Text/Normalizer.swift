@_spi(_Unicode) import Swift

/// What is done to text before it is cut into words.
indirect enum Normalizer: Sendable {
    case sequence([Normalizer])
    /// Puts text before every non-empty piece.
    case prepend([UInt8])
    /// Every occurrence of a literal is replaced.
    case replace([UInt8], with: [UInt8])
    /// Every match of a pattern is replaced.
    case replacePattern(Pattern, with: [UInt8])
    case composed
    case decomposed
    case lowercase
    case strip(left: Bool, right: Bool)
    case stripAccents

    func apply(_ text: [UInt8]) -> [UInt8] {
        switch self {
        case .sequence(let steps): return steps.reduce(text) { $1.apply($0) }
        case .prepend(let prefix): return text.isEmpty ? text : prefix + text
        case .replace(let literal, let replacement): return Normalizer.replace(literal, in: text, with: replacement)
        case .replacePattern(let pattern, let replacement): return Normalizer.replace(pattern, in: text, with: replacement)
        case .composed:
            let isPlain = text.withUnsafeBufferPointer { Normalizer.isPlain($0) }
            return isPlain ? text : Normalizer.encode(String(decoding: text, as: UTF8.self)._nfc)
        case .decomposed:
            return text.allSatisfy { $0 < 0x80 } ? text : Normalizer.encode(String(decoding: text, as: UTF8.self)._nfd)
        case .lowercase: return Array(String(decoding: text, as: UTF8.self).lowercased().utf8)
        case .strip(let left, let right): return Normalizer.strip(text, left: left, right: right)
        case .stripAccents:
            let classes = UnicodeClasses.shared
            return Normalizer.encode(String(decoding: text, as: UTF8.self).unicodeScalars.filter { classes.category($0.value) != 5 })
        }
    }

    private static func encode(_ scalars: some Sequence<Unicode.Scalar>) -> [UInt8] {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return Array(String(view).utf8)
    }

    /// True when text is surely in composed form already: only ASCII, Latin-1, common ideographs and the like.
    static func isPlain(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        var position = 0
        while position < text.count {
            let first = text[position]
            if first < 0x80 {
                position += 1
            } else if first < 0xCC {
                // Below U+0300: no combining marks.
                position += 2
            } else if first >= 0xE4, first <= 0xE9 {
                // U+4000...U+9FFF: ideographs.
                position += 3
            } else if first == 0xE3, position + 1 < text.count, text[position + 1] == 0x80 {
                // U+3000...U+303F without the tone marks U+302A...U+302F.
                if position + 2 < text.count, (0xAA...0xAF).contains(text[position + 2]) { return false }
                position += 3
            } else if first == 0xE2, position + 2 < text.count, text[position + 1] == 0x80, text[position + 2] >= 0x82 {
                // U+2002...U+203F: dashes and quotation marks.
                position += 3
            } else if first == 0xEF, position + 1 < text.count, text[position + 1] >= 0xBC {
                // U+FF00...U+FFFF: full-width forms.
                position += 3
            } else {
                return false
            }
        }
        return true
    }

    static func replace(_ literal: [UInt8], in text: [UInt8], with replacement: [UInt8]) -> [UInt8] {
        guard let first = literal.first, text.count >= literal.count else { return text }
        var result: [UInt8] = []
        result.reserveCapacity(text.count + 16)
        var position = 0
        while position < text.count {
            if text[position] == first, position + literal.count <= text.count,
                text[position..<position + literal.count].elementsEqual(literal)
            {
                result.append(contentsOf: replacement)
                position += literal.count
            } else {
                result.append(text[position])
                position += 1
            }
        }
        return result
    }

    private static func replace(_ pattern: Pattern, in text: [UInt8], with replacement: [UInt8]) -> [UInt8] {
        let scalars = ScalarText(text)
        var result: [UInt8] = []
        var position = 0
        for match in pattern.matches(in: scalars.scalars) {
            result.append(contentsOf: text[position..<scalars.offsets[match.lowerBound]])
            result.append(contentsOf: replacement)
            position = scalars.offsets[match.upperBound]
        }
        result.append(contentsOf: text[position...])
        return result
    }

    private static func strip(_ text: [UInt8], left: Bool, right: Bool) -> [UInt8] {
        let scalars = ScalarText(text)
        let classes = UnicodeClasses.shared
        var start = 0
        var end = scalars.scalars.count
        if left { while start < end, classes.isSpace(scalars.scalars[start]) { start += 1 } }
        if right { while end > start, classes.isSpace(scalars.scalars[end - 1]) { end -= 1 } }
        return Array(text[scalars.offsets[start]..<scalars.offsets[end]])
    }
}

/// The code points of a piece of UTF-8 and the byte offset where each begins (one more offset than code points).
struct ScalarText {
    let scalars: [UInt32]
    let offsets: [Int]

    init(_ bytes: [UInt8]) {
        var scalars: [UInt32] = []
        var offsets: [Int] = []
        scalars.reserveCapacity(bytes.count)
        offsets.reserveCapacity(bytes.count + 1)
        var position = 0
        while position < bytes.count {
            let first = bytes[position]
            let wanted = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
            let length = min(wanted, bytes.count - position)
            var scalar = wanted == 1 ? UInt32(first) : UInt32(first) & (0x7F >> UInt32(wanted))
            for index in 1..<max(length, 1) { scalar = scalar << 6 | UInt32(bytes[position + index] & 0x3F) }
            scalars.append(scalar)
            offsets.append(position)
            position += length
        }
        offsets.append(bytes.count)
        self.scalars = scalars
        self.offsets = offsets
    }
}
