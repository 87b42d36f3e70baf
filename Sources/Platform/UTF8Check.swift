/// Checking that bytes are UTF-8 text, and finding the first that is not, so that an error can name it.

import CPlatform

public enum UTF8Check {
    /// Offset of the first byte that begins no valid UTF-8 sequence, or nil when all of it is text. Overlong forms, surrogates and
    /// values beyond U+10FFFF are invalid.
    public static func firstInvalid(_ bytes: UnsafeRawBufferPointer) -> Int? {
        let count = bytes.count
        var offset = 0
        if count >= 64, let start = bytes.baseAddress {
            offset = platform_utf8_prefix(start.assumingMemoryBound(to: UInt8.self), count)
        }
        while offset < count {
            // Eight ASCII bytes at a time.
            while offset + 8 <= count,
                bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
            {
                offset += 8
            }
            guard offset < count else { return nil }
            let first = bytes[offset]
            if first < 0x80 {
                offset += 1
                continue
            }
            // Three bytes, as most Chinese, Japanese and Korean letters have.
            if first >= 0xE1, first <= 0xEC, offset + 3 <= count, bytes[offset + 1] & 0xC0 == 0x80, bytes[offset + 2] & 0xC0 == 0x80 {
                offset += 3
                continue
            }
            guard let length = sequenceLength(first, second: offset + 1 < count ? bytes[offset + 1] : 0), offset + length <= count
            else { return offset }
            for next in (offset + 1)..<(offset + length) where bytes[next] & 0xC0 != 0x80 { return offset }
            offset += length
        }
        return nil
    }

    public static func firstInvalid(_ bytes: [UInt8]) -> Int? { bytes.withUnsafeBytes { firstInvalid($0) } }

    /// Bytes of the sequence that these two begin, by table 3-7 of the Unicode standard; nil where none may begin so.
    private static func sequenceLength(_ first: UInt8, second: UInt8) -> Int? {
        switch first {
        case 0xC2...0xDF: 2
        case 0xE0: second >= 0xA0 ? 3 : nil
        case 0xED: second < 0xA0 ? 3 : nil
        case 0xE1...0xEF: 3
        case 0xF0: second >= 0x90 ? 4 : nil
        case 0xF4: second < 0x90 ? 4 : nil
        case 0xF1...0xF3: 4
        default: nil
        }
    }
}
