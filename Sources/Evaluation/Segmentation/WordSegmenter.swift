/// Cuts text into words as jieba's `cut` does in its accurate mode: a graph of all dictionary words over each run of Han and
/// ASCII characters, the path of greatest probability through it, and a hidden Markov model for the characters in between.
///
/// The dictionary and the model's tables are jieba's own files, read where jieba is installed. Without them, text free of Han
/// characters is still cut exactly as jieba cuts it, and Han runs are cut into single characters; `hasDictionary` says which.

import Glibc
import Platform

public struct WordSegmenter: Sendable {
    private let dictionary: PrefixDictionary
    private let model: CharacterModel?
    /// Where the tables were found; nil when Han text is cut character by character.
    public let dictionaryDirectory: String?

    public var hasDictionary: Bool { dictionaryDirectory != nil }

    /// A segmenter without any dictionary.
    public init() {
        dictionary = .asciiOnly
        model = nil
        dictionaryDirectory = nil
    }

    /// - Parameter directory: jieba's package folder, with dict.txt and finalseg/.
    public init(jiebaDirectory directory: String) throws {
        dictionary = try PrefixDictionary.load(path: Path.join(directory, "dict.txt"))
        model = try CharacterModel.load(directory: Path.join(directory, "finalseg"))
        dictionaryDirectory = directory
    }

    /// The segmenter with jieba's tables where they are installed, else the one without.
    /// - Returns: the segmenter, and a sentence for the log.
    public static func installed(environment: (String) -> String? = Environment.value) -> (segmenter: WordSegmenter, note: String) {
        var complaint = ""
        for directory in JiebaLocation.candidates(environment: environment) {
            guard FileSystem.exists(Path.join(directory, "dict.txt")) else { continue }
            do {
                return (try WordSegmenter(jiebaDirectory: directory), "Chinese words are cut with jieba's dictionary in \(directory).")
            } catch {
                complaint = " (\(error))"
            }
        }
        return (
            WordSegmenter(),
            "jieba's dictionary was not found\(complaint): ROUGE of Chinese text compares characters, not words. "
                + "Install jieba (pip install jieba, or apt install python3-jieba) or set TUNEBOARD_JIEBA to its folder."
        )
    }

    /// - Returns: the pieces of `text` in order; joined they give `text` again.
    public func cut(_ text: String) -> [String] {
        cut(Array(text.unicodeScalars)).map { piece in
            var word = String.UnicodeScalarView()
            word.append(contentsOf: piece)
            return String(word)
        }
    }

    func cut(_ text: [Unicode.Scalar]) -> [ArraySlice<Unicode.Scalar>] {
        var words: [ArraySlice<Unicode.Scalar>] = []
        var index = 0
        while index < text.count {
            var end = index
            while end < text.count, Self.isWordCharacter(text[end]) { end += 1 }
            if end > index {
                cutBlock(text[index..<end], into: &words)
                index = end
            } else if text[index] == "\r", index + 1 < text.count, text[index + 1] == "\n" {
                words.append(text[index...index + 1])
                index += 2
            } else {
                words.append(text[index...index])
                index += 1
            }
        }
        return words
    }

    /// What jieba hands to its dictionary: Han, ASCII letters and digits, and + # & . _ % -
    private static func isWordCharacter(_ scalar: Unicode.Scalar) -> Bool {
        PythonText.isHan(scalar) || PythonText.isASCIILetterOrDigit(scalar) || "+#&._%-".unicodeScalars.contains(scalar)
    }

    private func cutBlock(_ block: ArraySlice<Unicode.Scalar>, into words: inout [ArraySlice<Unicode.Scalar>]) {
        let ends = likeliestWordEnds(block)
        var pendingStart = block.startIndex
        var index = block.startIndex
        while index < block.endIndex {
            let end = ends[index - block.startIndex]
            if end - index > 1 {
                flush(block[pendingStart..<index], into: &words)
                words.append(block[index..<end])
                pendingStart = end
            }
            index = end
        }
        flush(block[pendingStart..<block.endIndex], into: &words)
    }

    /// Single characters that stood side by side: a known word is left apart, an unknown run goes to the character model.
    private func flush(_ run: ArraySlice<Unicode.Scalar>, into words: inout [ArraySlice<Unicode.Scalar>]) {
        if run.isEmpty { return }
        if run.count == 1 {
            words.append(run)
        } else if dictionary.frequency(of: run) > 0 {
            for index in run.indices { words.append(run[index...index]) }
        } else {
            cutUnknown(run, into: &words)
        }
    }

    private func cutUnknown(_ run: ArraySlice<Unicode.Scalar>, into words: inout [ArraySlice<Unicode.Scalar>]) {
        var index = run.startIndex
        while index < run.endIndex {
            let isHan = PythonText.isHan(run[index])
            var end = index
            while end < run.endIndex, PythonText.isHan(run[end]) == isHan { end += 1 }
            if !isHan {
                cutLatin(run[index..<end], into: &words)
            } else if let model {
                words.append(contentsOf: model.cut(run[index..<end]))
            } else {
                for position in index..<end { words.append(run[position...position]) }
            }
            index = end
        }
    }

    /// Numbers with their decimals and per cent sign, and words, stay whole; what lies between them stays whole too.
    private func cutLatin(_ run: ArraySlice<Unicode.Scalar>, into words: inout [ArraySlice<Unicode.Scalar>]) {
        var between = run.startIndex
        var index = run.startIndex
        while index < run.endIndex {
            guard PythonText.isASCIILetterOrDigit(run[index]) else {
                index += 1
                continue
            }
            if between < index { words.append(run[between..<index]) }
            var end = index
            while end < run.endIndex, PythonText.isASCIILetterOrDigit(run[end]) { end += 1 }
            if end + 1 < run.endIndex, run[end] == ".", PythonText.isASCIIDigit(run[end + 1]) {
                end += 1
                while end < run.endIndex, PythonText.isASCIIDigit(run[end]) { end += 1 }
            }
            if end < run.endIndex, run[end] == "%" { end += 1 }
            words.append(run[index..<end])
            (index, between) = (end, end)
        }
        if between < run.endIndex { words.append(run[between..<run.endIndex]) }
    }

    /// For each character the end of the word that starts there on the path of greatest probability; ties go to the longer word.
    private func likeliestWordEnds(_ block: ArraySlice<Unicode.Scalar>) -> [Int] {
        let count = block.count
        let logTotal = log(Double(dictionary.total))
        var best = [Double](repeating: 0, count: count + 1)
        var ends = [Int](repeating: 0, count: count)
        for offset in stride(from: count - 1, through: 0, by: -1) {
            var chosen = -Double.infinity
            var node = PrefixDictionary.root
            var isAnyWord = false
            for end in offset..<count {
                guard let next = dictionary.child(of: node, block[block.startIndex + end]) else { break }
                node = next
                let frequency = dictionary.frequency(at: node)
                guard frequency > 0 else { continue }
                isAnyWord = true
                let score = log(Double(frequency)) - logTotal + best[end + 1]
                if score >= chosen { (chosen, ends[offset]) = (score, block.startIndex + end + 1) }
            }
            if !isAnyWord {
                chosen = log(1.0) - logTotal + best[offset + 1]
                ends[offset] = block.startIndex + offset + 1
            }
            best[offset] = chosen
        }
        return ends
    }
}
