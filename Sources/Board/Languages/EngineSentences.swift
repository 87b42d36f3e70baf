import Configuration
import Platform

/// What the argument table says about arguments, in the board's language: problems, reasons why a field has no effect, what may be
/// written into it. The table lies below the board and speaks English; its sentences are known again by their words, with anything
/// in the places of the values.
struct SentencePattern: Sendable {
    /// What stands before, between and after the values.
    private let words: [String]
    /// The translation, with `{1}`, `{2}`, … for the values.
    private let translation: String
    /// More words of its own make a better match.
    let weight: Int

    /// - Parameter sentence: English, with `{1}`, `{2}`, … in their order.
    init(_ sentence: String, translation: String) {
        var words: [String] = []
        var rest = Substring(sentence)
        var number = 1
        while let place = rest.firstRange(of: "{\(number)}") {
            words.append(String(rest[..<place.lowerBound]))
            rest = rest[place.upperBound...]
            number += 1
        }
        words.append(String(rest))
        self.words = words
        self.translation = translation
        weight = words.reduce(0) { $0 + $1.utf8.count }
    }

    /// The sentence in the other language; nil when it is another sentence.
    /// - Parameter translated: what becomes of the values.
    func translate(_ sentence: String, value translated: (String) -> String) -> String? {
        guard let values = values(in: sentence) else { return nil }
        return Phrase.filled(translation, with: values.map(translated))
    }

    private func values(in sentence: String) -> [String]? {
        guard let first = words.first, let last = words.last, sentence.hasPrefix(first) else { return nil }
        if words.count == 1 { return sentence == first ? [] : nil }
        var rest = sentence.dropFirst(first.count)
        guard rest.hasSuffix(last), rest.count >= last.count else { return nil }
        rest = rest.dropLast(last.count)
        var values: [String] = []
        for word in words.dropFirst().dropLast() {
            guard let place = rest.firstRange(of: word) else { return nil }
            values.append(String(rest[..<place.lowerBound]))
            rest = rest[place.upperBound...]
        }
        return values + [String(rest)]
    }
}

/// A sentence of the argument table in the board's language; as it is where no translation knows it.
/// - Parameter argument: the one that the sentence is about.
public func say(engine sentence: String, about argument: Argument? = nil) -> String {
    let wording = Wording.current
    guard wording.language != .english else { return sentence }
    guard argument == nil else { return translate(engine: sentence, wording, about: argument) }
    // A log is drawn again and again.
    return wording.known.words(for: sentence) { translate(engine: sentence, wording, about: nil) }
}

private func translate(engine sentence: String, _ wording: Wording, about argument: Argument?) -> String {
    // A suggestion follows as a sentence of its own.
    if let mark = Substring(sentence).firstRange(of: " Did you mean ") {
        let suggestion = sentence[sentence.index(after: mark.lowerBound)...]
        return say(engine: String(sentence[..<mark.lowerBound]), about: argument) + " " + say(engine: String(suggestion), about: argument)
    }
    func value(_ text: String) -> String {
        if let argument, text == argument.allowed { return argument.allowedWords }
        if let bounds = argument?.bounds, text == bounds.text { return bounds.words }
        if let parts = memoryParts(text) { return parts }
        return say(engine: text, about: argument)
    }
    for pattern in wording.engineSentences { if let translated = pattern.translate(sentence, value: value) { return translated } }
    return sentence
}

/// `weights 9.0 MiB, adapter 1.4 MiB` with its names translated; nil for any other text.
private func memoryParts(_ text: String) -> String? {
    guard text.hasSuffix("iB"), text.contains(", ") else { return nil }
    var rest = Substring(text)
    var parts: [Substring] = []
    while let mark = rest.firstRange(of: ", ") {
        parts.append(rest[..<mark.lowerBound])
        rest = rest[mark.upperBound...]
    }
    return (parts + [rest]).map { part in
        let words = part.split(separator: " ")
        guard words.count > 2 else { return String(part) }
        return say(key: words.dropLast(2).joined(separator: " ")) + " " + words.suffix(2).joined(separator: " ")
    }.joined(separator: ", ")
}

/// Sentences that were looked up before, and what came of it.
final class KnownSentences: Sendable {
    private static let limit = 2_000
    private let table = Mutex<[String: String]>([:])

    func words(for sentence: String, _ look: () -> String) -> String {
        if let known = table.withLock({ $0[sentence] }) { return known }
        // Outside of the lock: a sentence holds others.
        let words = look()
        table.withLock { table in
            if table.count >= Self.limit { table.removeAll() }
            table[sentence] = words
        }
        return words
    }
}

extension Problem {
    /// The message in the board's language.
    public var words: String { say(engine: message, about: argument.flatMap(ArgumentTable.argument(named:))) }
}

extension Argument {
    /// What may be written here, in the board's language.
    public var allowedWords: String {
        guard Wording.current.language != .english else { return allowed }
        if kind == .flag { return say(key: isNullable ? "true, false or null" : "true or false") }
        var text = kind == .choice ? say("one of \(choices.joined(separator: ", "))") : say(key: kind.phrase)
        if let bounds, !bounds.text.isEmpty { text = say("\(text), \(bounds.words)") }
        return isNullable ? say("\(text), or null") : text
    }
}

extension ArgumentBounds {
    fileprivate var words: String {
        func short(_ value: Double) -> String { NumberText.significant(value, digits: 8) }
        let low = minimum.map { isAboveMinimum ? say("above \(short($0))") : say("at least \(short($0))") }
        let high = maximum.map { isBelowMaximum ? say("below \(short($0))") : say("at most \(short($0))") }
        guard let low, let high else { return low ?? high ?? "" }
        return say("\(low) and \(high)")
    }
}
