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
        case .composed: return text.withUnsafeBufferPointer { Normalizer.compose($0) } ?? text
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

    /// The text in composed form, or nil when it is so already.
    ///
    /// Only the stretches around characters that composing could touch go through the standard library: from the character before
    /// such a one to the next that surely begins anew.
    static func compose(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        var result: [UInt8] = []
        var written = 0
        var previous = 0
        var position = 0
        while position < text.count {
            let length = plainLength(text, position)
            if length > 0 {
                previous = position
                position += length
                continue
            }
            let start = max(written, previous)
            var end = position
            while end < text.count, plainLength(text, end) == 0 {
                end += 1
                while end < text.count, text[end] & 0xC0 == 0x80 { end += 1 }
            }
            result.append(contentsOf: text[written..<start])
            result.append(contentsOf: encode(String(decoding: text[start..<end], as: UTF8.self)._nfc))
            written = end
            previous = end
            position = end
        }
        if written == 0 { return nil }
        result.append(contentsOf: text[written...])
        return result
    }

    /// Length of the character at `position` when it is one that stays as it is and joins nothing before it, else 0: letters and signs
    /// of the common alphabets, ideographs, Hangul syllables, symbols, emoji.
    @inline(__always)
    private static func plainLength(_ text: UnsafeBufferPointer<UInt8>, _ position: Int) -> Int {
        let first = text[position]
        if first < 0x80 { return 1 }
        if first < 0xCC { return 2 }
        return widePlainLength(text, position)
    }

    private static func widePlainLength(_ text: UnsafeBufferPointer<UInt8>, _ position: Int) -> Int {
        let first = UInt32(text[position])
        guard first < 0xF5, position + 1 < text.count else { return 0 }
        let second = UInt32(text[position + 1] & 0x3F)
        if first < 0xE0 {
            switch (first & 0x1F) << 6 | second {
            // Greek without the three signs that stand for others, Cyrillic without its marks, Hebrew and Arabic letters.
            case 0x370...0x373, 0x375...0x37D, 0x37F...0x386, 0x388...0x482, 0x48A...0x52F, 0x5D0...0x5EA, 0x621...0x64A: return 2
            default: return 0
            }
        }
        guard position + 2 < text.count else { return 0 }
        if first < 0xF0 {
            switch (first & 0x0F) << 12 | second << 6 | UInt32(text[position + 2] & 0x3F) {
            case 0x2002...0x200A, 0x2010...0x205E, 0x2190...0x219B, 0x219C...0x2328, 0x232B...0x2ADB, 0x2ADD...0x2BFF, 0x3000...0x3029,
                0x3030...0x3098, 0x309B...0x4DBF, 0x4E00...0x9FFF, 0xAC00...0xD7A3, 0xFF00...0xFFEF:
                return 3
            default: return 0
            }
        }
        guard position + 3 < text.count else { return 0 }
        let high = (first & 0x07) << 18 | second << 12 | UInt32(text[position + 2] & 0x3F) << 6
        // Emoji and pictures; ideographs of the second plane.
        return (high >= 0x1F000 && high < 0x1FB00) || (high >= 0x20000 && high < 0x2A6C0) ? 4 : 0
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
