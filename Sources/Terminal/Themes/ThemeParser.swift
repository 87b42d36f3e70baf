/// Reads theme files. The scopes that exist are those of the built-in dark theme; others are kept but reported.
struct ThemeParser {
    private enum Section { case head, palette, style }

    private var source: ThemeSource
    private let file: String
    private let knownScopes: Set<String>?
    private var palette: [String: ThemeSource.PaletteColor] = [:]
    private var section = Section.head
    private var line = 0

    private init(file: String, knownScopes: Set<String>?) {
        self.file = file
        self.knownScopes = knownScopes
        var name = Substring(file)
        if let slash = name.lastIndex(of: "/") { name = name[name.index(after: slash)...] }
        if name.hasSuffix(".theme") { name = name.dropLast(6) }
        source = ThemeSource(name: String(name))
    }

    /// - Parameters:
    ///   - file: named in problems; the theme's name unless it says another.
    ///   - knownScopes: scopes outside are reported; `nil` to accept all.
    static func parse(_ text: String, file: String, knownScopes: Set<String>?) -> ThemeSource {
        var parser = ThemeParser(file: file, knownScopes: knownScopes)
        for raw in text.split(separator: "\n", omittingEmptySubsequences: false) {
            parser.line += 1
            parser.take(raw)
        }
        return parser.source
    }

    private mutating func report(_ message: String) {
        source.problems.append(ThemeSource.Problem(file: file, line: line, message: message))
    }

    private mutating func take(_ raw: Substring) {
        let text = ThemeParser.trim(ThemeParser.withoutComment(raw))
        if text.isEmpty { return }
        if text.first == "[" {
            switch text {
            case "[palette]": section = .palette
            case "[style]": section = .style
            default: report("unknown section \(text); expected [palette] or [style]")
            }
            return
        }
        guard let equals = text.firstIndex(of: "=") else {
            report("expected `key = value`, found `\(text)`")
            return
        }
        let key = String(ThemeParser.trim(text[..<equals]))
        let words = ThemeParser.words(text[text.index(after: equals)...])
        guard !key.isEmpty, !words.isEmpty else {
            report("expected `key = value`, found `\(text)`")
            return
        }
        switch section {
        case .head: takeHead(key, words)
        case .palette: takeColor(key, words)
        case .style: takeRule(key, words)
        }
    }

    private mutating func takeHead(_ key: String, _ words: [String]) {
        let value = words.joined(separator: " ")
        switch key {
        case "name": source.name = value
        case "pair": source.pair = value
        case "variant":
            if let variant = Theme.Variant(rawValue: value) {
                source.variant = variant
            } else {
                report("variant is `\(value)`; expected dark or light")
            }
        default: report("unknown key `\(key)`; expected name, variant or pair")
        }
    }

    private mutating func takeColor(_ key: String, _ words: [String]) {
        guard let exact = ThemeParser.literalColor(words[0]) else {
            report("colour `\(words[0])` of `\(key)` is neither #rrggbb, nor a number 0-255, nor one of the 16 names")
            return
        }
        var color = ThemeSource.PaletteColor(exact: exact)
        for word in words.dropFirst() {
            switch ThemeParser.literalColor(word) {
            case .some(let value) where value.kind == .indexed: color.indexed = value
            case .some(let value) where value.kind == .ansi || value.kind == .default: color.named = value
            default: report("`\(word)` after `\(key)`: expected a number 0-255, one of the 16 names or default")
            }
        }
        palette[key] = color
    }

    private mutating func takeRule(_ key: String, _ words: [String]) {
        if let knownScopes, !ThemeParser.isKnown(key, knownScopes) { report("unknown style `\(key)`; it has no effect") }
        var rule = ThemeSource.StyleRule()
        if words[0] == "gradient" {
            rule.gradient = words.dropFirst().compactMap { color($0) }
            guard rule.gradient.count >= 2 else {
                report("gradient of `\(key)` needs at least two colours")
                return
            }
            source.rules[key] = rule
            return
        }
        for word in words {
            if word.hasPrefix("fg:") {
                rule.foreground = color(String(word.dropFirst(3)))
            } else if word.hasPrefix("bg:") {
                rule.background = color(String(word.dropFirst(3)))
            } else if let attribute = ThemeParser.attributes[word] {
                rule.attributes.insert(attribute)
            } else {
                report("`\(word)` in `\(key)`: expected fg:colour, bg:colour, bold, dim, italic, underline or reverse")
            }
        }
        source.rules[key] = rule
    }

    private mutating func color(_ word: String) -> ThemeSource.PaletteColor? {
        if let known = palette[word] { return known }
        if let literal = ThemeParser.literalColor(word) { return ThemeSource.PaletteColor(exact: literal) }
        report("colour `\(word)` is not in [palette] and not one of the 16 names")
        return nil
    }

    private static let attributes: [String: Style.Attributes] = [
        "bold": .bold, "dim": .dim, "italic": .italic, "underline": .underline, "reverse": .reverse,
    ]

    private static let names = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"]

    /// `default`, `#rrggbb`, `0`-`255`, `cyan`, `bright-cyan`, `grey`.
    static func literalColor(_ word: String) -> Color? {
        if word == "default" { return .default }
        if word == "grey" || word == "gray" { return .ansi(8) }
        if word.hasPrefix("#") {
            guard word.utf8.count == 7, let value = UInt32(word.dropFirst(), radix: 16) else { return nil }
            return .rgb(UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255))
        }
        if let number = UInt8(word) { return .indexed(number) }
        let isBright = word.hasPrefix("bright-")
        guard let index = names.firstIndex(of: isBright ? String(word.dropFirst(7)) : word) else { return nil }
        return .ansi(UInt8(index + (isBright ? 8 : 0)))
    }

    /// A scope that is known, above a known one, or below a known one (`plot.series.7`).
    private static func isKnown(_ scope: String, _ known: Set<String>) -> Bool {
        if known.contains(scope) || known.contains(where: { $0.hasPrefix(scope + ".") }) { return true }
        guard let dot = scope.lastIndex(of: "."), Int(scope[scope.index(after: dot)...]) != nil else { return false }
        return known.contains(String(scope[..<dot]))
    }

    /// A `#` starts a comment unless six hexadecimal digits follow, or it stands inside quotes.
    private static func withoutComment(_ text: Substring) -> Substring {
        var isQuoted = false
        for index in text.indices {
            if text[index] == "\"" { isQuoted.toggle() }
            guard text[index] == "#", !isQuoted else { continue }
            let digits = text[text.index(after: index)...].prefix { $0.isHexDigit }
            if digits.count == 6 { continue }
            return text[..<index]
        }
        return text
    }

    private static func trim(_ text: Substring) -> Substring {
        var result = text
        while let first = result.first, first.isWhitespace { result = result.dropFirst() }
        while let last = result.last, last.isWhitespace { result = result.dropLast() }
        return result
    }

    private static func words(_ text: Substring) -> [String] {
        text.split(whereSeparator: \.isWhitespace).map { word in
            word.count >= 2 && word.first == "\"" && word.last == "\"" ? String(word.dropFirst().dropLast()) : String(word.filter { $0 != "\"" })
        }
    }
}
