import Models
import Platform
import Tensors
import Tokenizers

/// Generates text with a model, token by token, and keeps the key-value cache between calls: a chat's next prompt begins with the
/// last one, and only what is new is computed.
///
/// One thread uses a generator at a time, and the model must not change during a call. After the weights have changed, call
/// `forget()`; switching the adapter on or off is noticed.
public final class TextGenerator {
    public let model: Transformer
    public let tokenizer: Tokenizer

    var cache: KeyValueCache?
    /// The tokens whose keys and values the cache holds.
    private var cachedTokens: [Int32] = []
    private var cachedAdapterState = false

    /// Steps of single tokens; made for each answer, so that it knows the weights and adapters of the moment.
    var decoder: Decoder?
    /// Of the last token that was computed.
    private var logits: [Float] = []

    /// Prompts are computed so many tokens at a time, so that memory stays small and cancelling quick.
    static let promptChunk = 512

    public init(model: Transformer, tokenizer: Tokenizer) {
        self.model = model
        self.tokenizer = tokenizer
    }

    /// Drops the cache.
    public func forget() {
        cache = nil
        cachedTokens = []
    }

    /// Continues a prompt.
    /// - Parameter onPiece: gets each piece of text as it becomes certain; returning false cancels.
    public func generate(
        prompt: [Int32], options: SamplingOptions, onPiece: (GeneratedPiece) -> Bool = { _ in true }
    ) throws(GenerationError) -> GenerationResult {
        try check(prompt, options)
        if options.beams > 1 { return try searchBeams(prompt: prompt, options: options, onPiece: onPiece) }
        let limit = newTokenLimit(prompt, options)
        let stops = stopTokens(options)
        let start = Clock.monotonicSeconds()
        decoder = Decoder(model)
        defer { decoder = nil }
        let reused = prepareCache(for: prompt, room: limit)
        var result = GenerationResult(
            text: "", tokenIDs: [], finishReason: .length, promptTokens: prompt.count, reusedTokens: reused, promptSeconds: 0,
            answerSeconds: 0)
        var output = OutputText(decoder: tokenizer.streamingDecoder(skipSpecialTokens: options.skipsSpecialTokens), stops: options.stopStrings)
        guard feed(prompt[reused...], onPiece: onPiece) else {
            result.finishReason = .cancelled
            return result
        }
        let afterPrompt = Clock.monotonicSeconds()
        result.promptSeconds = afterPrompt - start

        var sampler = Sampler(options)
        var history = prompt
        try checkDevice()
        guard logits.first.map({ !$0.isNaN }) ?? false else { throw .notANumber(position: history.count) }
        var token = sampler.next(&logits, history: history)
        let loop = limit > 1 && !stops.contains(token) ? join(history, token, sampler, reach: prompt.count + limit) : nil
        while true {
            result.tokenIDs.append(token)
            history.append(token)
            if stops.contains(token) {
                result.finishReason = .stop
                break
            }
            let piece = output.push(token)
            if !onPiece(GeneratedPiece(text: piece, tokenID: token)) {
                result.finishReason = .cancelled
                break
            }
            if output.isStopped {
                result.finishReason = .stop
                break
            }
            if result.tokenIDs.count >= limit { break }
            if let loop {
                cachedTokens.append(token)
                token = loop.step().first ?? -1
            } else {
                guard feed([token], onPiece: onPiece) else {
                    result.finishReason = .cancelled
                    break
                }
                token = logits.first.map(\.isNaN) ?? true ? -1 : sampler.next(&logits, history: history)
            }
            try checkDevice()
            guard token >= 0 else { throw .notANumber(position: history.count) }
        }
        let rest = output.finish()
        if !rest.isEmpty { _ = onPiece(GeneratedPiece(text: rest, tokenID: nil)) }
        result.text = output.text
        result.answerSeconds = Clock.monotonicSeconds() - afterPrompt
        return result
    }

    /// Where a card samples, it has the conversation from here on: the token that was just chosen is the first that it is fed.
    private func join(_ history: [Int32], _ token: Int32, _ sampler: Sampler, reach: Int) -> (any TokenLoop)? {
        guard let cache, let loop = decoder?.tokenLoop(slotCount: 1, mostTokens: reach) else { return nil }
        let conversation = LoopedConversation(
            cache: cache, nextToken: token, history: history, rules: sampler.options.rules, random: sampler.random)
        return loop.join(conversation) == nil ? nil : loop
    }

    // MARK: The cache

    /// Makes sure that the cache has room and holds as much of the prompt as it can.
    /// - Returns: how many of the prompt's tokens are in it; at least the last one has to be computed.
    private func prepareCache(for prompt: [Int32], room: Int) -> Int {
        let needed = prompt.count + room
        let adapterState = model.isAdapterEnabled
        if let cache, cache.capacity >= needed, adapterState == cachedAdapterState {
            var common = 0
            while common < min(cachedTokens.count, prompt.count - 1, cache.length), cachedTokens[common] == prompt[common] { common += 1 }
            // Keys of a longer sequence may be turned otherwise than this prompt's own.
            if model.mustRecompute(from: prompt.count, to: cachedTokens.count) { common = 0 }
            cache.truncate(to: common)
            cachedTokens.removeLast(cachedTokens.count - common)
            return common
        }
        cache = nil
        cache = model.makeCache(capacity: Self.capacity(for: needed))
        cachedTokens = []
        cachedAdapterState = adapterState
        return 0
    }

