/// Why a benchmark measured nothing.
enum BenchError: Error, CustomStringConvertible {
    case noPseudoTerminal(String)
    case cannotSpawn(String, String)
    case nothingDrawn(String)
    /// A wish that cannot be fulfilled: `--quantization int3`.
    case unsuitable(String)

    var description: String {
        switch self {
        case .noPseudoTerminal(let reason): "there is no pseudo-terminal: \(reason)"
        case .cannotSpawn(let program, let reason): "\(program) cannot be started: \(reason)"
        case .nothingDrawn(let program): "\(program) drew no board within 10 s"
        case .unsuitable(let reason): reason
        }
    }
}
