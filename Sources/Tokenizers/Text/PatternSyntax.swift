/// The tree of a regular expression as tokenizer files use them, and its parser.
///
/// Understood: alternatives, groups `(...) (?:...) (?i:...) (?>...)`, look-ahead and look-behind, classes with ranges, negation
/// and nesting, `\s \S \d \D \w \W \h \p{..} \P{..} \p{^..}`, escapes, `.`, `^ $ \A \z \b \B`, and all quantifiers, lazy and possessive.
indirect enum PatternNode {
    case empty
    case set(ScalarSet)
    case sequence([PatternNode])
    case choice([PatternNode])
    case repetition(PatternNode, minimum: Int, maximum: Int, mode: RepeatMode)
    case look(PatternNode, ahead: Bool, negative: Bool)
    case atomic(PatternNode)
    case assertion(Assertion)

    enum RepeatMode { case greedy, lazy, possessive }
    enum Assertion { case textStart, textEnd, lineStart, lineEnd, wordBoundary, notWordBoundary }
}

/// A set of characters: ranges and classes, possibly negated; other sets may be joined or intersected.
struct ScalarSet {
    enum Item {
        case range(UInt32, UInt32)
        /// Bits of the general categories.
        case categories(UInt32, negated: Bool)
        case space(negated: Bool)
        case word(negated: Bool)
        case nested(ScalarSet)
    }

    var items: [Item] = []
    var isNegated = false
    /// Further sets that must hold too (`[a-z&&[^x]]`).
    var intersections: [ScalarSet] = []
    var foldsCase = false

    func contains(_ scalar: UInt32, _ classes: UnicodeClasses) -> Bool {
        if holds(scalar, classes) != isNegated { return true }
        guard foldsCase else { return false }
        for variant in ScalarSet.caseVariants(of: scalar) where holds(variant, classes) != isNegated { return true }
        return false
    }

    private func holds(_ scalar: UInt32, _ classes: UnicodeClasses) -> Bool {
        var found = false
        for item in items where !found {
            switch item {
            case .range(let low, let high): found = scalar >= low && scalar <= high
            case .categories(let bits, let negated): found = (bits >> UInt32(classes.category(scalar)) & 1 == 1) != negated
            case .space(let negated): found = classes.isSpace(scalar) != negated
            case .word(let negated): found = classes.isWord(scalar) != negated
            case .nested(let set): found = set.contains(scalar, classes)
            }
        }
        return found && intersections.allSatisfy { $0.contains(scalar, classes) }
    }

    /// Answers beyond ASCII by class byte, when class is all that the set looks at there.
    var bitsByClass: (UInt64, UInt64)? {
        if foldsCase || !intersections.isEmpty { return nil }
        var bits: (UInt64, UInt64) = (0, 0)
        for value in UInt8(0)..<128 {
            var found = false
            for item in items {
                switch item {
                case .range(_, let high): if high >= 0x80 { return nil }
                case .categories(let wanted, let negated): found = found || (wanted >> UInt32(value & 31) & 1 == 1) != negated
                case .space(let negated): found = found || (value & 32 != 0) != negated
                case .word(let negated): found = found || (value & 64 != 0) != negated
                case .nested(let set):
                    guard let inner = set.bitsByClass else { return nil }
                    found = found || (value < 64 ? inner.0 >> UInt64(value) : inner.1 >> UInt64(value & 63)) & 1 == 1
                }
            }
            if found != isNegated {
                if value < 64 { bits.0 |= 1 << UInt64(value) } else { bits.1 |= 1 << UInt64(value & 63) }
            }
        }
        return bits
    }

    static func caseVariants(of scalar: UInt32) -> [UInt32] {
        guard let character = Unicode.Scalar(scalar) else { return [] }
        var result: [UInt32] = []
        for mapped in [character.properties.lowercaseMapping, character.properties.uppercaseMapping] {
            let scalars = Array(mapped.unicodeScalars)
            if scalars.count == 1, scalars[0].value != scalar { result.append(scalars[0].value) }
        }
        // Simple folding also joins the long s to s and the Kelvin sign to k.
        switch scalar {
        case 0x53, 0x73: result.append(0x17F)
        case 0x17F: result += [0x53, 0x73]
        case 0x4B, 0x6B: result.append(0x212A)
        case 0x212A: result += [0x4B, 0x6B]
        default: break
        }
        return result
    }
}

