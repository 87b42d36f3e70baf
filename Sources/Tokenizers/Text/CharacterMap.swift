/// SentencePiece's compiled character map: a double-array trie (Darts-clone) from byte sequences to replacements.
///
///     blob:  u32 size of the trie in bytes | trie units, u32 each | replacement texts, each ended by a zero byte
///     unit:  bit 31 and bits 0...7 label | bit 8 has a value | bits 10...30 offset (times 256 when bit 9 is set) | value: bits 0...30
///
/// All reads are checked: a damaged map finds less, never reads outside.
struct CharacterMap: Sendable {
    private let units: [UInt32]
    private let replacements: [UInt8]
    /// Whether a key begins with a byte.
    private var begins = [Bool](repeating: false, count: 256)

    /// - Returns: nil when the sizes in the blob do not fit it.
    init?(_ blob: [UInt8]) {
        guard blob.count >= 4 else { return nil }
        let size = Int(blob[0]) | Int(blob[1]) << 8 | Int(blob[2]) << 16 | Int(blob[3]) << 24
        guard size >= 4, size % 4 == 0, size <= blob.count - 4 else { return nil }
        units = blob.withUnsafeBytes { bytes in
            (0..<size / 4).map { UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 + $0 * 4, as: UInt32.self)) }
        }
        replacements = Array(blob[(4 + size)...])
        let root = CharacterMap.offset(units[0])
        for byte in 0..<256 {
            let node = root ^ byte
            begins[byte] = node < units.count && units[node] & 0x8000_00FF == UInt32(byte)
        }
    }

    /// Shortest or longest key that begins at `position`: its length in bytes and where its replacement lies. Length 0: none.
    @inline(__always)
    func find(_ base: UnsafePointer<UInt8>, _ position: Int, _ end: Int, longest: Bool) -> (length: Int, value: Int) {
        units.withUnsafeBufferPointer { units in
            var found = (length: 0, value: 0)
            var node = CharacterMap.offset(units[0])
            var index = position
            while index < end {
                node ^= Int(base[index])
                guard node < units.count else { break }
                let unit = units[node]
                guard unit & 0x8000_00FF == UInt32(base[index]) else { break }
                node ^= CharacterMap.offset(unit)
                index += 1
                guard node < units.count else { break }
                if unit >> 8 & 1 == 1 {
                    found = (index - position, Int(units[node] & 0x7FFF_FFFF))
                    if !longest { break }
                }
            }
            return found
        }
    }

    @inline(__always)
    private static func offset(_ unit: UInt32) -> Int { Int((unit >> 10) << ((unit & (1 << 9)) >> 6)) }

    /// The replacement that lies at `value`; empty when that is outside.
    @inline(__always)
    func replacement(_ value: Int) -> ArraySlice<UInt8> {
        guard value < replacements.count else { return [] }
        var end = value
        while end < replacements.count, replacements[end] != 0 { end += 1 }
        return replacements[value..<end]
    }

    /// The text as `tokenizers`' Precompiled normalizer maps it: a grapheme of fewer than six bytes as a whole when it begins with a
    /// key, else character by character; of several keys the shortest counts.
    func applyToGraphemes(_ text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count + 16)
        text.withUnsafeBufferPointer { text in
            guard let base = text.baseAddress else { return }
            var position = 0
            while position < text.count {
                var end = position
                while end < text.count, base[end] < 0x80 { end += 1 }
                // The last plain character may carry marks that follow it.
                let plainEnd = end < text.count && end > position ? end - 1 : end
                while position < plainEnd {
                    if base[position] == 0x0D, position + 1 < plainEnd, base[position + 1] == 0x0A {
                        appendMapped(base, position, position + 2, to: &result)
                        position += 2
                    } else {
                        appendMapped(base, position, position + 1, to: &result)
                        position += 1
                    }
                }
                if position == text.count { break }
                if end == position { end += UTF8Text.length(base[end]) }
                while end < text.count, base[end] >= 0x80 { end += 1 }
                end = min(end, text.count)
                appendGraphemes(UnsafeBufferPointer(rebasing: text[position..<end]), to: &result)
                position = end
            }
        }
        return result
    }

    /// A stretch of characters beyond ASCII, with the one before them.
    private func appendGraphemes(_ text: UnsafeBufferPointer<UInt8>, to result: inout [UInt8]) {
        guard let base = text.baseAddress else { return }
        let string = String(decoding: text, as: UTF8.self)
        guard string.utf8.count == text.count else {
            result.append(contentsOf: text)
            return
        }
        var position = 0
        for grapheme in string {
            let length = grapheme.utf8.count
            if length < 6, begins[Int(base[position])], find(base, position, position + length, longest: false).length > 0 {
                appendMapped(base, position, position + length, to: &result)
            } else {
                let end = position + length
                var start = position
                while start < end {
                    let next = min(start + UTF8Text.length(base[start]), end)
                    appendMapped(base, start, next, to: &result)
                    start = next
                }
            }
            position += length
        }
    }

    @inline(__always)
    private func appendMapped(_ base: UnsafePointer<UInt8>, _ start: Int, _ end: Int, to result: inout [UInt8]) {
        if !begins[Int(base[start])] {
            for index in start..<end { result.append(base[index]) }
            return
        }
        let found = find(base, start, end, longest: false)
        if found.length > 0 {
            result.append(contentsOf: replacement(found.value))
        } else {
            for index in start..<end { result.append(base[index]) }
        }
    }
}
