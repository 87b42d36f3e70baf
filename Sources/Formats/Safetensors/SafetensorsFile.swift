/// Reading safetensors: a small JSON header in front of raw tensors, mapped and never copied.
///
///     u64 little-endian: bytes of the header | header: JSON, padded with spaces | data, at offsets that the header names
///
/// Headers are not trusted: sizes, offsets and shapes are checked against each other and the file before anything is lent out.

import Platform

/// One tensor of a file.
public struct TensorEntry: Sendable, Equatable {
    public let name: String
    public let dtype: SafetensorsType
    /// Row-major, outermost first; empty for a scalar.
    public let shape: [Int]
    /// Bytes within the file.
    public let byteRange: Range<Int>

    public var elementCount: Int { byteRange.count / dtype.byteCount }

    public init(name: String, dtype: SafetensorsType, shape: [Int], byteRange: Range<Int>) {
        self.name = name
        self.dtype = dtype
        self.shape = shape
        self.byteRange = byteRange
    }
}

public final class SafetensorsFile: Sendable {
    public let path: String
    public let mapping: MappedFile
    /// By their place in the file.
    public let tensors: [TensorEntry]
    public let metadata: [String: String]
    private let places: [ByteKey: Int]

    /// The limit that the format's own reader sets.
    static let headerLimit = 100_000_000

    public init(path: String) throws(SafetensorsError) {
        do throws(PlatformError) { mapping = try MappedFile(path: path) } catch { throw .cannotRead(error) }
        self.path = path
        let bytes = mapping.bytes
        guard bytes.count >= 8 else { throw .truncated(path: path, expected: 8, found: bytes.count) }
        let headerSize = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
        guard headerSize <= UInt64(Self.headerLimit) else {
            throw .headerTooLarge(path: path, bytes: headerSize, limit: Self.headerLimit)
        }
        let dataStart = 8 + Int(headerSize)
        guard bytes.count >= dataStart else { throw .truncated(path: path, expected: dataStart, found: bytes.count) }

        var parser = SafetensorsHeader(path: path, dataStart: dataStart, fileSize: bytes.count)
        try parser.parse(UnsafeRawBufferPointer(rebasing: bytes[8..<dataStart]))
        tensors = parser.tensors
        metadata = parser.metadata
        places = Dictionary(uniqueKeysWithValues: parser.tensors.enumerated().map { (ByteKey($1.name), $0) })
    }

    public func entry(named name: String) -> TensorEntry? { places[ByteKey(name)].map { tensors[$0] } }

    public func entry(required name: String) throws(SafetensorsError) -> TensorEntry {
        guard let found = entry(named: name) else { throw .missingTensor(path: path, tensor: name) }
        return found
    }

    /// The tensor's bytes inside the mapping; they live as long as `mapping`.
    public func bytes(_ entry: TensorEntry) -> UnsafeRawBufferPointer {
        // Entries of another file are cut to what is there.
        UnsafeRawBufferPointer(rebasing: mapping.bytes[entry.byteRange.clamped(to: 0..<mapping.count)])
    }
}

/// Turns header text into checked entries.
struct SafetensorsHeader {
    let path: String
    let dataStart: Int
    let fileSize: Int
    var tensors: [TensorEntry] = []
    var metadata: [String: String] = [:]

    init(path: String, dataStart: Int, fileSize: Int) {
        self.path = path
        self.dataStart = dataStart
        self.fileSize = fileSize
    }

    mutating func parse(_ header: UnsafeRawBufferPointer) throws(SafetensorsError) {
        var reader = JSONReader(header, name: "header", maximumDepth: 8)
        var seen: Set<ByteKey> = []
        do {
            try reader.beginObject()
            while let name = try reader.nextKey() {
                if !seen.insert(ByteKey(name)).inserted { throw SafetensorsError.badHeader(path: path, reason: "\(name) is there twice.") }
                if name == "__metadata__" { try readMetadata(&reader) } else { tensors.append(try readEntry(name, &reader)) }
            }
            try reader.end()
        } catch let error as SafetensorsError {
            throw error
        } catch let error as JSONError {
            throw .badHeader(path: path, reason: error.description)
        } catch {
            throw .badHeader(path: path, reason: "it cannot be read.")
        }
        if let twice = tensors.sortByPlace() { throw .overlap(path: path, first: twice.first, second: twice.second) }
    }

    private mutating func readMetadata(_ reader: inout JSONReader) throws(JSONError) {
        if try reader.takeNull() { return }
        try reader.beginObject()
        while let key = try reader.nextKey() { metadata[key] = try reader.string() }
    }

    private func readEntry(_ name: String, _ reader: inout JSONReader) throws -> TensorEntry {
        var dtypeText: String?
        var shape: [Int]?
        var offsets: [Int]?
        try reader.beginObject()
        while let key = try reader.nextKey() {
            switch key {
            case "dtype": dtypeText = try reader.string()
            case "shape": shape = try integers(&reader)
            case "data_offsets": offsets = try integers(&reader)
            default: try reader.skip()
            }
        }
        guard let dtypeText, let shape, let offsets else {
            throw bad(name, "dtype, shape and data_offsets must all be given.")
        }
        guard let dtype = SafetensorsType(rawValue: dtypeText) else {
            let known = SafetensorsType.allCases.map(\.rawValue).joined(separator: ", ")
            throw bad(name, "its type is \(dtypeText); known are \(known).")
        }
        guard shape.count <= 16, shape.allSatisfy({ $0 >= 0 }) else { throw bad(name, "its shape \(shape) is impossible.") }
        guard offsets.count == 2, offsets[0] >= 0, offsets[0] <= offsets[1] else {
            throw bad(name, "its data_offsets \(offsets) are impossible.")
        }
        guard offsets[1] <= fileSize - dataStart else {
            throw bad(name, "its data ends at byte \(offsets[1]), but the file holds only \(fileSize - dataStart) bytes of data.")
        }
        guard let size = TensorShape.byteCount(shape, width: dtype.byteCount) else {
            throw bad(name, "its shape \(shape) has more elements than memory can hold.")
        }
        guard size == offsets[1] - offsets[0] else {
            throw bad(name, "its shape \(shape) of \(dtypeText) needs \(size) bytes, but data_offsets span \(offsets[1] - offsets[0]).")
        }
        return TensorEntry(name: name, dtype: dtype, shape: shape, byteRange: (dataStart + offsets[0])..<(dataStart + offsets[1]))
    }

    private func integers(_ reader: inout JSONReader) throws(JSONError) -> [Int] {
        var values: [Int] = []
        try reader.beginArray()
        while try reader.nextElement() {
            values.append(Int(try reader.integer()))
            if values.count > 64 { throw reader.wrongKind("at most 64 numbers") }
        }
        return values
    }

    private func bad(_ tensor: String, _ reason: String) -> SafetensorsError { .badTensor(path: path, tensor: tensor, reason: reason) }
}
