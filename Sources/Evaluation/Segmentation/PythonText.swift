/// Character classes as Python's `str` methods and `re` see them.

enum PythonText {
    /// `str.isspace`, `\s` and the default separator of `str.split`.
    static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
        default: false
        }
    }

    static func isASCIILetterOrDigit(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: false
        }
    }

    static func isASCIIDigit(_ scalar: Unicode.Scalar) -> Bool { (0x30...0x39).contains(scalar.value) }

    /// The Han range that jieba's patterns name: U+4E00 to U+9FD5.
    static func isHan(_ scalar: Unicode.Scalar) -> Bool { (0x4E00...0x9FD5).contains(scalar.value) }
}
