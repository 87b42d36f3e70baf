/// Answers a data set and scores the answers (BLEU-4, ROUGE-1, ROUGE-2, ROUGE-L), as LLaMA-Factory's `predict_with_generate` does.

import Configuration
import Datasets
import Events
import Formats
import Generation
import Models
import Platform

public struct PredictionJob {
    private let job: ModelJob

    public init(configuration: Configuration, sink: any EventSink, control: JobControl) {
        job = ModelJob(configuration: configuration, sink: sink, control: control)
    }

    /// Answers, scores and writes predict_results.json. A stopped job keeps its answers; started again it goes on behind them.
    public func run() throws -> JobSummary {
        try job.run(stopped: { "Stopped; the answers so far are in \(Path.join($0, PredictionFile.fileName)). Start again to go on behind them." }) { output in
            let (data, model) = try job.load(
                { try PredictionData(job.configuration, text: $0) }, check: { try $0.check(vocabularySize: $1.spec.vocabularySize) })
            return try Self.predict(
                data, model: model, configuration: job.configuration, output: output, reporter: job.reporter, control: job.control)
        }
    }

    /// Answers and scores with a model that is loaded already.
    public static func predict(
        _ data: PredictionData, model: Transformer, configuration: Configuration, output: String, reporter: JobReporter,
        control: JobControl
    ) throws -> JobSummary {
        let (segmenter, note) = WordSegmenter.installed()
        reporter.log(.info, note)
        reporter.sink.emit(.state(.running))
        reporter.phase("predicting")
        let start = Clock.monotonicSeconds()
        var options = SamplingOptions(configuration)
        options.beams = configuration[.evalNumBeams] ?? configuration[.generationNumBeams] ?? options.beams
        options.stopTokenIDs = data.stopTokens(model)
        options.stopStrings = data.stopWords
        let sources = DatasetDirectory.files(of: configuration).map(\.path)
        try RowTarget.check(Path.join(output, PredictionFile.fileName), argument: "output_dir", sources: sources, overwrites: true)
        let file = try PredictionFile(directory: output, continues: !configuration[.overwriteOutputDir])
        defer { file.close() }
        if !file.finished.isEmpty {
            reporter.log(.info, "\(file.finished.count) answers of an earlier run are kept; the run goes on behind them.")
        }
        let scorer = PredictionScorer(
            generator: TextGenerator(model: model, tokenizer: data.tokenizer), similarity: TextSimilarity(segmenter: segmenter),
            options: options, seed: UInt64(bitPattern: Int64(configuration[.seed])), rowsAtOnce: configuration[.perDeviceEvalBatchSize],
            reporter: reporter)
        let scores = try scorer.run(rows: data.rows, file: file, heed: { try control.heed(reporter.sink) })
        let metrics = Self.metrics(
            TextSimilarity.average(scores), count: scores.count, seconds: Clock.monotonicSeconds() - start,
            segmentation: segmenter.hasDictionary ? "words" : "characters")
        try ResultsFile.write(metrics, split: "predict", to: output)
        return summary(metrics, count: scores.count, output: output, reporter: reporter)
    }

    private static func metrics(_ average: SimilarityScores, count: Int, seconds: Double, segmentation: String) -> JSONObject {
        var metrics = JSONObject(average.byName.sorted { $0.key < $1.key }.map { ("predict_" + $0.key, JSONValue.number($0.value)) })
        for (name, value) in ResultsFile.speed(split: "predict", seconds: seconds, samples: Double(count), steps: count) {
            metrics.set(name, value)
        }
        metrics.set("predict_chinese_segmentation", .string(segmentation))
        return metrics
    }

    private static func summary(_ metrics: JSONObject, count: Int, output: String, reporter: JobReporter) -> JobSummary {
        let values = metrics.pairs.compactMap { pair in pair.value.doubleValue.map { NamedValue(pair.key, $0) } }
        let shown = ["bleu-4", "rouge-1", "rouge-2", "rouge-l"].map { name in
            "\(name) \(NumberText.fixed(metrics["predict_" + name]?.doubleValue ?? .nan, digits: 2))"
        }
        let text = "\(count) answers: " + shown.joined(separator: ", ") + ", in \(output)."
        reporter.log(.info, text)
        return JobSummary(values: values, outputDirectory: output, text: text)
    }
}
