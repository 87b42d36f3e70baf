/// The jobs of the engine by their kind.

import Configuration
import Evaluation
import Events
import Exporting
import Training

/// What each kind of job does.
public enum EngineJobs {
    public static let run: JobBody = { kind, configuration, sink, control in
        let configuration = try ModelLocation.resolved(configuration)
        switch kind {
        case .train:
            return try TrainingJob(configuration: configuration, sink: sink, control: control).run()
        case .evaluate where StageEvaluationJob.serves(configuration):
            return try StageEvaluationJob(configuration: configuration, sink: sink, control: control).run()
        case .evaluate:
            return try EvaluationJob(configuration: configuration, sink: sink, control: control).run()
        case .predict:
            return try PredictionJob(configuration: configuration, sink: sink, control: control).run()
        case .export:
            return try ExportJob(configuration: configuration, sink: sink, control: control).run()
        case .chat:
            throw RunError.cannotStart(reason: "a chat is not a job; ChatService runs it.")
        }
    }

    /// The estimate of a training. It reads the data and the model's headers and cannot be interrupted; one that is no longer
    /// wanted is thrown away when it is done.
    public static let plan: Planner.Body = { configuration, _ in
        try TrainingJob.plan(try ModelLocation.resolved(configuration))
    }
}
