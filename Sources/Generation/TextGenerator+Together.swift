import Models
import Platform
import Tensors

/// Several prompts answered side by side: each step reads the weights once for up to `Decoder.maximumConversations` of them, on a card
/// for up to `Decoder.conversationsOfLoop`.
extension TextGenerator {
    private struct Conversation {
        let index: Int
        let cache: KeyValueCache
        let limit: Int
        var sampler: Sampler
        var output: OutputText
        var history: [Int32]
        var result: GenerationResult
        var logits: [Float]
        let start: Double
        /// Its place in a card's loop, and the token that was chosen there.
        var slot: Int?
        var chosen: Int32?
    }

    /// Continues each prompt as `generate(prompt:options:)` would alone; with beams, one after the other.
    /// - Parameters:
    ///   - seeds: one for each prompt, or none for random ones
    ///   - onPiece: gets each piece of text and the number of its prompt; returning false cancels all that are not finished
    /// - Returns: one result for each prompt
    public func generate(
        prompts: [[Int32]], options: SamplingOptions, seeds: [UInt64]? = nil, onPiece: (Int, GeneratedPiece) -> Bool = { _, _ in true }
    ) throws(GenerationError) -> [GenerationResult] {
        guard options.beams <= 1, prompts.count > 1 else {
            var results: [GenerationResult] = []
            for (index, prompt) in prompts.enumerated() {
                results.append(try generate(prompt: prompt, options: seeded(options, seeds, index)) { onPiece(index, $0) })
            }
            return results
        }
        for prompt in prompts { try check(prompt, options) }
        forget()
        let decoder = Decoder(model), stops = stopTokens(options)
        let reach = prompts.reduce(0) { max($0, $1.count + newTokenLimit($1, options)) }
        let loop = decoder.tokenLoop(slotCount: min(prompts.count, Decoder.conversationsOfLoop), mostTokens: reach)
        var finished: [Int: GenerationResult] = [:]
        var waiting = Array(prompts.indices.reversed()), live: [Conversation] = []
        var isCancelled = false
        while !isCancelled, !(waiting.isEmpty && live.isEmpty) {
            while live.count < loop?.slotCount ?? Decoder.maximumConversations, !isCancelled, let index = waiting.popLast() {
                var begun = begin(index, prompts[index], seeded(options, seeds, index), onPiece, &isCancelled)
                if isCancelled { begun.result.finishReason = .cancelled }
                live.append(begun)
            }
            if isCancelled { break }
            for index in live.indices {
                let isDone = try advance(&live[index], stops: stops, onPiece: onPiece)
                if isDone {
                    finished[live[index].index] = live[index].result
                    if let slot = live[index].slot { loop?.leave(slot) }
                }
                isCancelled = isCancelled || live[index].result.finishReason == .cancelled
            }
            live.removeAll { finished[$0.index] != nil }
            if !isCancelled { if let loop { step(&live, loop) } else { step(&live, decoder) } }
        }
        for var conversation in live {
            conversation.result.finishReason = .cancelled
            finished[conversation.index] = ended(&conversation, onPiece)
        }
        return prompts.indices.map { finished[$0] ?? Self.nothing(prompts[$0]) }
    }

    private func seeded(_ options: SamplingOptions, _ seeds: [UInt64]?, _ index: Int) -> SamplingOptions {
        guard let seeds else { return options }
        var options = options
        options.seed = seeds[index]
        return options
    }

    private static func nothing(_ prompt: [Int32]) -> GenerationResult {
        GenerationResult(
            text: "", tokenIDs: [], finishReason: .cancelled, promptTokens: prompt.count, reusedTokens: 0, promptSeconds: 0, answerSeconds: 0)
    }

