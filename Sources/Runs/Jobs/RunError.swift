/// What can go wrong with a run as a whole: starting it, finding it, steering it.

/// Errors of this module. The sentence for people is `description`.
public enum RunError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A second job was started while one is at work: "train".
    case busy(job: String)
    /// Two processes want the same run directory.
    case directoryInUse(path: String, processIdentifier: Int32)
    case cannotPrepare(path: String, reason: String)
    case notARun(path: String)
    case notRunning(path: String, status: String)
    case isRunning(path: String, processIdentifier: Int32)
    case cannotControl(path: String, reason: String)
    case cannotDelete(path: String, reason: String)
    case cannotRename(path: String, reason: String)
    case cannotStart(reason: String)
    /// A folder that another recipe or command makes is not there yet.
    case missingStep(argument: String, path: String, command: String)

    public var description: String {
        switch self {
        case .busy(let job):
            "A \(job) job is still at work in this program. Stop it or wait for its end before you start another."
        case .directoryInUse(let path, let processIdentifier):
            "\(path) is in use by a run in process \(processIdentifier). Choose another output_dir, or stop that run first: "
                + "tuneboard runs stop \(path)"
        case .cannotPrepare(let path, let reason):
            "Cannot prepare the run directory \(path): \(reason)"
        case .notARun(let path):
            "\(path) is not a run directory: it holds none of state.json, trainer_log.jsonl, trainer_state.json and running_log.txt. "
                + "`tuneboard runs` lists the runs under saves/."
        case .notRunning(let path, let status):
            "The run in \(path) is not at work (\(status)), so there is nobody to ask."
        case .isRunning(let path, let processIdentifier):
            "The run in \(path) is at work in process \(processIdentifier). Stop it first: tuneboard runs stop \(path)"
        case .cannotControl(let path, let reason):
            "Cannot leave a request for the run in \(path): \(reason)"
        case .cannotDelete(let path, let reason):
            "Cannot delete \(path): \(reason)"
        case .cannotRename(let path, let reason):
            "Cannot rename \(path): \(reason)"
        case .cannotStart(let reason):
            "Cannot start the job: \(reason)"
        case .missingStep(let argument, let path, let command):
            "\(argument): \(path) does not exist yet. It comes from an earlier step; run this first: \(command)"
        }
    }
}
