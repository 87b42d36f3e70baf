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
        case .export:
            return try ExportJob(configuration: configuration, sink: sink, control: control).run()
        case .train:
            return try TrainingJob(configuration: configuration, sink: sink, control: control).run()
        case .evaluate:
            return try EvaluationJob(configuration: configuration, sink: sink, control: control).run()
        case .predict:
            return try PredictionJob(configuration: configuration, sink: sink, control: control).run()
        case .chat:
            throw RunError.cannotStart(reason: "a chat is no job; it has a service of its own")
        }
    }

    public static let plan: Planner.Body = { configuration, control in
        try TrainingJob.plan(try ModelLocation.resolved(configuration))
    }
}
