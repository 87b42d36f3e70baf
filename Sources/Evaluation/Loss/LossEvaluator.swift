/// Loss, perplexity and token accuracy of a model on samples, averaged as the Trainer averages them: the loss of a batch is the
/// mean over its tokens, with the load-balancing loss where the model is trained with one; batches count by their samples; accuracy is
/// the mean over samples of each one's share of right tokens.

import Datasets
import Events
import Formats
import Glibc
import Models
import Platform
import Tensors

/// What an evaluation measured.
public struct LossMetrics: Sendable, Equatable {
    /// Mean loss per token in nats, batch by batch.
    public var loss: Double
    /// Share of tokens whose likeliest prediction is right.
    public var accuracy: Double
    public var sampleCount: Int
    public var batchCount: Int
    /// Tokens that carry loss.
    public var lossTokenCount: Int
    public var seconds: Double

    /// exp(loss); infinite where that overflows.
    public var perplexity: Double { Self.perplexity(ofLoss: loss) }

    public static func perplexity(ofLoss loss: Double) -> Double { exp(loss) }

    /// The metrics by the Trainer's names: `eval_loss`, `eval_runtime`, ...
    public func entry(prefix: String, withAccuracy: Bool) -> JSONObject {
        var entry = JSONObject([(prefix + "loss", .number(loss))])
        if withAccuracy { entry.set(prefix + "accuracy", .number(accuracy)) }
        let split = String(prefix.dropLast(prefix.hasSuffix("_") ? 1 : 0))
        for (name, value) in ResultsFile.speed(split: split, seconds: seconds, samples: Double(sampleCount), steps: batchCount) {
            entry.set(name, value)
        }
        return entry
    }
}

public struct LossEvaluator {
    private let model: Transformer
    private let batchSize: Int
    private let labelSmoothing: Float
    private let weighting: TokenWeighting
    private let anchor: ((Batch) -> LogitAnchor)?

    /// - Parameters:
    ///   - labelSmoothing: the Trainer smooths the labels of its evaluations as it does those it trains on.
    ///   - weighting: the same holds for the weights of tokens.
    ///   - anchor: and for the model that the loss stays near to.
    public init(
        model: Transformer, batchSize: Int, labelSmoothing: Double = 0, weighting: TokenWeighting = .equal,
        anchor: ((Batch) -> LogitAnchor)? = nil
    ) {
        self.weighting = weighting
        self.anchor = anchor
        self.model = model
        self.batchSize = max(1, batchSize)
        self.labelSmoothing = Float(labelSmoothing)
    }

    /// - Parameters:
    ///   - count: number of samples.
    ///   - batch: the samples of a range as one batch.
    ///   - heed: is called before every batch; throws to leave.
    ///   - progress: batches done and to do.
    public func evaluate(
        count: Int, batch: (Range<Int>) throws -> Batch, heed: () throws -> Void = {}, progress: (Int, Int) -> Void = { _, _ in }
    ) throws -> LossMetrics {
        let start = Clock.monotonicSeconds()
        let batchCount = (count + batchSize - 1) / batchSize
        var weightedLoss = 0.0
        var sampleAccuracies: [Double] = []
        var measuredSamples = 0
        var lossTokens = 0
        for index in 0..<batchCount {
            try heed()
            let range = index * batchSize..<min(count, (index + 1) * batchSize)
            let result = measure(try batch(range))
            try model.backend.throwIfFailed()
            if result.tokenCount > 0 {
                weightedLoss += (result.lossSum / Double(result.tokenCount) + result.balanceLoss) * Double(range.count)
                measuredSamples += range.count
            }
            lossTokens += result.tokenCount
            sampleAccuracies.append(contentsOf: result.accuracies)
            progress(index + 1, batchCount)
        }
        return LossMetrics(
            loss: measuredSamples > 0 ? weightedLoss / Double(measuredSamples) : .nan,
            accuracy: sampleAccuracies.isEmpty ? .nan : PythonNumbers.mean(sampleAccuracies), sampleCount: count,
            batchCount: batchCount, lossTokenCount: lossTokens, seconds: Clock.monotonicSeconds() - start)
    }

    private struct BatchResult {
        var lossSum = 0.0
        var tokenCount = 0
        /// Of a mixture of experts that is trained with it.
        var balanceLoss = 0.0
        /// One per sample that carries loss.
        var accuracies: [Double] = []
    }

    private func measure(_ batch: Batch) -> BatchResult {
        let tape = Tape(backend: model.backend, isRecording: false)
        let layout = SequenceLayout(cumulativeLengths: batch.cumulativeLengths, positions: batch.positions)
        let routers = model.routerRecord()
        let hidden = tape.tensor(model.hidden(tape, tokens: batch.tokens, layout: layout, routers: routers))
        let anchor = anchor?(batch)
        var result = BatchResult()
        result.balanceLoss = model.balanceLoss(tape, routers).map { Double(tape.tensor($0).floats()[0]) } ?? 0
        for (start, end) in zip(batch.cumulativeLengths, batch.cumulativeLengths.dropFirst()) where end > start {
            let rows = Int(start)..<Int(end)
            let targets = Array(batch.targets[rows])
            guard targets.contains(where: { $0 != Tape.ignoredTarget }) else { continue }
            let output = tape.linearCrossEntropy(
                tape.constant(hidden.slice(rows: rows)), head: model.head, targets: targets, normalizer: 1,
                labelSmoothing: labelSmoothing, weighting: weighting, anchor: anchor?.slice(rows: rows))
            result.lossSum += output.lossSum
            result.tokenCount += output.tokenCount
            result.accuracies.append(Double(output.correctCount) / Double(max(1, output.tokenCount)))
        }
        return result
    }
}
