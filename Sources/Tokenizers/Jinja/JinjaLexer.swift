/// Cuts a template into text and tags, and tags into words. White space is treated as transformers sets jinja2: `trim_blocks`
/// (the line end after a block tag goes) and `lstrip_blocks` (blanks between a line's start and a block tag go).
struct JinjaLexer {
    enum Token: Equatable {
        case text(String)
        case name(String)
        case string(String)
        case integer(Int64)
        case number(Double)
        /// Operators and brackets.
        case symbol(String)
        case blockBegin, blockEnd, variableBegin, variableEnd
        case end
    }

    struct Placed {
        var token: Token
        var line: Int
    }

    private let source: [UInt8]
    private var position = 0
    private var line = 1
    private var tokens: [Placed] = []
    /// True while nothing but a line end came before.
    private var isLineStart = true

    static func tokens(_ text: String) throws(TemplateError) -> [Placed] {
        var lexer = JinjaLexer(text)
        try lexer.run()
        return lexer.tokens
    }

    private init(_ text: String) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        var previousWasReturn = false
        for byte in text.utf8 {
            if byte == 0x0A, previousWasReturn {
                previousWasReturn = false
                continue
            }
            previousWasReturn = byte == 0x0D
            bytes.append(byte == 0x0D ? 0x0A : byte)
        }
        if bytes.last == 0x0A { bytes.removeLast() }
        source = bytes
    }

    private func starts(_ text: StaticString, at place: Int) -> Bool {
        let length = text.utf8CodeUnitCount
        guard place + length <= source.count else { return false }
        for index in 0..<length where source[place + index] != text.utf8Start[index] { return false }
        return true
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (byte >= 0x09 && byte <= 0x0D) }

    private func byte(_ place: Int) -> UInt8 { place < source.count ? source[place] : 0 }

    private mutating func emit(_ token: Token) { tokens.append(Placed(token: token, line: line)) }

    private mutating func run() throws(TemplateError) {
        while position < source.count {
            var begin = position
            while begin < source.count {
                if source[begin] == 0x7B, starts("{{", at: begin) || starts("{%", at: begin) || starts("{#", at: begin) { break }
                begin += 1
            }
            if begin >= source.count {
                emitText(position, source.count)
                break
            }
            let isVariable = source[begin + 1] == 0x7B
            let sign = byte(begin + 2)
            var textEnd = begin
            if sign == 0x2D {
                while textEnd > position, JinjaLexer.isBlank(source[textEnd - 1]) { textEnd -= 1 }
            } else if sign != 0x2B, !isVariable {
                textEnd = withoutIndentation(position, begin)
            }
            let textStart = position
            emitText(textStart, textEnd)
            countLines(textEnd, begin)
            position = begin + 2 + (sign == 0x2D || (sign == 0x2B && !isVariable) ? 1 : 0)
            if source[begin + 1] == 0x23 {
                try skipComment()
            } else if isVariable {
                emit(.variableBegin)
                try lexTag(closing: "}}", isBlock: false)
            } else if let afterRaw = rawStart() {
                try lexRaw(afterRaw)
            } else {
                emit(.blockBegin)
                try lexTag(closing: "%}", isBlock: true)
            }
        }
        emit(.end)
    }

    private mutating func emitText(_ start: Int, _ end: Int) {
        guard end > start else { return }
        emit(.text(String(decoding: source[start..<end], as: UTF8.self)))
        countLines(start, end)
    }

    private mutating func countLines(_ start: Int, _ end: Int) {
        for index in start..<max(start, end) where source[index] == 0x0A { line += 1 }
    }

    /// End of the text before a block tag when only blanks lie between it and its line's start.
    private func withoutIndentation(_ start: Int, _ end: Int) -> Int {
        var place = end
        while place > start, source[place - 1] != 0x0A {
            if !JinjaLexer.isBlank(source[place - 1]) { return end }
            place -= 1
        }
        return place > start || isLineStart ? place : end
    }

    /// After a closing mark: what `-` and the trimming of line ends swallow.
    private mutating func finishTag(strips: Bool, keeps: Bool, isBlock: Bool) {
        isLineStart = false
        let start = position
        if strips {
            while position < source.count, JinjaLexer.isBlank(source[position]) { position += 1 }
        } else if isBlock, !keeps, byte(position) == 0x0A {
            position += 1
        }
        if position > start { isLineStart = source[position - 1] == 0x0A }
        countLines(start, position)
    }

    private mutating func skipComment() throws(TemplateError) {
        let start = position
        while position < source.count, !starts("#}", at: position) { position += 1 }
        guard position < source.count else { throw .syntax(line: line, reason: "a comment is not closed with #}") }
        let strips = position > start && source[position - 1] == 0x2D
        let keeps = position > start && source[position - 1] == 0x2B
        countLines(start, position)
        position += 2
        finishTag(strips: strips, keeps: keeps, isBlock: true)
    }

    /// Where the content of a `{% raw %}` begins, when this is one.
    private func rawStart() -> Int? {
        var place = position
        while JinjaLexer.isBlank(byte(place)) { place += 1 }
        guard starts("raw", at: place) else { return nil }
        place += 3
        while JinjaLexer.isBlank(byte(place)) { place += 1 }
        if byte(place) == 0x2D || byte(place) == 0x2B { place += 1 }
        return starts("%}", at: place) ? place : nil
    }

    private mutating func lexRaw(_ closing: Int) throws(TemplateError) {
        let strips = source[closing - 1] == 0x2D
        countLines(position, closing)
        position = closing + 2
        finishTag(strips: strips, keeps: false, isBlock: true)
        let start = position
        var place = start
        while place < source.count {
            if starts("{%", at: place) {
                var inner = place + 2
                let stripsBefore = byte(inner) == 0x2D
                if stripsBefore || byte(inner) == 0x2B { inner += 1 }
                while JinjaLexer.isBlank(byte(inner)) { inner += 1 }
                if starts("endraw", at: inner) {
                    inner += 6
                    while JinjaLexer.isBlank(byte(inner)) { inner += 1 }
                    let stripsAfter = byte(inner) == 0x2D
                    if stripsAfter || byte(inner) == 0x2B { inner += 1 }
                    if starts("%}", at: inner) {
                        var end = stripsBefore ? place : withoutIndentation(start, place)
                        if stripsBefore { while end > start, JinjaLexer.isBlank(source[end - 1]) { end -= 1 } }
                        emitText(start, end)
                        countLines(end, inner)
                        position = inner + 2
                        finishTag(strips: stripsAfter, keeps: false, isBlock: true)
                        return
                    }
                }
            }
            place += 1
        }
        throw .syntax(line: line, reason: "a raw block is not closed with endraw")
    }

    private mutating func lexTag(closing: StaticString, isBlock: Bool) throws(TemplateError) {
        var depth = 0
        while true {
            while position < source.count, JinjaLexer.isBlank(source[position]) {
                if source[position] == 0x0A { line += 1 }
                position += 1
            }
            guard position < source.count else { throw .syntax(line: line, reason: "a tag is not closed with \(closing)") }
            let first = source[position]
            if depth == 0 || closing.utf8Start[0] == 0x25 {
                let sign = first == 0x2D || (first == 0x2B && isBlock)
                if starts(closing, at: position) || (sign && starts(closing, at: position + 1)) {
                    position += sign ? 3 : 2
                    emit(isBlock ? .blockEnd : .variableEnd)
                    finishTag(strips: first == 0x2D, keeps: first == 0x2B, isBlock: isBlock)
                    return
                }
            }
            if first == 0x22 || first == 0x27 {
                emit(.string(try lexString(first)))
            } else if first >= 0x30, first <= 0x39 {
                try lexNumber()
            } else if JinjaLexer.isNameStart(first) {
                let start = position
                while JinjaLexer.isNameStart(byte(position)) || (byte(position) >= 0x30 && byte(position) <= 0x39) { position += 1 }
                emit(.name(String(decoding: source[start..<position], as: UTF8.self)))
            } else {
                try lexSymbol(&depth)
            }
        }
    }

    private static func isNameStart(_ byte: UInt8) -> Bool {
        byte == 0x5F || byte >= 0x80 || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A)
    }

    private mutating func lexSymbol(_ depth: inout Int) throws(TemplateError) {
        for symbol in ["==", "!=", "<=", ">=", "//", "**"] {
            let bytes = Array(symbol.utf8)
            if byte(position) == bytes[0], byte(position + 1) == bytes[1] {
                position += 2
                emit(.symbol(symbol))
                return
            }
        }
        let character = byte(position)
        guard "+-*/%~<>=.,:|()[]{};".utf8.contains(character) else {
            throw .syntax(line: line, reason: "unexpected character '\(Character(Unicode.Scalar(character)))'")
        }
        if "([{".utf8.contains(character) { depth += 1 }
        if ")]}".utf8.contains(character) { depth -= 1 }
        position += 1
        emit(.symbol(String(Character(Unicode.Scalar(character)))))
    }

    private mutating func lexNumber() throws(TemplateError) {
        let start = position
        var isFloat = false
        func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }
        if source[start] == 0x30, "xXoObB".utf8.contains(byte(start + 1)) {
            position += 2
            while isDigit(byte(position)) || (byte(position) | 0x20 >= 0x61 && byte(position) | 0x20 <= 0x66) || byte(position) == 0x5F { position += 1 }
            let text = String(decoding: source[start..<position], as: UTF8.self)
            guard let value = JinjaNumbers.integer(text, base: 0) else { throw .syntax(line: line, reason: "the number \(text) cannot be read") }
            emit(.integer(value))
            return
        }
        func skipDigits() {
            while isDigit(byte(position)) || (byte(position) == 0x5F && isDigit(byte(position + 1))) { position += 1 }
        }
        skipDigits()
        if byte(position) == 0x2E, isDigit(byte(position + 1)) {
            isFloat = true
            position += 1
            skipDigits()
        }
        if byte(position) | 0x20 == 0x65 {
            let sign = byte(position + 1) == 0x2B || byte(position + 1) == 0x2D
            if isDigit(byte(position + (sign ? 2 : 1))) {
                isFloat = true
                position += sign ? 2 : 1
                skipDigits()
            }
        }
        let text = String(decoding: source[start..<position].filter { $0 != 0x5F }, as: UTF8.self)
        if isFloat, let value = Double(text) {
            emit(.number(value))
        } else if let value = Int64(text) {
            emit(.integer(value))
        } else {
            throw .syntax(line: line, reason: "the number \(text) is too large")
        }
    }

    private mutating func lexString(_ quote: UInt8) throws(TemplateError) -> String {
        position += 1
        var bytes: [UInt8] = []
        while position < source.count, source[position] != quote {
            var value = source[position]
            if value == 0x0A { line += 1 }
            position += 1
            guard value == 0x5C, position < source.count else {
                bytes.append(value)
                continue
            }
            value = source[position]
            position += 1
            switch value {
            case 0x6E: bytes.append(0x0A)
            case 0x74: bytes.append(0x09)
            case 0x72: bytes.append(0x0D)
            case 0x62: bytes.append(0x08)
            case 0x66: bytes.append(0x0C)
            case 0x76: bytes.append(0x0B)
            case 0x61: bytes.append(0x07)
            case 0x30...0x37: appendOctal(value, &bytes)
            case 0x5C, 0x27, 0x22: bytes.append(value)
            case 0x0A: line += 1
            case 0x78: try appendEscape(2, &bytes)
            case 0x75: try appendEscape(4, &bytes)
            case 0x55: try appendEscape(8, &bytes)
            default: bytes += [0x5C, value]
            }
        }
        guard position < source.count else { throw .syntax(line: line, reason: "a string is not closed") }
        position += 1
        return String(decoding: bytes, as: UTF8.self)
    }

    /// `\\101`: up to three octal digits.
    private mutating func appendOctal(_ first: UInt8, _ bytes: inout [UInt8]) {
        var value = UInt32(first - 0x30)
        for _ in 0..<2 {
            let digit = byte(position)
            guard (0x30...0x37).contains(digit) else { break }
            value = value * 8 + UInt32(digit - 0x30)
            position += 1
        }
        if let scalar = Unicode.Scalar(value) { bytes.append(contentsOf: Array(String(Character(scalar)).utf8)) }
    }

    private mutating func appendEscape(_ digits: Int, _ bytes: inout [UInt8]) throws(TemplateError) {
        guard position + digits <= source.count,
            let value = UInt32(String(decoding: source[position..<position + digits], as: UTF8.self), radix: 16),
            let scalar = Unicode.Scalar(value)
        else { throw .syntax(line: line, reason: "a string has a broken escape") }
        position += digits
        bytes.append(contentsOf: Array(String(Character(scalar)).utf8))
    }
}
