/// Why a benchmark measured nothing.
enum BenchError: Error, CustomStringConvertible {
    case noPseudoTerminal(String)
    case cannotSpawn(String, String)
    /// The program did not show in time what it was asked for.
    case neverShown(String, String)
    /// A wish that cannot be fulfilled: `--quantization int3`.
    case unsuitable(String)

    var description: String {
        switch self {
        case .noPseudoTerminal(let reason): "there is no pseudo-terminal: \(reason)"
        case .cannotSpawn(let program, let reason): "\(program) cannot be started: \(reason)"
        case .neverShown(let program, let what): "\(program) did not show \(what) in time"
        case .unsuitable(let reason): reason
        }
    }
}
