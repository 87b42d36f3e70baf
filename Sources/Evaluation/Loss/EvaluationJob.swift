/// Loss, perplexity and token accuracy of a model, with or without an adapter, on any data set.

import Configuration
import Events
import Formats
import Models
import Platform

public struct EvaluationJob {
    private let configuration: Configuration
    private let reporter: JobReporter
    private let control: JobControl

    public init(configuration: Configuration, sink: any EventSink, control: JobControl) {
        self.configuration = configuration
        reporter = JobReporter(sink)
        self.control = control
    }

    /// Measures and writes eval_results.json. A stopped job writes nothing.
    public func run() throws -> JobSummary {
        let output = try EngineSetup.outputDirectory(configuration)
        do { return try evaluate(output) } catch Interruption.stopped {
            reporter.sink.emit(.state(.stopped))
            return JobSummary(outputDirectory: output, text: "Stopped before everything was measured; nothing was written.")
        }
    }

    private func evaluate(_ output: String) throws -> JobSummary {
        let backend = try EngineSetup.backend(configuration)
        reporter.phase("tokenising")
        let text = try TextSetup(configuration, directory: EngineSetup.modelDirectory(configuration), reporter: reporter)
        let sets = try EvaluatedSet.configured(configuration, text)
        reporter.phase("loading the model")
        let model = try EngineSetup.model(configuration, backend: backend)
        for note in model.adapterNotes { reporter.log(.warning, note) }
        for set in sets { try set.check(for: model.spec) }
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
                count: set.count, batch: set.batch, heed: { try control.heed(reporter.sink) },
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
