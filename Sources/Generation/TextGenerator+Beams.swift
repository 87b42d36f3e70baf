import Glibc
import Models
import Platform
import Tensors

/// Beam search with the bookkeeping of transformers' `generate` (early_stopping false): so many running beams, so many best
/// finished ones, and an end when no running beam can still beat the worst finished one at the present length.
extension TextGenerator {
    /// A sequence with the sum of its log-probabilities, or its final score once it is finished.
    private struct Beam {
        var tokens: [Int32]
        var score: Double
        var cache: Int
        var isFinished = false
    }

    func searchBeams(
        prompt: [Int32], options: SamplingOptions, onPiece: (GeneratedPiece) -> Bool
    ) throws(GenerationError) -> GenerationResult {
        forget()
        let decoder = Decoder(model)
        let limit = newTokenLimit(prompt, options)
        let stops = stopTokens(options)
        let start = Clock.monotonicSeconds()
        var caches = (0..<options.beams).map { _ in model.makeCache(capacity: prompt.count + limit) }
        var logits = [computeBeamPrompt(prompt, cache: caches[0])]
        for index in 1..<options.beams { caches[index].copyContents(of: caches[0]) }
        let afterPrompt = Clock.monotonicSeconds()

        var sampler = Sampler(options)
        var running = [Beam(tokens: [], score: 0, cache: 0)]
        var finished: [Beam] = []
        var mayImprove = true
        var isCancelled = false
        let candidateCount = max(2, 1 + stops.count) * options.beams
        for length in 1...limit {
            let candidates = try continuations(
                of: running, logits: logits, prompt: prompt, count: candidateCount, minimum: stops.isEmpty ? 2 : 1 + stops.count,
                sampler: &sampler)
            var next: [Beam] = []
            for (rank, candidate) in candidates.enumerated() {
                let ends = candidate.tokens.last.map { stops.contains($0) } ?? false || length == limit
                if !ends {
                    if next.count < options.beams { next.append(candidate) }
                } else if rank < options.beams && mayImprove {
                    var done = candidate
                    done.score = candidate.score / pow(Double(length), options.lengthPenalty)
                    done.isFinished = true
                    finished.append(done)
                }
            }
            finished.sort { $0.score > $1.score }
            if finished.count > options.beams { finished.removeLast(finished.count - options.beams) }
            guard length < limit, let best = next.first else { break }
            let reachable = best.score / pow(Double(length), options.lengthPenalty)
            let worst = finished.count == options.beams ? finished.last?.score ?? -1e9 : -1e9
            mayImprove = mayImprove && reachable > worst
            if !mayImprove { break }
            if !onPiece(GeneratedPiece(text: "", tokenID: nil)) {
                isCancelled = true
                finished = finished.isEmpty ? [best] : finished
                break
            }
            reorder(&caches, for: &next)
            let position = prompt.count + length - 1
            if model.mustRecompute(from: position, to: position + 1) {
                logits = next.map { beam in
                    caches[beam.cache].truncate(to: 0)
                    return computeBeamPrompt(prompt + beam.tokens, cache: caches[beam.cache])
                }
            } else {
                logits = stepBeams(next, caches: caches, decoder: decoder)
            }
            running = next
        }
        return report(finished.first?.tokens ?? [], prompt: prompt, options: options, stops: stops, isCancelled: isCancelled,
            promptSeconds: afterPrompt - start, answerStart: afterPrompt, onPiece: onPiece)
    }

