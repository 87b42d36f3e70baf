/// What is done to text before it is cut into words.
indirect enum Normalizer: Sendable {
    case sequence([Normalizer])
    /// Puts text before every non-empty piece.
    case prepend([UInt8])
    /// Every occurrence of a literal is replaced.
    case replace([UInt8], with: [UInt8])
    /// Every match of a pattern is replaced.
    case replacePattern(Pattern, with: [UInt8])
    /// Every run of at least so many equal bytes (below 0x80) is replaced: what ` {2,}` asks for, at the speed of copying.
    case replaceRuns(UInt8, minimum: Int, with: [UInt8])
    case form(NormalizationForm)
    case lowercase
    case strip(left: Bool, right: Bool)
    case stripAccents
    case nmt
    case bert(BertCleaning)
    case precompiled(CharacterMap)
    /// Bytes written in the byte alphabet.
    case byteLevel
    case sentencePiece(SentencePieceText)

    static let composed = Normalizer.form(.nfc)
    static let decomposed = Normalizer.form(.nfd)

    /// The most that a text of so many bytes may become: steps that blow it up, as no tokenizer has them, must not fill the memory.
    static func growthLimit(_ count: Int) -> Int { count * 64 + 1 << 20 }

    /// - Parameter isFirst: the text stands at the very start of what was given; false afterwards when its beginning went away.
    func apply(_ text: [UInt8], isFirst: inout Bool) -> [UInt8] {
        apply(text, isFirst: &isFirst, limit: Normalizer.growthLimit(text.count))
    }

    /// A step that would make more than `limit` bytes changes nothing.
    private func apply(_ text: [UInt8], isFirst: inout Bool, limit: Int) -> [UInt8] {
        switch self {
        case .sequence(let steps):
            return steps.reduce(text) { $0.count > limit ? $0 : $1.apply($0, isFirst: &isFirst, limit: limit) }
        case .prepend(let prefix): return text.isEmpty || text.count + prefix.count > limit ? text : prefix + text
        case .replace(let literal, let replacement):
            if replacement.isEmpty, text.starts(with: literal) { isFirst = false }
            return Normalizer.replace(literal, in: text, with: replacement, limit: limit)
        case .replacePattern(let pattern, let replacement):
            return Normalizer.replace(pattern, in: text, with: replacement, isFirst: &isFirst, limit: limit)
        case .replaceRuns(let byte, let minimum, let replacement):
            return Normalizer.replaceRuns(of: byte, minimum: minimum, in: text, with: replacement, isFirst: &isFirst, limit: limit)
        case .form(let form): return form.apply(text)
        case .lowercase: return Normalizer.lowercase(text)
        case .strip(let left, let right): return Normalizer.strip(text, left: left, right: right, isFirst: &isFirst)
        case .stripAccents: return Normalizer.filter(text, isFirst: &isFirst) { $0.contains(.mark) ? nil : $1 }
        case .nmt:
            return Normalizer.filter(text, isFirst: &isFirst) { $0.contains(.nmtRemoved) ? nil : $0.contains(.nmtSpace) ? 0x20 : $1 }
        case .bert(let cleaning): return cleaning.apply(text, isFirst: &isFirst)
        case .precompiled(let map):
            let result = map.applyToGraphemes(text)
            if isFirst, let start = text.first, start < 0x20 || start >= 0x80 {
                let first = Array(String(decoding: text, as: UTF8.self).prefix(1).utf8)
                if map.applyToGraphemes(first).isEmpty { isFirst = false }
            }
            return result
        case .byteLevel: return Array(ByteAlphabet.text(of: text).utf8)
        case .sentencePiece(let rules): return rules.apply(text, isFirst: isFirst)
        }
    }

    func apply(_ text: [UInt8]) -> [UInt8] {
        var isFirst = true
        return apply(text, isFirst: &isFirst)
    }

    private static func replaceRuns(
        of byte: UInt8, minimum: Int, in text: [UInt8], with replacement: [UInt8], isFirst: inout Bool, limit: Int
    ) -> [UInt8] {
        var result: [UInt8] = []
        var written = 0
        var position = 0
        while position < text.count {
            guard text[position] == byte else {
                position += 1
                continue
            }
            let start = position
            while position < text.count, text[position] == byte { position += 1 }
            if position - start < minimum { continue }
            if result.count + start - written + replacement.count > limit { return text }
            if start == 0, replacement.isEmpty { isFirst = false }
            result.append(contentsOf: text[written..<start])
            result.append(contentsOf: replacement)
            written = position
        }
        if written == 0 { return text }
        result.append(contentsOf: text[written...])
        return result
    }

    static func lowercase(_ text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count + 16)
        let mappings = UnicodeMappings.shared
        text.withUnsafeBufferPointer { text in
            guard let base = text.baseAddress else { return }
            var position = 0
            while position < text.count {
                let first = base[position]
                if first < 0x80 {
                    result.append(first >= 0x41 && first <= 0x5A ? first | 0x20 : first)
                    position += 1
                    continue
                }
                let (scalar, length) = UTF8Text.scalar(base, position, text.count)
                if mappings.flags(scalar).contains(.hasLowerCase) {
                    for lower in mappings.lowerCase(scalar) { UTF8Text.append(lower, to: &result) }
                } else {
                    for index in 0..<length { result.append(base[position + index]) }
                }
                position += length
            }
        }
        return result
    }

    /// Character by character: another one, or none.
    static func filter(
        _ text: [UInt8], isFirst: inout Bool, _ body: (UnicodeMappings.Flags, UInt32) -> UInt32?
    ) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count + 16)
        let mappings = UnicodeMappings.shared
        text.withUnsafeBufferPointer { text in
            guard let base = text.baseAddress else { return }
            var position = 0
            while position < text.count {
                let (scalar, length) = UTF8Text.scalar(base, position, text.count)
                if let kept = body(mappings.flags(scalar), scalar) {
                    UTF8Text.append(kept, to: &result)
                } else if result.isEmpty {
                    isFirst = false
                }
                position += length
            }
        }
        return result
    }

    /// - Parameter limit: bytes that the result may have; when it would have more, the text stays as it is.
    static func replace(_ literal: [UInt8], in text: [UInt8], with replacement: [UInt8], limit: Int = .max) -> [UInt8] {
        guard let first = literal.first, text.count >= literal.count else { return text }
        var result: [UInt8] = []
        var position = 0
        var written = 0
        var isTooLong = false
        text.withUnsafeBufferPointer { text in
            literal.withUnsafeBufferPointer { literal in
                let end = text.count - literal.count
                while position <= end {
                    guard text[position] == first, (1..<literal.count).allSatisfy({ literal[$0] == text[position + $0] }) else {
                        position += 1
                        continue
                    }
                    if result.count + position - written + replacement.count > limit {
                        isTooLong = true
                        return
                    }
                    if result.isEmpty { result.reserveCapacity(text.count + text.count / 2 + 16) }
                    result.append(contentsOf: UnsafeBufferPointer(rebasing: text[written..<position]))
                    result.append(contentsOf: replacement)
                    position += literal.count
                    written = position
                }
            }
        }
        if written == 0 || isTooLong { return text }
        result.append(contentsOf: text[written...])
        return result
    }

    static func replace(
        _ pattern: Pattern, in text: [UInt8], with replacement: [UInt8], isFirst: inout Bool, limit: Int
    ) -> [UInt8] {
        var result: [UInt8] = []
        var position = 0
        let matches = text.withUnsafeBufferPointer { pattern.matches(in: $0) }
        for match in matches {
            if result.count + match.lowerBound - position + replacement.count > limit { return text }
            if replacement.isEmpty, match.lowerBound == 0, !match.isEmpty { isFirst = false }
            result.append(contentsOf: text[position..<match.lowerBound])
            result.append(contentsOf: replacement)
            position = match.upperBound
        }
        result.append(contentsOf: text[position...])
        return result
    }

    private static func strip(_ text: [UInt8], left: Bool, right: Bool, isFirst: inout Bool) -> [UInt8] {
        let mappings = UnicodeMappings.shared
        var start = 0
        var end = text.count
        text.withUnsafeBufferPointer { text in
            guard let base = text.baseAddress else { return }
            while left, start < end {
                let next = UTF8Text.scalar(base, start, end)
                if !mappings.flags(next.value).contains(.whiteSpace) { break }
                start += next.length
            }
            while right, end > start {
                let previous = UTF8Text.previous(base, end)
                if !mappings.flags(UTF8Text.scalar(base, previous, end).value).contains(.whiteSpace) { break }
                end = previous
            }
        }
        if start > 0 { isFirst = false }
        return Array(text[start..<end])
    }
}

