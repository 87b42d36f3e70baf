/// A text counted once for all rules: characters by their kind, and its words as hashes. Case of ASCII letters does not matter; a Chinese
/// or Japanese character is a word.

struct TextMeasure: Sendable {
    /// All but white space.
    private(set) var characters = 0
    private(set) var symbols = 0
    private(set) var words: [UInt64] = []
    /// Words by the script of their first letter.
    private(set) var scripts = [Int](repeating: 0, count: Script.allCases.count)
    /// Letters that Ukrainian has and Russian has not, and that Persian has and Arabic has not.
    private(set) var ukrainianLetters = 0, persianLetters = 0

    init(_ text: String) {
        var text = text
        text.withUTF8 { scan($0) }
    }

    /// - Parameter bytes: well-formed UTF-8.
    init(_ bytes: UnsafeBufferPointer<UInt8>) { scan(bytes) }

    private mutating func scan(_ bytes: UnsafeBufferPointer<UInt8>) {
        words.reserveCapacity(bytes.count / 5)
        var word = WordHash()
        var position = 0
        while position < bytes.count {
            let start = position
            let scalar = TextMeasure.scalar(bytes, &position)
            switch CharacterKind.of(scalar) {
            case .space: finish(&word)
            case .symbol:
                characters += 1
                symbols += 1
                // What stands inside a word is part of it: don't, e-mail, 3.14.
                if !joins(bytes, start, position) || word.isEmpty { finish(&word) }
            case .digit:
                characters += 1
                word.add(bytes, start, position, script: nil)
            case .letter(let script):
                characters += 1
                if scalar == 0x454 || scalar == 0x456 || scalar == 0x457 || scalar == 0x491 { ukrainianLetters += 1 }
                if scalar == 0x67E || scalar == 0x686 || scalar == 0x698 || scalar == 0x6AF { persianLetters += 1 }
                word.add(bytes, start, position, script: script)
            case .word(let script):
                characters += 1
                finish(&word)
                word.add(bytes, start, position, script: script)
                finish(&word)
            }
        }
        finish(&word)
    }

    private mutating func finish(_ word: inout WordHash) {
        guard !word.isEmpty else { return }
        words.append(word.value)
        if let script = word.script { scripts[script.rawValue] += 1 }
        word = WordHash()
    }

    /// An apostrophe, a point or a hyphen between letters or digits.
    private func joins(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int) -> Bool {
        guard end - start == 1, end < bytes.count, bytes[start] == 0x27 || bytes[start] == 0x2D || bytes[start] == 0x2E else { return false }
        let next = bytes[end]
        return next | 0x20 >= 0x61 && next | 0x20 <= 0x7A || next >= 0x30 && next <= 0x39
    }

    /// The character at a place of well-formed UTF-8; the place moves behind it.
    static func scalar(_ bytes: UnsafeBufferPointer<UInt8>, _ position: inout Int) -> UInt32 {
        let first = bytes[position]
        let count = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
        guard count > 1, position + count <= bytes.count else {
            position += 1
            return UInt32(first)
        }
        var value = UInt32(first) & (0xFF >> UInt32(count + 1))
        for offset in 1..<count { value = value << 6 | UInt32(bytes[position + offset] & 0x3F) }
        position += count
        return value
    }

    // MARK: What rules ask

    /// Share of characters that are no letters and no digits.
    var symbolShare: Double { characters == 0 ? 0 : Double(symbols) / Double(characters) }

    /// Hashes of all stretches of so many words; one of all words where there are fewer.
    func stretches(_ length: Int) -> [UInt64] {
        guard words.count > length else { return words.isEmpty ? [] : [WordHash.joined(words[...])] }
        return (0...words.count - length).map { WordHash.joined(words[$0..<$0 + length]) }
    }

    /// Share of the stretches of so many words that the text has had before.
    func repetition(_ length: Int) -> Double {
        guard words.count > length else { return 0 }
        let all = stretches(length)
        return Double(all.count - Set(all).count) / Double(all.count)
    }
}

/// FNV-1a over the bytes of a word, mixed at the end.
struct WordHash {
    private var state: UInt64 = 0xCBF2_9CE4_8422_2325
    private(set) var isEmpty = true
    private(set) var script: Script?

    mutating func add(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int, script: Script?) {
        if self.script == nil { self.script = script }
        isEmpty = false
        for index in start..<end {
            let byte = bytes[index]
            state = (state ^ UInt64(byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte)) &* 0x0000_0100_0000_01B3
        }
    }

    var value: UInt64 { WordHash.mixed(state) }

    static func mixed(_ value: UInt64) -> UInt64 {
        var value = (value ^ value >> 33) &* 0xFF51_AFD7_ED55_8CCD
        value = (value ^ value >> 33) &* 0xC4CE_B9FE_1A85_EC53
        return value ^ value >> 33
    }

    static func joined(_ words: ArraySlice<UInt64>) -> UInt64 {
        mixed(words.reduce(0x9E37_79B9_7F4A_7C15) { ($0 ^ $1) &* 0x9FB2_1C65_1E98_DF25 &+ $0 >> 31 })
    }

    /// The hash that a measured text has for this word.
    static func of(_ word: String) -> UInt64 {
        var hash = WordHash()
        var word = word
        word.withUTF8 { hash.add($0, 0, $0.count, script: nil) }
        return hash.value
    }
}
