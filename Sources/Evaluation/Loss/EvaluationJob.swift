/// Loss, perplexity and token accuracy of a model, with or without an adapter, on any data set.

import Configuration
import Events
import Formats
import Models
import Platform

public struct EvaluationJob {
    private let job: ModelJob
    private var configuration: Configuration { job.configuration }
    private var reporter: JobReporter { job.reporter }

    public init(configuration: Configuration, sink: any EventSink, control: JobControl) {
        job = ModelJob(configuration: configuration, sink: sink, control: control)
    }

    /// Measures and writes eval_results.json. A stopped job writes nothing.
    public func run() throws -> JobSummary {
        try job.run(stopped: { _ in "Stopped before everything was measured; nothing was written." }, evaluate)
    }

    private func evaluate(_ output: String) throws -> JobSummary {
        let (sets, model) = try job.load({ try EvaluatedSet.configured(configuration, $0) }, check: EvaluatedSet.check)
        reporter.sink.emit(.state(.running))
        reporter.phase("evaluating")
        let metrics = try measure(sets, model)
        try ResultsFile.write(metrics, split: "eval", to: output)
        return summary(metrics, output)
    }

    private func measure(_ sets: [EvaluatedSet], _ model: Transformer) throws -> JSONObject {
        let evaluator = LossEvaluator(model: model, batchSize: configuration[.perDeviceEvalBatchSize])
        var metrics = JSONObject()
        for set in sets {
            let measured = try evaluator.evaluate(
                count: set.count, batch: set.batch, heed: job.heed,
                progress: { reporter.progress("evaluating", $0, $1, detail: set.name ?? "") })
            var entry = measured.entry(prefix: set.prefix, withAccuracy: true)
            entry.set(set.prefix + "perplexity", .number(measured.perplexity))
            metrics.merge(entry)
            let values = entry.pairs.compactMap { pair in pair.value.doubleValue.map { (pair.key, $0) } }
            reporter.sink.emit(
                .evaluation(
                    EvaluationMetrics(step: 0, loss: measured.loss, values: Dictionary(values, uniquingKeysWith: { $1 }))))
        }
        return metrics
    }

    private func summary(_ metrics: JSONObject, _ output: String) -> JobSummary {
        let values = metrics.pairs.compactMap { pair in pair.value.doubleValue.map { NamedValue(pair.key, $0) } }
        let shown = values.filter { !$0.name.contains("runtime") && !$0.name.contains("_per_second") }
            .map { "\($0.name) \(NumberText.fixed($0.value, digits: 4))" }
        let text = shown.joined(separator: ", ") + ", in \(output)."
        reporter.log(.info, text)
        return JobSummary(values: values, outputDirectory: output, text: text)
    }
}
