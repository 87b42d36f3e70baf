import Configuration
import Formats
import Tokenizers

/// A question as its row has it, and as a model is asked it.
public struct Question: Sendable, Equatable {
    public var text: String
    /// The prompt up to where the answer begins.
    public var tokens: [Int32]
    /// Row of all rows read, from 0.
    public var row: Int
}

extension DatasetLoader {
    /// The questions of `dataset` for a model to answer, whatever their answers are. Rows of several turns are left out and named: a
    /// row of scored answers has one question.
    public func loadQuestions() throws(DatasetError) -> (questions: [Question], problems: [RowProblem]) {
        let names = configuration[.dataset]
        if names.isEmpty { throw .noDataset(argument: "dataset") }
        let sets = try open(names)
        var questions: [Question] = [], problems: [RowProblem] = []
        for (index, reference) in try mixed(sets).enumerated() {
            let set = sets[reference.dataset]
            do throws(RowFault) {
                if set.entry.format == .tokenised { throw RowFault("it holds token ids: there is no question to answer") }
                let conversation = try set.converter.promptOnly(try set.value(reference.row))
                guard conversation.prompt.count == 1, let message = conversation.prompt.first else {
                    throw RowFault("it has \(conversation.prompt.count) messages before the answer; scored answers need a single question")
                }
                let tokens = try sampleBuilder.promptOnly(conversation).sample.tokens
                questions.append(Question(text: message.content, tokens: tokens, row: index))
            } catch {
                problems.append(set.problem(reference.row, error.reason))
            }
        }
        if questions.isEmpty { throw .nothingUsable(dataset: names.joined(separator: ", "), rows: problems.count, problems: problems) }
        return (questions, problems)
    }
}
