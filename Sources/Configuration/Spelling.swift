/// Finding what somebody meant to write.

public enum Spelling {
    /// The candidate with the fewest edits to `word`; nil when even that one needs more than a third of the letters changed.
    public static func nearest(_ word: String, among candidates: some Sequence<String>) -> String? {
        let letters = Array(word.lowercased().replacing("-", with: "_").utf8)
        let limit = max(1, letters.count / 3)
        var best: (name: String, distance: Int)?
        for candidate in candidates {
            let other = Array(candidate.utf8)
            guard abs(other.count - letters.count) <= limit else { continue }
            let distance = distance(letters, other)
            if distance <= limit, distance < best?.distance ?? Int.max { best = (candidate, distance) }
        }
        return best?.name ?? abbreviated(letters, among: candidates)
    }

    /// The shortest candidate that a word of some length abbreviates: its letters in order, at least half of them, the first one too.
    private static func abbreviated(_ letters: [UInt8], among candidates: some Sequence<String>) -> String? {
        guard letters.count >= 5 else { return nil }
        let found = candidates.filter { candidate in
            guard candidate.utf8.first == letters.first, candidate.utf8.count <= 2 * letters.count else { return false }
            var rest = letters[...]
            for byte in candidate.utf8 where byte == rest.first { rest.removeFirst() }
            return rest.isEmpty
        }
        return found.min { ($0.utf8.count, $0) < ($1.utf8.count, $1) }
    }

    /// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other (Damerau and Levenshtein,
    /// restricted).
    static func distance(_ first: [UInt8], _ second: [UInt8]) -> Int {
        if first.isEmpty || second.isEmpty { return max(first.count, second.count) }
        var beforeLast = [Int](repeating: 0, count: second.count + 1)
        var last = Array(0...second.count)
        for row in 1...first.count {
            var current = [row] + [Int](repeating: 0, count: second.count)
            for column in 1...second.count {
                let isSame = first[row - 1] == second[column - 1]
                var cost = min(last[column] + 1, current[column - 1] + 1, last[column - 1] + (isSame ? 0 : 1))
                if row > 1, column > 1, first[row - 1] == second[column - 2], first[row - 2] == second[column - 1] {
                    cost = min(cost, beforeLast[column - 2] + 1)
                }
                current[column] = cost
            }
            (beforeLast, last) = (last, current)
        }
        return last[second.count]
    }
}
