/// What can go wrong between the program and the operating system.

import Glibc

/// A failed system call, with the path it was about and the reason the system gave.
public enum PlatformError: Error, Sendable, Equatable, CustomStringConvertible {
    case notFound(path: String)
    case cannotOpen(path: String, reason: String)
    case cannotRead(path: String, reason: String)
    case cannotWrite(path: String, reason: String)
    case cannotCreateDirectory(path: String, reason: String)
    case cannotRemove(path: String, reason: String)
    case cannotRename(from: String, to: String, reason: String)
    case cannotMap(path: String, reason: String)
    /// The file is text, but not valid UTF-8: `offset` counts bytes from 0.
    case notText(path: String, offset: Int)
    case cannotStart(program: String, reason: String)
    /// A pipe, a device or a directory where a file is needed: `kind` is like "a pipe".
    case notAFile(path: String, kind: String)
    /// More bytes than such a file may have.
    case tooLarge(path: String, bytes: Int64, limit: Int64)

    public var description: String {
        switch self {
        case .notFound(let path): "\(path): there is no such file or directory."
        case .cannotOpen(let path, let reason): "\(path): cannot be opened (\(reason))."
        case .cannotRead(let path, let reason): "\(path): cannot be read (\(reason))."
        case .cannotWrite(let path, let reason): "\(path): cannot be written (\(reason))."
        case .cannotCreateDirectory(let path, let reason): "\(path): the directory cannot be created (\(reason))."
        case .cannotRemove(let path, let reason): "\(path): cannot be removed (\(reason))."
        case .cannotRename(let from, let to, let reason): "\(from): cannot be renamed to \(to) (\(reason))."
        case .cannotMap(let path, let reason): "\(path): cannot be mapped into memory (\(reason))."
        case .notText(let path, let offset): "\(path): byte \(offset) is not valid UTF-8 text."
        case .cannotStart(let program, let reason): "\(program): cannot be started (\(reason))."
        case .notAFile(let path, let kind): "\(path): expected a file, found \(kind)."
        case .tooLarge(let path, let bytes, let limit):
            "\(path): it holds \(bytes) bytes; at most \(limit) are read of such a file."
        }
    }

    /// The system's words for the current `errno`. Read it before anything else can change it.
    static func reason(_ code: Int32 = errno) -> String {
        guard let text = strerror(code) else { return "error \(code)" }
        return String(cString: text)
    }
}
