/// How a question is asked: examples as turns of the conversation, the subject named in front of the first.

import Tokenizers

enum BenchmarkPrompt: String, CaseIterable {
    case english = "en"
    case chinese = "zh"

    /// The examples with their answers, then the question; the last message is its answer.
    func messages(_ question: BenchmarkQuestion, examples: [BenchmarkQuestion], subject: String) -> [ChatMessage] {
        var messages = (examples + [question]).flatMap { [ChatMessage.user(text($0)), .assistant($0.answer)] }
        messages[0].content = introduction(subject) + messages[0].content
        return messages
    }

    private func introduction(_ subject: String) -> String {
        switch self {
        case .english: "The following are multiple choice questions (with answers) about \(subject).\n\n"
        case .chinese: "以下是中国关于\(subject)考试的单项选择题，请选出其中的正确答案。\n\n"
        }
    }

    private func text(_ question: BenchmarkQuestion) -> String {
        let choices = zip(BenchmarkData.letters, question.choices).map { "\n\($0). \($1)" }.joined()
        return question.question + choices + (self == .english ? "\nAnswer:" : "\n答案：")
    }
}