    /// Half as much again, so that the next turns of a chat still fit.
    private static func capacity(for needed: Int) -> Int { (needed + needed / 2 + 63) / 64 * 64 }

    /// Computes further tokens, and the logits after the last of them; false when the caller cancels.
    private func feed(_ tokens: ArraySlice<Int32>, onPiece: (GeneratedPiece) -> Bool) -> Bool {
        var rest = tokens
        let reach = cachedTokens.count + tokens.count
        if let cache, model.mustRecompute(from: cachedTokens.count, to: reach) {
            rest = cachedTokens[...] + rest
            cache.truncate(to: 0)
            cachedTokens = []
        }
        while !rest.isEmpty {
            let chunk = Array(rest.prefix(Self.promptChunk))
            rest = rest.dropFirst(chunk.count)
            step(chunk, reach: reach)
            if !rest.isEmpty && !onPiece(GeneratedPiece(text: "", tokenID: nil)) { return false }
        }
        return true
    }

    /// Feeds tokens to the model and keeps the logits after the last.
    private func step(_ tokens: [Int32], reach: Int) {
        guard let cache else { return }
        cachedTokens += tokens
        if tokens.count == 1, let decoder {
            decoder.step(tokens: tokens, caches: [cache], reach: reach) { keep($0) }
        } else {
            logits = promptLogits(tokens, cache: cache, reach: reach)
        }
    }

    private func keep(_ found: UnsafeMutableBufferPointer<Float>) {
        if logits.count != found.count { logits = [Float](repeating: 0, count: found.count) }
        logits.withUnsafeMutableBufferPointer { _ = $0.update(fromContentsOf: found) }
    }

    /// Computes part of a prompt.
    /// - Returns: the logits after its last token
    func promptLogits(_ tokens: [Int32], cache: KeyValueCache, reach: Int) -> [Float] {
        let tape = Tape(backend: model.backend, isRecording: false)
        tape.isAnswering = true
        let hidden = model.hidden(tape, tokens: tokens, layout: SequenceLayout(appending: tokens.count, to: cache), reach: reach)
        return tape.tensor(model.logits(tape, hidden, rows: [Int32(tokens.count - 1)])).floats()
    }

    // MARK: Limits

    /// A card that failed answers with zeros, and keys that it never computed stand in the cache.
    func checkDevice() throws(GenerationError) {
        do { try model.backend.throwIfFailed() } catch {
            forget()
            throw .deviceFailed("\(error)")
        }
    }

    func check(_ prompt: [Int32], _ options: SamplingOptions) throws(GenerationError) {
        guard !prompt.isEmpty else { throw .emptyPrompt }
        let vocabularySize = model.spec.vocabularySize
        if let stranger = prompt.first(where: { $0 < 0 || Int($0) >= vocabularySize }) {
            throw .unknownToken(token: stranger, vocabularySize: vocabularySize)
        }
        if let problem = options.problem() { throw problem }
        if let limit = model.spec.positionLimit, prompt.count >= limit { throw .beyondPositions(tokens: prompt.count, limit: limit) }
        if options.maxNewTokens == nil && options.maxLength <= prompt.count {
            throw .promptTooLong(tokens: prompt.count, limit: options.maxLength)
        }
    }

    /// How many tokens may follow the prompt: as many as are asked for, and as the model has positions for. The cache is made for all of
    /// them, so a number beyond the model's context counts as that context, or as some thousands where it is short.
    func newTokenLimit(_ prompt: [Int32], _ options: SamplingOptions) -> Int {
        let asked = options.maxNewTokens ?? options.maxLength - prompt.count
        let known = max(model.spec.maximumPositions - prompt.count, Self.leastLongestAnswer)
        return min(asked, known, (model.spec.positionLimit ?? .max) - prompt.count)
    }

    private static let leastLongestAnswer = 4096

    func stopTokens(_ options: SamplingOptions) -> Set<Int32> {
        if let given = options.stopTokenIDs { return Set(given) }
        return Set(model.spec.eosTokens + [tokenizer.eosID].compactMap { $0 })
    }
}

/// The text of an answer as it grows: characters completed from tokens, stop strings watched for.
struct OutputText {
    private var decoder: StreamingDecoder
    private var watcher: StopWatcher
    private(set) var text = ""

    init(decoder: StreamingDecoder, stops: [String]) {
        self.decoder = decoder
        watcher = StopWatcher(stops)
    }

    var isStopped: Bool { watcher.isStopped }

    mutating func push(_ token: Int32) -> String {
        let shown = watcher.push(decoder.push(token))
        text += shown
        return shown
    }

    mutating func finish() -> String {
        guard !isStopped else { return "" }
        let shown = watcher.push(decoder.finish()) + watcher.finish()
        text += shown
        return shown
    }
}
