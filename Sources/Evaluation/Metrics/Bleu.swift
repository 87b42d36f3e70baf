/// BLEU-4 of one sentence over characters, as LLaMA-Factory reports it: nltk's `sentence_bleu` with one reference, equal weights
/// and smoothing method 3 (the geometric sequence of NIST's mteval-v13a).

import Glibc

public enum Bleu {
    /// - Returns: BLEU-4 in 0...1 of `hypothesis` against one `reference`; both are compared code point by code point.
    public static func sentence(hypothesis: String, reference: String) -> Double {
        score(hypothesis: hypothesis.unicodeScalars.map(\.value), reference: reference.unicodeScalars.map(\.value))
    }

    static func score(hypothesis: [UInt32], reference: [UInt32]) -> Double {
        let longest = 4
        var precisions: [Double] = []
        var missing = 0.0
        for length in 1...longest {
            let (matches, total) = clippedMatches(hypothesis, reference, length)
            if length == 1, matches == 0 { return 0 }
            if matches == 0 {
                missing += 1
                precisions.append(1 / (exp2(missing) * Double(total)))
            } else {
                precisions.append(Double(matches) / Double(total))
            }
        }
        let logarithms = precisions.map { 0.25 * log($0) }
        return brevityPenalty(hypothesis.count, reference.count) * exp(PythonNumbers.exactSum(logarithms))
    }

    /// How many n-grams of the hypothesis the reference holds, each counted at most as often as there, and how many there are.
    private static func clippedMatches(_ hypothesis: [UInt32], _ reference: [UInt32], _ length: Int) -> (Int, Int) {
        let counts = ngrams(hypothesis, length)
        let allowed = ngrams(reference, length)
        var matches = 0
        for (ngram, count) in counts { matches += min(count, allowed[ngram] ?? 0) }
        return (matches, max(1, hypothesis.count - length + 1))
    }

    private static func ngrams(_ symbols: [UInt32], _ length: Int) -> [ArraySlice<UInt32>: Int] {
        var counts: [ArraySlice<UInt32>: Int] = [:]
        guard symbols.count >= length else { return counts }
        for start in 0...(symbols.count - length) { counts[symbols[start..<start + length], default: 0] += 1 }
        return counts
    }

    private static func brevityPenalty(_ hypothesis: Int, _ reference: Int) -> Double {
        if hypothesis > reference { return 1 }
        return hypothesis == 0 ? 0 : exp(1 - Double(reference) / Double(hypothesis))
    }
}
