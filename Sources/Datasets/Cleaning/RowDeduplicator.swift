import Formats
import Platform

/// Leaves out rows that are there already, as a whole, sentence by sentence or nearly, and rows that overlap with evaluation data. The
/// first of several alike stays.
public struct RowDeduplicator {
    public var sources: [String]
    /// Columns that count; empty for all.
    public var columns: [String] = []
    /// A row goes when its columns that count are the same as another's: all values of them, numbers and labels too.
    public var isExact = true
    /// A row goes when so much of it, in words, is sentences that rows before it had; nil for never.
    public var sentenceShare: Double?
    /// A row goes when it shares so much of its stretches of five words with one before it; nil for never.
    public var similarity: Double?
    /// Files whose texts must not be learnt: a row goes that has so many words in a row with one of them.
    public var evaluationFiles: [String] = []
    public var overlapWords = 13
    /// Whether an output that exists is replaced; sources and evaluation files never are.
    public var overwrites = false
    public var threads = SystemInfo.cpuCount
    public var progress: (Int) -> Void = { _ in }

    /// Sentences of fewer words say too little to count.
    static let shortestSentence = 5

    public init(sources: [String]) { self.sources = sources }

    /// What is looked at of a row, made by several threads.
    private struct Facts: Sendable {
        /// Nil for a row that has none of the columns.
        var whole: RowHash?
        var sentences: [(hash: UInt64, words: Int)] = []
        var signature: MinHash.Signature?
        var overlap: String?
    }

    private struct Memory {
        var wholes: [RowHash: Int] = [:]
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
        let columns = Set(columns), text = RowText(columns: columns)
        try text.check(in: sources)
        let hash = similarity.map { MinHash(threshold: $0) }
        let known = evaluationFiles.isEmpty ? nil : try EvaluationOverlap(files: evaluationFiles, words: overlapWords)
        let usesSentences = sentenceShare != nil, isExact = isExact
        var memory = Memory()
        if let hash, let similarity { memory.near = NearDuplicateIndex(hash, threshold: similarity) }
        let pipeline = RowPipeline<Facts>(
            sources: sources, output: output, overwrites: overwrites, spared: evaluationFiles, threads: threads, progress: progress,
            look: { value in
                let words = text.text(value)
                let measure = TextMeasure(words)
                // The same question about two pictures is two rows.
                let media = RowText.media(value)
                return Facts(
                    whole: isExact ? RowHash(value, columns: columns) : nil, sentences: usesSentences ? Self.sentences(words, media: media) : [],
                    signature: hash?.signature(measure, media: media), overlap: known?.found(in: measure))
            },
            judge: { rows in rows.map { judge($0.facts, number: $0.number, &memory) } })
        var report = try pipeline.run()
        if let note = known?.note { report.notes.append(note) }
        return report
    }

    private func judge(_ facts: Facts, number: Int, _ memory: inout Memory) -> RowVerdict {
        if let overlap = facts.overlap { return .drop(rule: "evaluation", reason: overlap) }
        if let whole = facts.whole, let first = memory.wholes[whole] { return .drop(rule: "exact", reason: "it is the same as row \(first)") }
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
        // Only rows that stay are remembered, so that reasons name rows that can be looked up.
        if let whole = facts.whole { memory.wholes[whole] = number }
        for sentence in facts.sentences { memory.sentences.insert(sentence.hash) }
        return .keep
    }

    /// Sentences end at full stops, question and exclamation marks, in either script, and at ends of lines.
    /// - Parameter media: of `RowText.media`; sentences about other pictures are other sentences.
    static func sentences(_ text: String, media: UInt64 = 0) -> [(hash: UInt64, words: Int)] {
        var sentences: [(hash: UInt64, words: Int)] = []
        var text = text
        text.withUTF8 { bytes in
            func finish(_ start: Int, _ end: Int) {
                guard end > start else { return }
                let words = TextMeasure(UnsafeBufferPointer(rebasing: bytes[start..<end])).words
                if words.count >= shortestSentence { sentences.append((WordHash.joined(words[...]) ^ media, words.count)) }
            }
            var start = 0, position = 0
            while position < bytes.count {
                let length = sentenceEnd(bytes, position)
                if length > 0 {
                    finish(start, position)
                    start = position + length
                }
                position += max(1, length)
            }
            finish(start, bytes.count)
        }
        return sentences
    }

    /// Bytes of what ends a sentence here; 0 for anything else.
    private static func sentenceEnd(_ bytes: UnsafeBufferPointer<UInt8>, _ place: Int) -> Int {
        switch bytes[place] {
        case 0x2E, 0x21, 0x3F, 0x0A, 0x0D: return 1
        case 0xE3 where place + 2 < bytes.count: return bytes[place + 1] == 0x80 && bytes[place + 2] == 0x82 ? 3 : 0
        case 0xEF where place + 2 < bytes.count: return bytes[place + 1] == 0xBC && [0x81, 0x9F, 0x9B].contains(bytes[place + 2]) ? 3 : 0
        default: return 0
        }
    }
}

/// The stretches of words that evaluation data have. Rows of fewer words than a stretch count as a whole, down to a few words.
struct EvaluationOverlap: Sendable {
    private let length: Int
    private var stretches: Set<UInt64> = []
    /// Whole short rows, by their number of words.
    private var wholes: [Int: Set<UInt64>] = [:]
    /// The lengths of those, longest first.
    private var lengths: [Int] = []
    /// Rows of fewer words than a whole has: any text would hold them.
    private var shortRows = 0

    private static let shortestWhole = 6

    init(files: [String], words: Int) throws(DatasetError) {
        guard words >= 1 else { throw .badSetting(argument: "overlap_words", reason: "it is \(words), expected at least 1") }
        length = words
        let text = RowText(columns: [])
        var rows = 0
        for path in files {
            let file = try RowFile(path: path, limit: 0)
            var scanner = try file.scanner()
            while let span = try scanner.next() {
                let value: JSONValue
                do { value = try file.value(span) } catch { throw .badFile(sentence: error.description) }
                add(TextMeasure(text.text(value)))
                rows += 1
            }
        }
        lengths = wholes.keys.sorted(by: >)
        let names = files.joined(separator: ", ")
        if rows == 0 { throw .nothingUsable(dataset: names, rows: 0, problems: []) }
        if shortRows == rows {
            throw .badSetting(
                argument: "against",
                reason: "all \(rows) rows of \(names) have fewer than \(min(length, Self.shortestWhole)) words, too few to tell an overlap from chance")
        }
    }

    private mutating func add(_ measure: TextMeasure) {
        if measure.words.count >= length {
            stretches.formUnion(measure.stretches(length))
        } else if measure.words.count >= Self.shortestWhole {
            wholes[measure.words.count, default: []].insert(WordHash.joined(measure.words[...]))
        } else {
            shortRows += 1
        }
    }

    /// What was not looked for; nil when all was.
    var note: String? {
        guard shortRows > 0 else { return nil }
        return "\(shortRows) evaluation \(shortRows == 1 ? "row has" : "rows have") fewer than \(min(length, Self.shortestWhole)) words and "
            + "\(shortRows == 1 ? "was" : "were") not looked for"
    }

    /// Why a row overlaps; nil when it does not.
    func found(in measure: TextMeasure) -> String? {
        if measure.words.count >= length, measure.stretches(length).contains(where: stretches.contains) {
            return "it has \(length) words in a row with an evaluation row"
        }
        for count in lengths where measure.words.count >= count {
            guard let known = wholes[count] else { continue }
            if measure.stretches(count).contains(where: known.contains) { return "it holds an evaluation row of \(count) words" }
        }
        return nil
    }
}