/// What BERT's normalizer does: control characters out, all blanks alike, ideographs apart, accents off, lower case.
struct BertCleaning: Sendable {
    var cleansText = true
    var separatesIdeographs = true
    var stripsAccents = true
    var lowercases = true

    func apply(_ text: [UInt8], isFirst: inout Bool) -> [UInt8] {
        var text = text
        if cleansText || separatesIdeographs { text = clean(text, isFirst: &isFirst) }
        if stripsAccents {
            text = NormalizationForm.nfd.apply(text)
            if text.contains(where: { $0 >= 0x80 }) {
                text = Normalizer.filter(text, isFirst: &isFirst) { $0.contains(.bertAccent) ? nil : $1 }
            }
        }
        return lowercases ? Normalizer.lowercase(text) : text
    }

    private func clean(_ text: [UInt8], isFirst: inout Bool) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count + text.count / 2 + 16)
        let mappings = UnicodeMappings.shared
        text.withUnsafeBufferPointer { text in
            guard let base = text.baseAddress else { return }
            var position = 0
            while position < text.count {
                let first = base[position]
                if first >= 0x20, first < 0x7F {
                    result.append(first)
                    position += 1
                    continue
                }
                let (scalar, length) = UTF8Text.scalar(base, position, text.count)
                defer { position += length }
                let flags = mappings.flags(scalar)
                if cleansText {
                    // Line and tabulator stops are blanks here, and control characters everywhere else.
                    if scalar != 0x09, scalar != 0x0A, scalar != 0x0D, flags.contains(.bertRemoved) {
                        if result.isEmpty { isFirst = false }
                        continue
                    }
                    if flags.contains(.whiteSpace) {
                        result.append(0x20)
                        continue
                    }
                }
                let isApart = separatesIdeographs && flags.contains(.ideograph)
                if isApart { result.append(0x20) }
                for index in 0..<length { result.append(base[position + index]) }
                if isApart { result.append(0x20) }
            }
        }
        return result
    }
}
