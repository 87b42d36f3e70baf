/// A step of stage ppo: a buffer of answers is written and scored, then the policy makes several passes of updates over it.

import Datasets
import Evaluation
import Platform

extension TrainingLoop {
    /// Whoever asks to stop is heard until the first update: a step that has begun to change the weights is finished.
    func takePolicyStep(_ policy: PolicyOptimisation) throws -> StepMeasurement {
        let stepInEpoch = state.globalStep % steps.stepsPerEpoch
        let epoch = state.globalStep / steps.stepsPerEpoch
        var buffer: [Trajectory] = []
        for index in steps.batchRange(stepInEpoch: stepInEpoch) {
            try heedControl()
            let batch = try batches.batch(epoch: epoch, index: index)
            try VocabularyCheck.check(batch, spec: model.spec)
            var random = RandomGenerator(seed: settings.seed, stream: UInt64(epoch * steps.batchesPerEpoch + index))
            do {
                buffer += try policy.roll(batch, seeds: batch.sequences.map { _ in random.next() })
            } catch {
                // A reward server that was given up because the job is to end is no failure.
                try heedControl()
                throw error
            }
        }
        try heedControl()
        var measured = policy.prepare(&buffer)
        let rate = learningRate
        let (loss, norm) = try learn(policy, buffer, rate: rate, &measured)
        policy.finish(buffer)

        let tokens = buffer.reduce(0) { $0 + $1.prompt.count + $1.answer.count }
        state.running.add(loss, afterSteps: state.globalStep, filterNotFinite: settings.filtersNotFinite)
        state.metrics.merge(measured)
        state.inputTokensSeen += tokens
        state.totalFlops += 6 * Double(tokens * settings.stageSettings.policy.passes) * Double(model.parametersOutsideEmbedding)
        state.globalStep += 1
        state.epoch = steps.epoch(afterSteps: state.globalStep)
        meter.finishStep(tokens: tokens)
        return StepMeasurement(loss: loss, gradientNorm: norm, learningRate: rate, metrics: measured)
    }

    /// - Returns: the mean loss of the mini-batches, and the gradient's norm before the last clipping.
    private func learn(
        _ policy: PolicyOptimisation, _ buffer: [Trajectory], rate: Double, _ measured: inout MetricSums
    ) throws -> (loss: Double, norm: Double) {
        var losses: [Double] = []
        var norm = 0.0
        var random = RandomGenerator(seed: settings.seed, stream: 0x50_504F_0000_0000 | UInt64(state.globalStep))
        let updateSize = settings.batchSize * settings.accumulation
        for pass in 0..<policy.settings.passes {
            let order = random.permutation(buffer.count)
            for start in stride(from: 0, to: order.count, by: updateSize) {
                let chosen = order[start..<min(start + updateSize, order.count)].map { buffer[$0] }
                for first in stride(from: 0, to: chosen.count, by: settings.batchSize) {
                    let part = Array(chosen[first..<min(first + settings.batchSize, chosen.count)])
                    let loss = policy.accumulate(
                        part, share: Double(part.count) / Double(chosen.count), lossScale: lossScale)
                    losses.append(loss.total)
                    measured.add("ppo/loss/policy", [loss.policy])
                    measured.add("ppo/loss/value", [loss.value])
                    measured.merge(loss.metrics)
                }
                norm = gradientNorm()
                try update(rate: rate, norm: norm, [], endsStep: pass == policy.settings.passes - 1 && start + updateSize >= order.count)
            }
        }
        return (losses.reduce(0, +) / Double(max(1, losses.count)), norm)
    }
}
