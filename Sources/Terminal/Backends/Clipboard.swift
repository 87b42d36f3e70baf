/// Copying through the terminal: OSC 52, which most terminals pass to the clipboard even over SSH.
enum Clipboard {
    /// Terminals cut or refuse longer ones; this is the smallest common limit, of the encoded text.
    static let limit = 74_994

    /// The bytes to send; `nil` when the text is too long. Inside tmux or screen the sequence is sent plain, for `set-clipboard on`,
    /// and once more wrapped, for those that pass it through to the terminal outside.
    static func sequence(for text: String, environment: (String) -> String?) -> [UInt8]? {
        let encoded = base64(Array(text.utf8))
        guard encoded.count <= limit else { return nil }
        let plain = Array("\u{1B}]52;c;".utf8) + encoded + [0x07]
        if environment("TMUX") != nil {
            return plain + Array("\u{1B}Ptmux;\u{1B}".utf8) + plain + Array("\u{1B}\\".utf8)
        }
        guard environment("STY") != nil else { return plain }
        // screen cuts a string at 768 bytes, so it is passed on in pieces.
        var wrapped: [UInt8] = []
        for start in stride(from: 0, to: plain.count, by: 240) {
            wrapped += Array("\u{1B}P".utf8) + plain[start..<min(start + 240, plain.count)] + Array("\u{1B}\\".utf8)
        }
        return wrapped
    }

    /// RFC 4648, with padding.
    static func base64(_ bytes: [UInt8]) -> [UInt8] {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var result: [UInt8] = []
        result.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let count = min(3, bytes.count - start)
            var group: UInt32 = 0
            for offset in 0..<3 { group = group << 8 | (offset < count ? UInt32(bytes[start + offset]) : 0) }
            for place in 0..<4 {
                result.append(place <= count ? alphabet[Int(group >> UInt32(18 - 6 * place) & 63)] : 0x3D)
            }
        }
        return result
    }
}
