/// Why a model cannot be exported.
public enum ExportError: Error, Equatable, Sendable {
    /// An argument that an export needs is not set.
    case missingArgument(String)
    /// An argument with a value that an export cannot serve, and what to do instead.
    case unsupported(argument: String, value: String, whatToDo: String)
    /// The folder holds something that is no earlier export.
    case folderInUse(path: String)
    /// The folder is the one that the model or an adapter is read from, or holds it.
    case folderIsSource(path: String)
    case notEnoughSpace(path: String, needed: Int64, free: Int64)
    /// The written model does not answer like base and adapter together.
    case verificationFailed(path: String, reason: String)
    case cannotWrite(reason: String)
    case aborted(path: String)
}

extension ExportError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .missingArgument(let name): "An export needs \(name). Give it in the recipe, or as --\(name) VALUE."
        case .unsupported(let argument, let value, let whatToDo): "\(argument): \(value) is not supported. \(whatToDo)"
        case .folderInUse(let path):
            "\(path): the folder is not empty and holds no earlier export. Choose another export_dir, or empty it first."
        case .folderIsSource(let path):
            "\(path): export_dir is the folder that the model or an adapter is read from, or holds it, and would be replaced. Choose another one."
        case .notEnoughSpace(let path, let needed, let free):
            "\(path): the export needs \(needed) bytes and the disk has \(free) left. Free some, choose another disk, or a smaller infer_dtype."
        case .verificationFailed(let path, let reason):
            "The export to \(path) was made but does not match the model in memory: \(reason) It has been removed."
        case .cannotWrite(let reason): reason
        case .aborted(let path): "The export to \(path) was stopped; nothing is left of it."
        }
    }
}
