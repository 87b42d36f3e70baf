/// A strict JSON reader that is pulled through a buffer: the caller says what it wants next and nothing is built that it does not
/// ask for. Large files (tokenizer.json, datasets) are read with it at several hundred megabytes a second.
///
///     var reader = JSONReader(bytes, name: "data.json")
///     try reader.beginArray()
///     while try reader.nextElement() {
///         try reader.beginObject()
///         while let key = try reader.nextKey() {
///             if key == "text" { text = try reader.string() } else { try reader.skip() }
///         }
///     }
///     try reader.end()

import Platform

/// What the next value is, told from its first byte.
public enum JSONKind: Sendable, Equatable {
    case object, array, string, number, bool, null
}

/// Where a reader found a string's text: in its buffer, or, when it has escapes, in `unescapedText` until the next string.
public struct JSONStringPlace: Sendable {
    let range: Range<Int>
    /// The text lies in the buffer as it is.
    public let isPlain: Bool
}

/// The buffer must outlive the reader. NaN, Infinity and -Infinity are read, because Python writes them.
public struct JSONReader {
    let bytes: UnsafeRawBufferPointer
    /// What errors call the text.
    public let name: String
    /// Line that the buffer begins at, for a row out of a larger file.
    let firstLine: Int
    let maximumDepth: Int
    /// The buffer was found to be UTF-8 as a whole: strings need not be looked at again.
    let isCheckedText: Bool
    /// Offset of the next unread byte.
    public internal(set) var offset = 0
    /// One entry per open container: true until its first member was read.
    private var isFirst: [Bool] = []
    /// Holds a string that had escapes, until the next one.
    var scratch: [UInt8] = []

    /// - Parameter checksAtOnce: whether the text is checked to be UTF-8 as a whole here, which is faster than string by string where
    ///   most of it will be read. What is wrong is told when its string is read, either way.
    public init(_ bytes: UnsafeRawBufferPointer, name: String, firstLine: Int = 1, maximumDepth: Int = 512, checksAtOnce: Bool = false) {
        self.bytes = bytes
        isCheckedText = checksAtOnce && UTF8Check.firstInvalid(bytes) == nil
        self.name = name
        self.firstLine = firstLine
        self.maximumDepth = maximumDepth
        // A byte order mark in front is passed over.
        if bytes.count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF { offset = 3 }
    }

    // MARK: Containers

