import Formats

/// Python's string operations, on code points.
enum JinjaText {
    static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        UnicodeClasses.shared.isSpace(scalar.value) || (scalar.value >= 0x1C && scalar.value <= 0x1F)
    }

    static func hasPrefix(_ text: String, _ prefix: String) -> Bool { text.utf8.starts(with: prefix.utf8) }
    static func hasSuffix(_ text: String, _ suffix: String) -> Bool { text.utf8.reversed().starts(with: suffix.utf8.reversed()) }

    static func strip(_ text: String, _ characters: String?, left: Bool, right: Bool) -> String {
        let scalars = text.unicodeScalars
        let set = characters.map { Set($0.unicodeScalars) }
        func goes(_ scalar: Unicode.Scalar) -> Bool { set?.contains(scalar) ?? isSpace(scalar) }
        var start = scalars.startIndex
        var end = scalars.endIndex
        while left, start < end, goes(scalars[start]) { start = scalars.index(after: start) }
        while right, end > start {
            let last = scalars.index(before: end)
            if !goes(scalars[last]) { break }
            end = last
        }
        return String(scalars[start..<end])
    }

    static func string(_ scalars: some Sequence<Unicode.Scalar>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }

    static func split(_ text: String, _ separator: String?, _ limit: Int, fromRight: Bool) -> [String] {
        guard let separator else { return splitBlanks(text, limit, fromRight: fromRight) }
        let bytes = Array(text.utf8)
        let wanted = Array(separator.utf8)
        var cuts: [Int] = []
        var position = 0
        while let found = TextSearch.find(wanted, in: bytes, from: position) {
            cuts.append(found)
            position = found + wanted.count
        }
        if cuts.count > limit { cuts = fromRight ? Array(cuts.suffix(limit)) : Array(cuts.prefix(limit)) }
        var result: [String] = []
        var start = 0
        for cut in cuts {
            result.append(String(decoding: bytes[start..<cut], as: UTF8.self))
            start = cut + wanted.count
        }
        result.append(String(decoding: bytes[start...], as: UTF8.self))
        return result
    }

    private static func splitBlanks(_ text: String, _ limit: Int, fromRight: Bool) -> [String] {
        let scalars = Array(text.unicodeScalars)
        var words: [Range<Int>] = []
        var start: Int?
        for (index, scalar) in scalars.enumerated() {
            if isSpace(scalar) {
                if let begin = start { words.append(begin..<index) }
                start = nil
            } else if start == nil {
                start = index
            }
        }
        if let begin = start { words.append(begin..<scalars.count) }
        if limit < words.count - 1 {
            if fromRight {
                let end = words[words.count - limit - 1].upperBound
                words = [0..<end] + words.suffix(limit)
                return words.map { string(scalars[$0]) }
            }
            words = words.prefix(limit) + [words[limit].lowerBound..<scalars.count]
            return words.map { string(scalars[$0]) }
        }
        return words.map { string(scalars[$0]) }
    }

    /// As `str.splitlines`.
    static func lines(_ text: String, keepsEnds: Bool = false) -> [String] {
        let breaks: Set<UInt32> = [0x0A, 0x0B, 0x0C, 0x0D, 0x1C, 0x1D, 0x1E, 0x85, 0x2028, 0x2029]
        var result: [String] = []
        var current: [Unicode.Scalar] = []
        var previousWasReturn = false
        var isOpen = false
        for scalar in text.unicodeScalars {
            if scalar.value == 0x0A, previousWasReturn {
                previousWasReturn = false
                if keepsEnds, let last = result.indices.last { result[last].unicodeScalars.append(scalar) }
                continue
            }
            previousWasReturn = scalar.value == 0x0D
            if breaks.contains(scalar.value) {
                if keepsEnds { current.append(scalar) }
                result.append(string(current))
                current = []
                isOpen = false
            } else {
                current.append(scalar)
                isOpen = true
            }
        }
        if isOpen { result.append(string(current)) }
        return result
    }

    static func replace(_ text: String, _ from: String, _ to: String, _ limit: Int) -> String {
        if from.isEmpty {
            var result = ""
            var count = 0
            for scalar in text.unicodeScalars {
                if count < limit { result += to }
                count += 1
                result.unicodeScalars.append(scalar)
            }
            return count < limit ? result + to : result
        }
        return TextSearch.replacing(text, from, with: to, limit: limit)
    }

    /// As `str.lower`: a capital sigma that ends a word becomes the final form.
    static func lower(_ text: String) -> String {
        guard text.unicodeScalars.contains("\u{3A3}") else { return text.lowercased() }
        let scalars = Array(text.unicodeScalars)
        var result = ""
        for (index, scalar) in scalars.enumerated() {
            guard scalar == "\u{3A3}" else {
                result += scalar.properties.lowercaseMapping
                continue
            }
            let before = scalars[..<index].last { !$0.properties.isCaseIgnorable }
            let after = scalars[(index + 1)...].first { !$0.properties.isCaseIgnorable }
            let isFinal = before?.properties.isCased == true && after?.properties.isCased != true
            result += isFinal ? "\u{3C2}" : "\u{3C3}"
        }
        return result
    }

    /// Position in code points, -1 when it is not there.
    static func find(_ text: String, _ wanted: String, last: Bool) -> Int {
        let bytes = Array(text.utf8)
        let pattern = Array(wanted.utf8)
        guard let place = last ? TextSearch.findLast(pattern, in: bytes) : TextSearch.find(pattern, in: bytes, from: 0) else { return -1 }
        return bytes[..<place].reduce(0) { $1 & 0xC0 == 0x80 ? $0 : $0 + 1 }
    }

    static func capitalized(_ text: String) -> String {
        let scalars = Array(text.unicodeScalars)
        guard let first = scalars.first else { return text }
        return first.properties.titlecaseMapping + lower(string(scalars.dropFirst()))
    }

    /// As `str.title`: the first letter of each run of letters.
    static func title(_ text: String) -> String {
        var result = ""
        var isInWord = false
        for scalar in text.unicodeScalars {
            let isCased = scalar.properties.isCased
            if isCased {
                result += isInWord ? scalar.properties.lowercaseMapping : scalar.properties.titlecaseMapping
            } else {
                result.unicodeScalars.append(scalar)
            }
            isInWord = isCased
        }
        return result
    }
}
