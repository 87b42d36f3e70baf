import Platform

extension Tokenizer {
    /// What to tell people about the texts that went through so far; empty as a rule.
    public var warnings: [String] {
        core.patterns.filter(\.wasExhausted).map { pattern in
            "\(directory): the pattern \(pattern.text.excerpt()) took too many steps on a text and was given up there: "
                + "its tokens may differ from those of other programs."
        }
    }
}

extension TokenizerCore {
    /// All patterns that are searched for by backtracking.
    var patterns: [Pattern] { (normalizer?.patterns ?? []) + (preTokenizer?.patterns ?? []) + (decoder?.patterns ?? []) }
}

extension Normalizer {
    fileprivate var patterns: [Pattern] {
        switch self {
        case .sequence(let steps): return steps.flatMap(\.patterns)
        case .replacePattern(let pattern, _): return [pattern]
        case .prepend, .replace, .replaceRuns, .form, .lowercase, .strip, .stripAccents, .nmt, .bert, .precompiled, .byteLevel, .sentencePiece: return []
        }
    }
}

extension PreTokenizer {
    fileprivate var patterns: [Pattern] {
        switch self {
        case .sequence(let steps): return steps.flatMap(\.patterns)
        case .split(.pattern(let pattern), _, _): return [pattern]
        case .split(.literal, _, _), .known, .byteLevel, .metaspace, .digits, .whitespaceWords, .whitespaceSplit, .punctuation, .bert, .delimiter,
            .fixedLength:
            return []
        }
    }
}

extension TokenDecoder {
    fileprivate var patterns: [Pattern] {
        switch self {
        case .sequence(let steps): return steps.flatMap(\.patterns)
        case .replacePattern(let pattern, _): return [pattern]
        case .byteLevel, .byteFallback, .fuse, .replace, .sentencePiece, .ctc, .strip, .metaspace, .endOfWord, .wordPiece: return []
        }
    }
}
