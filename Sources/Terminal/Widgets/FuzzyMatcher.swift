/// Finds what was meant by a few typed letters: `lrt` finds `learning_rate`.
///
/// The letters of each word of the pattern must occur in order; beginnings of words, runs of letters and early places count more.
/// Capitals in the pattern are matched exactly.
public struct FuzzyMatcher: Sendable {
    public struct Match: Hashable, Sendable {
        public let score: Int
        /// The places of the matched characters, in order.
        public let positions: [Int]
    }

    private let words: [[Character]]

    public init(pattern: String) { words = pattern.split(separator: " ").map(Array.init) }

    public var isEmpty: Bool { words.isEmpty }

    /// How well a text matches; `nil` when it does not. An empty pattern matches everything alike.
    public func match(_ text: String) -> Match? {
        let characters = Array(text)
        var score = 0
        var positions: Set<Int> = []
        for word in words {
            guard let found = FuzzyMatcher.match(word, in: characters) else { return nil }
            score += found.score
            positions.formUnion(found.positions)
        }
        return Match(score: score - characters.count / 8, positions: positions.sorted())
    }

    /// The indices of those that match, best first; equals keep their order.
    public func rank<Items: Sequence>(_ items: Items, by text: (Items.Element) -> String) -> [(index: Int, match: Match)] {
        items.enumerated().compactMap { index, item in match(text(item)).map { (index: index, match: $0) } }
            .sorted { $0.match.score != $1.match.score ? $0.match.score > $1.match.score : $0.index < $1.index }
    }

    /// The best way to find a word's letters, by trying every start: texts are short.
    private static func match(_ word: [Character], in text: [Character]) -> Match? {
        var best: Match?
        for start in text.indices where equal(word[0], text[start]) {
            guard let candidate = match(word, in: text, from: start) else { break }
            if candidate.score > (best?.score ?? Int.min) { best = candidate }
        }
        return best
    }

    private static func match(_ word: [Character], in text: [Character], from start: Int) -> Match? {
        var score = 0
        var positions: [Int] = []
        var index = start
        for letter in word {
            // Where the run breaks, the beginning of a word is preferred to the next occurrence.
            var place: Int?
            if index < text.count, equal(letter, text[index]) {
                place = index
            } else {
                let later = (index..<text.count).filter { equal(letter, text[$0]) }
                place = later.first { isWordStart($0, text) } ?? later.first
            }
            guard let found = place else { return positions.count == word.count ? nil : greedy(word, in: text, from: start) }
            score += 8
            if let last = positions.last, found == last + 1 { score += 12 }
            if isWordStart(found, text) { score += 10 }
            if found == 0 { score += 6 }
            if let last = positions.last { score -= min(6, found - last - 1) }
            positions.append(found)
            index = found + 1
        }
        return Match(score: score, positions: positions)
    }

    /// Without preferences: finds the letters whenever they are there at all.
    private static func greedy(_ word: [Character], in text: [Character], from start: Int) -> Match? {
        var positions: [Int] = []
        var index = start
        for letter in word {
            guard let found = (index..<text.count).first(where: { equal(letter, text[$0]) }) else { return nil }
            positions.append(found)
            index = found + 1
        }
        return Match(score: 4 * positions.count, positions: positions)
    }

    private static func isWordStart(_ index: Int, _ text: [Character]) -> Bool {
        guard index > 0 else { return true }
        let before = text[index - 1]
        return !(before.isLetter || before.isNumber) || (before.isLowercase && text[index].isUppercase)
    }

    private static func equal(_ pattern: Character, _ character: Character) -> Bool {
        pattern == character || (!pattern.isUppercase && character.isUppercase && character.lowercased() == String(pattern))
    }
}

extension CellGrid {
    /// Writes text with the matched characters set off.
    @discardableResult
    public mutating func put(_ text: String, at point: Point, style: Style, highlighting positions: [Int], highlight: Style, maxWidth: Int) -> Int {
        let used = put(TextWidth.truncate(text, to: maxWidth), at: point, style: style, maxWidth: maxWidth)
        var cell = 0
        var next = positions.makeIterator()
        var wanted = next.next()
        for (index, character) in text.enumerated() {
            guard let target = wanted, cell < maxWidth else { break }
            let width = TextWidth.width(of: character)
            if index == target {
                overlay(Rect(x: point.x + cell, y: point.y, width: min(width, maxWidth - cell), height: 1), style: highlight)
                wanted = next.next()
            }
            cell += width
        }
        return used
    }
}