/// Why a pattern cannot be read.
struct PatternSyntaxError: Error { let reason: String }

struct PatternParser {
    private let scalars: [UInt32]
    private var position = 0
    private var depth = 0
    /// Groups, classes and quantifiers inside one another: the tree is walked and let go of by recursion.
    private static let deepest = 64

    static func parse(_ pattern: String) throws(PatternSyntaxError) -> PatternNode {
        var parser = PatternParser(scalars: pattern.unicodeScalars.map(\.value))
        let node = try parser.parseChoice(foldsCase: false)
        if parser.position < parser.scalars.count { throw PatternSyntaxError(reason: "unmatched ) at \(parser.position)") }
        return node
    }

    private init(scalars: [UInt32]) { self.scalars = scalars }

    private var current: Character? {
        guard position < scalars.count, let scalar = Unicode.Scalar(scalars[position]) else { return nil }
        return Character(scalar)
    }

    private mutating func take(_ text: String) -> Bool {
        let wanted = text.unicodeScalars.map(\.value)
        guard position + wanted.count <= scalars.count, Array(scalars[position..<position + wanted.count]) == wanted else { return false }
        position += wanted.count
        return true
    }

    private mutating func parseChoice(foldsCase: Bool) throws(PatternSyntaxError) -> PatternNode {
        depth += 1
        defer { depth -= 1 }
        if depth > PatternParser.deepest { throw PatternSyntaxError(reason: "groups are nested too deeply") }
        var foldsCase = foldsCase
        var branches: [PatternNode] = []
        var parts: [PatternNode] = []
        while let character = current, character != ")" {
            if take("|") {
                branches.append(.sequence(parts))
                parts = []
            } else if take("(?i)") {
                foldsCase = true
            } else {
                let atom = try parseAtom(foldsCase: foldsCase)
                parts.append(try parseQuantifiers(atom))
            }
        }
        branches.append(.sequence(parts))
        return branches.count == 1 ? branches[0] : .choice(branches)
    }

    private mutating func parseQuantifiers(_ atom: PatternNode) throws(PatternSyntaxError) -> PatternNode {
        var node = atom
        var links = 0
        while true {
            var minimum = 0
            var maximum = Int.max
            var isBraced = false
            if take("*") {
            } else if take("+") {
                minimum = 1
            } else if take("?") {
                maximum = 1
            } else if let bounds = takeBounds() {
                (minimum, maximum) = bounds
                isBraced = true
                if maximum < minimum || minimum > 1000 || (maximum != Int.max && maximum > 1000) {
                    throw PatternSyntaxError(reason: "repetition bounds out of range")
                }
            } else {
                return node
            }
            var mode = PatternNode.RepeatMode.greedy
            if take("?") {
                mode = .lazy
            } else if !isBraced, take("+") {
                mode = .possessive
            }
            links += 1
            if links > PatternParser.deepest { throw PatternSyntaxError(reason: "more than \(PatternParser.deepest) quantifiers follow each other") }
            node = .repetition(node, minimum: minimum, maximum: maximum, mode: mode)
        }
    }

    /// `{n}`, `{n,}`, `{n,m}`, `{,m}`; anything else is a literal brace.
    private mutating func takeBounds() -> (Int, Int)? {
        guard current == "{" else { return nil }
        let start = position
        position += 1
        let low = takeNumber()
        var bounds: (Int, Int)?
        if take(",") {
            let high = takeNumber()
            if low != nil || high != nil { bounds = (low ?? 0, high ?? Int.max) }
        } else if let low {
            bounds = (low, low)
        }
        if bounds == nil || !take("}") {
            position = start
            return nil
        }
        return bounds
    }

    private mutating func takeNumber() -> Int? {
        var value: Int?
        while position < scalars.count, scalars[position] >= 0x30, scalars[position] <= 0x39, (value ?? 0) < 100_000 {
            value = (value ?? 0) * 10 + Int(scalars[position] - 0x30)
            position += 1
        }
        return value
    }

