/// Strings and numbers of the pull reader.

import Platform

extension JSONReader {
    // MARK: Strings

    public mutating func string() throws(JSONError) -> String {
        try withStringBytes { String(decoding: $0, as: UTF8.self) }
    }

    /// Appends the string's UTF-8 bytes to `target`.
    public mutating func string(appendingTo target: inout [UInt8]) throws(JSONError) {
        // The array cannot be captured by the closure while it is inout, so it is filled outside.
        let place = try stringPlace()
        if place.isPlain {
            target.append(contentsOf: bytes[place.range])
        } else {
            target.append(contentsOf: scratch)
        }
    }

    /// Lends the string's UTF-8 bytes, which are gone after the closure.
    public mutating func withStringBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) throws(JSONError) -> Result {
        let place = try stringPlace()
        if place.isPlain { return body(plainText(place)) }
        return scratch.withUnsafeBytes { body($0) }
    }

    /// The text of a plain place, within the reader's buffer.
    public func plainText(_ place: JSONStringPlace) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes[place.range]) }

    /// The text of the last string that was not plain.
    public var unescapedText: [UInt8] { scratch }

    /// Takes a string and says where its text is.
    public mutating func stringPlace() throws(JSONError) -> JSONStringPlace {
        if currentByte != UInt8(ascii: "\"") {
            guard try peek() == .string else { throw wrongKind("a string") }
        }
        offset += 1
        let start = offset
        let hadNonASCII = try scanPlainRun(false)
        if bytes[offset] == UInt8(ascii: "\"") {
            let range = start..<offset
            offset += 1
            if hadNonASCII { try checkText(range) }
            return JSONStringPlace(range: range, isPlain: true)
        }
        try resolveEscapes(from: start, hadNonASCII)
        return JSONStringPlace(range: start..<start, isPlain: false)
    }

    /// Goes on to the next quotation mark or backslash, which is there when this returns. Returns whether bytes beyond ASCII were
    /// seen (or had been before).
    private mutating func scanPlainRun(_ hadNonASCII: Bool) throws(JSONError) -> Bool {
        var seen = hadNonASCII
        let count = bytes.count
        var position = offset
        while true {
            // Eight bytes at a time while none is a quotation mark, a backslash or a control character.
            while position + 8 <= count {
                let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
                let stops = stops(in: word)
                // Of the bytes in front of the stop, whether one is beyond ASCII.
                let passed = stops == 0 ? word : word & ((stops & (0 &- stops)) &- 1) >> 7
                seen = seen || passed & 0x8080_8080_8080_8080 != 0
                position += stops == 0 ? 8 : stops.trailingZeroBitCount / 8
                if stops != 0 { break }
            }
            guard position < count else {
                offset = position
                throw syntax("the string's closing quotation mark")
            }
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { break }
            if byte < 0x20 {
                offset = position
                throw syntax("no line feed or other control character within a string")
            }
            seen = seen || byte >= 0x80
            position += 1
        }
        offset = position
        return seen
    }

    /// The high bit of each byte that is '"', '\' or below 0x20. Right for the first such byte; bytes behind it may be marked wrongly.
    @inline(__always)
    private func stops(in word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        let quote = word ^ (ones &* 0x22)
        let backslash = word ^ (ones &* 0x5C)
        let isQuote = (quote &- ones) & ~quote
        let isBackslash = (backslash &- ones) & ~backslash
        let isControl = (word &- ones &* 0x20) & ~word
        return (isQuote | isBackslash | isControl) & highs
    }

    private mutating func resolveEscapes(from start: Int, _ hadNonASCII: Bool) throws(JSONError) {
        var seen = hadNonASCII
        scratch.removeAll(keepingCapacity: true)
        scratch.append(contentsOf: bytes[start..<offset])
        while bytes[offset] == UInt8(ascii: "\\") {
            offset += 1
            try appendEscape()
            let runStart = offset
            seen = try scanPlainRun(seen)
            scratch.append(contentsOf: bytes[runStart..<offset])
        }
        if seen { try checkText(start..<offset) }
        offset += 1
    }

    private mutating func appendEscape() throws(JSONError) {
        let byte = currentByte
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): scratch.append(byte)
        case UInt8(ascii: "n"): scratch.append(0x0A)
        case UInt8(ascii: "t"): scratch.append(0x09)
        case UInt8(ascii: "r"): scratch.append(0x0D)
        case UInt8(ascii: "b"): scratch.append(0x08)
        case UInt8(ascii: "f"): scratch.append(0x0C)
        case UInt8(ascii: "u"): return try appendUnicodeEscape()
        default: throw syntax("one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u after a backslash")
        }
        offset += 1
    }

    /// The offset is at the "u". A high surrogate must be followed by the escape of a low one.
    private mutating func appendUnicodeEscape() throws(JSONError) {
        let start = offset - 1
        var value = try hexadecimalUnit()
        if value & 0xFC00 == 0xD800 {
            guard offset + 1 < bytes.count, bytes[offset] == UInt8(ascii: "\\"), bytes[offset + 1] == UInt8(ascii: "u") else {
                throw syntax("the second half of a surrogate pair", at: start)
            }
            offset += 1
            let low = try hexadecimalUnit()
            guard low & 0xFC00 == 0xDC00 else { throw syntax("the second half of a surrogate pair", at: start) }
            value = 0x10000 + (value & 0x3FF) << 10 + low & 0x3FF
        }
        guard let scalar = UnicodeScalar(value) else { throw syntax("the first half of a surrogate pair before the second", at: start) }
        scratch.append(contentsOf: UTF8.encode(scalar).map { Array($0) } ?? [])
    }

    /// Takes "u" and four hexadecimal digits.
    private mutating func hexadecimalUnit() throws(JSONError) -> UInt32 {
        offset += 1
        var value: UInt32 = 0
        for _ in 0..<4 {
            let byte = currentByte
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt32(byte - 48)
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt32(byte - 87)
            case UInt8(ascii: "A")...UInt8(ascii: "F"): value = value << 4 | UInt32(byte - 55)
            default: throw syntax("four hexadecimal digits after \\u")
            }
            offset += 1
        }
        return value
    }

    private func checkText(_ range: Range<Int>) throws(JSONError) {
        if isCheckedText { return }
        if let bad = UTF8Check.firstInvalid(UnsafeRawBufferPointer(rebasing: bytes[range])) {
            throw syntax("UTF-8 text", at: range.lowerBound + bad)
        }
    }

    // MARK: Numbers

    /// An integer that fits 64 bits; 3.0 and 1e3 are none.
    public mutating func integer() throws(JSONError) -> Int64 {
        if let value = takePlainInteger() { return value }
        let start = offset
        guard case .integer(let value) = try number() else {
            offset = start
            throw wrongKind("a whole number of at most 64 bits")
        }
        return value
    }

    /// Takes up to 18 digits that end where a member ends, as nearly every whole number is written; nil, and nothing taken, for
    /// anything else.
    private mutating func takePlainInteger() -> Int64? {
        skipSpace()
        var position = offset
        var value: Int64 = 0
        while position < bytes.count, position - offset < 18, bytes[position] &- 0x30 < 10 {
            value = value * 10 + Int64(bytes[position] &- 0x30)
            position += 1
        }
        guard position > offset, position < bytes.count, bytes[offset] != 0x30 || position == offset + 1 else { return nil }
        switch bytes[position] {
        case UInt8(ascii: ","), UInt8(ascii: "}"), UInt8(ascii: "]"), 0x20, 0x0A, 0x0D: break
        default: return nil
        }
        offset = position
        return value
    }

    /// Any number as a double.
    public mutating func double() throws(JSONError) -> Double {
        switch try number() {
        case .integer(let value): Double(value)
        case .number(let value): value
        case .null, .bool, .string, .array, .object: 0
        }
    }

    /// Takes a number and lends its text as it is written.
    public mutating func withNumberBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) throws(JSONError) -> Result {
        _ = try peek()
        let start = offset
        _ = try number()
        return body(UnsafeRawBufferPointer(rebasing: bytes[start..<offset]))
    }

    /// A number: `.integer` when it is written as one and fits, else `.number`.
    public mutating func number() throws(JSONError) -> JSONValue {
        guard try peek() == .number else { throw wrongKind("a number") }
        let start = offset
        let isNegative = currentByte == UInt8(ascii: "-")
        if isNegative { offset += 1 }
        if take("Infinity") { return .number(isNegative ? -.infinity : .infinity) }
        if !isNegative, take("NaN") { return .number(.nan) }
        let digitStart = offset
        var magnitude: UInt64 = 0
        var fits = true
        while currentByte >= UInt8(ascii: "0"), currentByte <= UInt8(ascii: "9") {
            let (tens, overflow) = magnitude.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tens.addingReportingOverflow(UInt64(currentByte - 48))
            fits = fits && !overflow && !carry
            magnitude = sum
            offset += 1
        }
        if offset == digitStart { throw syntax("a digit") }
        if bytes[digitStart] == UInt8(ascii: "0"), offset - digitStart > 1 {
            throw syntax("no zero in front of other digits", at: digitStart)
        }
        let isWhole = try !takeFractionAndExponent()
        if isWhole, fits, magnitude <= UInt64(Int64.max) + (isNegative ? 1 : 0) {
            return .integer(isNegative ? Int64(truncatingIfNeeded: 0 &- magnitude) : Int64(magnitude))
        }
        let text = String(decoding: bytes[start..<offset], as: UTF8.self)
        guard let value = Double(text) else { throw syntax("a number", at: start) }
        return .number(value)
    }

    /// True when there was a fraction or an exponent.
    private mutating func takeFractionAndExponent() throws(JSONError) -> Bool {
        var found = false
        if currentByte == UInt8(ascii: ".") {
            found = true
            offset += 1
            try takeDigits()
        }
        if currentByte | 0x20 == UInt8(ascii: "e") {
            found = true
            offset += 1
            if currentByte == UInt8(ascii: "+") || currentByte == UInt8(ascii: "-") { offset += 1 }
            try takeDigits()
        }
        return found
    }

    private mutating func takeDigits() throws(JSONError) {
        let start = offset
        while currentByte >= UInt8(ascii: "0"), currentByte <= UInt8(ascii: "9") { offset += 1 }
        if offset == start { throw syntax("a digit") }
    }

    // MARK: Whole values

    /// Passes over the next value, checking it as strictly as if it were read.
    public mutating func skip() throws(JSONError) {
        switch try peek() {
        case .object:
            try beginObject()
            while try nextKey({ _ in true }) != nil { try skip() }
        case .array:
            try beginArray()
            while try nextElement() { try skip() }
        case .string: _ = try withStringBytes { _ in true }
        case .number: _ = try number()
        case .bool: _ = try bool()
        case .null: try null()
        }
    }

    /// Builds the next value.
    public mutating func value() throws(JSONError) -> JSONValue {
        switch try peek() {
        case .object:
            var object = JSONObject()
            try beginObject()
            while let key = try nextKey() { object.set(key, try value()) }
            return .object(object)
        case .array:
            var values: [JSONValue] = []
            try beginArray()
            while try nextElement() { values.append(try value()) }
            return .array(values)
        case .string: return .string(try string())
        case .number: return try number()
        case .bool: return .bool(try bool())
        case .null:
            try null()
            return .null
        }
    }
}

