import Formats
import Tokenizers

/// What makes a sample of a row, beside tokenizer and template.
struct SampleSettings: Sendable {
    var cutoffLength: Int
    var trainsOnPrompt = false
    var masksHistory = false
}

/// Turns rows into samples by the rules of LLaMA-Factory's processors. Safe to use from several threads.
struct SampleBuilder: Sendable {
    let tokenizer: Tokenizer
    let template: PromptTemplate
    let settings: SampleSettings

    /// How much of a question and of an answer fit into `cutoff` tokens: a short side is kept whole, two long ones share in proportion.
    static func lengths(source: Int, target: Int, cutoff: Int) -> (source: Int, target: Int) {
        let longestTarget: Int
        if target * 2 < cutoff {
            longestTarget = cutoff
        } else if source * 2 < cutoff {
            longestTarget = cutoff - source
        } else {
            longestTarget = Int(Double(cutoff) * (Double(target) / Double(source + target)))
        }
        let newTarget = min(longestTarget, target)
        return (min(max(cutoff - newTarget, 0), source), newTarget)
    }

    /// The sample of a conversation, and whether something was cut off.
    func supervised(_ conversation: Conversation) throws(RowFault) -> (sample: TrainingSample, isTruncated: Bool) {
        if conversation.response.isEmpty { throw RowFault("it has no answer to learn: a column like \"output\" is missing or empty") }
        var turns: [(prompt: [Int32], response: [Int32])]
        do {
            turns = try template.encodeMultiTurn(
                conversation.messages, system: conversation.system, tools: conversation.tools, tokenizer: tokenizer,
                discardsHistoryThoughts: settings.masksHistory && !template.preservesThinking)
        } catch {
            throw RowFault(error.description)
        }
        if settings.masksHistory { turns.reverse() }
        let efficientEOS = template.efficientEOS
        var pieces: [TrainingSample] = []
        var total = efficientEOS ? 1 : 0
        var isTruncated = false
        for (index, turn) in turns.enumerated() {
            if total >= settings.cutoffLength {
                isTruncated = true
                break
            }
            let kept = SampleBuilder.lengths(
                source: turn.prompt.count, target: turn.response.count, cutoff: settings.cutoffLength - total)
            if kept.source < turn.prompt.count || kept.target < turn.response.count { isTruncated = true }
            let source = turn.prompt.prefix(kept.source)
            let target = turn.response.prefix(kept.target)
            total += kept.source + kept.target
            var labels: [Int32]
            if settings.trainsOnPrompt {
                labels = Array(source)
            } else {
                labels = Array(repeating: ignoredLabel, count: source.count)
                // The end token of the turn before is learnt where the next question begins.
                if efficientEOS, index != 0, !labels.isEmpty, let eos = tokenizer.eosID { labels[0] = eos }
            }
            let isLearnt = !(settings.masksHistory && index != 0)
            labels += isLearnt ? Array(target) : Array(repeating: ignoredLabel, count: target.count)
            pieces.append(TrainingSample(tokens: Array(source) + Array(target), labels: labels))
        }
        if settings.masksHistory { pieces.reverse() }
        var sample = TrainingSample(tokens: pieces.flatMap(\.tokens), labels: pieces.flatMap(\.labels))
        if efficientEOS, let eos = tokenizer.eosID {
            sample.tokens.append(eos)
            sample.labels.append(eos)
        }
        if sample.tokens.isEmpty { throw RowFault("it has no tokens") }
        return (sample, isTruncated)
    }

    /// A row that holds token ids already: `input_ids`, and `labels` when not everything is learnt.
    func tokenised(_ value: JSONValue) throws(RowFault) -> (sample: TrainingSample, isTruncated: Bool) {
        let tokens = try identifiers(value, "input_ids")
        if tokens.isEmpty { throw RowFault("input_ids is empty") }
        for (index, token) in tokens.enumerated() where token < 0 { throw RowFault("input_ids[\(index)] is \(token), expected an id from 0") }
        var labels = tokens
        if let given = value["labels"], !given.isNull {
            labels = try identifiers(value, "labels")
            if labels.count != tokens.count { throw RowFault("labels has \(labels.count) entries, input_ids has \(tokens.count)") }
        }
        let kept = min(tokens.count, settings.cutoffLength)
        return (TrainingSample(tokens: Array(tokens.prefix(kept)), labels: Array(labels.prefix(kept))), kept < tokens.count)
    }

    private func identifiers(_ value: JSONValue, _ column: String) throws(RowFault) -> [Int32] {
        guard let list = value[column]?.arrayValue else { throw RowFault("the column \"\(column)\" is no list of ids") }
        var result: [Int32] = []
        result.reserveCapacity(list.count)
        for (index, entry) in list.enumerated() {
            guard let id = entry.intValue, let small = Int32(exactly: id) else {
                throw RowFault("\(column)[\(index)] is \(entry.kindName), expected an id")
            }
            result.append(small)
        }
        return result
    }

    /// Text that ends a document in pre-training.
    var documentEnd: String { template.name == "llama3" ? "<|end_of_text|>" : tokenizer.eosToken ?? "" }

    /// Ids of one document with its end.
    func document(_ conversation: Conversation, startsWithBOS: Bool) throws(RowFault) -> [Int32] {
        guard let text = conversation.prompt.first?.content, !text.isEmpty else { throw RowFault("it has no text") }
        let start = startsWithBOS ? tokenizer.bosToken ?? "" : ""
        return tokenizer.encode(start + text + documentEnd)
    }

    /// The prompt and the expected answer of a row, for generating.
    func prediction(_ conversation: Conversation, row: Int) throws(RowFault) -> PredictionRow {
        let messages = conversation.prompt + (conversation.response.isEmpty ? [.assistant("")] : conversation.response)
        do {
            var (prompt, label) = try template.encodeOneTurn(
                messages, system: conversation.system, tools: conversation.tools, tokenizer: tokenizer)
            if template.efficientEOS, let eos = tokenizer.eosID { label.append(eos) }
            let kept = SampleBuilder.lengths(source: prompt.count, target: label.count, cutoff: settings.cutoffLength)
            prompt = Array(prompt.prefix(kept.source))
            label = Array(label.prefix(kept.target))
            return PredictionRow(
                promptTokens: prompt, labelTokens: label, promptText: tokenizer.decode(prompt, skipSpecialTokens: false),
                labelText: tokenizer.decode(label, skipSpecialTokens: true), row: row)
        } catch {
            throw RowFault(error.description)
        }
    }
}
