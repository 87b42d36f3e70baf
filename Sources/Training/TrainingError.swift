/// Why training cannot start or go on. Every case carries the facts; the sentence for people is made in `description`.

public enum TrainingError: Error, Sendable, Equatable, CustomStringConvertible {
    /// `lr_scheduler_type: "cosin"`
    case unknownSchedule(name: String, known: [String])
    /// `lr_scheduler_kwargs: {"num_cycle": 2}`
    case unknownScheduleKeyword(schedule: String, keyword: String, known: [String])
    /// `lr_scheduler_kwargs: {"num_cycles": "many"}`
    case badScheduleKeyword(schedule: String, keyword: String, expected: String, found: String)
    /// `cosine_with_min_lr` without `min_lr` and `min_lr_rate`.
    case missingScheduleKeyword(schedule: String, keyword: String)
    /// An argument whose value cannot work, found before anything is loaded.
    case unsuitable(argument: String, value: String, reason: String)
    /// `output_dir` is not set.
    case missingArgument(String, reason: String)
    /// `output_dir` holds a finished model and neither resuming nor overwriting was asked for.
    case outputDirectoryNotEmpty(path: String, found: String)
    /// `output_dir` holds a file that the run would write and that no run made.
    case outputDirectoryForeign(path: String, found: String)
    /// `output_dir`, or a checkpoint in it, is what another argument reads.
    case outputDirectoryIsSource(path: String, argument: String, source: String)
    case outputDirectoryNotWritable(path: String, reason: String)
    case noCheckpoint(directory: String)
    case brokenCheckpoint(path: String, file: String, reason: String)
    /// A checkpoint of another model, method or rank.
    case checkpointMismatch(path: String, what: String, expected: String, found: String)
    case noTrainingSamples(reason: String)
    /// The loss is not a number and nothing filters it.
    case notFinite(step: Int, what: String, origin: String)
    case missingMetric(name: String, available: [String])
    /// The server that scores answers does not.
    case rewardServer(address: String, what: String)
    case notEnoughDisk(path: String, needed: Int64, free: Int64)

    public var description: String {
        switch self {
        case .unknownSchedule(let name, let known):
            "lr_scheduler_type: \"\(name)\" is not a schedule. Use one of \(known.joined(separator: ", "))."
        case .unknownScheduleKeyword(let schedule, let keyword, let known):
            "lr_scheduler_kwargs: the schedule \(schedule) has no option \"\(keyword)\". "
                + (known.isEmpty ? "It takes none." : "It takes \(known.joined(separator: ", ")).")
        case .badScheduleKeyword(let schedule, let keyword, let expected, let found):
            "lr_scheduler_kwargs: \(keyword) of the schedule \(schedule) must be \(expected), found \(found)."
        case .missingScheduleKeyword(let schedule, let keyword):
            "lr_scheduler_kwargs: the schedule \(schedule) needs \(keyword), for example lr_scheduler_kwargs: {\"\(keyword)\": 0.1}."
        case .unsuitable(let argument, let value, let reason):
            "\(argument): \(value) cannot be used: \(reason)"
        case .missingArgument(let name, let reason):
            "\(name) is not set: \(reason)"
        case .outputDirectoryNotEmpty(let path, let found):
            "output_dir: \(path) already holds a trained model (\(found)). "
                + "Set overwrite_output_dir: true, choose another output_dir, or resume with resume_from_checkpoint."
        case .outputDirectoryForeign(let path, let found):
            "output_dir: \(path) holds \(found), which no run has made and this one would replace. Choose another output_dir, or empty that folder."
        case .outputDirectoryIsSource(let path, let argument, let source):
            "output_dir: \(path) would be cleared, and \(argument) reads \(source) there. Choose another output_dir."
        case .outputDirectoryNotWritable(let path, let reason):
            "output_dir: \(path) cannot be written: \(reason). Choose a folder that you may write to."
        case .noCheckpoint(let directory):
            "resume_from_checkpoint: \(directory) holds no complete checkpoint. "
                + "Name a checkpoint-N folder, or leave resume_from_checkpoint out to start afresh."
        case .brokenCheckpoint(let path, let file, let reason):
            "\(path): \(file) cannot be used to resume: \(reason)"
        case .checkpointMismatch(let path, let what, let expected, let found):
            "\(path): its \(what) is \(found), this run has \(expected). "
                + "Resume with the settings the checkpoint was made with, or start a new run with overwrite_output_dir: true."
        case .noTrainingSamples(let reason):
            "There is nothing to train on: \(reason)"
        case .notFinite(let step, let what, let origin):
            "Step \(step): \(what) is not a finite number (\(origin)). "
                + "Lower learning_rate, set max_grad_norm: 1.0, and look at the data of this step."
        case .missingMetric(let name, let available):
            "metric_for_best_model: \"\(name)\" was not measured. Measured were: \(available.joined(separator: ", "))."
        case .rewardServer(let address, let what):
            "reward_model: \(address) \(what). It is sent {\"model\": ..., \"messages\": [texts]} and must answer {\"scores\": [numbers]}."
        case .notEnoughDisk(let path, let needed, let free):
            "\(path): a checkpoint needs \(needed) bytes and only \(free) are free. "
                + "Free some space, set save_total_limit, or choose another output_dir."
        }
    }
}
