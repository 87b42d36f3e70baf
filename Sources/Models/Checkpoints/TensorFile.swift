import Formats
import Platform
import Tensors

/// Tensors in and out of one safetensors file.
public enum TensorFile {
    /// A tensor that is going to be written.
    public struct Entry: Sendable, Equatable {
        public let name: String
        public let shape: [Int]
        public let dtype: DType

        public init(name: String, shape: [Int], dtype: DType) {
            self.name = name
            self.shape = shape
            self.dtype = dtype
        }
    }

    /// Writes tensors one at a time, so that only one has to be in memory. The file appears when it is whole.
    /// - Parameter tensor: gives the contents of an entry, or nil to give up.
    /// - Returns: false when `tensor` gave up; there is no file then.
    @discardableResult
    public static func write(
        _ path: String, entries: [Entry], metadata: [String: String] = ["format": "pt"], tensor: (Entry) -> Tensor?
    ) throws(ModelError) -> Bool {
        do throws(SafetensorsError) {
            let declarations = entries.map { TensorDeclaration(name: $0.name, dtype: SafetensorsType($0.dtype), shape: $0.shape) }
            let writer = try SafetensorsWriter(path: path, tensors: declarations, metadata: metadata)
            for entry in entries {
                guard let contents = tensor(entry) else { return false }
                try writer.write(contents.bytes, to: entry.name)
            }
            try writer.finish()
            return true
        } catch {
            throw .cannotWrite(reason: error.description)
        }
    }

    public static func write(
        _ path: String, tensors: [(name: String, tensor: Tensor)], metadata: [String: String] = ["format": "pt"]
    ) throws(ModelError) {
        let contents = Dictionary(tensors.map { ($0.name, $0.tensor) }, uniquingKeysWith: { first, _ in first })
        let entries = tensors.map { Entry(name: $0.name, shape: $0.tensor.shape, dtype: $0.tensor.dtype) }
        try write(path, entries: entries, metadata: metadata) { contents[$0.name] }
    }

    /// Every tensor of a file in memory of its own, in the type asked for or as stored.
    public static func read(_ path: String, as type: DType? = nil) throws(ModelError) -> [(name: String, tensor: Tensor)] {
        let file: SafetensorsFile
        do { file = try SafetensorsFile(path: path) } catch { throw .unreadable(reason: error.description) }
        var tensors: [(name: String, tensor: Tensor)] = []
        for entry in file.tensors {
            guard let stored = DType(entry.dtype) else {
                throw .unsupportedType(file: path, tensor: entry.name, found: entry.dtype.rawValue)
            }
            let copy = Tensor.zeros(entry.shape, stored)
            let bytes = file.bytes(entry)
            if let from = bytes.baseAddress { copy.address.copyMemory(from: from, byteCount: bytes.count) }
            tensors.append((entry.name, type == nil || type == stored ? copy : copy.converted(to: type ?? stored)))
        }
        return tensors
    }
}

extension DType {
    /// The engine's name for a stored type; nil for those that it does not keep.
    public init?(_ type: SafetensorsType) {
        switch type {
        case .float32: self = .float32
        case .float16: self = .float16
        case .bfloat16: self = .bfloat16
        case .int32: self = .int32
        case .int64: self = .int64
        case .uint8: self = .uint8
        case .float64, .int16, .int8, .uint64, .uint32, .uint16, .bool, .float8E4M3, .float8E5M2: return nil
        }
    }
}

extension SafetensorsType {
    public init(_ type: DType) {
        switch type {
        case .float32: self = .float32
        case .float16: self = .float16
        case .bfloat16: self = .bfloat16
        case .int32: self = .int32
        case .int64: self = .int64
        case .uint8: self = .uint8
        }
    }
}