    /// The likeliest (or sampled) continuations of all beams together, best first.
    private func continuations(
        of beams: [Beam], logits: [[Float]], prompt: [Int32], count: Int, minimum: Int, sampler: inout Sampler
    ) throws(GenerationError) -> [Beam] {
        var pool: [(score: Double, order: Double, beam: Int, token: Int32)] = []
        for (index, beam) in beams.enumerated() {
            var scores = logits[index]
            try checkDevice()
            guard scores.first.map({ !$0.isNaN }) ?? false else { throw .notANumber(position: prompt.count + beam.tokens.count) }
            Self.logSoftmax(&scores)
            Sampler.penalise(&scores, history: prompt + beam.tokens, penalty: Float(sampler.options.repetitionPenalty))
            let candidates =
                sampler.options.doSample
                ? sampler.warped(scores, keepingAtLeast: minimum)
                : Sampler.collect(scores, from: Sampler.threshold(scores, rank: count), scale: 1)
            for candidate in candidates {
                let score = beam.score + Double(candidate.score)
                // The largest of log p + Gumbel noise are a sample without replacement.
                let noise = sampler.options.doSample ? -log(-log(max(sampler.random.uniform(), 1e-300))) : 0
                pool.append((score, score + noise, index, candidate.token))
            }
        }
        pool.sort { ($0.order, -$0.beam, -$0.token) > ($1.order, -$1.beam, -$1.token) }
        return pool.prefix(count).map { Beam(tokens: beams[$0.beam].tokens + [$0.token], score: $0.score, cache: beams[$0.beam].cache) }
    }

    /// Gives each beam a cache of its own: the first child of a beam takes over its cache, further ones copy it.
    private func reorder(_ caches: inout [KeyValueCache], for beams: inout [Beam]) {
        let parents = Set(beams.map(\.cache))
        var free = caches.indices.filter { !parents.contains($0) }
        var taken: Set<Int> = []
        for index in beams.indices {
            let parent = beams[index].cache
            if taken.insert(parent).inserted { continue }
            guard let spare = free.popLast() else { continue }
            caches[spare].copyContents(of: caches[parent])
            beams[index].cache = spare
        }
    }

    private func computeBeamPrompt(_ prompt: [Int32], cache: KeyValueCache) -> [Float] {
        var rest = prompt[...]
        var logits: [Float] = []
        while !rest.isEmpty {
            let chunk = Array(rest.prefix(Self.promptChunk))
            rest = rest.dropFirst(chunk.count)
            let tape = Tape(backend: model.backend, isRecording: false)
            tape.isAnswering = true
            let hidden = model.hidden(tape, tokens: chunk, layout: SequenceLayout(appending: chunk.count, to: cache), reach: prompt.count)
            if rest.isEmpty { logits = tape.tensor(model.logits(tape, hidden, rows: [Int32(chunk.count - 1)])).floats() }
        }
        return logits
    }

    /// The last tokens of all beams in one pass, each with its own cache.
    private func stepBeams(_ beams: [Beam], caches: [KeyValueCache], decoder: Decoder) -> [[Float]] {
        let width = model.spec.vocabularySize
        return decoder.step(tokens: beams.map { $0.tokens.last ?? 0 }, caches: beams.map { caches[$0.cache] }) { logits in
            beams.indices.map { Array(logits[$0 * width..<($0 + 1) * width]) }
        }
    }

    private func report(
        _ tokens: [Int32], prompt: [Int32], options: SamplingOptions, stops: Set<Int32>, isCancelled: Bool, promptSeconds: Double,
        answerStart: Double, onPiece: (GeneratedPiece) -> Bool
    ) -> GenerationResult {
        var output = OutputText(decoder: tokenizer.streamingDecoder(skipSpecialTokens: options.skipsSpecialTokens), stops: options.stopStrings)
        for token in tokens where !stops.contains(token) && !output.isStopped { _ = output.push(token) }
        _ = output.finish()
        if !output.text.isEmpty { _ = onPiece(GeneratedPiece(text: output.text, tokenID: nil)) }
        let hasStopped = output.isStopped || tokens.last.map { stops.contains($0) } ?? false
        return GenerationResult(
            text: output.text, tokenIDs: tokens, finishReason: isCancelled ? .cancelled : hasStopped ? .stop : .length,
            promptTokens: prompt.count, reusedTokens: 0, promptSeconds: promptSeconds,
            answerSeconds: Clock.monotonicSeconds() - answerStart)
    }

    private static func logSoftmax(_ scores: inout [Float]) {
        let largest = scores.max() ?? 0
        let shift = largest + logf(Sampler.mass(scores, scale: 1))
        for index in scores.indices { scores[index] -= shift }
    }
}
