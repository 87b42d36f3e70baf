/// The jobs of the engine by their kind.

import Configuration
import Events
import Exporting

/// What each kind of job does.
public enum EngineJobs {
    public static let run: JobBody = { kind, configuration, sink, control in
        let configuration = try ModelLocation.resolved(configuration)
        switch kind {
        case .export:
            return try ExportJob(configuration: configuration, sink: sink, control: control).run()
        case .train, .evaluate, .predict, .chat:
            throw RunError.cannotStart(reason: "no engine")
        }
    }

    public static let plan: Planner.Body = { configuration, control in
        throw RunError.cannotStart(reason: "no engine")
    }
}
