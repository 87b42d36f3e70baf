/// Why an evaluation cannot start or go on. The sentence for people is made in `description`.

public enum EvaluationError: Error, Sendable, Equatable, CustomStringConvertible {
    case missingArgument(String, reason: String)
    case unsuitable(argument: String, value: String, reason: String)
    case outputNotWritable(path: String, reason: String)
    case noSamples(reason: String)
    case brokenPredictions(path: String, line: Int)

    public var description: String {
        switch self {
        case .missingArgument(let name, let reason): "\(name) is not set: \(reason)"
        case .unsuitable(let argument, let value, let reason): "\(argument): \(value) cannot be used: \(reason)"
        case .outputNotWritable(let path, let reason):
            "output_dir: \(path) cannot be written: \(reason). Choose a folder that you may write to."
        case .noSamples(let reason): "There is nothing to evaluate: \(reason)"
        case .brokenPredictions(let path, let line):
            "\(path), line \(line): this is no prediction of this run. Remove the file, or set overwrite_output_dir: true."
        }
    }
}
