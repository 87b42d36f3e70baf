/// How surprised a model is by texts: exp of the mean loss per token, the first one but for bos not counted.

import Configuration
import Events
import Glibc
import Models
import Tensors
import Tokenizers

public final class TextPerplexity {
    private let model: Transformer
    private let tokenizer: Tokenizer
    private let longest: Int
    private let batchSize: Int

    /// Loads model, adapters and tokenizer. `cutoff_len` says how much of a text is looked at, `per_device_eval_batch_size` how many at
    /// a time.
    public init(_ configuration: Configuration, sink: any EventSink, control: JobControl) throws {
        let job = ModelJob(configuration: configuration, sink: sink, control: control)
        var found: Tokenizer?
        model = try job.load({ found = $0.tokenizer }, check: { _, _ in }).model
        guard let tokenizer = found else { throw EvaluationError.noSamples(reason: "there is no tokenizer.") }
        self.tokenizer = tokenizer
        longest = max(2, min(configuration[.cutoffLen], model.spec.positionLimit ?? .max))
        batchSize = max(1, configuration[.perDeviceEvalBatchSize])
    }

    /// One number for each text; 1 for a text of fewer than two tokens, which nothing surprises in.
    public func measure(_ texts: [String]) throws -> [Double] {
        var result = [Double](repeating: 1, count: texts.count)
        for start in stride(from: 0, to: texts.count, by: batchSize) {
            let places = (start..<min(texts.count, start + batchSize)).compactMap { index -> (index: Int, tokens: [Int32])? in
                let start = tokenizer.addsBOS ? [tokenizer.bosID].compactMap { $0 } : []
                let tokens = Array((start + tokenizer.encode(texts[index])).prefix(longest))
                return tokens.count > 1 ? (index, tokens) : nil
            }
            if places.isEmpty { continue }
            for place in places { try VocabularyCheck.check(place.tokens, vocabularySize: model.spec.vocabularySize) }
            let tape = Tape(backend: model.backend, isRecording: false)
            let layout = SequenceLayout(lengths: places.map(\.tokens.count))
            let hidden = tape.tensor(model.hidden(tape, tokens: places.flatMap(\.tokens), layout: layout))
            for (place, (first, last)) in zip(places, zip(layout.cumulativeLengths, layout.cumulativeLengths.dropFirst())) {
                let targets = Array(place.tokens.dropFirst()) + [Tape.ignoredTarget]
                let output = tape.linearCrossEntropy(
                    tape.constant(hidden.slice(rows: Int(first)..<Int(last))), head: model.head, targets: targets, normalizer: 1)
                result[place.index] = exp(output.lossSum / Double(max(1, output.tokenCount)))
            }
            try model.backend.throwIfFailed()
        }
        return result
    }
}
