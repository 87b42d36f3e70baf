/// Text of models is untrusted: nothing in it may steer the terminal.

/// Removes escape and control characters from text that comes in pieces. Line ends and tabs stay.
enum SafeText {
    static func filter(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var safe = String.UnicodeScalarView()
        safe.append(contentsOf: text.unicodeScalars.filter { !isControl($0) })
        return String(safe)
    }

    /// C0 and C1 controls, delete, and the marks that change the direction of writing for what follows.
    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09, 0x0A: false
        case 0x00...0x1F, 0x7F...0x9F, 0x202A...0x202E, 0x2066...0x2069: true
        default: false
        }
    }
}