    private mutating func parseAtom(foldsCase: Bool) throws(PatternSyntaxError) -> PatternNode {
        if take("(") { return try parseGroup(foldsCase: foldsCase) }
        if take("[") { return .set(try parseSet(foldsCase: foldsCase)) }
        if take(".") { return .set(ScalarSet(items: [.range(0x0A, 0x0A)], isNegated: true)) }
        if take("^") { return .assertion(.lineStart) }
        if take("$") { return .assertion(.lineEnd) }
        if take("\\A") { return .assertion(.textStart) }
        if take("\\z") { return .assertion(.textEnd) }
        if take("\\Z") { return .assertion(.textEnd) }
        if take("\\b") { return .assertion(.wordBoundary) }
        if take("\\B") { return .assertion(.notWordBoundary) }
        if current == "*" || current == "+" || current == "?" {
            throw PatternSyntaxError(reason: "nothing to repeat at \(position)")
        }
        var set = ScalarSet(items: [try parseItem()])
        set.foldsCase = foldsCase
        return .set(set)
    }

    private mutating func parseGroup(foldsCase: Bool) throws(PatternSyntaxError) -> PatternNode {
        var folds = foldsCase
        var wrap: (PatternNode) -> PatternNode = { $0 }
        if take("?:") {
        } else if take("?i:") {
            folds = true
        } else if take("?-i:") {
            folds = false
        } else if take("?=") {
            wrap = { .look($0, ahead: true, negative: false) }
        } else if take("?!") {
            wrap = { .look($0, ahead: true, negative: true) }
        } else if take("?<=") {
            wrap = { .look($0, ahead: false, negative: false) }
        } else if take("?<!") {
            wrap = { .look($0, ahead: false, negative: true) }
        } else if take("?>") {
            wrap = { .atomic($0) }
        } else if current == "?" {
            throw PatternSyntaxError(reason: "this kind of group is not known, at \(position)")
        }
        let inside = try parseChoice(foldsCase: folds)
        if !take(")") { throw PatternSyntaxError(reason: "a group is not closed") }
        return wrap(inside)
    }

    private mutating func parseSet(foldsCase: Bool) throws(PatternSyntaxError) -> ScalarSet {
        depth += 1
        defer { depth -= 1 }
        if depth > PatternParser.deepest { throw PatternSyntaxError(reason: "classes are nested too deeply") }
        var set = ScalarSet()
        set.foldsCase = foldsCase
        if take("^") { set.isNegated = true }
        var isFirst = true
        while let character = current, character != "]" || isFirst {
            isFirst = false
            if take("&&") {
                // What follows, up to the bracket's end, is the other side of the intersection.
                let other = try parseSetTail(foldsCase: foldsCase)
                set.intersections.append(other)
                return set
            }
            if take("[") {
                set.items.append(.nested(try parseSet(foldsCase: foldsCase)))
                continue
            }
            let item = try parseItem()
            if case .range(let low, _) = item, current == "-", position + 1 < scalars.count, scalars[position + 1] != 0x5D {
                position += 1
                guard case .range(_, let high) = try parseItem(), high >= low else {
                    throw PatternSyntaxError(reason: "a range ends before it starts, at \(position)")
                }
                set.items.append(.range(low, high))
            } else {
                set.items.append(item)
            }
        }
        if !take("]") { throw PatternSyntaxError(reason: "a class is not closed") }
        return set
    }

    private mutating func parseSetTail(foldsCase: Bool) throws(PatternSyntaxError) -> ScalarSet { try parseSet(foldsCase: foldsCase) }

    private mutating func parseItem() throws(PatternSyntaxError) -> ScalarSet.Item {
        guard position < scalars.count else { throw PatternSyntaxError(reason: "it ends too early") }
        let scalar = scalars[position]
        position += 1
        guard scalar == 0x5C else { return .range(scalar, scalar) }
        guard let escape = current else { throw PatternSyntaxError(reason: "it ends with a backslash") }
        position += 1
        switch escape {
        case "s": return .space(negated: false)
        case "S": return .space(negated: true)
        case "w": return .word(negated: false)
        case "W": return .word(negated: true)
        case "d": return .categories(1 << 8, negated: false)
        case "D": return .categories(1 << 8, negated: true)
        case "h":
            return .nested(ScalarSet(items: [.range(0x30, 0x39), .range(0x41, 0x46), .range(0x61, 0x66)]))
        case "p": return try parseProperty(negated: false)
        case "P": return try parseProperty(negated: true)
        case "n": return .range(0x0A, 0x0A)
        case "r": return .range(0x0D, 0x0D)
        case "t": return .range(0x09, 0x09)
        case "f": return .range(0x0C, 0x0C)
        case "v": return .range(0x0B, 0x0B)
        case "a": return .range(0x07, 0x07)
        case "e": return .range(0x1B, 0x1B)
        case "0": return .range(0, 0)
        case "x", "u": return try parseHexadecimal(longest: escape == "x" ? 2 : 4)
        default:
            let value = scalars[position - 1]
            let isLetterOrDigit = (0x30...0x39).contains(value) || (0x41...0x5A).contains(value) || (0x61...0x7A).contains(value)
            if isLetterOrDigit { throw PatternSyntaxError(reason: "the escape \\\(escape) is not known") }
            return .range(value, value)
        }
    }

