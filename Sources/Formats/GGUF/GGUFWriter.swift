import Glibc
import Platform

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
    public let path: String
    /// Bytes of the finished file.
    public private(set) var byteCount = 0

    private struct Region {
        let start: Int
        let count: Int
        var written = 0
    }

    /// What ggml allows for a tensor's name, its terminator included.
    public static let nameLimit = 64
    private static let alignment = 32
    private let temporaryPath: String
    private var descriptor: Int32 = -1
    private var regions: [ByteKey: Region] = [:]
    private let names: [String]

    public init(path: String, metadata: [(String, GGUFEntry)], tensors: [GGUFDeclaration]) throws(GGUFError) {
        self.path = path
        temporaryPath = FileSystem.temporaryName(for: path)
        names = tensors.map(\.name)
        let header = try layOut(metadata, tensors)
        descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        if descriptor < 0 { throw failure() }
        do throws(GGUFError) {
            try header.withContiguousBytes { bytes throws(GGUFError) in try put(bytes, at: 0) }
            // Padding reads as zeros.
            if ftruncate(descriptor, off_t(byteCount)) != 0 { throw failure() }
        } catch {
            abandon()
            throw error
        }
    }

    deinit { abandon() }

    /// Fills in the next bytes of a tensor: all at once or piece by piece.
    public func write(_ bytes: UnsafeRawBufferPointer, to name: String) throws(GGUFError) {
        guard var region = regions[ByteKey(name)] else { throw .badTensor(path: path, tensor: name, reason: "it was not announced.") }
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
    public func finish() throws(GGUFError) {
        for name in names {
            guard let region = regions[ByteKey(name)], region.written == region.count else {
                throw .badTensor(
                    path: path, tensor: name,
                    reason: "only \(regions[ByteKey(name)]?.written ?? 0) of \(regions[ByteKey(name)]?.count ?? 0) bytes were written.")
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

    // MARK: Layout

    private func layOut(_ metadata: [(String, GGUFEntry)], _ tensors: [GGUFDeclaration]) throws(GGUFError) -> [UInt8] {
        var header = GGUFHeader.magic
        header.append(UInt32(3))
        header.append(UInt64(tensors.count))
        header.append(UInt64(metadata.count))
        for (key, entry) in metadata {
            header.append(text: Array(key.utf8))
            header.append(entry.type.rawValue)
            header.append(entry)
        }
        var offset = 0
        for tensor in tensors {
            guard tensor.name.utf8.count < Self.nameLimit else {
                throw .badTensor(path: path, tensor: tensor.name, reason: "its name is longer than the \(Self.nameLimit - 1) bytes that llama.cpp reads.")
            }
            guard let count = tensor.type.byteCount(tensor.shape), tensor.shape.count <= 4 else {
                throw .badTensor(path: path, tensor: tensor.name, reason: "\(tensor.shape) cannot be kept as \(tensor.type.name).")
            }
            guard regions.updateValue(Region(start: offset, count: count), forKey: ByteKey(tensor.name)) == nil else {
                throw .badTensor(path: path, tensor: tensor.name, reason: "the name is used twice.")
            }
            header.append(text: Array(tensor.name.utf8))
            header.append(UInt32(tensor.shape.count))
            for dimension in tensor.shape.reversed() { header.append(UInt64(dimension)) }
            header.append(tensor.type.number)
            header.append(UInt64(offset))
            offset = Self.aligned(offset + count)
        }
        let dataStart = Self.aligned(header.count)
        regions = regions.mapValues { Region(start: dataStart + $0.start, count: $0.count) }
        byteCount = dataStart + offset
        return header
    }

    private static func aligned(_ offset: Int) -> Int { (offset + alignment - 1) / alignment * alignment }

    private func put(_ bytes: UnsafeRawBufferPointer, at position: Int) throws(GGUFError) {
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

    private func failure() -> GGUFError { .cannotWrite(.cannotWrite(path: path, reason: String(cString: strerror(errno)))) }

    private func abandon() {
        guard descriptor >= 0 else { return }
        close(descriptor)
        descriptor = -1
        unlink(temporaryPath)
    }
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
