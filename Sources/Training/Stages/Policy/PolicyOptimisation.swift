/// The stage ppo: the model answers, a reward model scores, and what earned more than expected becomes likelier, within bounds.
/// LLaMA-Factory's trainer on TRL 0.9.6's algorithm, without dropout.

import Datasets
import Formats
import Models
import Tensors

public final class PolicyOptimisation {
    let model: Transformer
    let head: ValueHead
    let reference: ReferenceModel
    let scorer: AnswerScorer
    let writer: AnswerWriter
    let settings: PolicySettings
    private(set) var control: DivergenceControl
    private var moments = RunningMoments()

    init(
        model: Transformer, head: ValueHead, reference: ReferenceModel, scorer: AnswerScorer, writer: AnswerWriter, settings: PolicySettings
    ) {
        self.model = model
        self.head = head
        self.reference = reference
        self.scorer = scorer
        self.writer = writer
        self.settings = settings
        control = DivergenceControl(penalty: settings.initialPenalty, target: settings.targetDivergence, horizon: settings.horizon)
    }

    var residentBytes: Int64 { reference.residentBytes + scorer.residentBytes }

    /// Answers to the questions of a micro-batch, with scores and what policy, reference and value head make of them.
    func roll(_ batch: Batch, seeds: [UInt64]) throws -> [Trajectory] {
        let prompts = batch.sequences.map { Array(batch.tokens[$0]) }
        var trajectories = zip(prompts, writer.answers(prompts, seeds: seeds)).map { Trajectory(prompt: $0, answer: $1) }
        try review(&trajectories)
        return trajectories
    }

    /// Scores, and what policy, reference and value head make of answers that are there.
    func review(_ trajectories: inout [Trajectory]) throws {
        for (index, score) in try scorer.scores(trajectories).enumerated() { trajectories[index].score = score }
        evaluate(&trajectories)
    }

    /// log p of policy and reference and the values, of answers that are there.
    func evaluate(_ trajectories: inout [Trajectory]) {
        let batch = Batch(trajectories: trajectories)
        let known = pass(batch, Tape(backend: model.backend, isRecording: false))
        let others = reference.use { model in
            let tape = Tape(backend: model.backend, isRecording: false)
            let hidden = model.hidden(tape, tokens: batch.tokens, layout: SequenceLayout(batch))
            return tape.tensor(tape.tokenLogProbabilities(hidden, head: model.head, targets: batch.targets)).floats()
        }
        for (index, rows) in batch.sequences.enumerated() {
            let answer = rows.filter { batch.targets[$0] != ignoredLabel }
            trajectories[index].logs = answer.map { known.logs[$0] }
            trajectories[index].values = answer.map { known.values[$0] }
            trajectories[index].referenceLogs = answer.map { Double(others[$0]) }
        }
    }

    /// Rewards, advantages and returns of a buffer of answers, and what is told about it.
    func prepare(_ buffer: inout [Trajectory]) -> MetricSums {
        var scores = buffer.map(\.score)
        var metrics = MetricSums()
        metrics.add("reward", scores)
        if settings.normalisesScores {
            moments.update(scores)
            scores = moments.normalised(scores)
        }
        for index in buffer.indices {
            buffer[index].rewards = PolicyMath.rewards(buffer[index], score: scores[index], penalty: control.penalty)
        }
        metrics.add("objective/kl", buffer.map(\.divergence))
        metrics.add("objective/kl_coef", [control.penalty])
        metrics.add("objective/entropy", buffer.map { -$0.logs.reduce(0, +) })
        metrics.add("ppo/mean_non_score_reward", buffer.flatMap { one in zip(one.logs, one.referenceLogs).map { -control.penalty * ($0 - $1) } })
        PolicyMath.estimate(&buffer, settings)
        metrics.add("ppo/returns/mean", buffer.flatMap(\.returns))
        metrics.add("tokens/responses_len_mean", buffer.map { Double($0.answer.count) })
        return metrics
    }

    /// Forward and backward of a mini-batch; gradients are added to the parameters'.
    /// - Parameters:
    ///   - share: what part of an update it is.
    ///   - lossScale: multiplies the gradients.
    func accumulate(_ trajectories: [Trajectory], share: Double, lossScale: Float = 1) -> PolicyMath.Loss {
        let batch = Batch(trajectories: trajectories)
        let tape = Tape(backend: model.backend, isRecording: true)
        tape.isTraining = false
        tape.lossScale = lossScale
        var entropies: [Float] = []
        let now = pass(batch, tape) { entropies += $0 }
        let rows = batch.targets.indices.filter { batch.targets[$0] != ignoredLabel }
        var loss = PolicyMath.loss(trajectories, logs: rows.map { now.logs[$0] }, values: rows.map { now.values[$0] }, settings)
        var byLogs = [Float](repeating: 0, count: batch.tokens.count), byValues = byLogs
        for (index, row) in rows.enumerated() {
            byLogs[row] = Float(loss.byLogs[index] * share)
            byValues[row] = Float(loss.byValues[index] * share)
        }
        loss.metrics.add("ppo/policy/entropy", sum: entropies.reduce(0) { $0 + Double($1) } / Double(max(1, entropies.count)), weight: 1)
        tape.backward(from: [
            (now.logValue, Tensor(byLogs, shape: [byLogs.count])), (now.valueValue, Tensor(byValues, shape: [byValues.count, 1])),
        ])
        return loss
    }

    /// After the updates on a buffer.
    func finish(_ buffer: [Trajectory]) {
        let mean = buffer.reduce(0) { $0 + $1.divergence } / Double(max(1, buffer.count))
        control.update(divergence: mean, samples: buffer.count)
    }

    private func pass(
        _ batch: Batch, _ tape: Tape, entropies: (([Float]) -> Void)? = nil
    ) -> (logValue: Value, valueValue: Value, logs: [Double], values: [Double]) {
        let hidden = model.hidden(tape, tokens: batch.tokens, layout: SequenceLayout(batch))
        let logs = tape.tokenLogProbabilities(hidden, head: model.head, targets: batch.targets, entropies: entropies)
        let values = head.values(tape, hidden)
        return (logs, values, tape.tensor(logs).floats().map { Double($0) }, tape.tensor(values).floats().map { Double($0) })
    }

    var memory: JSONObject {
        get { JSONObject([("kl_coef", .number(control.penalty)), ("scores", moments.json)]) }
        set {
            control.penalty = newValue["kl_coef"]?.doubleValue ?? settings.initialPenalty
            moments = RunningMoments(newValue["scores"])
        }
    }
}