    private mutating func parseHexadecimal(longest: Int) throws(PatternSyntaxError) -> ScalarSet.Item {
        var digits = ""
        if take("{") {
            while let character = current, character != "}", digits.count < 8 {
                digits.append(character)
                position += 1
            }
            position += 1
        } else {
            while let character = current, character.isHexDigit, digits.count < longest {
                digits.append(character)
                position += 1
            }
        }
        guard let value = UInt32(digits, radix: 16), value < 0x110000 else {
            throw PatternSyntaxError(reason: "a hexadecimal escape is wrong")
        }
        return .range(value, value)
    }

    private mutating func parseProperty(negated: Bool) throws(PatternSyntaxError) -> ScalarSet.Item {
        var isNegated = negated
        var name = ""
        if take("{") {
            if take("^") { isNegated.toggle() }
            while let character = current, character != "}" {
                name.append(character)
                position += 1
            }
            position += 1
        } else if let character = current {
            name.append(character)
            position += 1
        }
        if let script = PatternParser.scripts[name.lowercased()] {
            return .nested(ScalarSet(items: script.map { .range($0.0, $0.1) }, isNegated: isNegated))
        }
        if name.lowercased() == "alpha" || name.lowercased() == "alphabetic" {
            return .nested(ScalarSet(items: [.categories(0b1_1111, negated: false)], isNegated: isNegated))
        }
        var bits: UInt32 = 0
        for (index, category) in UnicodeClasses.categoryNames.enumerated() where category == name || category.hasPrefix(name) && name.count == 1 {
            bits |= 1 << UInt32(index)
        }
        if bits == 0 { throw PatternSyntaxError(reason: "the property \(name) is not known") }
        return .categories(bits, negated: isNegated)
    }

    /// Scripts that published tokenizers name.
    private static let scripts: [String: [(UInt32, UInt32)]] = [
        "han": [
            (0x2E80, 0x2E99), (0x2E9B, 0x2EF3), (0x2F00, 0x2FD5), (0x3005, 0x3005), (0x3007, 0x3007), (0x3021, 0x3029),
            (0x3038, 0x303B), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFA6D), (0xFA70, 0xFAD9), (0x16FE2, 0x16FE3),
            (0x16FF0, 0x16FF1), (0x20000, 0x2A6DF), (0x2A700, 0x2B739), (0x2B740, 0x2B81D), (0x2B820, 0x2CEA1),
            (0x2CEB0, 0x2EBE0), (0x2EBF0, 0x2EE5D), (0x2F800, 0x2FA1D), (0x30000, 0x3134A), (0x31350, 0x323AF),
        ],
        "hiragana": [(0x3041, 0x3096), (0x309D, 0x309F), (0x1B001, 0x1B11F), (0x1B132, 0x1B132), (0x1B150, 0x1B152), (0x1F200, 0x1F200)],
        "katakana": [
            (0x30A1, 0x30FA), (0x30FD, 0x30FF), (0x31F0, 0x31FF), (0x32D0, 0x32FE), (0x3300, 0x3357), (0xFF66, 0xFF6F),
            (0xFF71, 0xFF9D), (0x1AFF0, 0x1AFF3), (0x1AFF5, 0x1AFFB), (0x1AFFD, 0x1AFFE), (0x1B000, 0x1B000),
            (0x1B120, 0x1B122), (0x1B155, 0x1B155), (0x1B164, 0x1B167),
        ],
        "hangul": [
            (0x1100, 0x11FF), (0x302E, 0x302F), (0x3131, 0x318E), (0x3200, 0x321E), (0x3260, 0x327E), (0xA960, 0xA97C),
            (0xAC00, 0xD7A3), (0xD7B0, 0xD7C6), (0xD7CB, 0xD7FB), (0xFFA0, 0xFFBE), (0xFFC2, 0xFFC7), (0xFFCA, 0xFFCF),
            (0xFFD2, 0xFFD7), (0xFFDA, 0xFFDC),
        ],
    ]
}