    /// What comes next, without taking it.
    public mutating func peek() throws(JSONError) -> JSONKind {
        skipSpace()
        switch currentByte {
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool
        case UInt8(ascii: "n"): return .null
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "N"), UInt8(ascii: "I"): return .number
        default: throw syntax("a value")
        }
    }

    public mutating func beginObject() throws(JSONError) {
        guard try peek() == .object else { throw wrongKind("an object") }
        try open()
    }

    public mutating func beginArray() throws(JSONError) {
        guard try peek() == .array else { throw wrongKind("a list") }
        try open()
    }

    /// The next member's name; nil at the end of the object, which is then closed. The member's value must be read or skipped.
    public mutating func nextKey() throws(JSONError) -> String? {
        guard try nextMember(close: UInt8(ascii: "}"), what: "a comma or }") else { return nil }
        guard currentByte == UInt8(ascii: "\"") else { throw syntax("a name in quotation marks") }
        let key = try string()
        try takeColon()
        return key
    }

    /// Like `nextKey`, without making a String: `body` sees the name's bytes. Nil at the end of the object.
    public mutating func nextKey<Result>(_ body: (UnsafeRawBufferPointer) -> Result) throws(JSONError) -> Result? {
        guard try nextMember(close: UInt8(ascii: "}"), what: "a comma or }") else { return nil }
        guard currentByte == UInt8(ascii: "\"") else { throw syntax("a name in quotation marks") }
        let result = try withStringBytes(body)
        try takeColon()
        return result
    }

    /// Like `nextKey`, without making anything: where the name's bytes lie. Nil at the end of the object.
    public mutating func nextKeyPlace() throws(JSONError) -> JSONStringPlace? {
        guard try nextMember(close: UInt8(ascii: "}"), what: "a comma or }") else { return nil }
        guard currentByte == UInt8(ascii: "\"") else { throw syntax("a name in quotation marks") }
        let place = try stringPlace()
        try takeColon()
        return place
    }

    /// True when another element follows, which must then be read or skipped; false at the end of the list, which is then closed.
    public mutating func nextElement() throws(JSONError) -> Bool {
        try nextMember(close: UInt8(ascii: "]"), what: "a comma or ]")
    }

    /// Makes sure that nothing but white space is left.
    public mutating func end() throws(JSONError) {
        skipSpace()
        if offset < bytes.count { throw syntax("the end of the text") }
    }

    private mutating func open() throws(JSONError) {
        if isFirst.count >= maximumDepth { throw .tooDeep(place(), limit: maximumDepth) }
        offset += 1
        isFirst.append(true)
    }

    private mutating func nextMember(close: UInt8, what: StaticString) throws(JSONError) -> Bool {
        skipSpace()
        let byte = currentByte
        if byte == close {
            offset += 1
            isFirst.removeLast()
            return false
        }
        if isFirst.last ?? false {
            isFirst[isFirst.count - 1] = false
        } else {
            guard byte == UInt8(ascii: ",") else { throw syntax("\(what)") }
            offset += 1
            skipSpace()
            // A comma in front of the bracket.
            if currentByte == close { throw syntax("another value after the comma") }
        }
        return true
    }

    private mutating func takeColon() throws(JSONError) {
        skipSpace()
        guard currentByte == UInt8(ascii: ":") else { throw syntax("a colon") }
        offset += 1
    }

    // MARK: Simple values

    public mutating func bool() throws(JSONError) -> Bool {
        guard try peek() == .bool else { throw wrongKind("true or false") }
        if take("true") { return true }
        if take("false") { return false }
        throw syntax("true or false")
    }

    public mutating func null() throws(JSONError) {
        guard try peek() == .null else { throw wrongKind("null") }
        if !take("null") { throw syntax("null") }
    }

    /// Takes a null when one is next.
    public mutating func takeNull() throws(JSONError) -> Bool {
        guard try peek() == .null else { return false }
        try null()
        return true
    }

    // MARK: Bytes

    /// The byte at the offset; 0, which is in no JSON text, at the end.
    @inline(__always)
    var currentByte: UInt8 { offset < bytes.count ? bytes[offset] : 0 }

    @inline(__always)
    mutating func skipSpace() {
        while offset < bytes.count {
            switch bytes[offset] {
            case 0x20, 0x0A, 0x0D, 0x09: offset += 1
            default: return
            }
        }
    }

    mutating func take(_ word: StaticString) -> Bool {
        let length = word.utf8CodeUnitCount
        guard offset + length <= bytes.count else { return false }
        for index in 0..<length where bytes[offset + index] != word.utf8Start[index] { return false }
        offset += length
        return true
    }

    // MARK: Places

    /// Where the reader is; counting lines costs a pass over the text, so it is done for errors only.
    public func place(at offset: Int? = nil) -> TextPlace {
        let end = min(offset ?? self.offset, bytes.count)
        var line = firstLine
        var lineStart = 0
        for index in 0..<end where bytes[index] == 0x0A {
            line += 1
            lineStart = index + 1
        }
        return TextPlace(name: name, line: line, column: end - lineStart + 1)
    }

    func syntax(_ expected: String, at offset: Int? = nil) -> JSONError {
        .syntax(place(at: offset), expected: expected, found: found(at: offset ?? self.offset))
    }

    public func wrongKind(_ expected: String) -> JSONError {
        .wrongKind(place(), expected: expected, found: found(at: offset))
    }

    private func found(at offset: Int) -> String {
        guard offset < bytes.count else { return "the end of the text" }
        let byte = bytes[offset]
        switch byte {
        case UInt8(ascii: "{"): return "an object"
        case UInt8(ascii: "["): return "a list"
        case UInt8(ascii: "\""): return "a string"
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): return "a number"
        case 0x0A, 0x0D: return "the end of the line"
        case 0x21..<0x7F: break
        default: return "byte 0x" + String(byte, radix: 16)
        }
        let isLetter = { (byte: UInt8) in byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z") }
        let word = bytes[offset...].prefix(16).prefix(while: isLetter)
        return word.isEmpty ? "'\(Character(UnicodeScalar(byte)))'" : "'\(String(decoding: word, as: UTF8.self))'"
    }
}
