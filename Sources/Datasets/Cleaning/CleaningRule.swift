import Platform

/// What a rule is given of a row.
struct RowFacts: Sendable {
    var text: String
    var measure: TextMeasure
}

/// Says why a row goes, or nil when it may stay.
typealias RowJudge = @Sendable (RowFacts) -> String?

/// A rule by which rows are left out. Help, completion and the reader of the command line all go by this table.
public struct CleaningRule: Sendable {
    public let name: String
    /// How its value is called in help.
    public let value: String
    public let help: String
    let judge: @Sendable (String) throws(DatasetError) -> RowJudge

    /// Needs a model: its judgement comes from outside.
    public static let perplexity = "max_perplexity"

    /// In the order in which they are asked: what is cheap first.
    public static let all: [CleaningRule] = [
        lengths("min_characters", "N", "at least so many characters, white space not counted", { $0.characters }, isLow: true),
        lengths("max_characters", "N", "at most so many characters", { $0.characters }, isLow: false),
        lengths("min_words", "N", "at least so many words; a Chinese or Japanese character is one", { $0.words.count }, isLow: true),
        lengths("max_words", "N", "at most so many words", { $0.words.count }, isLow: false),
        CleaningRule("languages", "zh,en,...", "one of these languages, as far as script and common words tell") { text throws(DatasetError) in
            let wanted = try list("languages", text)
            if let unknown = wanted.first(where: { !LanguageGuess.known.contains($0) }) {
                throw .badSetting(argument: "languages", reason: "\(unknown) is none of \(LanguageGuess.known.joined(separator: ", "))")
            }
            return { facts in
                let found = LanguageGuess(facts.measure).candidates
                if found.isEmpty || found.contains(where: wanted.contains) { return nil }
                return "it is in \(found.count == 1 ? found[0] : "another language")"
            }
        },
        share("max_symbol_ratio", "at most this share of characters that are no letters and no digits", "symbols") { $0.symbolShare },
        share("max_repetition", "at most this share of five-word stretches that the row has had before", "of its stretches of five words repeat") {
            $0.repetition(5)
        },
        CleaningRule("drop_keywords", "A,B,...", "none of these words; @FILE has one on each line") { text throws(DatasetError) in
            let finder = try KeywordFinder(argument: "drop_keywords", text)
            return { facts in finder.first(in: facts.text).map { "it says \"\($0)\"" } }
        },
        CleaningRule("keep_keywords", "A,B,...", "at least one of these words; @FILE has one on each line") { text throws(DatasetError) in
            let finder = try KeywordFinder(argument: "keep_keywords", text)
            return { facts in finder.first(in: facts.text) == nil ? "it has none of the words" : nil }
        },
        CleaningRule(perplexity, "X", "at most this perplexity of the model at model_name_or_path") { text throws(DatasetError) in
            guard let limit = Double(text), limit > 1 else { throw .badSetting(argument: perplexity, reason: "it is \(text), expected a number above 1") }
            return { _ in nil }
        },
    ]

    init(
        _ name: String, _ value: String, _ help: String, judge: @escaping @Sendable (String) throws(DatasetError) -> RowJudge
    ) {
        self.name = name
        self.value = value
        self.help = help
        self.judge = judge
    }

    private static func lengths(
        _ name: String, _ value: String, _ help: String, _ count: @escaping @Sendable (TextMeasure) -> Int, isLow: Bool
    ) -> CleaningRule {
        CleaningRule(name, value, help) { text throws(DatasetError) in
            guard let limit = Int(text), limit >= 0 else { throw .badSetting(argument: name, reason: "it is \(text), expected a whole number from 0") }
            let unit = name.hasSuffix("words") ? "words" : "characters"
            return { facts in
                let found = count(facts.measure)
                return (isLow ? found < limit : found > limit) ? "it has \(found) \(unit)" : nil
            }
        }
    }

    private static func share(
        _ name: String, _ help: String, _ what: String, _ measure: @escaping @Sendable (TextMeasure) -> Double
    ) -> CleaningRule {
        CleaningRule(name, "X", help) { text throws(DatasetError) in
            guard let limit = Double(text), limit >= 0, limit <= 1 else {
                throw .badSetting(argument: name, reason: "it is \(text), expected a share from 0 to 1")
            }
            return { facts in
                let found = measure(facts.measure)
                return found > limit ? "\(NumberText.fixed(100 * found, digits: 1)) % \(what)" : nil
            }
        }
    }

    private static func list(_ name: String, _ text: String) throws(DatasetError) -> [String] {
        let words = text.split(separator: ",").map { $0.trimming(" ") }.filter { !$0.isEmpty }
        if words.isEmpty { throw .badSetting(argument: name, reason: "it is empty") }
        return words
    }
}

/// Finds any of some words in a text, whatever the case of ASCII letters. A word that begins or ends with a letter or digit of a script
/// with spaces must stand alone on that side.
struct KeywordFinder: Sendable {
    /// By their first byte.
    private var words: [UInt8: [[UInt8]]] = [:]

    /// - Parameter text: words with commas between them, or @FILE.
    init(argument: String, _ text: String) throws(DatasetError) {
        var list: [String]
        if let path = KeywordFinder.file(text) {
            do { list = try FileSystem.readText(path).split(whereSeparator: \.isNewline).map(String.init) } catch {
                throw .unreadable(path: path, reason: error.description)
            }
        } else {
            list = text.split(separator: ",").map(String.init)
        }
        list = list.map { $0.trimming(" \t\r") }.filter { !$0.isEmpty }
        if list.isEmpty { throw .badSetting(argument: argument, reason: "it names no word") }
        for word in list {
            let bytes = word.utf8.map(KeywordFinder.lowered)
            words[bytes[0], default: []].append(bytes)
        }
    }

    /// The file that a rule's value names.
    static func file(_ text: String) -> String? { text.hasPrefix("@") ? Path.expandingTilde(String(text.dropFirst())) : nil }

    func first(in text: String) -> String? {
        var text = text
        return text.withUTF8 { bytes in
            for place in bytes.indices {
                guard let candidates = words[KeywordFinder.lowered(bytes[place])] else { continue }
                for word in candidates where matches(word, bytes, place) { return String(decoding: bytes[place..<place + word.count], as: UTF8.self) }
            }
            return nil
        }
    }

    private func matches(_ word: [UInt8], _ bytes: UnsafeBufferPointer<UInt8>, _ place: Int) -> Bool {
        let end = place + word.count
        guard end <= bytes.count else { return false }
        for offset in word.indices where KeywordFinder.lowered(bytes[place + offset]) != word[offset] { return false }
        if KeywordFinder.isWord(word[0]), place > 0, KeywordFinder.isWord(bytes[place - 1]) { return false }
        if KeywordFinder.isWord(word[word.count - 1]), end < bytes.count, KeywordFinder.isWord(bytes[end]) { return false }
        return true
    }

    private static func lowered(_ byte: UInt8) -> UInt8 { byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte }
    private static func isWord(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 || byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A }
}

extension StringProtocol {
    /// Without these characters at both ends.
    func trimming(_ characters: String) -> String {
        var part = self[...]
        while let first = part.first, characters.contains(first) { part = part.dropFirst() }
        while let last = part.last, characters.contains(last) { part = part.dropLast() }
        return String(part)
    }
}
