/// Fitting text into columns.
extension TextWidth {
    /// The beginning of `text` that fits into `width` cells, with an ellipsis where something was cut off.
    public static func truncate(_ text: String, to width: Int, ellipsis: String = "…") -> String {
        guard width > 0 else { return "" }
        guard Self.width(of: text) > width else { return text }
        let mark = Self.width(of: ellipsis) <= width ? ellipsis : ""
        return prefix(of: text, cells: width - Self.width(of: mark)) + mark
    }

    /// The end of `text` that fits: for paths, whose last parts tell most.
    public static func truncateStart(_ text: String, to width: Int, ellipsis: String = "…") -> String {
        guard width > 0 else { return "" }
        let total = Self.width(of: text)
        guard total > width else { return text }
        let mark = Self.width(of: ellipsis) <= width ? ellipsis : ""
        return mark + dropping(cells: total - width + Self.width(of: mark), from: text)
    }

    /// `text` in exactly `width` cells: cut with an ellipsis, or padded with spaces.
    public static func fit(_ text: String, to width: Int, alignment: Alignment = .leading) -> String {
        let cut = truncate(text, to: width)
        let missing = max(0, width - Self.width(of: cut))
        switch alignment {
        case .leading: return cut + spaces(missing)
        case .trailing: return spaces(missing) + cut
        case .center: return spaces(missing / 2) + cut + spaces(missing - missing / 2)
        }
    }

    public enum Alignment: Hashable, Sendable { case leading, center, trailing }

    /// The longest beginning of `text` that takes no more than `cells` cells.
    public static func prefix(of text: String, cells: Int) -> String {
        var used = 0
        var end = text.startIndex
        for index in text.indices {
            used += width(of: text[index])
            if used > cells { return String(text[..<end]) }
            end = text.index(after: index)
        }
        return text
    }

    /// What remains of `text` after its first `cells` cells; a wide character cut in half goes as well.
    public static func dropping(cells: Int, from text: String) -> String {
        var used = 0
        for index in text.indices {
            if used >= cells { return String(text[index...]) }
            used += width(of: text[index])
        }
        return ""
    }

    private static func spaces(_ count: Int) -> String { String(repeating: " ", count: count) }

    /// Breaks text into lines of at most `width` cells. Line breaks in the text are kept. Latin words stay whole while they fit on a line
    /// of their own, and a path that does not breaks after one of its slashes; between Chinese, Japanese and Korean characters a line may break anywhere, except before closing and after
    /// opening punctuation. Spaces at a break are dropped; leading spaces of a paragraph are kept.
    ///
    /// - Returns: at least one line, even for empty text.
    public static func wrap(_ text: String, to width: Int) -> [String] {
        wrapRanges(text, to: width).map { String(text[$0]) }
    }

    /// The parts of `text` that `wrap` puts on each line.
    public static func wrapRanges(_ text: String, to width: Int) -> [Range<String.Index>] {
        let limit = max(1, width)
        var lines: [Range<String.Index>] = []
        var paragraphStart = text.startIndex
        while true {
            let paragraphEnd = text[paragraphStart...].firstIndex(where: \.isNewline) ?? text.endIndex
            wrapParagraph(text, paragraphStart..<paragraphEnd, limit, &lines)
            guard paragraphEnd < text.endIndex else { return lines }
            paragraphStart = text.index(after: paragraphEnd)
        }
    }

    private static func wrapParagraph(_ text: String, _ paragraph: Range<String.Index>, _ limit: Int, _ lines: inout [Range<String.Index>]) {
        var start = paragraph.lowerBound
        var used = 0
        /// Where the line may end, and where the next one would begin.
        var breakEnd: String.Index?
        var breakStart = start
        /// After a slash, for words that are longer than a line.
        var slashBreak: String.Index?
        var previous: Character?
        var index = start
        while index < paragraph.upperBound {
            let character = text[index]
            let next = text.index(after: index)
            let cells = width(of: character)
            if let before = previous, index > start, mayBreak(between: before, and: character) {
                breakEnd = index
                breakStart = index
            }
            if previous == "/", character != "/", index > start, used * 3 >= limit { slashBreak = index }
            if character == " " {
                slashBreak = nil
                if used < limit || index == start {
                    used += cells
                } else {
                    // A space that hangs over the edge ends the line and is not shown.
                    lines.append(start..<trimmingTrailingSpaces(text, start..<index))
                    start = next
                    used = 0
                    breakEnd = nil
                    slashBreak = nil
                    previous = nil
                    index = next
                    continue
                }
                breakEnd = leadingSpacesOnly(text, start..<index) ? breakEnd : index
                breakStart = next
            } else {
                if used + cells > limit, index > start {
                    // A break within a name, after a hyphen, is worse than one after a slash of the same path.
                    let isWithinWord = breakEnd.map { $0 == breakStart && text[text.index(before: $0)] == "-" } ?? true
                    let slash = isWithinWord ? slashBreak : nil
                    let end = slash ?? breakEnd ?? index
                    let restart = slash ?? (breakEnd == nil ? index : breakStart)
                    lines.append(start..<trimmingTrailingSpaces(text, start..<end))
                    start = restart
                    used = width(of: String(text[start..<index]))
                    breakEnd = nil
                    slashBreak = slashBreak.flatMap { $0 > start ? $0 : nil }
                    breakStart = start
                }
                used += cells
            }
            previous = character
            index = next
        }
        lines.append(start..<paragraph.upperBound)
    }

    private static func leadingSpacesOnly(_ text: String, _ range: Range<String.Index>) -> Bool {
        text[range].allSatisfy { $0 == " " }
    }

    private static func trimmingTrailingSpaces(_ text: String, _ range: Range<String.Index>) -> String.Index {
        var end = range.upperBound
        while end > range.lowerBound {
            let before = text.index(before: end)
            guard text[before] == " " else { break }
            end = before
        }
        return end == range.lowerBound ? range.upperBound : end
    }

    private static func mayBreak(between before: Character, and after: Character) -> Bool {
        guard before != " ", after != " " else { return false }
        if closingPunctuation.contains(after) || openingPunctuation.contains(before) { return false }
        if before == "-" && after.isLetter { return true }
        return width(of: before) == 2 || width(of: after) == 2
    }

    private static let closingPunctuation: Set<Character> = [
        "，", "。", "、", "；", "：", "？", "！", "）", "】", "》", "」", "』", "”", "’", "…", "%", ",", ".", ";", ":", "?", "!", ")", "]", "}", "～", "ー",
    ]
    private static let openingPunctuation: Set<Character> = ["（", "【", "《", "「", "『", "“", "‘", "(", "[", "{", "￥", "$"]
}
