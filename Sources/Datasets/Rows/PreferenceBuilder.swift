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

    public init() {}

    /// The pair of a row; the same for the same seed and row number.
    /// - Parameter row: counted from 0.
    public func pair(_ value: JSONValue, row: Int) throws(DatasetError) -> JSONObject {
        do throws(RowFault) { return try build(value, row) } catch { throw .badFile(sentence: error.reason) }
    }

    private func build(_ value: JSONValue, _ row: Int) throws(RowFault) -> JSONObject {
        guard let prompt = value[promptColumn]?.stringValue else { throw RowFault("the column \"\(promptColumn)\" is missing or no string") }
        guard let answers = value[answersColumn]?.arrayValue else { throw RowFault("the column \"\(answersColumn)\" is missing or no list") }
        var scored: [(text: String, score: Double)] = []
        for (index, answer) in answers.enumerated() {
            guard let text = answer[textKey]?.stringValue else { throw RowFault("answer \(index + 1) has no \"\(textKey)\"") }
            guard let score = answer[scoreKey]?.doubleValue, score.isFinite else { throw RowFault("answer \(index + 1) has no number as \"\(scoreKey)\"") }
            scored.append((text, score))
        }
        guard let best = scored.enumerated().max(by: { $0.element.score == $1.element.score ? $0.offset > $1.offset : $0.element.score < $1.element.score })
        else { throw RowFault("it has no answers") }
        let lower = scored.filter { $0.score < best.element.score && best.element.score - $0.score >= margin && $0.text != best.element.text }
        if lower.isEmpty { throw RowFault("no answer scores less than the best one by \(NumberText.significant(max(margin, 0), digits: 6)) or more") }
        var random = RandomGenerator(seed: seed, stream: UInt64(truncatingIfNeeded: row))
        let chosen = lower[random.index(below: lower.count)]
        return [
            "instruction": .string(prompt), "input": "", "chosen": .string(best.element.text), "rejected": .string(chosen.text),
            "score_chosen": .number(best.element.score), "score_rejected": .number(chosen.score),
        ]
    }

    /// Reads a file of scored answers and writes a file of pairs, one per line.
    /// - Returns: pairs written, and the rows that gave none.
    public func run(from source: String, to target: String) throws(DatasetError) -> (pairs: Int, problems: [RowProblem]) {
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
        do { try FileSystem.writeAtomically(target, text: text) } catch { throw .unreadable(path: target, reason: error.description) }
        return (pairs, problems)
    }
}
