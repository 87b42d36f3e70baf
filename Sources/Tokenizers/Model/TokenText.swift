import Formats

/// The bytes of one token while its file is read: filled and emptied a few hundred thousand times, in the same memory.
struct TokenText: ~Copyable {
    private var memory: UnsafeMutablePointer<UInt8>
    private var capacity: Int
    private(set) var count = 0

    init() {
        capacity = 256
        memory = .allocate(capacity: capacity)
    }

    deinit { memory.deallocate() }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: memory, count: count) }
    var description: String { String(decoding: bytes, as: UTF8.self) }

    /// Part of the bytes.
    subscript(range: Range<Int>) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes[range]) }

    mutating func clear() { count = 0 }

    /// Appends a string that a reader has found: its text, or the bytes that it stands for in the byte alphabet.
    /// - Returns: false, with nothing appended, when a character is foreign to the alphabet.
    mutating func append(_ place: JSONStringPlace, _ reader: borrowing JSONReader, asBytes: Bool) -> Bool {
        if place.isPlain { return append(reader.plainText(place), asBytes: asBytes) }
        return reader.unescapedText.withUnsafeBytes { append($0, asBytes: asBytes) }
    }

    /// Appends the two halves of a merge that a blank separates.
    /// - Returns: where the second begins; nil when there are no two, or not in the byte alphabet.
    mutating func appendHalves(_ place: JSONStringPlace, _ reader: borrowing JSONReader, asBytes: Bool) -> Int? {
        if place.isPlain { return appendHalves(reader.plainText(place), asBytes: asBytes) }
        return reader.unescapedText.withUnsafeBytes { appendHalves($0, asBytes: asBytes) }
    }

    /// The same of a text.
    mutating func appendHalves(_ text: UnsafeRawBufferPointer, asBytes: Bool) -> Int? {
        var space = 0
        while space < text.count, text[space] != 0x20 { space += 1 }
        guard space > 0, space + 1 < text.count, append(UnsafeRawBufferPointer(rebasing: text[..<space]), asBytes: asBytes) else { return nil }
        let boundary = count
        return append(UnsafeRawBufferPointer(rebasing: text[(space + 1)...]), asBytes: asBytes) ? boundary : nil
    }

    /// - Returns: false, with nothing appended, when a character is foreign to the alphabet.
    mutating func append(_ text: UnsafeRawBufferPointer, asBytes: Bool) -> Bool {
        if count + text.count > capacity { grow(to: count + text.count) }
        if asBytes {
            let written = ByteAlphabet.decode(text, to: memory + count)
            count += max(written, 0)
            return written >= 0
        }
        UnsafeMutableRawPointer(memory + count).copyMemory(from: text.baseAddress ?? UnsafeRawPointer(memory), byteCount: text.count)
        count += text.count
        return true
    }

    private mutating func grow(to needed: Int) {
        capacity = max(needed, capacity * 2)
        let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
        larger.update(from: memory, count: count)
        memory.deallocate()
        memory = larger
    }

    /// Becomes what two halves make together, without the first `prefixLength` bytes of the second: a continuing prefix.
    mutating func join(_ halves: borrowing TokenText, _ boundary: Int, dropping prefixLength: Int) {
        count = 0
        _ = append(halves[0..<boundary], asBytes: false)
        _ = append(halves[min(boundary + prefixLength, halves.count)..<halves.count], asBytes: false)
    }

    /// For errors: the two halves with a blank between.
    func halves(_ boundary: Int?) -> String {
        let boundary = min(boundary ?? count, count)
        return String(decoding: self[0..<boundary], as: UTF8.self) + " " + String(decoding: self[boundary..<count], as: UTF8.self)
    }
}
