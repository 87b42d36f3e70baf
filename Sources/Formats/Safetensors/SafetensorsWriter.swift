/// Writing safetensors piece by piece: the header is fixed first, then tensors are filled in any order, and only a complete file
/// gets its name.

import Glibc
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

    public var byteCount: Int { shape.reduce(dtype.byteCount, *) }
}

/// Writes beside the target and renames in `finish`; an unfinished file is removed when the writer goes away.
public final class SafetensorsWriter {
    public let path: String
    /// The order of the data in the file: wide types first, then by name, as the format's own writer does, which keeps every tensor
    /// aligned to its element size.
    public let order: [TensorDeclaration]

    private struct Region {
        var start: Int
        var count: Int
        var written: Int
    }

    private let temporaryPath: String
    private var descriptor: Int32 = -1
    private var regions: [ByteKey: Region] = [:]

    /// - Parameter metadata: strings for `__metadata__`; "format": "pt" is what other programs look for.
    public init(path: String, tensors: [TensorDeclaration], metadata: [String: String] = ["format": "pt"]) throws(SafetensorsError) {
        self.path = path
        temporaryPath = FileSystem.temporaryName(for: path)
        order = tensors.sorted {
            if $0.dtype.byteCount != $1.dtype.byteCount { return $0.dtype.byteCount > $1.dtype.byteCount }
            return $0.name.utf8.lexicographicallyPrecedes($1.name.utf8)
        }
        let header = try layOut(metadata)
        descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        if descriptor < 0 { throw failure() }
        do throws(SafetensorsError) {
            try header.withContiguousBytes { bytes throws(SafetensorsError) in try put(bytes, at: 0) }
        } catch {
            abandon()
            throw error
        }
    }

    deinit { abandon() }

    /// Fills in the next bytes of a tensor: all of them at once or piece by piece, tensors in any order.
    public func write(_ bytes: UnsafeRawBufferPointer, to name: String) throws(SafetensorsError) {
        guard var region = regions[ByteKey(name)] else { throw .missingTensor(path: path, tensor: name) }
        guard region.written + bytes.count <= region.count else {
            throw .badTensor(
                path: path, tensor: name,
                reason: "\(region.written + bytes.count) bytes were written, its shape has room for \(region.count).")
        }
        try put(bytes, at: region.start + region.written)
        region.written += bytes.count
        regions[ByteKey(name)] = region
    }

    /// Makes sure that every tensor is complete, that the disk has it, and gives the file its name.
    public func finish() throws(SafetensorsError) {
        for tensor in order {
            guard let region = regions[ByteKey(tensor.name)], region.written == region.count else {
                throw .badTensor(
                    path: path, tensor: tensor.name,
                    reason: "only \(regions[ByteKey(tensor.name)]?.written ?? 0) of \(tensor.byteCount) bytes were written.")
            }
        }
        if fsync(descriptor) != 0 { throw failure() }
        close(descriptor)
        descriptor = -1
        do throws(PlatformError) {
            try FileSystem.rename(temporaryPath, path)
        } catch {
            unlink(temporaryPath)
            throw .cannotWrite(error)
        }
        FileSystem.synchronizeDirectory(Path.directory(path))
    }

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

    /// Fixes where each tensor goes and returns the length word and the header.
    private func layOut(_ metadata: [String: String]) throws(SafetensorsError) -> [UInt8] {
        var header = JSONObject()
        if !metadata.isEmpty {
            let sorted = metadata.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            header.set("__metadata__", .object(JSONObject(sorted.map { ($0.key, .string($0.value)) })))
        }
        var offset = 0
        for tensor in order {
            guard tensor.shape.allSatisfy({ $0 >= 0 }) else {
                throw .badTensor(path: path, tensor: tensor.name, reason: "its shape \(tensor.shape) is impossible.")
            }
            guard regions[ByteKey(tensor.name)] == nil, tensor.name != "__metadata__" else {
                throw .badTensor(path: path, tensor: tensor.name, reason: "the name is used twice.")
            }
            let count = tensor.byteCount
            regions[ByteKey(tensor.name)] = Region(start: offset, count: count, written: 0)
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
        let dataStart = 8 + text.count
        for key in regions.keys { regions[key]?.start += dataStart }
        return withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text
    }

    private func put(_ bytes: UnsafeRawBufferPointer, at position: Int) throws(SafetensorsError) {
        var done = 0
        while done < bytes.count {
            let count = pwrite(descriptor, bytes.baseAddress?.advanced(by: done), min(bytes.count - done, 1 << 30), off_t(position + done))
            if count < 0 {
                if errno == EINTR { continue }
                throw failure()
            }
            done += count
        }
    }

    private func failure() -> SafetensorsError {
        .cannotWrite(.cannotWrite(path: path, reason: String(cString: strerror(errno))))
    }

    private func abandon() {
        guard descriptor >= 0 else { return }
        close(descriptor)
        descriptor = -1
        unlink(temporaryPath)
    }
}

extension Array where Element == UInt8 {
    /// `withUnsafeBytes` for bodies that throw one typed error.
    func withContiguousBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let outcome: Swift.Result<Result, Failure> = withUnsafeBytes { bytes in
            do throws(Failure) { return .success(try body(bytes)) } catch { return .failure(error) }
        }
        return try outcome.get()
    }
}
