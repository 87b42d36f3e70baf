import Formats
import Platform

/// Makes pairs of answers out of rows with several scored ones, as UltraFeedback was made binary for Zephyr: the best answer against
/// one drawn from those that scored less.
///
///     {"prompt": "...", "answers": [{"text": "...", "score": 8.5}, ...]}
public struct PreferenceBuilder: Sendable {
    /// Columns of a row, and the keys of an answer.
    public var promptColumn = "prompt"
    public var answersColumn = "answers"
    public var textKey = "text"
    public var scoreKey = "score"
    /// Answers that score less than this below the best are not taken against it.
    public var margin = 0.0
    public var seed: UInt64 = 42
    /// Whether an output that exists is replaced; the source never is.
    public var overwrites = false

    public init() {}

    /// The pair of a row; the same for the same seed and row number.
    /// - Parameter row: counted from 0.
    public func pair(_ value: JSONValue, row: Int) throws(DatasetError) -> JSONObject {
        do throws(RowFault) { return try build(value, row) } catch { throw .badFile(sentence: error.reason) }
    }

    private func build(_ value: JSONValue, _ row: Int) throws(RowFault) -> JSONObject {
        guard let object = value.objectValue else { throw RowFault("it is \(value.kindName), expected an object with a prompt and its answers") }
        guard let prompt = object[promptColumn]?.stringValue else { throw column(promptColumn, "a string", "--prompt_column", object) }
        guard let answers = object[answersColumn]?.arrayValue else { throw column(answersColumn, "a list", "--answers_column", object) }
        var scored: [(text: String, score: Double)] = []
        for (index, answer) in answers.enumerated() {
            let place = "answer \(index + 1): "
            guard let parts = answer.objectValue else {
                throw RowFault(place + "it is \(answer.kindName), expected an object with a text and a score")
            }
            guard let text = parts[textKey]?.stringValue else { throw column(textKey, "a string", "--text_key", parts, place) }
            guard let score = parts[scoreKey]?.doubleValue, score.isFinite else { throw column(scoreKey, "a number", "--score_key", parts, place) }
            scored.append((text, score))
        }
        guard let best = scored.enumerated().max(
            by: { $0.element.score == $1.element.score ? $0.offset > $1.offset : $0.element.score < $1.element.score })
        else { throw RowFault("the column \"\(answersColumn)\" is empty, expected at least two answers") }
        let lower = scored.filter { $0.score < best.element.score && best.element.score - $0.score >= margin && $0.text != best.element.text }
        if lower.isEmpty { throw noPair(best.element.score, scored.filter { $0.text != best.element.text }.map(\.score), count: scored.count) }
        var random = RandomGenerator(seed: seed, stream: UInt64(truncatingIfNeeded: row))
        let chosen = lower[random.index(below: lower.count)]
        return [
            "instruction": .string(prompt), "input": "", "chosen": .string(best.element.text), "rejected": .string(chosen.text),
            "score_chosen": .number(best.element.score), "score_rejected": .number(chosen.score),
        ]
    }

    private func column(_ name: String, _ expected: String, _ option: String, _ object: JSONObject, _ place: String = "") -> RowFault {
        if let found = object[name] { return RowFault("\(place)\"\(name)\" is \(found.kindName), expected \(expected)") }
        let known = object.keys.prefix(8).map { "\"\($0)\"" }.joined(separator: ", ")
        return RowFault("\(place)\"\(name)\" is missing, found \(known.isEmpty ? "nothing" : known); name the right one with \(option)")
    }

    /// - Parameter others: scores of the answers with another text than the best.
    private func noPair(_ best: Double, _ others: [Double], count: Int) -> RowFault {
        func text(_ number: Double) -> String { NumberText.significant(number, digits: 6) }
        guard count > 1 else { return RowFault("it has one answer, expected at least two") }
        if others.isEmpty { return RowFault("all \(count) answers have the same text, expected another one to prefer the best to") }
        guard let next = others.filter({ $0 < best }).max() else {
            return RowFault("all \(count) answers score \(text(best)): none is the better one")
        }
        return RowFault(
            "the best answer scores \(text(best)) and the next \(text(next)), expected \(text(margin)) or more between them; lower --margin")
    }

    /// Reads a file of scored answers and writes a file of pairs, one per line.
    /// - Returns: pairs written, and the rows that gave none.
    public func run(from source: String, to target: String) throws(DatasetError) -> (pairs: Int, problems: [RowProblem]) {
        try RowTarget.check(target, sources: [source], overwrites: overwrites)
        let rows = try DatasetRows(DatasetEntry(name: source, files: [source]))
        var text = ""
        var pairs = 0
        var problems: [RowProblem] = []
        for row in 0..<rows.count {
            do throws(RowFault) {
                text += try build(try rows.value(row), row).text(style: .python) + "\n"
                pairs += 1
            } catch {
                problems.append(rows.problem(row, error.reason))
            }
        }
        if pairs == 0 { throw .nothingUsable(dataset: source, rows: rows.count, problems: problems) }
        do { try FileSystem.writeAtomically(target, text: text) } catch { throw .badFile(sentence: error.description) }
        return (pairs, problems)
    }
}
