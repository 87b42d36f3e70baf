import Platform

/// What can be wrong with a GGUF file.
public enum GGUFError: Error, Sendable, Equatable, CustomStringConvertible {
    case cannotRead(PlatformError)
    case cannotWrite(PlatformError)
    /// Not "GGUF" at its beginning.
    case notGGUF(path: String)
    case unsupportedVersion(path: String, found: UInt32)
    /// Written on a machine of the other byte order.
    case bigEndian(path: String)
    /// The file ends inside of `part`.
    case truncated(path: String, part: String, expected: UInt64, left: Int)
    /// A number that no file of this kind has.
    case badHeader(path: String, part: String, reason: String)
    case badTensor(path: String, tensor: String, reason: String)
    case overlap(path: String, first: String, second: String)
    case missingKey(path: String, key: String)
    case wrongValue(path: String, key: String, expected: String, found: String)

    public var description: String {
        switch self {
        case .cannotRead(let error), .cannotWrite(let error): error.description
        case .notGGUF(let path): "\(path): this is no GGUF file: its first bytes are not \"GGUF\"."
        case .unsupportedVersion(let path, let found):
            "\(path): GGUF version \(found) cannot be read; versions 2 and 3 can. Convert the model again with a present llama.cpp."
        case .bigEndian(let path): "\(path): the file was written for big-endian machines. Convert the model for little-endian ones."
        case .truncated(let path, let part, let expected, let left):
            "\(path): the file ends early: \(part) needs \(expected) bytes and \(left) are left. Download or copy it again."
        case .badHeader(let path, let part, let reason): "\(path): the GGUF header is damaged: \(part): \(reason)"
        case .badTensor(let path, let tensor, let reason): "\(path): tensor \(tensor): \(reason)"
        case .overlap(let path, let first, let second): "\(path): the bytes of tensors \(first) and \(second) overlap."
        case .missingKey(let path, let key): "\(path): the metadata lacks \(key)."
        case .wrongValue(let path, let key, let expected, let found): "\(path): \(key): expected \(expected), found \(found)."
        }
    }
}
