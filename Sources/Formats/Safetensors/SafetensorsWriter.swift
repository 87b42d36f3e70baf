/// Writing safetensors piece by piece: the header is fixed first, then tensors are filled in any order, and only a complete file
/// gets its name.

import Platform

/// A tensor that is going to be written.
public struct TensorDeclaration: Sendable, Equatable {
    public let name: String
    public let dtype: SafetensorsType
    public let shape: [Int]

    public init(name: String, dtype: SafetensorsType, shape: [Int]) {
        self.name = name
        self.dtype = dtype
        self.shape = shape
    }
}

public final class SafetensorsWriter {
    /// The order of the data in the file: wide types first, then by name, as the format's own writer does, which keeps every tensor
    /// aligned to its element size.
    public let order: [TensorDeclaration]
    private let file: LaidOutFile<SafetensorsError>

    /// - Parameter metadata: strings for `__metadata__`; "format": "pt" is what other programs look for.
    public init(path: String, tensors: [TensorDeclaration], metadata: [String: String] = ["format": "pt"]) throws(SafetensorsError) {
        order = tensors.sorted {
            if $0.dtype.byteCount != $1.dtype.byteCount { return $0.dtype.byteCount > $1.dtype.byteCount }
            return $0.name.utf8.lexicographicallyPrecedes($1.name.utf8)
        }
        let (header, regions, end) = try Self.layOut(order, metadata, path: path)
        file = try LaidOutFile(path: path, header: header, dataStart: header.count, regions: regions, dataCount: end)
    }

    /// Fills in the next bytes of a tensor: all of them at once or piece by piece, tensors in any order.
    public func write(_ bytes: UnsafeRawBufferPointer, to name: String) throws(SafetensorsError) { try file.write(bytes, to: name) }

    /// Makes sure that every tensor is complete, that the disk has it, and gives the file its name.
    public func finish() throws(SafetensorsError) { try file.finish() }

    /// Writes a whole file from memory.
    public static func write(
        path: String, tensors: [(TensorDeclaration, [UInt8])], metadata: [String: String] = ["format": "pt"]
    ) throws(SafetensorsError) {
        let writer = try SafetensorsWriter(path: path, tensors: tensors.map { $0.0 }, metadata: metadata)
        for (tensor, bytes) in tensors {
            try bytes.withContiguousBytes { buffer throws(SafetensorsError) in try writer.write(buffer, to: tensor.name) }
        }
        try writer.finish()
    }

    /// Fixes where each tensor goes.
    /// - Returns: the length word and the header, the places, and the bytes of all tensors.
    private static func layOut(
        _ order: [TensorDeclaration], _ metadata: [String: String], path: String
    ) throws(SafetensorsError) -> (header: [UInt8], regions: [FileRegion], end: Int) {
        var header = JSONObject()
        if !metadata.isEmpty {
            let sorted = metadata.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            header.set("__metadata__", .object(JSONObject(sorted.map { ($0.key, .string($0.value)) })))
        }
        var regions: [FileRegion] = [], offset = 0
        for tensor in order {
            if tensor.name == "__metadata__" {
                throw .badTensor(path: path, tensor: tensor.name, reason: "the format keeps this name for what a file says about itself.")
            }
            guard let count = TensorShape.byteCount(tensor.shape, width: tensor.dtype.byteCount) else {
                throw .badTensor(path: path, tensor: tensor.name, reason: "no tensor can have the shape \(tensor.shape).")
            }
            regions.append(FileRegion(name: tensor.name, start: offset, count: count))
            header.set(
                tensor.name,
                [
                    "dtype": .string(tensor.dtype.rawValue),
                    "shape": .array(tensor.shape.map { .integer($0) }),
                    "data_offsets": [.integer(offset), .integer(offset + count)],
                ])
            offset += count
        }
        var text = Array(header.text().utf8)
        while text.count % 8 != 0 { text.append(UInt8(ascii: " ")) }
        return (withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text, regions, offset)
    }
}
