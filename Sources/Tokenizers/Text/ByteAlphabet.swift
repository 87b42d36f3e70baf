/// GPT-2's alphabet: each of the 256 bytes written as one printable character, so that byte-level vocabularies are text.
///
/// Printable Latin-1 bytes stand for themselves; the other 68 become U+0100, U+0101, ... in order. Text in this alphabet is
/// turned into the bytes it stands for when a tokenizer is loaded: the engine works on bytes only.
enum ByteAlphabet {
    /// Character of each byte.
    static let scalars: [UInt32] = {
        var result = [UInt32](repeating: 0, count: 256)
        var next: UInt32 = 256
        for byte in 0..<256 {
            let isPrintable = (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || (0xAE...0xFF).contains(byte)
            if isPrintable {
                result[byte] = UInt32(byte)
            } else {
                result[byte] = next
                next += 1
            }
        }
        return result
    }()

    /// Byte of each character below U+0144, or -1.
    static let bytes: [Int16] = {
        var result = [Int16](repeating: -1, count: 0x144)
        for (byte, scalar) in scalars.enumerated() { result[Int(scalar)] = Int16(byte) }
        return result
    }()

    /// Appends the bytes that a token's text stands for; false, and nothing appended, when a character is foreign to the alphabet.
    static func appendBytes(ofText text: UnsafeRawBufferPointer, to output: inout [UInt8]) -> Bool {
        let start = output.count
        var position = 0
        while position < text.count {
            let first = text[position]
            var scalar = Int(first)
            if first >= 0x80 {
                // The alphabet needs at most two bytes of UTF-8: C2..C5 and one more.
                guard first >= 0xC2, first <= 0xC5, position + 1 < text.count else {
                    output.removeLast(output.count - start)
                    return false
                }
                scalar = Int(first & 0x1F) << 6 | Int(text[position + 1] & 0x3F)
                position += 1
            }
            position += 1
            guard scalar < bytes.count, bytes[scalar] >= 0 else {
                output.removeLast(output.count - start)
                return false
            }
            output.append(UInt8(bytes[scalar]))
        }
        return true
    }

    /// The text that stands for `content`.
    static func text(of content: some Sequence<UInt8>) -> String {
        var result = String.UnicodeScalarView()
        for byte in content {
            if let scalar = Unicode.Scalar(scalars[Int(byte)]) { result.append(scalar) }
        }
        return String(result)
    }
}
