/// A tensor that is going to be written.
public struct GGUFDeclaration: Sendable, Equatable {
    public let name: String
    public let type: GGUFTensorType
    /// Outermost first.
    public let shape: [Int]

    public init(name: String, type: GGUFTensorType, shape: [Int]) {
        self.name = name
        self.type = type
        self.shape = shape
    }
}

/// Writes a GGUF file of version 3 piece by piece: the header first, then tensors in any order. It is written beside the target and
/// gets its name in `finish`, when the disk has all of it; an unfinished file is removed when the writer goes away.
public final class GGUFWriter {
    /// What ggml allows for a tensor's name, its terminator included.
    public static let nameLimit = 64
    private static let alignment = 32
    private let file: LaidOutFile<GGUFError>

    public init(path: String, metadata: [(String, GGUFEntry)], tensors: [GGUFDeclaration]) throws(GGUFError) {
        let (header, regions, end) = try Self.layOut(metadata, tensors, path: path)
        file = try LaidOutFile(path: path, header: header, dataStart: Self.aligned(header.count), regions: regions, dataCount: end)
    }

    /// Bytes of the finished file.
    public var byteCount: Int { file.byteCount }

    /// Fills in the next bytes of a tensor: all at once or piece by piece.
    public func write(_ bytes: UnsafeRawBufferPointer, to name: String) throws(GGUFError) { try file.write(bytes, to: name) }

    /// Makes sure that every tensor is complete, that the disk has it, and gives the file its name.
    public func finish() throws(GGUFError) { try file.finish() }

    /// Fixes where each tensor goes.
    /// - Returns: the header, the places, and the bytes of all tensors with what fills up between them.
    private static func layOut(
        _ metadata: [(String, GGUFEntry)], _ tensors: [GGUFDeclaration], path: String
    ) throws(GGUFError) -> (header: [UInt8], regions: [FileRegion], end: Int) {
        var header = GGUFHeader.magic
        header.append(UInt32(3))
        header.append(UInt64(tensors.count))
        header.append(UInt64(metadata.count))
        for (key, entry) in metadata {
            header.append(text: Array(key.utf8))
            header.append(entry.type.rawValue)
            header.append(entry)
        }
        var regions: [FileRegion] = [], offset = 0
        for tensor in tensors {
            guard tensor.name.utf8.count < nameLimit else {
                throw .badTensor(path: path, tensor: tensor.name, reason: "its name is longer than the \(nameLimit - 1) bytes that llama.cpp reads.")
            }
            guard let count = tensor.type.byteCount(tensor.shape), tensor.shape.count <= 4 else {
                throw .badTensor(path: path, tensor: tensor.name, reason: "\(tensor.shape) cannot be kept as \(tensor.type.name).")
            }
            regions.append(FileRegion(name: tensor.name, start: offset, count: count))
            header.append(text: Array(tensor.name.utf8))
            header.append(UInt32(tensor.shape.count))
            for dimension in tensor.shape.reversed() { header.append(UInt64(dimension)) }
            header.append(tensor.type.number)
            header.append(UInt64(offset))
            offset = aligned(offset + count)
        }
        return (header, regions, offset)
    }

    private static func aligned(_ offset: Int) -> Int { (offset + alignment - 1) / alignment * alignment }
}

extension Array where Element == UInt8 {
    fileprivate mutating func append<Number: FixedWidthInteger>(_ number: Number) {
        Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) }
    }

    fileprivate mutating func append(text: [UInt8]) {
        append(UInt64(text.count))
        append(contentsOf: text)
    }

    fileprivate mutating func append(_ entry: GGUFEntry) {
        switch entry {
        case .uint32(let value): append(value)
        case .int32(let value): append(value)
        case .uint64(let value): append(value)
        case .float32(let value): append(value.bitPattern)
        case .bool(let value): append(value ? UInt8(1) : 0)
        case .text(let value): append(text: Array(value.utf8))
        case .texts(let list):
            append(heading: .string, list.count)
            for text in list { append(text: text) }
        case .float32s(let list):
            append(heading: .float32, list.count)
            for value in list { append(value.bitPattern) }
        case .int32s(let list):
            append(heading: .int32, list.count)
            for value in list { append(value) }
        case .uint32s(let list):
            append(heading: .uint32, list.count)
            for value in list { append(value) }
        case .bools(let list):
            append(heading: .bool, list.count)
            for value in list { append(value ? UInt8(1) : 0) }
        }
    }

    private mutating func append(heading type: GGUFValueType, _ count: Int) {
        append(type.rawValue)
        append(UInt64(count))
    }
}
