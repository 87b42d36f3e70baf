/// ROUGE-1, ROUGE-2 and ROUGE-L as the rouge-chinese package computes them on words joined by spaces. Two of its habits matter
/// for equal numbers: ROUGE-N compares sets of n-grams, and a sentence of nothing but spaces counts as one empty word.

public struct RougeScores: Sendable, Equatable {
    /// F1 values in 0...1.
    public var rouge1: Double
    public var rouge2: Double
    public var rougeL: Double
}

public enum Rouge {
    typealias Text = [Unicode.Scalar]
    typealias Word = ArraySlice<Unicode.Scalar>

    /// - Parameters: the words of the answer and of the reference, whitespace tokens included.
    public static func scores(hypothesis: [String], reference: [String]) -> RougeScores {
        let hypothesisText = joined(hypothesis)
        let referenceText = joined(reference)
        guard hypothesisText.contains(where: { !PythonText.isSpace($0) }),
            referenceText.contains(where: { !PythonText.isSpace($0) })
        else { return RougeScores(rouge1: 0, rouge2: 0, rougeL: 0) }
        let hypothesisWords = words(of: hypothesisText)
        let referenceWords = words(of: referenceText)
        return RougeScores(
            rouge1: ngramScore(hypothesisWords, referenceWords, 1), rouge2: ngramScore(hypothesisWords, referenceWords, 2),
            rougeL: subsequenceScore(hypothesisWords, referenceWords))
    }

    private static func joined(_ words: [String]) -> Text {
        var text: Text = []
        for (index, word) in words.enumerated() {
            if index > 0 { text.append(" ") }
            text.append(contentsOf: word.unicodeScalars)
        }
        return text
    }

    /// Cuts into sentences, folds the spaces of each, and takes them apart at single spaces again.
    static func words(of text: Text) -> [Word] {
        var result: [Word] = []
        for sentence in sentences(of: text) where !sentence.isEmpty {
            let parts = sentence.split(whereSeparator: PythonText.isSpace)
            if parts.isEmpty { result.append([]) } else { result.append(contentsOf: parts) }
        }
        return result
    }

    /// Four rewriting passes put a line break behind sentence ends, each from left to right over the result of the one before.
    private static func sentences(of text: Text) -> [Word] {
        let ends: Set<Unicode.Scalar> = ["。", "！", "？", "?"]
        let closing: Set<Unicode.Scalar> = ["”", "’"]
        let afterClosing: Set<Unicode.Scalar> = ["，", "。", "！", "？", "?"]
        var broken = breaking(text, width: 1, matches: { ends.contains($0[$0.startIndex]) }, follower: { !closing.contains($0) })
        broken = breaking(broken, width: 6, matches: { $0.allSatisfy { $0 == "." } }, follower: { !closing.contains($0) })
        broken = breaking(broken, width: 2, matches: { $0.allSatisfy { $0 == "…" } }, follower: { !closing.contains($0) })
        broken = breaking(
            broken, width: 2, matches: { ends.contains($0[$0.startIndex]) && closing.contains($0[$0.startIndex + 1]) },
            follower: { !afterClosing.contains($0) })
        while let last = broken.last, PythonText.isSpace(last) { broken.removeLast() }
        return broken.split(separator: "\n", omittingEmptySubsequences: false)
    }

    /// Puts a line break between every run of `width` code points that `matches` and the `follower` behind it, which is used up.
    private static func breaking(
        _ text: Text, width: Int, matches: (Word) -> Bool, follower: (Unicode.Scalar) -> Bool
    ) -> Text {
        var result: Text = []
        result.reserveCapacity(text.count + 8)
        var index = 0
        while index < text.count {
            if index + width < text.count, matches(text[index..<index + width]), follower(text[index + width]) {
                result.append(contentsOf: text[index..<index + width])
                result.append("\n")
                result.append(text[index + width])
                index += width + 1
            } else {
                result.append(text[index])
                index += 1
            }
        }
        return result
    }

    private static func ngramScore(_ hypothesis: [Word], _ reference: [Word], _ length: Int) -> Double {
        let evaluated = ngrams(hypothesis, length)
        let expected = ngrams(reference, length)
        return f1(overlap: evaluated.intersection(expected).count, evaluated: evaluated.count, expected: expected.count)
    }

    private static func ngrams(_ words: [Word], _ length: Int) -> Set<ArraySlice<Word>> {
        guard words.count >= length else { return [] }
        return Set((0...(words.count - length)).map { words[$0..<$0 + length] })
    }

    private static func subsequenceScore(_ hypothesis: [Word], _ reference: [Word]) -> Double {
        // Words become numbers, so that the quadratic table compares integers.
        var numbers: [Word: Int32] = [:]
        func number(_ word: Word) -> Int32 {
            if let known = numbers[word] { return known }
            let fresh = Int32(numbers.count)
            numbers[word] = fresh
            return fresh
        }
        let first = reference.map(number)
        let second = hypothesis.map(number)
        var row = [Int](repeating: 0, count: second.count + 1)
        for symbol in first {
            var diagonal = 0
            for column in 0..<second.count {
                let above = row[column + 1]
                row[column + 1] = symbol == second[column] ? diagonal + 1 : max(above, row[column])
                diagonal = above
            }
        }
        return f1(overlap: row[second.count], evaluated: second.count, expected: first.count)
    }

    private static func f1(overlap: Int, evaluated: Int, expected: Int) -> Double {
        let precision = evaluated == 0 ? 0 : Double(overlap) / Double(evaluated)
        let recall = expected == 0 ? 0 : Double(overlap) / Double(expected)
        return 2.0 * ((precision * recall) / (precision + recall + 1e-8))
    }
}