extension JSONValue {
    /// - Parameters:
    ///   - name: what errors call the text, usually its file.
    ///   - firstLine: line number of the first byte, for a row out of a larger file.
    public static func parse(_ bytes: UnsafeRawBufferPointer, name: String, firstLine: Int = 1) throws(JSONError) -> JSONValue {
        var reader = JSONReader(bytes, name: name, firstLine: firstLine)
        let value = try reader.value()
        try reader.end()
        return value
    }

    public static func parse(_ bytes: [UInt8], name: String, firstLine: Int = 1) throws(JSONError) -> JSONValue {
        let outcome: Result<JSONValue, JSONError> = bytes.withUnsafeBytes { buffer in
            do throws(JSONError) { return .success(try parse(buffer, name: name, firstLine: firstLine)) } catch { return .failure(error) }
        }
        return try outcome.get()
    }

    public static func parse(_ text: String, name: String = "text") throws(JSONError) -> JSONValue {
        try parse(Array(text.utf8), name: name)
    }

    /// Reads and parses a file of settings.
    public static func read(file path: String, limit: Int = FileSystem.largestSettingsFile) throws(JSONError) -> JSONValue {
        let bytes: [UInt8]
        do throws(PlatformError) { bytes = try FileSystem.readBytes(path, limit: limit) } catch { throw .cannotRead(error) }
        return try parse(bytes, name: path)
    }
}
