/// What SentencePiece does to text before it looks for pieces (its `Normalizer::Normalize`): the character map, blanks made visible,
/// one put in front, superfluous ones taken away. User-defined symbols stay as they are.
struct SentencePieceText: Sendable {
    var map: CharacterMap?
    var addsDummyPrefix = true
    var removesExtraBlanks = true
    var escapesBlanks = true
    /// The added blank goes to the end, as the model's trainer asked.
    var treatsBlankAsSuffix = false
    /// The blank is put before the start of a text only, not after added tokens too.
    var prefixesOnlyStart = false
    var userDefined: AddedTokenMatcher?

    static let blank: [UInt8] = [0xE2, 0x96, 0x81]

    func apply(_ text: [UInt8], isFirst: Bool) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count + text.count / 4 + 16)
        text.withUnsafeBufferPointer { append($0, isFirst: isFirst, to: &result) }
        return result
    }

    private func append(_ text: UnsafeBufferPointer<UInt8>, isFirst: Bool, to result: inout [UInt8]) {
        guard let base = text.baseAddress, !text.isEmpty else { return }
        let end = text.count
        var position = 0
        if removesExtraBlanks {
            while position < end {
                let (length, isBlank) = leadingBlank(text, position)
                if !isBlank { break }
                position += length
            }
            if position == end { return }
        }
        let symbol: [UInt8] = escapesBlanks ? SentencePieceText.blank : [0x20]
        let wantsPrefix = addsDummyPrefix && (isFirst || !prefixesOnlyStart)
        if wantsPrefix, !treatsBlankAsSuffix { result.append(contentsOf: symbol) }
        var followsBlank = removesExtraBlanks
        while position < end {
            if let length = userDefinedLength(text, position) {
                appendPiece(base, position..<position + length, symbol, &followsBlank, to: &result)
                position += length
                continue
            }
            let found = map?.find(base, position, end, longest: true) ?? (length: 0, value: 0)
            if found.length > 0, let map {
                map.replacement(found.value).withUnsafeBufferPointer { piece in
                    if let start = piece.baseAddress { appendPiece(start, 0..<piece.count, symbol, &followsBlank, to: &result) }
                }
                position += found.length
            } else {
                let length = min(UTF8Text.length(base[position]), end - position)
                appendPiece(base, position..<position + length, symbol, &followsBlank, to: &result)
                position += length
            }
        }
        if removesExtraBlanks {
            while result.count >= symbol.count, result.suffix(symbol.count).elementsEqual(symbol) { result.removeLast(symbol.count) }
        }
        if wantsPrefix, treatsBlankAsSuffix { result.append(contentsOf: symbol) }
    }

    @inline(__always)
    private func appendPiece(
        _ base: UnsafePointer<UInt8>, _ range: Range<Int>, _ symbol: [UInt8], _ followsBlank: inout Bool, to result: inout [UInt8]
    ) {
        var position = range.lowerBound
        if followsBlank { while position < range.upperBound, base[position] == 0x20 { position += 1 } }
        if position < range.upperBound {
            followsBlank = removesExtraBlanks && base[range.upperBound - 1] == 0x20
            while position < range.upperBound {
                if base[position] == 0x20 { result.append(contentsOf: symbol) } else { result.append(base[position]) }
                position += 1
            }
        }
    }

    private func userDefinedLength(_ text: UnsafeBufferPointer<UInt8>, _ position: Int) -> Int? {
        guard let userDefined, let match = userDefined.longest(text, position) else { return nil }
        return match.end - position
    }

    /// Whether what stands at `position` becomes exactly one blank, and how long it is.
    private func leadingBlank(_ text: UnsafeBufferPointer<UInt8>, _ position: Int) -> (length: Int, isBlank: Bool) {
        guard let base = text.baseAddress else { return (1, false) }
        if let length = userDefinedLength(text, position) { return (length, length == 1 && base[position] == 0x20) }
        if let found = map?.find(base, position, text.count, longest: true), found.length > 0 {
            return (found.length, map?.replacement(found.value).elementsEqual([0x20]) ?? false)
        }
        return (min(UTF8Text.length(base[position]), text.count - position), base[position] == 0x20)
    }
}
