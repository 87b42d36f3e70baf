import Formats

/// Case, words and escapes, as Python and jinja2 see them.
extension JinjaText {
    /// As `str.isprintable` for one code point: neither control, format, surrogate, private, unassigned, nor a space other than " ".
    static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.value < 0x7F { return scalar.value >= 0x20 }
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator, .spaceSeparator: return false
        default: return true
        }
    }

    private static func isUppercase(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.isUppercase }
    private static func isTitlecase(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.generalCategory == .titlecaseLetter }

    static func isUpper(_ text: String) -> Bool {
        var hasCased = false
        for scalar in text.unicodeScalars {
            if scalar.properties.isLowercase || isTitlecase(scalar) { return false }
            if isUppercase(scalar) { hasCased = true }
        }
        return hasCased
    }

    static func isLower(_ text: String) -> Bool {
        var hasCased = false
        for scalar in text.unicodeScalars {
            if isUppercase(scalar) || isTitlecase(scalar) { return false }
            if scalar.properties.isLowercase { hasCased = true }
        }
        return hasCased
    }

    static func isTitle(_ text: String) -> Bool {
        var (hasCased, isInWord) = (false, false)
        for scalar in text.unicodeScalars {
            if isUppercase(scalar) || isTitlecase(scalar) {
                if isInWord { return false }
                (hasCased, isInWord) = (true, true)
            } else if scalar.properties.isLowercase {
                if !isInWord { return false }
                hasCased = true
            } else {
                isInWord = false
            }
        }
        return hasCased
    }

    static func swappedCase(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            if isUppercase(scalar) {
                result += scalar.properties.lowercaseMapping
            } else if scalar.properties.isLowercase {
                result += scalar.properties.uppercaseMapping
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// jinja2's own `title`: a word begins after blanks, a hyphen or an opening bracket only.
    static func filterTitle(_ text: String) -> String {
        var result = ""
        var word: [Unicode.Scalar] = []
        func finished() -> String {
            guard let first = word.first else { return "" }
            return first.properties.uppercaseMapping + lower(string(word.dropFirst()))
        }
        for scalar in text.unicodeScalars {
            if isSpace(scalar) || "-({[<".unicodeScalars.contains(scalar) {
                result += finished()
                word = []
                result.unicodeScalars.append(scalar)
            } else {
                word.append(scalar)
            }
        }
        return result + finished()
    }

    /// Runs of letters, digits and underscores.
    static func wordCount(_ text: String) -> Int {
        var count = 0
        var isInWord = false
        for scalar in text.unicodeScalars {
            let isPart = scalar == "_" || UnicodeClasses.shared.isLetter(scalar.value) || UnicodeClasses.shared.isNumber(scalar.value)
            if isPart, !isInWord { count += 1 }
            isInWord = isPart
        }
        return count
    }

    static func escaped(_ text: String) -> String {
        var result: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case 0x26: result.append(contentsOf: "&amp;".utf8)
            case 0x3C: result.append(contentsOf: "&lt;".utf8)
            case 0x3E: result.append(contentsOf: "&gt;".utf8)
            case 0x27: result.append(contentsOf: "&#39;".utf8)
            case 0x22: result.append(contentsOf: "&#34;".utf8)
            default: result.append(byte)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// Text without comments and tags, its blanks made single, the five escapes undone.
    static func withoutTags(_ text: String) -> String {
        var bytes = Array(text.utf8)
        for (open, close) in [("<!--", "-->"), ("<", ">")] {
            var kept: [UInt8] = []
            var place = 0
            while let start = TextSearch.find(Array(open.utf8), in: bytes, from: place),
                let end = TextSearch.find(Array(close.utf8), in: bytes, from: start)
            {
                kept += bytes[place..<start]
                place = end + close.utf8.count
            }
            bytes = kept + bytes[place...]
        }
        var result = split(String(decoding: bytes, as: UTF8.self), nil, .max, fromRight: false).joined(separator: " ")
        for (from, to) in [("&lt;", "<"), ("&gt;", ">"), ("&#39;", "'"), ("&#34;", "\""), ("&quot;", "\""), ("&amp;", "&")] {
            result = replace(result, from, to, .max)
        }
        return result
    }

    /// As `urllib.parse.quote`; in queries a slash is escaped too and a blank is `+`.
    static func percentEncoded(_ text: String, isQuery: Bool) -> String {
        var result: [UInt8] = []
        let hexadecimal = Array("0123456789ABCDEF".utf8)
        for byte in text.utf8 {
            let isPlain = (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || "_.-~".utf8.contains(byte)
            if isPlain || (byte == 0x2F && !isQuery) {
                result.append(byte)
            } else if isQuery, byte == 0x20 {
                result.append(0x2B)
            } else {
                result += [0x25, hexadecimal[Int(byte >> 4)], hexadecimal[Int(byte & 15)]]
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    static func withoutTabs(_ text: String, _ size: Int) -> String {
        var result = String.UnicodeScalarView()
        var column = 0
        for scalar in text.unicodeScalars {
            if scalar == "\t" {
                let count = size == 0 ? 0 : size - column % size
                result.append(contentsOf: repeatElement(" ", count: count))
                column += count
            } else {
                result.append(scalar)
                column = scalar == "\n" || scalar == "\r" ? 0 : column + 1
            }
        }
        return String(result)
    }

    /// One paragraph in lines of at most `width` code points.
    static func wrapped(_ line: String, width: Int, breaksWords: Bool, breaksHyphens: Bool) -> [String] {
        // Pieces alternate between words and blanks; words may end in a hyphen.
        var pieces: [[Unicode.Scalar]] = []
        var previousIsBlank: Bool?
        for scalar in line.unicodeScalars {
            let isBlank = isSpace(scalar)
            let endsAtHyphen = breaksHyphens && !isBlank && pieces.last?.last == "-" && (pieces.last?.count ?? 0) > 2
            if isBlank == previousIsBlank, !endsAtHyphen { pieces[pieces.count - 1].append(scalar) } else { pieces.append([scalar]) }
            previousIsBlank = isBlank
        }
        var result: [String] = []
        var current: [Unicode.Scalar] = []
        func isBlank(_ piece: [Unicode.Scalar]) -> Bool { piece.first.map { isSpace($0) } ?? true }
        func finish() {
            while let last = current.last, isSpace(last) { current.removeLast() }
            if !current.isEmpty { result.append(string(current)) }
            current = []
        }
        for piece in pieces {
            var piece = piece
            if current.isEmpty, isBlank(piece), !result.isEmpty { continue }
            if current.count + piece.count <= width {
                current += piece
                continue
            }
            if breaksWords, piece.count > width {
                while piece.count > width || current.count + piece.count > width {
                    let room = max(0, width - current.count)
                    current += piece.prefix(room)
                    piece.removeFirst(min(room, piece.count))
                    finish()
                }
                current = isBlank(piece) ? [] : piece
                continue
            }
            finish()
            if !isBlank(piece) { current = piece }
        }
        finish()
        return result
    }
}
