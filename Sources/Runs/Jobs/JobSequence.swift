/// Which jobs a command runs, one after the other, by the `do_*` arguments.

import Configuration
import Events

/// One job of a command: what it does and with which arguments.
public struct PlannedJob: Sendable {
    public var kind: JobKind
    public var configuration: Configuration

    public init(kind: JobKind, configuration: Configuration) {
        self.kind = kind
        self.configuration = configuration
    }
}

public enum JobSequence {
    /// `train`: training, which also evaluates at its end where `do_eval` asks for it, then the prediction that `do_predict` asks
    /// for, with what was trained. Without `do_train` evaluation and prediction run; without any of the three it is a training.
    public static func train(_ configuration: Configuration) -> [PlannedJob] {
        let mustEvaluate = configuration[.doEval]
        let mustPredict = configuration[.doPredict]
        let mustTrain = configuration[.doTrain] || !(mustEvaluate || mustPredict)
        var jobs: [PlannedJob] = []
        var after = configuration
        if mustTrain {
            jobs.append(PlannedJob(kind: .train, configuration: configuration))
            after = trained(configuration)
        }
        if mustEvaluate, !mustTrain { jobs.append(PlannedJob(kind: .evaluate, configuration: after)) }
        if mustPredict { jobs.append(PlannedJob(kind: .predict, configuration: after)) }
        return jobs
    }

    /// `eval`: loss and accuracy, or with `do_predict` or `predict_with_generate` answers and their scores, or both.
    public static func evaluate(_ configuration: Configuration) -> [PlannedJob] {
        let mustPredict = configuration[.doPredict] || configuration[.predictWithGenerate]
        let mustEvaluate = configuration[.doEval] || !mustPredict
        var jobs: [PlannedJob] = []
        if mustEvaluate { jobs.append(PlannedJob(kind: .evaluate, configuration: configuration)) }
        if mustPredict { jobs.append(PlannedJob(kind: .predict, configuration: configuration)) }
        return jobs
    }

    /// The same arguments with the outcome of the training in place of what it began with.
    private static func trained(_ configuration: Configuration) -> Configuration {
        var after = configuration
        let output = configuration.text("output_dir")
        switch configuration.text("finetuning_type") {
        case "lora", "oft":
            // Adapters below the trained one are a part of what it was trained on.
            let below = configuration[.createNewAdapter] ? configuration[.adapterNameOrPath] : configuration[.adapterNameOrPath].dropLast()
            after[.adapterNameOrPath] = below + [output]
        default: try? after.set("model_name_or_path", text: output)
        }
        return after
    }
}
