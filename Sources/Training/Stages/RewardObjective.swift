/// The stage rm: a value head learns to give the better answer of a pair the higher score (Ouyang et al., arXiv 2203.02155).

import Datasets
import Models
import Tensors

public final class RewardObjective: Objective {
    private let model: Transformer
    public let head: ValueHead

    public init(model: Transformer, head: ValueHead) {
        self.model = model
        self.head = head
    }

    public var parameters: [Parameter] { head.parameters }

    public func weight(of batch: Batch) -> Int { batch.sampleCount }

    public func accumulate(_ batch: Batch, tape: Tape, divisor: Int) -> ObjectiveResult {
        let hidden = model.hidden(tape, tokens: batch.tokens, layout: SequenceLayout(batch))
        let last = tape.dropout(tape.selectRows(hidden, rows: batch.lastRows), probability: ValueHead.dropout)
        let values = head.values(tape, last)
        let scores = tape.tensor(values).floats().map { Double($0) }
        let pairs = batch.sampleCount
        let slopes = (0..<pairs).map { -PreferenceLoss.sigmoid(scores[pairs + $0] - scores[$0]) / Double(divisor) }
        let gradient = slopes.map { Float($0) } + slopes.map { -Float($0) }
        tape.backward(from: [(values, Tensor(gradient, shape: [2 * pairs, 1]))])
        return ObjectiveResult(loss: sum(scores, pairs) / Double(divisor), metrics: metrics(scores, pairs))
    }

    public func measure(_ batch: Batch) -> ObjectiveResult {
        let scores = head.scores(model, batch)
        let pairs = batch.sampleCount
        return ObjectiveResult(loss: sum(scores, pairs) / Double(max(1, pairs)), metrics: metrics(scores, pairs))
    }

    private func sum(_ scores: [Double], _ pairs: Int) -> Double {
        (0..<pairs).reduce(0) { $0 + PreferenceLoss.softplus(scores[pairs + $1] - scores[$1]) }
    }

    private func metrics(_ scores: [Double], _ pairs: Int) -> MetricSums {
        var metrics = MetricSums()
        metrics.add("accuracy", (0..<pairs).map { scores[$0] > scores[pairs + $0] ? 1 : 0 })
        return metrics
    }
}

extension Batch {
    /// The last token of each sequence.
    var lastRows: [Int32] { cumulativeLengths.dropFirst().map { $0 - 1 } }
}
