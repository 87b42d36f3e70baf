import Tokenizers

/// Samples of the stages that compare answers. Prompts carry no loss; `lengths` shares the cutoff between question and answer.
extension SampleBuilder {
    /// Both answers to a question, cut as the longer one has to be.
    func pair(_ pair: PreferencePair) throws(RowFault) -> (chosen: TrainingSample, rejected: TrainingSample, isTruncated: Bool) {
        let (prompt, chosen) = try encode(pair.prompt + [pair.chosen], pair.system, pair.tools)
        let (_, rejected) = try encode(pair.prompt + [pair.rejected], pair.system, pair.tools)
        let longest = max(chosen.count, rejected.count)
        let kept = SampleBuilder.lengths(source: prompt.count, target: longest, cutoff: settings.cutoffLength)
        let first = sample(prompt, chosen, kept), second = sample(prompt, rejected, kept)
        if first == second {
            throw RowFault("both answers are the same within cutoff_len (\(settings.cutoffLength) tokens)")
        }
        return (first, second, kept.source < prompt.count || kept.target < longest)
    }

    /// A judged answer, and the same question with the answer to another row's: the mismatched pair of KTO's KL term.
    func feedback(
        _ feedback: Feedback, otherAnswer: ChatMessage
    ) throws(RowFault) -> (sample: TrainingSample, mismatched: TrainingSample, isTruncated: Bool) {
        let (prompt, answer) = try encode(feedback.prompt + [feedback.answer], feedback.system, feedback.tools)
        let (otherPrompt, other) = try encode(feedback.prompt + [otherAnswer], feedback.system, feedback.tools)
        let kept = SampleBuilder.lengths(source: prompt.count, target: answer.count, cutoff: settings.cutoffLength)
        let otherKept = SampleBuilder.lengths(source: otherPrompt.count, target: other.count, cutoff: settings.cutoffLength)
        return (
            sample(prompt, answer, kept), sample(otherPrompt, other, otherKept), kept.source < prompt.count || kept.target < answer.count
        )
    }

    /// A question alone, as `prediction` cuts it.
    func promptOnly(_ conversation: Conversation) throws(RowFault) -> (sample: TrainingSample, isTruncated: Bool) {
        let messages = conversation.prompt + (conversation.response.isEmpty ? [.assistant("")] : conversation.response)
        let (prompt, answer) = try encode(messages, conversation.system, conversation.tools)
        let kept = SampleBuilder.lengths(source: prompt.count, target: answer.count, cutoff: settings.cutoffLength)
        if kept.source == 0 { throw RowFault("it has no tokens to answer") }
        let tokens = Array(prompt.prefix(kept.source))
        return (TrainingSample(tokens: tokens, labels: Array(repeating: ignoredLabel, count: tokens.count)), kept.source < prompt.count)
    }

    private func encode(
        _ messages: [ChatMessage], _ system: String, _ tools: String
    ) throws(RowFault) -> (prompt: [Int32], answer: [Int32]) {
        do {
            var (prompt, answer) = try template.encodeOneTurn(messages, system: system, tools: tools, tokenizer: tokenizer)
            if template.efficientEOS, let eos = tokenizer.eosID { answer.append(eos) }
            return (prompt, answer)
        } catch {
            throw RowFault(error.description)
        }
    }

    private func sample(_ prompt: [Int32], _ answer: [Int32], _ kept: (source: Int, target: Int)) -> TrainingSample {
        let source = prompt.prefix(kept.source), target = answer.prefix(kept.target)
        return TrainingSample(
            tokens: Array(source + target), labels: Array(repeating: ignoredLabel, count: source.count) + Array(target))
    }
}
