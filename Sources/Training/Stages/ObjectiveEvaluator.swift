/// Loss and metrics of a stage on evaluation data: means over samples.

import Evaluation
import Events
import Formats
import Platform

struct ObjectiveEvaluator {
    let objective: any Objective
    let batchSize: Int

    /// - Parameters:
    ///   - heed: is called before every batch; throws to leave.
    ///   - progress: batches done and to do.
    /// - Returns: `eval_loss`, the stage's metrics and the speed, by the Trainer's names.
    func evaluate(_ set: EvaluatedSet, heed: () throws -> Void = {}, progress: (Int, Int) -> Void = { _, _ in }) throws -> JSONObject {
        let start = Clock.monotonicSeconds()
        let size = max(1, batchSize)
        let batchCount = (set.count + size - 1) / size
        var loss = 0.0
        var metrics = MetricSums()
        for index in 0..<batchCount {
            try heed()
            let range = index * size..<min(set.count, (index + 1) * size)
            let result = objective.measure(try set.batch(range))
            loss += result.loss * Double(range.count)
            metrics.merge(result.metrics)
            progress(index + 1, batchCount)
        }
        var entry = JSONObject([(set.prefix + "loss", .number(loss / Double(max(1, set.count))))])
        for (name, value) in metrics.means { entry.set(set.prefix + name, .number(value)) }
        let seconds = Clock.monotonicSeconds() - start
        for (name, value) in ResultsFile.speed(
            split: String(set.prefix.dropLast()), seconds: seconds, samples: Double(set.count), steps: batchCount)
        { entry.set(name, value) }
        return entry
    }
}
