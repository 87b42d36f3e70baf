/// Element types of a safetensors file and what can be wrong with such a file.

import Platform

/// The raw value is what the header says.
public enum SafetensorsType: String, Sendable, CaseIterable {
    case float64 = "F64"
    case float32 = "F32"
    case float16 = "F16"
    case bfloat16 = "BF16"
    case int64 = "I64"
    case int32 = "I32"
    case int16 = "I16"
    case int8 = "I8"
    case uint64 = "U64"
    case uint32 = "U32"
    case uint16 = "U16"
    case uint8 = "U8"
    case bool = "BOOL"
    case float8E4M3 = "F8_E4M3"
    case float8E5M2 = "F8_E5M2"

    /// Bytes of one element.
    public var byteCount: Int {
        switch self {
        case .float64, .int64, .uint64: 8
        case .float32, .int32, .uint32: 4
        case .float16, .bfloat16, .int16, .uint16: 2
        case .int8, .uint8, .bool, .float8E4M3, .float8E5M2: 1
        }
    }
}

public enum SafetensorsError: Error, Sendable, Equatable, CustomStringConvertible {
    case cannotRead(PlatformError)
    case cannotWrite(PlatformError)
    /// Shorter than its header says, or than a header can be.
    case truncated(path: String, expected: Int, found: Int)
    case headerTooLarge(path: String, bytes: UInt64, limit: Int)
    case badHeader(path: String, reason: String)
    case badTensor(path: String, tensor: String, reason: String)
    case overlap(path: String, first: String, second: String)
    case missingTensor(path: String, tensor: String)

    public var description: String {
        switch self {
        case .cannotRead(let error), .cannotWrite(let error): error.description
        case .truncated(let path, let expected, let found):
            "\(path): the file ends early: \(expected) bytes were expected, \(found) are there. Download or copy it again."
        case .headerTooLarge(let path, let bytes, let limit):
            "\(path): the header claims \(bytes) bytes; at most \(limit) are allowed. This is not a safetensors file, or it is damaged."
        case .badHeader(let path, let reason): "\(path): the safetensors header is damaged: \(reason)"
        case .badTensor(let path, let tensor, let reason): "\(path): tensor \(tensor): \(reason)"
        case .overlap(let path, let first, let second): "\(path): the bytes of tensors \(first) and \(second) overlap."
        case .missingTensor(let path, let tensor): "\(path): there is no tensor \(tensor)."
        }
    }
}
