/// Loss and metrics of a model on preference data: pairs for rm and dpo, judged answers for kto.

import Configuration
import Evaluation
import Events
import Formats
import Models
import Platform
import Tensors

public struct StageEvaluationJob {
    private let job: ModelJob
    private var configuration: Configuration { job.configuration }
    private var reporter: JobReporter { job.reporter }

    public init(configuration: Configuration, sink: any EventSink, control: JobControl) {
        job = ModelJob(configuration: configuration, sink: sink, control: control)
    }

    /// Whether a configuration's stage is evaluated here and not by its cross-entropy.
    public static func serves(_ configuration: Configuration) -> Bool {
        ["rm", "dpo", "kto", "ppo"].contains(configuration[.stage])
    }

    /// Measures and writes eval_results.json. A stopped job writes nothing.
    public func run() throws -> JobSummary {
        try job.run(stopped: { _ in "Stopped before everything was measured; nothing was written." }, evaluate)
    }

    private func evaluate(_ output: String) throws -> JobSummary {
        guard let stage = TrainingSettings.Stage(rawValue: configuration[.stage]), stage != .policyOptimisation else {
            throw TrainingError.unsuitable(
                argument: "stage", value: configuration[.stage],
                reason: "it has nothing to evaluate on. Score its answers with stage: rm, or measure their loss with stage: sft.")
        }
        let settings = try StageSettings(configuration, stage: stage)
        let (sets, model) = try job.load({ try EvaluatedSet.configured(configuration, $0) }, check: EvaluatedSet.check)
        let objective = try objective(stage, settings, model)
        reporter.sink.emit(.state(.running))
        reporter.phase("evaluating")
        let metrics = try measure(sets, objective, hasReference: model.hasAdapter || settings.referenceModel != nil)
        try ResultsFile.write(metrics, split: "eval", to: output)
        return summary(metrics, output)
    }

    private func objective(_ stage: TrainingSettings.Stage, _ settings: StageSettings, _ model: Transformer) throws -> any Objective {
        if stage == .rewardModelling {
            let place = configuration[.adapterNameOrPath].last ?? model.directory
            guard ValueHead.exists(in: place) else {
                throw TrainingError.unsuitable(
                    argument: "adapter_name_or_path", value: place, reason: "there is no \(ValueHead.fileName) in it. Train it with stage: rm.")
            }
            return RewardObjective(model: model, head: try ValueHead(directory: place, hiddenSize: model.head.inputCount))
        }
        let reference = try StageMaker.evaluationReference(settings, model: model)
        if stage == .feedback { return FeedbackObjective(model: model, reference: reference, settings: settings.feedback) }
        return PreferenceObjective(model: model, reference: reference, settings: settings.preference)
    }

    /// - Parameter hasReference: without one the model is its own, and rewards say nothing.
    private func measure(_ sets: [EvaluatedSet], _ objective: any Objective, hasReference: Bool) throws -> JSONObject {
        var metrics = JSONObject()
        let comparesNothing = !hasReference && configuration[.stage] != "rm" && !["orpo", "simpo"].contains(configuration[.prefLoss])
        if comparesNothing {
            reporter.log(.warning, "There is no adapter and no ref_model: rewards are left out, because nothing is there to compare with.")
        }
        for set in sets {
            let entry = try ObjectiveEvaluator(objective: objective, batchSize: configuration[.perDeviceEvalBatchSize]).evaluate(
                set, heed: job.heed, progress: { reporter.progress("evaluating", $0, $1, detail: set.name ?? "") })
            let kept = JSONObject(entry.pairs.filter { !comparesNothing || !$0.key.contains("rewards/") }.map { ($0.key, $0.value) })
            metrics.merge(kept)
            let values = kept.pairs.compactMap { pair in pair.value.doubleValue.map { (pair.key, $0) } }
            reporter.sink.emit(
                .evaluation(
                    EvaluationMetrics(
                        step: 0, loss: kept[set.prefix + "loss"]?.doubleValue, values: Dictionary(values, uniquingKeysWith: { $1 }))))
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
