/// The class of every code point in two lookups: general category, white space, word character, and the coarse kind that
/// word scanners branch on.
///
/// The runs in `UnicodeClassData.swift` are spread once, at first use, over pages of 256 code points; equal pages are shared.
///
///     pages[scalar >> 8] -> block number;   blocks[block << 8 | scalar & 255] -> class byte
struct UnicodeClasses: @unchecked Sendable {
    /// Made at first use; the memory lives as long as the program.
    static let shared = UnicodeClasses()

    let pages: UnsafePointer<UInt16>
    /// Bits 0...4 the general category (order of `categoryNames`), 32 white space, 64 word character.
    let blocks: UnsafePointer<UInt8>
    /// The same blocks as `ScalarKind` raw values.
    let kinds: UnsafePointer<UInt8>

    static let categoryNames = [
        "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po",
        "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn",
    ]

    /// Class byte of a code point; out-of-range values count as unassigned.
    @inline(__always)
    func value(_ scalar: UInt32) -> UInt8 {
        guard scalar < 0x110000 else { return 29 }
        return blocks[Int(pages[Int(scalar >> 8)]) << 8 | Int(scalar & 255)]
    }

    @inline(__always)
    func kind(_ scalar: UInt32) -> ScalarKind {
        guard scalar < 0x110000 else { return .other }
        return ScalarKind(rawValue: kinds[Int(pages[Int(scalar >> 8)]) << 8 | Int(scalar & 255)]) ?? .other
    }

    @inline(__always)
    func category(_ scalar: UInt32) -> UInt8 { value(scalar) & 31 }
    func isLetter(_ scalar: UInt32) -> Bool { category(scalar) < 5 }
    func isMark(_ scalar: UInt32) -> Bool { (5...7).contains(category(scalar)) }
    func isNumber(_ scalar: UInt32) -> Bool { (8...10).contains(category(scalar)) }
    func isPunctuation(_ scalar: UInt32) -> Bool { (11...17).contains(category(scalar)) }
    func isSpace(_ scalar: UInt32) -> Bool { value(scalar) & 32 != 0 }
    func isWord(_ scalar: UInt32) -> Bool { value(scalar) & 64 != 0 }

    private init() {
        var flat = [UInt8](repeating: 29, count: 0x110000)
        UnicodeClasses.spreadRuns(into: &flat)
        var pageNumbers = [UInt16]()
        pageNumbers.reserveCapacity(0x1100)
        var blockBytes = [UInt8]()
        var blockOfContent: [ArraySlice<UInt8>: UInt16] = [:]
        for page in 0..<0x1100 {
            let content = flat[page << 8..<(page + 1) << 8]
            // Most pages are like the one before; the others are few enough to be looked up.
            if let last = pageNumbers.last, content.elementsEqual(blockBytes[Int(last) << 8..<(Int(last) + 1) << 8]) {
                pageNumbers.append(last)
                continue
            }
            if let known = blockOfContent[content] {
                pageNumbers.append(known)
                continue
            }
            let number = UInt16(blockBytes.count >> 8)
            blockOfContent[content] = number
            blockBytes.append(contentsOf: content)
            pageNumbers.append(number)
        }
        let pageMemory = UnsafeMutablePointer<UInt16>.allocate(capacity: pageNumbers.count)
        pageMemory.initialize(from: pageNumbers, count: pageNumbers.count)
        let blockMemory = UnsafeMutablePointer<UInt8>.allocate(capacity: blockBytes.count)
        blockMemory.initialize(from: blockBytes, count: blockBytes.count)
        let kindMemory = UnsafeMutablePointer<UInt8>.allocate(capacity: blockBytes.count)
        for index in 0..<blockBytes.count {
            kindMemory.advanced(by: index).initialize(to: ScalarKind(classByte: blockBytes[index]).rawValue)
        }
        // Carriage return and line feed are on the first page, whose block is the first.
        kindMemory[0x0A] = ScalarKind.newline.rawValue
        kindMemory[0x0D] = ScalarKind.newline.rawValue
        pages = UnsafePointer(pageMemory)
        blocks = UnsafePointer(blockMemory)
        kinds = UnsafePointer(kindMemory)
    }

    private static func spreadRuns(into flat: inout [UInt8]) {
        unicodeClassRuns.withUTF8Buffer { text in
            var position = 0
            var scalar = 0
            while position + 2 < text.count {
                let value = hexDigit(text[position]) << 4 | hexDigit(text[position + 1])
                position += 2
                var length = 0
                while position < text.count, text[position] != 0x20 {
                    length = length << 4 | hexDigit(text[position])
                    position += 1
                }
                position += 1
                let end = min(scalar + length, flat.count)
                while scalar < end {
                    flat[scalar] = UInt8(value)
                    scalar += 1
                }
            }
        }
    }

    private static func hexDigit(_ byte: UInt8) -> Int { byte < 0x3A ? Int(byte) - 0x30 : Int(byte) - 0x57 }
}

/// What the word patterns of byte-level tokenizers tell apart: `\p{L}`, `\p{N}`, `\s` without line ends, line ends, the rest.
enum ScalarKind: UInt8 {
    case other, letter, number, space, newline

    init(classByte: UInt8) {
        let category = classByte & 31
        if classByte & 32 != 0 {
            self = .space
        } else if category < 5 {
            self = .letter
        } else if category >= 8, category <= 10 {
            self = .number
        } else {
            self = .other
        }
    }
}
