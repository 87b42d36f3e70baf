/// How token texts become text again.
indirect enum TokenDecoder: Sendable {
    case sequence([TokenDecoder])
    case byteLevel
    case byteFallback
    case fuse
    case replace([UInt8], with: [UInt8])
    case replacePattern(Pattern, with: [UInt8])
    /// SentencePiece's own: bytes come together, the blank that was put in front goes, unknown pieces show a sign.
    case sentencePiece(unknown: [UInt8], surface: [UInt8], dropsBlank: Bool, dropsAllBlanks: Bool)
    case ctc(pad: [UInt8], delimiter: [UInt8], cleansUp: Bool)
    case strip(content: [UInt8], start: Int, stop: Int)
    case metaspace(replacement: [UInt8], dropsFirst: Bool)
    case endOfWord(suffix: [UInt8])
    case wordPiece(prefix: [UInt8], cleansUp: Bool)

    /// Whether a blank may follow a token only when another token does.
    var endsWords: Bool {
        switch self {
        case .sequence(let steps): return steps.contains { $0.endsWords }
        case .endOfWord: return true
        default: return false
        }
    }

    /// Whether `<0xNN>` tokens are bytes.
    var joinsBytes: Bool {
        switch self {
        case .sequence(let steps): return steps.contains { $0.joinsBytes }
        case .byteFallback, .sentencePiece: return true
        default: return false
        }
    }

    /// The chain as the reference applies it: each decoder maps the list of token texts to another list; at the end they are joined.
    func apply(_ tokens: [[UInt8]]) -> [[UInt8]] { apply(tokens, limit: Normalizer.growthLimit(tokens.reduce(0) { $0 + $1.count })) }

    /// - Parameter limit: bytes that replacing may make of all tokens together; further tokens stay as they are.
    private func apply(_ tokens: [[UInt8]], limit: Int) -> [[UInt8]] {
        switch self {
        case .sequence(let steps): return steps.reduce(tokens) { $1.apply($0, limit: limit) }
        case .byteLevel:
            var bytes: [UInt8] = []
            for token in tokens {
                let isMapped = token.withUnsafeBytes { ByteAlphabet.appendBytes(ofText: $0, to: &bytes) }
                if !isMapped { bytes.append(contentsOf: token) }
            }
            return [bytes]
        case .byteFallback: return TokenDecoder.fallBack(tokens)
        case .fuse: return [tokens.flatMap { $0 }]
        case .replace(let literal, let replacement):
            var left = limit
            return tokens.map { token in
                let result = Normalizer.replace(literal, in: token, with: replacement, limit: left)
                left -= result.count
                return result
            }
        case .replacePattern(let pattern, let replacement):
            var left = limit
            return tokens.map { token in
                var isFirst = true
                let result = Normalizer.replace(pattern, in: token, with: replacement, isFirst: &isFirst, limit: left)
                left -= result.count
                return result
            }
        case .ctc(let pad, let delimiter, let cleansUp):
            var result: [[UInt8]] = []
            for (index, token) in tokens.enumerated() where index == 0 || tokens[index - 1] != token {
                var text = Normalizer.replace(pad, in: token, with: [])
                if cleansUp { text = Normalizer.replace(delimiter, in: TokenDecoder.cleanUp(text), with: [0x20]) }
                if !text.isEmpty { result.append(text) }
            }
            return result
        case .sentencePiece(let unknown, let surface, let dropsBlank, let dropsAllBlanks):
            var result: [[UInt8]] = []
            var isStart = dropsBlank
            for token in TokenDecoder.joinBytes(tokens) {
                switch token {
                case .bytes(let bytes):
                    result.append(bytes)
                    isStart = false
                case .text(let text):
                    var rest = text[...]
                    let hadBlank = isStart && rest.starts(with: SentencePieceText.blank)
                    if hadBlank { rest = rest.dropFirst(SentencePieceText.blank.count) }
                    let shown = text == unknown ? surface : Normalizer.replace(SentencePieceText.blank, in: Array(rest), with: [0x20])
                    result.append(shown)
                    if !shown.isEmpty || (hadBlank && !dropsAllBlanks) { isStart = false }
                }
            }
            return result
        case .strip(let content, let start, let stop):
            return tokens.map { token in
                var token = token[...]
                var left = start
                while left > 0, !content.isEmpty, token.starts(with: content) {
                    token = token.dropFirst(content.count)
                    left -= 1
                }
                left = stop
                while left > 0, !content.isEmpty, token.count >= content.count, token.suffix(content.count).elementsEqual(content) {
                    token = token.dropLast(content.count)
                    left -= 1
                }
                return Array(token)
            }
        case .metaspace(let replacement, let dropsFirst):
            return tokens.enumerated().map { index, token in
                var token = token
                if index == 0, dropsFirst, token.starts(with: replacement) { token.removeFirst(replacement.count) }
                return Normalizer.replace(replacement, in: token, with: [0x20])
            }
        case .endOfWord(let suffix):
            return tokens.enumerated().map { index, token in
                Normalizer.replace(suffix, in: token, with: index == tokens.count - 1 ? [] : [0x20])
            }
        case .wordPiece(let prefix, let cleansUp):
            return tokens.enumerated().map { index, token in
                var token = token
                if index > 0 { token = token.starts(with: prefix) ? Array(token.dropFirst(prefix.count)) : [0x20] + token }
                return cleansUp ? TokenDecoder.cleanUp(token) : token
            }
        }
    }

    private enum Joined {
        case text([UInt8])
        case bytes([UInt8])
    }

    /// `<0xNN>` tokens that follow each other become bytes; each byte that is no part of a character becomes a replacement character.
    private static func joinBytes(_ tokens: [[UInt8]]) -> [Joined] {
        var result: [Joined] = []
        var run: [UInt8] = []
        for token in tokens {
            if let byte = fallbackByte(token[...]) {
                run.append(byte)
            } else {
                if !run.isEmpty { result.append(.bytes(repaired(run))) }
                run = []
                result.append(.text(token))
            }
        }
        if !run.isEmpty { result.append(.bytes(repaired(run))) }
        return result
    }

    /// Valid characters of `bytes`, a replacement character for every other byte.
    private static func repaired(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var position = 0
        while position < bytes.count {
            let length = UTF8Text.length(bytes[position])
            let end = position + length
            if end <= bytes.count, String(validating: bytes[position..<end], as: UTF8.self) != nil {
                result.append(contentsOf: bytes[position..<end])
                position = end
            } else {
                result.append(contentsOf: "\u{FFFD}".utf8)
                position += 1
            }
        }
        return result
    }

    /// `<0xNN>` tokens that follow each other become bytes; a run that is no UTF-8 becomes one replacement character per byte.
    private static func fallBack(_ tokens: [[UInt8]]) -> [[UInt8]] {
        var result: [[UInt8]] = []
        var run: [UInt8] = []
        func flush(_ run: inout [UInt8], _ result: inout [[UInt8]]) {
            if run.isEmpty { return }
            if String(validating: run, as: UTF8.self) != nil {
                result.append(run)
            } else {
                result.append(contentsOf: run.map { _ in Array("\u{FFFD}".utf8) })
            }
            run = []
        }
        for token in tokens {
            if let byte = fallbackByte(token[...]) {
                run.append(byte)
            } else {
                flush(&run, &result)
                result.append(token)
            }
        }
        flush(&run, &result)
        return result
    }

    /// The byte that `<0xNN>` stands for.
    static func fallbackByte(_ token: ArraySlice<UInt8>) -> UInt8? {
        guard token.count == 6, token.starts(with: Array("<0x".utf8)), token.last == 0x3E else { return nil }
        let digits = token.dropFirst(3).dropLast()
        guard digits.allSatisfy({ (0x30...0x39).contains($0) || (0x41...0x46).contains($0) || (0x61...0x66).contains($0) }) else { return nil }
        return UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
    }

    private static func cleanUp(_ token: [UInt8]) -> [UInt8] {
        var text = token
        for (from, to) in [
            (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"), (" do not", " don't"),
            (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
        ] {
            text = Normalizer.replace(Array(from.utf8), in: text, with: Array(to.utf8))
        }
        return text
    }
}

/// Turns ids into text one at a time. Bytes that do not make a whole character yet are kept back until they do.
public struct StreamingDecoder: Sendable {
    private let tokenizer: Tokenizer
    private let skipsSpecialTokens: Bool
    private var pending: [UInt8] = []
    /// Comes out only when another token follows: the blank that ends a word.
    private var owed: [UInt8] = []
    private var hasOutput = false

    init(tokenizer: Tokenizer, skipsSpecialTokens: Bool) {
        self.tokenizer = tokenizer
        self.skipsSpecialTokens = skipsSpecialTokens
    }

    /// The text that `id` completes; empty while a character is unfinished.
    public mutating func push(_ id: Int32) -> String {
        if skipsSpecialTokens, tokenizer.isSpecial(id) { return "" }
        let before = pending.count
        guard let ending = tokenizer.appendDecodedBytes(of: id, isFirst: !hasOutput, after: &owed, to: &pending) else { return "" }
        owed = ending.owed
        if pending.count > before || ending.countsAsOutput { hasOutput = true }
        let end = StreamingDecoder.lastCompleteCharacter(pending)
        if end == 0 { return "" }
        let text = String(decoding: pending[..<end], as: UTF8.self)
        pending.removeFirst(end)
        return text
    }

    /// What is left; an unfinished character comes out as U+FFFD.
    public mutating func finish() -> String {
        defer { pending = [] }
        return String(decoding: pending, as: UTF8.self)
    }

    /// Where the last whole character ends: everything before it can be shown.
    static func lastCompleteCharacter(_ bytes: [UInt8]) -> Int {
        var start = bytes.count
        var back = 0
        while start > 0, back < 3, bytes[start - 1] & 0xC0 == 0x80 {
            start -= 1
            back += 1
        }
        guard start > 0 else { return bytes.count }
        let lead = bytes[start - 1]
        let wanted = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 1
        let isUnfinished = wanted > back + 1 && lead < 0xF5
        return isUnfinished ? start - 1 : bytes.count
    }
}