    /// Computes a prompt.
    private func begin(
        _ index: Int, _ prompt: [Int32], _ options: SamplingOptions, _ onPiece: (Int, GeneratedPiece) -> Bool, _ isCancelled: inout Bool
    ) -> Conversation {
        let limit = newTokenLimit(prompt, options), start = Clock.monotonicSeconds()
        let cache = model.makeCache(capacity: prompt.count + limit)
        var logits: [Float] = [], rest = prompt[...]
        while !rest.isEmpty {
            let chunk = Array(rest.prefix(Self.promptChunk))
            rest = rest.dropFirst(chunk.count)
            logits = promptLogits(chunk, cache: cache, reach: prompt.count)
            if !rest.isEmpty, !onPiece(index, GeneratedPiece(text: "", tokenID: nil)) {
                isCancelled = true
                break
            }
        }
        var result = Self.nothing(prompt)
        result.finishReason = .length
        result.promptSeconds = Clock.monotonicSeconds() - start
        return Conversation(
            index: index, cache: cache, limit: limit, sampler: Sampler(options),
            output: OutputText(decoder: tokenizer.streamingDecoder(skipSpecialTokens: options.skipsSpecialTokens), stops: options.stopStrings),
            history: prompt, result: result, logits: logits, start: Clock.monotonicSeconds())
    }

    /// Draws the next token of a conversation.
    /// - Returns: whether it has ended
    private func advance(
        _ conversation: inout Conversation, stops: Set<Int32>, onPiece: (Int, GeneratedPiece) -> Bool
    ) throws(GenerationError) -> Bool {
        try checkDevice()
        let token: Int32
        if let chosen = conversation.chosen { token = chosen } else {
            guard conversation.logits.first.map({ !$0.isNaN }) ?? false else { throw .notANumber(position: conversation.history.count) }
            token = conversation.sampler.next(&conversation.logits, history: conversation.history)
        }
        guard token >= 0 else { throw .notANumber(position: conversation.history.count) }
        conversation.result.tokenIDs.append(token)
        conversation.history.append(token)
        var isDone = conversation.result.tokenIDs.count >= conversation.limit
        if stops.contains(token) {
            conversation.result.finishReason = .stop
            isDone = true
        } else {
            let text = conversation.output.push(token)
            if !onPiece(conversation.index, GeneratedPiece(text: text, tokenID: token)) {
                conversation.result.finishReason = .cancelled
                isDone = true
            } else if conversation.output.isStopped {
                conversation.result.finishReason = .stop
                isDone = true
            }
        }
        if isDone { conversation.result = ended(&conversation, onPiece) }
        return isDone
    }

    private func ended(_ conversation: inout Conversation, _ onPiece: (Int, GeneratedPiece) -> Bool) -> GenerationResult {
        let rest = conversation.output.finish()
        if !rest.isEmpty { _ = onPiece(conversation.index, GeneratedPiece(text: rest, tokenID: nil)) }
        var result = conversation.result
        result.text = conversation.output.text
        result.answerSeconds = Clock.monotonicSeconds() - conversation.start
        return result
    }

    /// The same on a card, which also samples.
    private func step(_ live: inout [Conversation], _ loop: any TokenLoop) {
        for index in live.indices where live[index].slot == nil {
            let one = live[index]
            live[index].slot = loop.join(
                LoopedConversation(
                    cache: one.cache, nextToken: one.history.last ?? 0, history: one.history, rules: one.sampler.options.rules,
                    random: one.sampler.random))
        }
        let tokens = loop.step()
        for index in live.indices { live[index].chosen = live[index].slot.map { tokens[$0] } ?? -1 }
    }

    /// The last token of every conversation in one pass, but for those whose rotations change with their length.
    private func step(_ live: inout [Conversation], _ decoder: Decoder) {
        var together: [Int] = []
        for index in live.indices {
            let cache = live[index].cache, history = live[index].history
            if model.mustRecompute(from: cache.length, to: history.count) {
                cache.truncate(to: 0)
                live[index].logits = promptLogits(history, cache: cache, reach: history.count)
            } else {
                together.append(index)
            }
        }
        guard !together.isEmpty else { return }
        let width = model.spec.vocabularySize
        decoder.step(tokens: together.map { live[$0].history.last ?? 0 }, caches: together.map { live[$0].cache }) { logits in
            for (row, index) in together.enumerated() {
                live[index].logits.withUnsafeMutableBufferPointer {
                    _ = $0.update(fromContentsOf: logits[row * width..<(row + 1) * width])
                }
            }
        }
    }
}
