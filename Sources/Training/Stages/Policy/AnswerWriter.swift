/// Answers of the policy to several questions at once, one token of each at a time: the weights are read once for all of them.

import Generation
import Models
import Platform
import Tensors

struct AnswerWriter {
    let model: Transformer
    let options: SamplingOptions
    let stopTokens: Set<Int32>

    /// - Parameter seeds: one for each prompt; they alone decide what is drawn.
    /// - Returns: the answers' tokens, a stop token included; at least one token each.
    func answers(_ prompts: [[Int32]], seeds: [UInt64]) -> [[Int32]] {
        let limits = prompts.map { limit($0.count) }
        let caches = zip(prompts, limits).map { model.makeCache(capacity: $0.count + $1) }
        var samplers = seeds.map { seed in
            var options = options
            options.seed = seed
            return Sampler(options)
        }
        var answers = [[Int32]](repeating: [], count: prompts.count)
        var live = Array(prompts.indices)
        var inputs = prompts
        while !live.isEmpty {
            let logits = step(live.map { inputs[$0] }, live.map { caches[$0] })
            var next: [Int] = []
            for (index, sequence) in live.enumerated() {
                var line = logits[index]
                let token = samplers[sequence].next(&line, history: prompts[sequence] + answers[sequence])
                answers[sequence].append(token)
                inputs[sequence] = [token]
                if !stopTokens.contains(token), answers[sequence].count < limits[sequence] { next.append(sequence) }
            }
            live = next
        }
        return answers
    }

    private func limit(_ promptCount: Int) -> Int {
        let asked = options.maxNewTokens ?? options.maxLength - promptCount
        return max(1, min(asked, (model.spec.positionLimit ?? .max) - promptCount))
    }

    /// Feeds each sequence its new tokens.
    /// - Returns: the logits after the last of each.
    private func step(_ tokens: [[Int32]], _ caches: [KeyValueCache]) -> [[Float]] {
        var cumulative: [Int32] = [0], positions: [Int32] = []
        for (part, cache) in zip(tokens, caches) {
            positions += (0..<part.count).map { Int32(cache.length + $0) }
            cumulative.append(Int32(positions.count))
        }
        let tape = Tape(backend: model.backend, isRecording: false)
        let layout = SequenceLayout(cumulativeLengths: cumulative, positions: positions, caches: caches)
        let hidden = model.hidden(tape, tokens: tokens.flatMap { $0 }, layout: layout)
        let logits = tape.tensor(model.logits(tape, hidden, rows: cumulative.dropFirst().map { $0 - 1 }))
        return tokens.indices.map { logits.slice(rows: $0..<$0 + 1).floats() }
    }
}
