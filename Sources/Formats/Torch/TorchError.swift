/// What can be wrong with a file that `torch.save` is said to have written.

import Platform

public enum TorchError: Error, Sendable, Equatable, CustomStringConvertible {
    case cannotRead(PlatformError)
    /// Not a zip archive, a damaged one, or one whose parts overlap.
    case badArchive(path: String, reason: String)
    /// Neither a zip archive nor the format before PyTorch 1.6.
    case notATorchFile(path: String)
    case badPickle(path: String, offset: Int, reason: String)
    /// `posix.system` and everything else that is not part of a tensor.
    case forbiddenGlobal(path: String, name: String)
    case badTensor(path: String, tensor: String, reason: String)

    public var description: String {
        switch self {
        case .cannotRead(let error): error.description
        case .badArchive(let path, let reason): "\(path): the zip archive is damaged: \(reason)"
        case .notATorchFile(let path): "\(path): this is not a file of torch.save. Download it again, or convert the model to safetensors."
        case .badPickle(let path, let offset, let reason): "\(path): the pickle is damaged at byte \(offset): \(reason)"
        case .forbiddenGlobal(let path, let name):
            "\(path): the pickle asks for \(name), which is no part of a tensor. Nothing of it was run. "
                + "Get the model as safetensors from a source that you trust."
        case .badTensor(let path, let tensor, let reason): "\(path): tensor \(tensor): \(reason)"
        }
    }
}
