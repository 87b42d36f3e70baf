import Formats
import Platform

/// Leaves out rows that are there already, as a whole, sentence by sentence or nearly, and rows that overlap with evaluation data. The
/// first of several alike stays.
public struct RowDeduplicator {
    public var sources: [String]
    /// Columns whose texts count; empty for all.
    public var columns: [String] = []
    public var isExact = true
    /// A row goes when so much of it, in words, is sentences that rows before it had; nil for never.
    public var sentenceShare: Double?
    /// A row goes when it shares so much of its stretches of five words with one before it; nil for never.
    public var similarity: Double?
    /// Files whose texts must not be learnt: a row goes that has so many words in a row with one of them.
    public var evaluationFiles: [String] = []
    public var overlapWords = 13
    public var threads = SystemInfo.cpuCount
    public var progress: (Int) -> Void = { _ in }

    /// Sentences of fewer words say too little to count.
    static let shortestSentence = 5

    public init(sources: [String]) { self.sources = sources }

    /// What is looked at of a row, made by several threads.
    private struct Facts: Sendable {
        var whole: Hash128
        var sentences: [(hash: UInt64, words: Int)] = []
        var signature: MinHash.Signature?
        var overlap: String?
    }

    struct Hash128: Hashable, Sendable {
        var low, high: UInt64
    }

    private struct Memory {
        var wholes: [Hash128: Int] = [:]
        var sentences: Set<UInt64> = []
        var near: NearDuplicateIndex?
    }

    /// - Parameter output: nil only counts.
    public func run(output: String?) throws -> RowReport {
        if let share = sentenceShare, !(share > 0 && share <= 1) {
            throw DatasetError.badSetting(argument: "sentence_share", reason: "it is \(share), expected a share above 0 and up to 1")
        }
        if let similarity, !(similarity > 0 && similarity <= 1) {
            throw DatasetError.badSetting(argument: "similarity", reason: "it is \(similarity), expected a share above 0 and up to 1")
        }
        let text = RowText(columns: Set(columns))
        let hash = similarity.map { MinHash(threshold: $0) }
        let known = evaluationFiles.isEmpty ? nil : try EvaluationOverlap(files: evaluationFiles, words: overlapWords)
        let usesSentences = sentenceShare != nil
        var memory = Memory()
        if let hash, let similarity { memory.near = NearDuplicateIndex(hash, threshold: similarity) }
        let pipeline = RowPipeline<Facts>(
            sources: sources, output: output, threads: threads, progress: progress,
            look: { value in
                let words = text.text(value)
                let measure = TextMeasure(words)
                return Facts(
                    whole: Self.hash(words), sentences: usesSentences ? Self.sentences(words) : [], signature: hash?.signature(measure),
                    overlap: known?.found(in: measure))
            },
            judge: { rows in rows.map { judge($0.facts, number: $0.number, &memory) } })
        return try pipeline.run()
    }

    private func judge(_ facts: Facts, number: Int, _ memory: inout Memory) -> RowVerdict {
        if let overlap = facts.overlap { return .drop(rule: "evaluation", reason: overlap) }
        if isExact {
            if let first = memory.wholes[facts.whole] { return .drop(rule: "exact", reason: "it is the same as row \(first)") }
            memory.wholes[facts.whole] = number
        }
        if let sentenceShare, !facts.sentences.isEmpty {
            let all = facts.sentences.reduce(0) { $0 + $1.words }
            let seen = facts.sentences.reduce(0) { $0 + (memory.sentences.contains($1.hash) ? $1.words : 0) }
            if Double(seen) >= sentenceShare * Double(all) {
                return .drop(rule: "sentences", reason: "\(100 * seen / all) % of it is sentences of rows before it")
            }
        }
        if let signature = facts.signature {
            if let match = memory.near?.match(signature) {
                return .drop(rule: "near", reason: "it is \(NumberText.fixed(100 * match.similarity, digits: 0)) % the same as row \(match.row)")
            }
            memory.near?.insert(signature, row: number)
        }
        for sentence in facts.sentences { memory.sentences.insert(sentence.hash) }
        return .keep
    }

    /// Of the text as it is.
    static func hash(_ text: String) -> Hash128 {
        var text = text
        return text.withUTF8 { bytes in
            var low: UInt64 = 0xCBF2_9CE4_8422_2325, high: UInt64 = 0x9E37_79B9_7F4A_7C15
            for byte in bytes {
                low = (low ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
                high = (high &+ UInt64(byte)) &* 0xD6E8_FEB8_6659_FD93
                high ^= high >> 32
            }
            return Hash128(low: WordHash.mixed(low), high: WordHash.mixed(high))
        }
    }

    /// Sentences end at full stops, question and exclamation marks, in either script, and at line feeds.
    static func sentences(_ text: String) -> [(hash: UInt64, words: Int)] {
        var sentences: [(hash: UInt64, words: Int)] = []
        for part in text.split(whereSeparator: { ".!?。！？；\n".contains($0) }) {
            let measure = TextMeasure(String(part))
            if measure.words.count >= shortestSentence { sentences.append((WordHash.joined(measure.words[...]), measure.words.count)) }
        }
        return sentences
    }
}

/// The stretches of words that evaluation data have. Rows of fewer words than a stretch count as a whole, down to a few words.
struct EvaluationOverlap: Sendable {
    private let length: Int
    private var stretches: Set<UInt64> = []
    /// Whole short rows, by their number of words.
    private var wholes: [Int: Set<UInt64>] = [:]

    private static let shortestWhole = 6

    init(files: [String], words: Int) throws(DatasetError) {
        guard words >= 1 else { throw .badSetting(argument: "overlap_words", reason: "it is \(words), expected at least 1") }
        length = words
        let text = RowText(columns: [])
        for path in files {
            let file = try RowFile(path: path, limit: 0)
            var scanner = try file.scanner()
            while let span = try scanner.next() {
                let value: JSONValue
                do { value = try file.value(span) } catch { throw .badFile(sentence: error.description) }
                add(TextMeasure(text.text(value)))
            }
        }
        if stretches.isEmpty, wholes.isEmpty { throw .nothingUsable(dataset: files.joined(separator: ", "), rows: 0, problems: []) }
    }

    private mutating func add(_ measure: TextMeasure) {
        if measure.words.count >= length {
            stretches.formUnion(measure.stretches(length))
        } else if measure.words.count >= Self.shortestWhole {
            wholes[measure.words.count, default: []].insert(WordHash.joined(measure.words[...]))
        }
    }

    /// Why a row overlaps; nil when it does not.
    func found(in measure: TextMeasure) -> String? {
        if measure.words.count >= length, measure.stretches(length).contains(where: stretches.contains) {
            return "it has \(length) words in a row with an evaluation row"
        }
        for (count, known) in wholes where measure.words.count >= count {
            if measure.stretches(count).contains(where: known.contains) { return "it holds an evaluation row of \(count) words" }
        }
        return nil
    }
}
