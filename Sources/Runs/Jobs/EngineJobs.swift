/// The jobs of the engine by their kind.

import Configuration
import Events

/// What each kind of job does.
public enum EngineJobs {
    public static let run: JobBody = { kind, configuration, sink, control in
        throw RunError.cannotStart(reason: "no engine")
    }

    public static let plan: Planner.Body = { configuration, control in
        throw RunError.cannotStart(reason: "no engine")
    }
}
