import Formats
import Tokenizers

/// What a row gave.
enum RowOutcome: Sendable {
    case sample(TrainingSample, isTruncated: Bool)
    case two(TrainingSample, TrainingSample, isDesirable: Bool, isTruncated: Bool)
    case problem(String)
}

/// One row to the sample, or the two, that a stage learns from.
struct RowReader: Sendable {
    let builder: SampleBuilder
    let kind: Tokenisation.Kind

    /// The same with a row that cannot be used told as one.
    func outcome(
        _ converter: RowConverter, _ value: () throws(RowFault) -> JSONValue, otherAnswer: () -> ChatMessage?
    ) -> RowOutcome {
        do throws(RowFault) { return try read(try value(), converter, otherAnswer: otherAnswer) } catch { return .problem(error.reason) }
    }

    /// - Parameter otherAnswer: an answer to another question, for judged answers; nil when there is none.
    func read(
        _ value: JSONValue, _ converter: RowConverter, otherAnswer: () -> ChatMessage?
    ) throws(RowFault) -> RowOutcome {
        if converter.entry.format == .tokenised {
            let result = try builder.tokenised(value)
            return .sample(result.sample, isTruncated: result.isTruncated)
        }
        switch kind {
        case .supervised:
            let result = try builder.supervised(try converter.conversation(value))
            return .sample(result.sample, isTruncated: result.isTruncated)
        case .pairs:
            let result = try builder.pair(try converter.pair(value))
            return .two(result.chosen, result.rejected, isDesirable: true, isTruncated: result.isTruncated)
        case .feedback:
            let feedback = try converter.feedback(value)
            let result = try builder.feedback(feedback, otherAnswer: otherAnswer() ?? feedback.answer)
            return .two(result.sample, result.mismatched, isDesirable: feedback.isDesirable, isTruncated: result.isTruncated)
        case .prompts:
            let result = try builder.promptOnly(try converter.promptOnly(value))
            return .sample(result.sample, isTruncated: result.isTruncated)
        case .documents(let startsWithBOS):
            let ids = try builder.document(try converter.conversation(value), startsWithBOS: startsWithBOS)
            let kept = Array(ids.prefix(builder.settings.cutoffLength))
            return .sample(TrainingSample(tokens: kept, labels: kept), isTruncated: kept.count < ids.count)
        case .blocks:
            let ids = try builder.document(try converter.conversation(value), startsWithBOS: false)
            return .sample(TrainingSample(tokens: ids, labels: []), isTruncated: false)
        }
    }
}
