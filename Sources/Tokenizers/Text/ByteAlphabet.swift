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

    /// Byte of each character of two bytes of UTF-8, C2 80 to C5 BF, or -1; the memory lives as long as the program.
    nonisolated(unsafe) private static let wideBytes: UnsafePointer<Int16> = {
        let table = UnsafeMutablePointer<Int16>.allocate(capacity: 256)
        for place in 0..<256 { table[place] = 0x80 + place < bytes.count ? bytes[0x80 + place] : -1 }
        return UnsafePointer(table)
    }()

    /// Writes the bytes that a token's text stands for to `output`, which has room for `text.count`.
    /// - Returns: how many they are; -1 when a character is foreign to the alphabet.
    static func decode(_ text: UnsafeRawBufferPointer, to output: UnsafeMutablePointer<UInt8>) -> Int {
        let table = wideBytes
        let count = text.count
        var position = 0, written = 0
        while position < count {
            let first = text[position]
            if first < 0x80 {
                // Of ASCII, the visible characters stand for themselves.
                guard first > 0x20, first < 0x7F else { return -1 }
                output[written] = first
                position += 1
            } else {
                // The others need two bytes of UTF-8: C2..C5 and one more.
                guard first >= 0xC2, first <= 0xC5, position + 1 < count else { return -1 }
                let byte = table[Int(first - 0xC2) << 6 | Int(text[position + 1] & 0x3F)]
                guard byte >= 0 else { return -1 }
                output[written] = UInt8(truncatingIfNeeded: byte)
                position += 2
            }
            written += 1
        }
        return written
    }

    /// Appends the bytes that a token's text stands for; false, and nothing appended, when a character is foreign to the alphabet.
    static func appendBytes(ofText text: UnsafeRawBufferPointer, to output: inout [UInt8]) -> Bool {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: text.count) { room in
            guard let start = room.baseAddress else { return true }
            let count = decode(text, to: start)
            if count >= 0 { output.append(contentsOf: UnsafeBufferPointer(start: start, count: count)) }
            return count >= 0
        }
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
